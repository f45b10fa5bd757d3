# SPDX-License-Identifier: MIT
"""HLK-LD2450: 24 GHz radar; people who cross a line, by direction, since the sample before.

Bus: UART, 256000 8N1, ten frames a second with up to three targets within 6 m, ±60°. The line is
x = line_x_mm in the radar's coordinates; rightward is towards positive x. Where people are stays
in here: what comes out is two counts. Errors: SensorFault SILENT (no byte came) and FRAME (bytes,
but no good frame; there is no checksum). Source: manual V1.00, section 6; serial protocol V1.03.

Its Bluetooth tells positions to everybody near. "Off" takes effect at a restart of the module: the
first two samples go into that and give None, or FRAME when it refuses. Sample it every 2 to 4 s.

Wiring: 5V 5 V; GND; TX rx; RX tx. With: 1 × cable of 1.5 mm pitch.

    radar = LD2450(uart)
    wait_ms = radar.start()
    ...
    rightward, leftward = radar.read() or (0, 0)
"""

from struct import unpack_from

from micropython import const

from node.drivers.hlk import command
from node.errors import FRAME, SILENT, SensorFault

_ENABLE = const(b"\xff\x00\x01\x00")
_BLUETOOTH_OFF = const(b"\xa4\x00\x00\x00")
_BLUETOOTH_ACK = const(b"\xa4\x01\x00\x00")
_RESTART = const(b"\xa3\x00")
_SIZE = const(30)
_RUN = const(300)
_HEADER = b"\xaa\xff\x03\x00"
_EMPTY_RUN = (_HEADER + bytes(24) + b"\x55\xcc") * 10
_FAR_MM = const(8000)  # the part sees 6 m: a frame that says more is broken
_MARGIN_MM = const(100)  # who sways on the line crosses once
_STRIDE_MM = const(400)  # in one frame; and once more, for the radar's own error
_FORGET = const(5)  # frames after which somebody who was not seen is gone


class LD2450:
    BUS = "uart"
    INTERVAL_S = (2, 4)  # slower than it boots, faster than its buffer fills
    BAUD = 256_000
    RXBUF = 4096
    SETTLE_MS = 0
    QUANTITIES = ("people_rightward", "people_leftward")

    def __init__(self, uart, line_x_mm: int = 0):
        self._uart = uart
        self._line_x_mm = line_x_mm
        self._setting_up = 2
        self._buffer = bytearray(32 * _SIZE)
        self._view = memoryview(self._buffer)
        self._kept = 0  # bytes of a frame whose rest is still to come
        self._number = _FORGET + 1  # of the last frame
        # One track a slot: x, y, side of the line (-1, 1; 0: not known), number of its last frame.
        self._tracks = [[0, 0, 0, 0] for _ in range(3)]
        self._slots = []  # which had a target in the last frame
        self._counts = [0, 0]
        uart.read()  # frames of before

    def start(self) -> int:
        if self._setting_up:
            self._uart.write(command(_ENABLE))  # each time: it may leave this mode by itself
        return 100 if self._setting_up else 0

    def read(self):
        if self._setting_up:
            answer = self._uart.read()
            self._setting_up -= 1
            if not answer or (not self._setting_up and command(_BLUETOOTH_ACK) not in answer):
                raise SensorFault(FRAME if answer else SILENT)
            self._uart.write(command(_BLUETOOTH_OFF if self._setting_up else _RESTART))
            return None
        heard = frames = 0
        # A line that never falls silent gets no more than the buffer holds.
        while heard < LD2450.RXBUF and (size := self._uart.readinto(self._view[self._kept :])):
            heard += size
            frames += self._scan(self._kept + size)
        if not frames:
            raise SensorFault(FRAME if heard else SILENT)
        counts, self._counts = self._counts, [0, 0]
        return tuple(counts)

    def _scan(self, end: int) -> int:
        """Takes the frames out of the first `end` bytes of the buffer; returns how many."""
        view = self._view
        at = frames = 0
        while at + _SIZE <= end:
            if not self._slots and at + _RUN <= end and view[at : at + _RUN] == _EMPTY_RUN:
                self._number += _RUN // _SIZE
                at += _RUN
                frames += _RUN // _SIZE
            elif self._take(unpack_from("<I12HH", view, at)):
                at += _SIZE
                frames += 1
            else:  # bytes were lost or made up: go on at the next header, or where one may begin
                at = max(0, self._buffer.find(_HEADER, at + 1, end)) or end - 3
        self._kept = end - at
        view[: self._kept] = view[at:end]
        return frames

    def _take(self, frame: tuple) -> bool:
        """Follows the targets of a frame; False when it is none."""
        if frame[0] != 0x0003FFAA or frame[13] != 0xCC55:
            return False
        targets = []
        for slot in range(3):
            x, y = frame[4 * slot + 1], frame[4 * slot + 2]
            if x or y:
                x = x - 0x8000 if x & 0x8000 else -x  # the sign bit is set for positive values
                y = y - 0x8000 if y & 0x8000 else -y
                if abs(x) > _FAR_MM or abs(y) > _FAR_MM:
                    return False
                targets.append((slot, x, y))
        self._number += 1
        before, self._slots = self._slots, [target[0] for target in targets]
        same = before == self._slots
        # First who is known, then who is new: they take the track not seen for longest.
        for target in [t for t in targets if not self._follow(t, self._find(t, same))]:
            oldest = min([(track[3], index) for index, track in enumerate(self._tracks)])[1]
            self._tracks[oldest][2] = 0
            self._follow(target, oldest)
        return True

    def _find(self, target: tuple, same: bool):
        """The index of the track that the target continues, or None."""
        # While the same slots are in use, everybody keeps theirs, also when two pass each other;
        # otherwise somebody may have left and others moved up, and the nearest track counts.
        slot, x, y = target
        fits = []
        for index, track in enumerate(self._tracks):
            age = self._number - track[3]  # 0: another target has it
            away_mm = max(abs(x - track[0]), abs(y - track[1]))
            if 0 < age <= _FORGET and away_mm <= _STRIDE_MM * (age + 1):
                fits.append((0 if same and index == slot else 1, away_mm, index))
        return min(fits)[2] if fits else None

    def _follow(self, target: tuple, index) -> bool:
        if index is None:
            return False
        slot, x, y = target
        tracks = self._tracks
        track = tracks[index]
        tracks[index], tracks[slot] = tracks[slot], track
        track[0], track[1], track[3] = x, y, self._number
        x -= self._line_x_mm
        if abs(x) > _MARGIN_MM:
            side = 1 if x > 0 else -1
            if side == -track[2]:
                self._counts[side < 0] += 1
            track[2] = side
        return True
