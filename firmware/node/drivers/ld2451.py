# SPDX-License-Identifier: MIT
"""HLK-LD2451: 24 GHz radar; vehicles on a road, by direction, and how fast they are.

Vehicles that pass a line across the road, since the sample before.

Bus: UART, 115200 8N1, ten frames a second with up to five targets within 100 m, ±20°, up to
120 km/h. The line is line_m from the radar; slower than min_kmh is no vehicle. A target is
followed from frame to frame by its distance, so it does not matter what the direction byte means
(the manual and the modules differ). Where vehicles are and how fast each is stays in here: what
comes out is two counts, and the mean speed of the vehicles since the mean before, once they are
three or more (towards the radar: 2 % too low at 12° to the road). Sample it every 2 to 8 s.

Errors: SensorFault SILENT (no byte came), FRAME (bytes, but no good frame; there is no checksum)
and FROZEN (one frame with a target, a hundred times; empty frames are always the same). Some
modules send nothing while nothing moves: then it is asked whether it is there, for 0.2 s in which
it does not look. Source: serial protocol V1.03 (2024-07-01), sections 1.2 and 1.3.

At first it is told to report both directions, and to switch its Bluetooth off, which takes a
restart. The command for that is the LD2450's and not in this one's manual: a module that does not
know it is used all the same.

Wiring: 5V 5 V; GND; TX rx; RX tx.

    radar = LD2451(uart)
    wait_ms = radar.start()
    ...
    values = radar.read()  # three values, ms to wait until it is called again, or None
"""

from micropython import const

from node.drivers.hlk import command
from node.errors import FRAME, FROZEN, SILENT, SensorFault

_ENABLE = b"\xff\x00\x01\x00"
_END = b"\xfe\x00"
_DETECT = const(0x02)
_BLUETOOTH = const(0xA4)
_RESTART = const(0xA3)
_UNSURE = (_BLUETOOTH, _RESTART)  # whether these are acknowledged
_ANSWER_MS = const(100)
_RESTART_MS = const(2000)

_HEADER = b"\xf4\xf3\xf2\xf1"
_TAIL = b"\xf8\xf7\xf6\xf5"
_MOST = const(27)  # bytes of five targets
_FAR_M = const(100)
_FAST_KMH = const(120)
_FORGET = const(10)  # frames after which a target that was not seen is gone
_TRACKS = const(8)
_STRAY_M = const(2)  # what a distance may be wrong by
_SAME = const(100)  # frames
_TOGETHER = const(3)  # vehicles, before their mean speed is told


