# SPDX-License-Identifier: MIT
"""OmniPreSense OPS243-A: a 24 GHz Doppler radar that tells the speed of the strongest target, ten
lines a second, after the user manual UM-003-A.

Senses `vehicles` as in road.py; a car's magnitude is 86 at 4 m, falls with the square of the
distance, and wavers. Tells of those of 1 or more. Settings end with the power (they are not
saved): plain lines in m/s with one decimal, none when nothing moves. Commands: OJ, Oj (JSON), OM,
Om (magnitude), OT, Ot (time, not modelled), UM, UK, UC, UF, US, U? (units), Fn (decimals), BZ, BV
(a line of zero when nothing moves, or none), ??, ?P, ?V, ?N, ?U (the last two tell who it is). Not
modelled: that a radar sees less speed at an angle.

Faults: "short" (lines break off), "range" (speeds of 999 m/s), "frozen" (one line for ever).
"""

from simulator.chips.part import Part
from simulator.chips.road import Road

_PERIOD_MS = 100
_BOOT_MS = 1500
_KEPT_LINES = 150  # more than any receive buffer
_MAGNITUDE = 86 * 16  # at 1 m
_UNITS = {  # a metre a second in millionths, and the name
    "M": (1_000_000, "m-per-sec"),
    "C": (100_000_000, "cm-per-sec"),
    "F": (3_280_840, "ft-per-sec"),
    "K": (3_600_000, "km-per-hr"),
    "S": (2_236_936, "mph"),
}
_ANSWERS = {
    "??": '{"Product":"OPS243"}\r\n{"Version":"1.3.1"}\r\n{"PowerMode":"Continuous"}',
    "?P": '{"Product":"OPS243 Doppler"}',
    "?V": '{"Version":"1.3.1"}',
    "?N": '{"SerialNumber":"012345"}',
    "?U": '{"UID":"b2000040b7a12400d5188041"}',
}


class OPS243(Part):
    SENSES = ("vehicles",)
    BAUD = 19_200

    def __init__(self, signals, near_magnitude: int = 0, min_kmh: int = 0):
        # The options are the driver's.
        Part.__init__(self, signals)
        self._road = Road(signals)
        self._frozen = None
        self.power_on(0)

    def power_on(self, now_ms: int):
        self._powered = True
        self._next_ms = now_ms + _BOOT_MS
        self._heard = ""
        self._answers = ""
        self._is_json = self._has_magnitude = self._tells_zero = False
        self._unit = "M"
        self._decimals = 1

    def transmit(self, now_ms: int) -> bytes:
        if not self._powered:
            self.power_on(now_ms)
        answers, self._answers = self._answers.encode(), ""
        now_ms = min(now_ms, self._signals.until_ms)
        if now_ms < self._next_ms:
            return answers
        first_ms = self._next_ms
        count = (now_ms - first_ms) // _PERIOD_MS + 1
        self._next_ms += count * _PERIOD_MS
        return answers + self._lines(first_ms, min(count, _KEPT_LINES))

    def _lines(self, first_ms: int, count: int) -> bytes:
        lines = [self._line(0, 0) if self._tells_zero else ""] * count
        for index, vehicles in self._road.watch(first_ms, count, _PERIOD_MS):
            distance_mm, direction, speed_mmps = vehicles[0]  # the nearest is the strongest
            number = first_ms // _PERIOD_MS + index
            noise = (number * 40_503 >> 3) % 21 - 10  # per cent
            magnitude = _MAGNITUDE * 1_000_000 // (distance_mm * distance_mm // 1000)
            magnitude = magnitude * (100 + noise) // 100
            if magnitude >= 1000:
                lines[index] = self._line(direction * (speed_mmps + noise * 3), magnitude)
        if self.fault == "frozen":
            self._frozen = self._frozen or self._line(13_000, 15_000)
            return (self._frozen * count).encode()
        self._frozen = None
        if self.fault == "range":
            lines = [self._line(999_000, 15_000)] * count
        if self.fault == "short":
            lines = [line[: len(line) // 3] for line in lines]
        return "".join(lines).encode()

    def _line(self, speed_mmps: int, magnitude: int) -> str:
        factor = _UNITS[self._unit][0]
        scale = 10**self._decimals
        speed = (abs(speed_mmps) * factor * scale + 500_000_000) // 1_000_000_000
        text = str(speed // scale)
        if self._decimals:
            text += "." + str(scale + speed % scale)[1:]
        if speed_mmps < 0:
            text = "-" + text
        strength = str((magnitude + 500) // 1000)
        if self._is_json:
            strength = '"magnitude" : ' + strength + ", " if self._has_magnitude else ""
            return "{" + strength + '"speed" : ' + text + "}\r\n"
        return (strength + "," if self._has_magnitude else "") + text + "\r\n"

    def receive(self, now_ms: int, data: bytes):
        """Commands of two characters; the end of a line ends one that is not whole."""
        if not self._powered:
            self.power_on(now_ms)
        for byte in data:
            self._heard = self._heard + chr(byte) if 0x20 < byte < 0x7F else ""
            if len(self._heard) == 2:
                self._obey(self._heard)
                self._heard = ""

    def _obey(self, command: str):
        kind, value = command
        if command in _ANSWERS:
            self._answers += _ANSWERS[command] + "\r\n"
        elif kind == "U" and (value in _UNITS or value == "?"):
            self._unit = self._unit if value == "?" else value
            self._answers += '{"Units":"' + _UNITS[self._unit][1] + '"}\r\n'
        elif kind == "F" and value in "012345":
            self._decimals = int(value)
        elif command in ("OJ", "Oj"):
            self._is_json = value == "J"
        elif command in ("OM", "Om"):
            self._has_magnitude = value == "M"
        elif command in ("BZ", "BV"):
            self._tells_zero = value == "Z"
