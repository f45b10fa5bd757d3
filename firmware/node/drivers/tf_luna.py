# SPDX-License-Identifier: MIT
"""Benewake TF-Luna: lidar over a lane; vehicles that break its beam, and how full the lane is.

Since the sample before; full is the share of the time for which the beam is broken.

Bus: UART 115200 8N1; rate_hz (50 or 100) frames a second of distance (1 cm, 0.2–8 m), signal
strength and chip temperature. The beam needs something behind the lane to hit within 8 m, as the
road below. It is broken from two frames nearer than near_mm on, until three beyond far_mm. Frames
too weak (strength < 100) or too bright (65535) tell nothing, and change nothing. No distance
leaves this driver. Sample it every 1 to 4 s.

Errors: SensorFault SILENT, FRAME, CHECKSUM, RANGE (no frame of usable strength: the beam hits
nothing, or the lens is dirty) and FROZEN (one frame 300 times: strength is never that calm).
Source: product manual SJ-PM-TF-Luna A05, sections 5.4 and 6.2, appendices I and II.

Wiring: +5V 5 V; RXD tx; TXD rx; GND; CFG 3.3 V. With: 1 × 6-pin cable of 1.25 mm pitch.

    lidar = TFLuna(uart, near_mm=4500, far_mm=5000)
    wait_ms = lidar.start()
    ...
    vehicles, occupancy_permille = lidar.read() or (0, 0)
"""

from micropython import const

from node.errors import CHECKSUM, FRAME, FROZEN, RANGE, SILENT, SensorFault

_HEADER = b"\x59\x59"
_SIZE = const(9)
_ANSWER_MS = const(200)
_WEAK, _BRIGHT = const(100), const(65_535)
_BREAKS, _CLEARS = const(2), const(3)  # frames
_SAME = const(300)


def _command(identity: int, payload: bytes) -> bytes:
    frame = bytes((0x5A, len(payload) + 4, identity)) + payload
    return frame + bytes((sum(frame) & 0xFF,))


class TFLuna:
    BUS = "uart"
    INTERVAL_S = (1, 4)  # before its buffer is full
    BAUD = 115_200
    RXBUF = 4096
    SETTLE_MS = 0
    QUANTITIES = ("vehicles", "occupancy_permille")

    def __init__(self, uart, near_mm: int = 4500, far_mm: int = 5000, rate_hz: int = 100):
        self._uart = uart
        self._near_mm = near_mm
        self._far_mm = far_mm
        self._rate = _command(0x03, bytes((rate_hz, 0)))
        self._is_set_up = False
        self._buffer = bytearray(261)
        self._view = memoryview(self._buffer)
        self._kept = 0  # bytes of a frame whose rest is still to come
        self._last = b""
        self._same = 0
        self._is_broken = False
        self._against = 0  # frames in a row that say otherwise
        self._frames = self._usable = self._broken = self._vehicles = 0

    def start(self) -> int:
        if self._is_set_up:
            return 0
        self._uart.read()  # frames of before
        self._uart.write(_command(0x05, b"\x01"))  # frames of 9 bytes, in cm
        self._uart.write(self._rate)
        return _ANSWER_MS

    def read(self):
        """None at first, while it is set up."""
        if not self._is_set_up:
            answer = self._uart.read()
            if not answer or self._rate not in answer:  # it repeats a command that it obeys
                raise SensorFault(FRAME if answer else SILENT)
            self._is_set_up = True
            return None
        self._frames = self._usable = self._broken = self._vehicles = 0
        reason, heard = SILENT, 0
        # A line that never falls silent gets no more than the buffer holds.
        while heard < TFLuna.RXBUF and (size := self._uart.readinto(self._view[self._kept :])):
            heard += size
            if self._scan(self._kept + size):
                reason = CHECKSUM
            elif reason == SILENT:
                reason = FRAME
        if not self._frames:
            raise SensorFault(reason)
        if not self._usable:
            raise SensorFault(RANGE)
        return self._vehicles, self._broken * 1000 // self._usable

    def _scan(self, end: int) -> bool:
        """Takes the frames out of the first `end` bytes of the buffer; whether a sum was wrong."""
        buffer, view = self._buffer, self._view
        at = 0
        is_wrong = False
        while True:
            found = buffer.find(_HEADER, at, end)
            if found < 0:
                at = max(at, end - 1)  # where one may begin
                break
            at = found
            if at + _SIZE > end:
                break
            if sum(view[at : at + _SIZE - 1]) & 0xFF == buffer[at + _SIZE - 1]:
                self._take(at + 2)
                at += _SIZE
            else:
                is_wrong = True
                at += 1
        self._kept = end - at
        view[: self._kept] = view[at:end]
        return is_wrong

    def _take(self, at: int):
        buffer = self._buffer
        self._frames += 1
        frame = bytes(self._view[at : at + 6])
        self._same = self._same + 1 if frame == self._last else 0
        self._last = frame
        if self._same >= _SAME:
            raise SensorFault(FROZEN)
        strength = buffer[at + 2] | buffer[at + 3] << 8
        if strength < _WEAK or strength == _BRIGHT:
            return
        distance_mm = (buffer[at] | buffer[at + 1] << 8) * 10
        self._usable += 1
        if self._is_broken:
            self._against = self._against + 1 if distance_mm > self._far_mm else 0
        else:
            self._against = self._against + 1 if distance_mm < self._near_mm else 0
        if self._against >= (_CLEARS if self._is_broken else _BREAKS):
            self._is_broken = not self._is_broken
            self._against = 0
            self._vehicles += self._is_broken
        self._broken += self._is_broken