class LD2451:
    BUS = "uart"
    INTERVAL_S = (2, 8)  # before its buffer is full
    BAUD = 115_200
    RXBUF = 4096
    SETTLE_MS = 0
    QUANTITIES = ("vehicles_approaching", "vehicles_receding", "vehicle_speed_mmps")

    def __init__(self, uart, line_m: int = 20, min_kmh: int = 10):
        self._uart = uart
        self._line_m = line_m
        self._asked = None  # the command whose acknowledgement is awaited
        self._to_ask = [
            bytes((_DETECT, 0, _FAR_M, 2, min_kmh, 0)),  # both directions
            bytes((_BLUETOOTH, 0, 0, 0)),
            bytes((_RESTART, 0)),
        ]
        self._buffer = bytearray(256)
        self._view = memoryview(self._buffer)
        self._kept = 0  # bytes of a frame whose rest is still to come
        self._frame = None  # the last one with a target
        self._same = 0
        self._number = _FORGET + 1  # of the last frame
        # A track: distance, direction byte, side of the line (-1 near, 1 far; 0: not known),
        # number of its last frame.
        self._tracks = [[0, 0, 0, 0] for _ in range(_TRACKS)]
        self._counts = [0, 0]
        self._speeds = self._timed = 0  # sum in mm/s, and of how many

    def start(self) -> int:
        if not self._to_ask:
            return 0
        self._uart.read()  # frames of before
        return self._ask(_ENABLE)

    def read(self):
        if self._asked:
            return self._hear()
        heard = frames = 0
        # A line that never falls silent gets no more than the buffer holds.
        while heard < LD2451.RXBUF and (size := self._uart.readinto(self._view[self._kept :])):
            heard += size
            frames += self._scan(self._kept + size)
        if frames:
            return self._take()
        if heard:
            raise SensorFault(FRAME)
        self._to_ask.append(_END)
        return self._ask(_ENABLE)

    def _ask(self, body: bytes) -> int:
        self._asked = body
        self._uart.write(command(body))
        return _RESTART_MS if body[0] == _RESTART else _ANSWER_MS

    def _hear(self):
        """Takes an acknowledgement, and goes on with the next command."""
        answer = self._uart.read()
        body, self._asked = self._asked, None
        if body[0] not in _UNSURE:
            success = bytes((body[0], 1, 0, 0))
            if body is not _ENABLE:  # of which more follows
                success = command(success)
            if not answer or success not in answer:
                raise SensorFault(FRAME if answer else SILENT)
        if self._to_ask:
            return self._ask(self._to_ask.pop(0))
        self._kept = 0
        self._number += _FORGET + 1
        return self._take() if body is _END else None

    def _take(self) -> tuple:
        counts, self._counts = self._counts, [0, 0]
        mean = None
        if self._timed >= _TOGETHER:
            mean = self._speeds // self._timed
            self._speeds = self._timed = 0
        return counts[0], counts[1], mean

    def _scan(self, end: int) -> int:
        """Takes the frames out of the first `end` bytes of the buffer; returns how many."""
        view = self._view
        at = frames = 0
        while True:
            found = self._buffer.find(_HEADER, at, end)
            if found < 0:
                at = max(at, end - 3)  # where one may begin
                break
            at = found
            if at + 6 > end:
                break
            size = view[at + 4] | view[at + 5] << 8
            if size <= _MOST and at + size + 10 > end:
                break
            if size <= _MOST and self._is_frame(at + 6, size):
                self._number += 1
                for target in range(at + 8, at + 6 + size, 5):
                    self._follow(view[target + 1], view[target + 2], view[target + 3])
                at += size + 10
                frames += 1
            else:  # bytes were lost or made up: go on at the next header
                at += 1
        self._kept = end - at
        view[: self._kept] = view[at:end]
        return frames

    def _is_frame(self, at: int, size: int) -> bool:
        view = self._view
        if view[at + size : at + size + 4] != _TAIL:
            return False
        if not size:
            return True
        if size != 2 + 5 * view[at] or view[at + 1] > 1:
            return False
        for i in range(at + 2, at + size, 5):
            if view[i + 1] > _FAR_M or view[i + 2] > 1 or view[i + 3] > _FAST_KMH:
                return False
        if size > 2:
            frame = bytes(view[at : at + size])
            self._same = self._same + 1 if frame == self._frame else 1
            self._frame = frame
            if self._same >= _SAME:
                raise SensorFault(FROZEN)
        return True

    def _follow(self, distance_m: int, direction: int, kmh: int):
        """A target continues the nearest track that it can, or else begins one."""
        best, best_m = None, 1000
        for track in self._tracks:
            age = self._number - track[3]  # 0: another target has it
            if 0 < age <= _FORGET and track[1] == direction:
                away_m = abs(distance_m - track[0])
                # In a frame 1 m for each 36 km/h; and once more, for a frame that was lost.
                if away_m <= _STRAY_M + (kmh + 10) * (age + 1) // 36 and away_m < best_m:
                    best, best_m = track, away_m
        if best is None:
            best = min(self._tracks, key=lambda track: track[3])
            best[2] = 0
        best[0], best[1], best[3] = distance_m, direction, self._number
        if abs(distance_m - self._line_m) > _STRAY_M:
            side = 1 if distance_m > self._line_m else -1
            if side == -best[2]:
                self._counts[side > 0] += 1
                self._speeds += kmh * 2500 // 9
                self._timed += 1
            best[2] = side
