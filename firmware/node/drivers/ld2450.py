# SPDX-License-Identifier: MIT
"""HLK-LD2450: 24 GHz radar; people who cross a line, by direction, since the sample before.

Bus: UART, 256000 8N1, ten frames a second with up to three targets within 6 m, ±60°. The line is
x = line_x_mm in the radar's coordinates; rightward is towards positive x. Where people are stays
in here: what comes out is two counts. Errors: SensorFault SILENT (no byte came), FRAME (no good
frame among them; the frames have no checksum), and FRAME when its Bluetooth cannot be switched off.
Source: LD2450 manual V1.00, section 6; serial protocol V1.03, sections 2.1, 2.2.1, 2.2.9, 2.2.10.

Its Bluetooth tells positions to everybody near. Off is a setting that takes effect at a restart of
the module, so the first two samples go into that, and give None. Sample it every 2 to 4 s.

    radar = LD2450(uart)
    wait_ms = radar.start()
    ...
    rightward, leftward = radar.read() or (0, 0)
"""

from struct import unpack_from

from micropython import const

from node.errors import FRAME, SILENT, SensorFault

_ENABLE = b"\xfd\xfc\xfb\xfa\x04\x00\xff\x00\x01\x00\x04\x03\x02\x01"
_BLUETOOTH_OFF = b"\xfd\xfc\xfb\xfa\x04\x00\xa4\x00\x00\x00\x04\x03\x02\x01"
_BLUETOOTH_ACK = b"\xfd\xfc\xfb\xfa\x04\x00\xa4\x01\x00\x00\x04\x03\x02\x01"
_RESTART = b"\xfd\xfc\xfb\xfa\x02\x00\xa3\x00\x04\x03\x02\x01"
_ANSWER_MS = const(100)

_FRAME = const(30)
_RUN = const(300)
_HEADER = b"\xaa\xff\x03\x00"
_EMPTY = _HEADER + bytes(24) + b"\x55\xcc"
_EMPTY_RUN = _EMPTY * 10
_HEAD = const(0x0003FFAA)  # as little-endian numbers
_TAIL = const(0xCC55)

_FAR_MM = const(8000)  # the part sees 6 m: a frame that says more is broken
_MARGIN_MM = const(100)  # who sways on the line crosses once
_STEP_MM = const(500)  # a person moves less than this, and _STEP_PER_FRAME_MM for each frame
_STEP_PER_FRAME_MM = const(300)
_FORGET_FRAMES = const(5)  # who was not seen for so long is gone


def _signed(raw: int) -> int:
    return raw - 0x8000 if raw & 0x8000 else -raw


class LD2450:
    BUS = "uart"
    BAUD = 256_000
    RXBUF = 4096
    SETTLE_MS = 0
    QUANTITIES = ("people_rightward", "people_leftward")

    def __init__(self, uart, line_x_mm: int = 0):
        self._uart = uart
        self._line_x_mm = line_x_mm
        self._setting_up = 2
        self._buffer = bytearray(32 * _FRAME)
        self._view = memoryview(self._buffer)
        self._kept = 0  # bytes of a frame whose rest is still to come
        # One track a slot: x, y, side of the line (-1, 1; 0 = not yet known), frames not seen.
        self._tracks = [[0, 0, 0, _FORGET_FRAMES + 1] for _ in range(3)]
        self._slots = 0  # bit set of the slots that had a target in the last frame
        self._rightward = self._leftward = 0
        uart.read()

    def start(self) -> int:
        if not self._setting_up:
            return 0
        self._uart.write(_ENABLE)  # each time: the module may leave this mode by itself
        return _ANSWER_MS

    def read(self):
        if self._setting_up:
            return self._set_up()
        heard = frames = 0
        while True:
            size = self._uart.readinto(self._view[self._kept :])
            if not size:
                break
            heard += size
            frames += self._scan(self._kept + size)
        if not heard:
            raise SensorFault(SILENT)
        if not frames:
            raise SensorFault(FRAME)
        counts = self._rightward, self._leftward
        self._rightward = self._leftward = 0
        return counts

    def _set_up(self):
        answer = self._uart.read()
        if not answer:
            raise SensorFault(SILENT)
        self._setting_up -= 1
        if self._setting_up:
            self._uart.write(_BLUETOOTH_OFF)
        elif _BLUETOOTH_ACK in answer:
            self._uart.write(_RESTART)
        else:
            raise SensorFault(FRAME)

    def _scan(self, end: int) -> int:
        """Takes the frames out of the first `end` bytes of the buffer; returns how many."""
        buffer, view = self._buffer, self._view
        at = frames = 0
        while at + _FRAME <= end:
            if not self._slots and at + _RUN <= end and view[at : at + _RUN] == _EMPTY_RUN:
                for track in self._tracks:
                    track[3] = _FORGET_FRAMES + 1
                at += _RUN
                frames += 10
            elif self._frame(at):
                at += _FRAME
                frames += 1
            else:  # bytes were lost or made up: go on at the next header
                at = buffer.find(_HEADER, at + 1, end)
                if at < 0:
                    at = end - 3  # which may have begun
        self._kept = end - at
        view[: self._kept] = view[at:end]
        return frames

    def _frame(self, at: int) -> bool:
        """Follows the targets of the frame at `at`; False when it is none."""
        fields = unpack_from("<I12HH", self._buffer, at)
        if fields[0] != _HEAD or fields[13] != _TAIL:
            return False
        targets = []
        slots = 0
        for slot in range(3):
            x, y = fields[4 * slot + 1], fields[4 * slot + 2]
            if x or y:
                x, y = _signed(x), _signed(y)
                if abs(x) > _FAR_MM or abs(y) > _FAR_MM:
                    return False
                targets.append((slot, x, y))
                slots |= 1 << slot
        for track in self._tracks:
            track[3] += 1
        same = slots == self._slots
        self._slots = slots
        strangers = [t for t in targets if not self._recognise(t, same)]
        for slot, x, y in strangers:
            self._tracks[slot][2] = 0
            self._follow(self._tracks[slot], x, y)
        return True
