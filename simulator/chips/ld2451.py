# SPDX-License-Identifier: MIT
"""HLK-LD2451: a 24 GHz radar that reports up to five vehicles, ten frames a second.

After the serial protocol V1.03 (2024-07-01). Senses `vehicles` as in road.py. Its detection
parameters outlive power; from the factory it reports vehicles that come nearer only. Commands are
as in hlk.py. The manual's table and its example do not agree with modules about what the direction
byte says: `approaching` is what it is of those who come nearer. Some modules send nothing while
nothing moves (`tells_nothing`), and the manual does not know of Bluetooth (`knows_bluetooth`).

Not modelled: the sensitivity, the delay of "no target", the angle.

Faults: "short" (frames are cut), "range" (a target at 255 m), "frozen" (one frame for ever).
"""

from simulator.chips.hlk import DONE, PERIOD_MS, REFUSED, HLKRadar
from simulator.chips.road import Road

_TARGETS = 5
_AHEAD = 0x80  # the angle's zero

_HEAD, _TAIL = b"\xf4\xf3\xf2\xf1", b"\xf8\xf7\xf6\xf5"
_EMPTY = _HEAD + b"\x00\x00" + _TAIL
_FAR_FRAME = _HEAD + b"\x07\x00\x01\x00\x80\xff\x01\x14\x0c" + _TAIL

_SET_DETECTION, _READ_DETECTION = 0x02, 0x12
_SET_SENSITIVITY, _READ_SENSITIVITY = 0x03, 0x13
_READ_VERSION, _BLUETOOTH = 0xA0, 0xA4
_VERSION = b"\x51\x24\x01\x01\x10\x15\x05\x24"  # V1.01.24051510
_AWAY, _APPROACH = 0, 1


class LD2451(HLKRadar):
    SENSES = ("vehicles",)
    BAUD = 115_200
    _ENABLED = b"\x00\x00\x01\x00\x00\x00"

    def __init__(self, signals, line_m: int = 0, min_kmh: int = 0):
        # The options are the driver's: the radar is told by a command, or knows nothing of them.
        HLKRadar.__init__(self, signals)
        self._road = Road(signals)
        self._detection = b"\x64\x01\x05\x02"  # 100 m, approach only, 5 km/h, 2 s
        self._sensitivity = bytes((1, 0, 0, 0))
        self._number = 0  # of the frame
        self._frozen = None
        self.approaching = 1
        self.tells_nothing = False
        self.knows_bluetooth = True
        self.power_on(0)

    def _frames(self, first_ms: int, count: int) -> bytes:
        frames = [b"" if self.tells_nothing else _EMPTY] * count
        for index, vehicles in self._road.watch(first_ms, count, PERIOD_MS):
            self._number = (first_ms // PERIOD_MS + index) & 0xFFFF
            targets = [t for t in [self._target(*v) for v in vehicles] if t][:_TARGETS]
            if targets:
                frames[index] = self._frame(targets)
        if self.fault == "frozen":
            self._frozen = self._frozen or self._frame([self._target(30_000, 1, 14_000)])
            return self._frozen * count
        self._frozen = None
        if self.fault == "range":
            return _FAR_FRAME * count
        if self.fault == "short":
            return b"".join([frame[:7] for frame in frames])
        return b"".join(frames)

    def _noise(self, step: int, spread: int) -> int:
        """From -spread to spread, another for each frame."""
        number = (self._number + step * 7919) * 40_503 & 0xFFFF
        return number % (2 * spread + 1) - spread

    def _target(self, distance_mm: int, direction: int, speed_mmps: int):
        """Five bytes, or None when the parameters leave it out."""
        farthest_m, directions, slowest_kmh = self._detection[:3]
        distance_m = (distance_mm + 500 + self._noise(distance_mm, 300)) // 1000
        kmh = (speed_mmps * 9 + 1250) // 2500
        comes = direction > 0
        if distance_m > farthest_m or kmh < slowest_kmh:
            return None
        if directions == (_AWAY if comes else _APPROACH):
            return None
        side = self.approaching if comes else 1 - self.approaching
        strength = 0x14 + self._noise(kmh + distance_m, 9)
        return bytes((_AHEAD, distance_m, side, min(kmh, 120), strength))

    def _frame(self, targets: list) -> bytes:
        alarm = len([1 for target in targets if target[2] == self.approaching])
        body = bytes((len(targets), min(alarm, 1))) + b"".join(targets)
        return _HEAD + bytes((len(body), 0)) + body + _TAIL

    def _set(self, command: int, value: bytes) -> bytes:
        if command == _SET_DETECTION and len(value) == 4:
            self._detection = value
            return DONE
        if command == _SET_SENSITIVITY and len(value) == 4:
            self._sensitivity = value
            return DONE
        answers = {
            _READ_DETECTION: self._detection,
            _READ_SENSITIVITY: self._sensitivity,
            _READ_VERSION: _VERSION,
        }
        if command in answers:
            return DONE + answers[command]
        if command == _BLUETOOTH and not self.knows_bluetooth:
            return REFUSED
        return HLKRadar._set(self, command, value)
