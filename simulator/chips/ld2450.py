# SPDX-License-Identifier: MIT
"""HLK-LD2450: a 24 GHz radar that reports up to three moving people, ten frames a second.

After the manual V1.00 section 6 and the serial protocol V1.03. Senses `people`: each walks along
x at a fixed speed and distance, in view while within 4 m of x = 0. The first three in view are
reported, in slots without gaps: when one leaves, those after move up, as the modules do. Others
are not seen. Somebody of whom the world tells less than the way into view ahead steps out of a
door 0.6 m before x = 0, so nobody crosses unseen.

Commands are as in hlk.py. Bluetooth is on from the factory; the setting outlives power, and takes
effect at the next start: `bluetooth` says whether it is on.

Faults: "short" (frames are cut), "range" (a target at x = 12 m).
"""

from struct import pack, pack_into

from simulator.chips.hlk import PERIOD_MS, HLKRadar

_TARGETS = 3

_VIEW_UM = 4_000_000
_DOOR_UM = 600_000
_RESOLUTION_MM = 320
_POSITIVE = 0x8000  # the sign bit of x, y and speed is set for positive values

_FRAME = 30
_EMPTY = b"\xaa\xff\x03\x00" + bytes(24) + b"\x55\xcc"
_FAR = pack("<HHHH", _POSITIVE | 12_000, _POSITIVE | 1_000, 0, _RESOLUTION_MM)
_FAR_FRAME = _EMPTY[:4] + _FAR + _EMPTY[12:]


def _signed(value: int) -> int:
    return _POSITIVE | value if value >= 0 else -value


class LD2450(HLKRadar):
    SENSES = ("people",)
    BAUD = 256_000

    def __init__(self, signals, line_x_mm: int = 0):
        # The line is the driver's: the radar knows of none.
        HLKRadar.__init__(self, signals)
        self._coming = []  # people out of view: (begin ms, end ms, crossing ms, mm/s along x, mm)
        self._in_view = []  # the same, in order of coming into view
        self._known_ms = 0  # people who cross x = 0 until then are known
        self.power_on(0)

    def _frames(self, first_ms: int, count: int) -> bytes:
        self._learn()
        last_ms = first_ms + (count - 1) * PERIOD_MS
        frames = _EMPTY * count
        if self._in_view or (self._coming and self._coming[0][0] <= last_ms):
            frames = bytearray(frames)
            self._draw(frames, first_ms, last_ms)
            frames = bytes(frames)
        if self.fault == "range":
            return _FAR_FRAME * count
        if self.fault == "short":
            return b"".join([frames[i : i + 23] for i in range(0, len(frames), _FRAME)])
        return frames

    def _learn(self):
        """Takes the people whom the world has told of since."""
        known_ms = self._known_ms
        if self._signals.known_ms <= known_ms:
            return
        self._known_ms = self._signals.known_ms
        for event in self._signals.events("people", known_ms, self._known_ms):
            time_ms, direction, speed_mmps, distance_mm = event
            begin_ms = max(time_ms - _VIEW_UM // speed_mmps, known_ms)
            time_ms = max(time_ms, begin_ms + _DOOR_UM // speed_mmps)
            end_ms = time_ms + _VIEW_UM // speed_mmps
            velocity = speed_mmps if direction > 0 else -speed_mmps
            self._coming.append((begin_ms, end_ms, time_ms, velocity, distance_mm))
        self._coming.sort()

    def _draw(self, frames: bytearray, time_ms: int, last_ms: int):
        """Writes the people in view into the frames of `time_ms` to `last_ms`."""
        coming, in_view = self._coming, self._in_view
        first_ms = time_ms
        while time_ms <= last_ms:
            while coming and coming[0][0] <= time_ms:
                in_view.append(coming.pop(0))
            if not in_view:
                if not coming:
                    return
                time_ms += -(-(coming[0][0] - time_ms) // PERIOD_MS) * PERIOD_MS
                continue
            at = (time_ms - first_ms) // PERIOD_MS * _FRAME + 4
            slot = 0
            for person in in_view:
                _, end_ms, crossing_ms, velocity, y = person
                if end_ms < time_ms:
                    continue
                if slot < _TARGETS:
                    x = velocity * (time_ms - crossing_ms) // 1000
                    far, near = (abs(x), y) if abs(x) > y else (y, abs(x))
                    # Towards or away from the radar; this hypotenuse is good to 7 %.
                    speed = velocity * x // (10 * (far + near * 3 // 8) or 1)
                    pack_into(
                        "<HHHH", frames, at + 8 * slot,
                        _signed(x), _signed(y), _signed(speed), _RESOLUTION_MM,
                    )  # fmt: skip
                slot += 1
            if slot < len(in_view):
                in_view[:] = [person for person in in_view if person[1] >= time_ms]
            time_ms += PERIOD_MS
