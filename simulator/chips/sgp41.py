# SPDX-License-Identifier: MIT
"""Sensirion SGP41: commands, states and timing of the SGP41 datasheet 1.0.

Senses voc_raw_ticks and nox_raw_ticks, and adds noise of a few ticks; silent in a gap of either.
The words for compensation are checked and kept (`compensation`), and change nothing.
`conditioned_ms` is how long its NOx side was conditioned since it was last idle: over 10 s, and
`is_damaged`. Conditioning goes on until another command ends it.

Faults: "checksum"; "chip id" (an SGP40); "self-test"; "range" (a signal at its end); "frozen".
"""

from simulator.chips.part import Part
from simulator.chips.sensirion import with_crc

_NACK = 19
_CONDITION, _MEASURE, _SELF_TEST, _HEATER_OFF = 0x2612, 0x2619, 0x280E, 0x3615
_SERIAL, _FEATURES = 0x3682, 0x202F
_EXECUTES_MS = {
    _CONDITION: 50, _MEASURE: 50, _SELF_TEST: 320, _HEATER_OFF: 1, _SERIAL: 1, _FEATURES: 1,
}  # fmt: skip
_SERIAL_WORDS = (0x0000, 0x5112, 0x4C4D)  # of no real part
_DAMAGE_MS = 10_000


class SGP41(Part):
    SENSES = ("voc_raw_ticks", "nox_raw_ticks")
    ADDRESS = 0x59

    def __init__(self, signals, **_):
        # Options are the driver's.
        Part.__init__(self, signals)
        self.is_damaged = False
        self.power_on(0)

    def power_on(self, now_ms: int):
        self._powered = True
        self._busy_until_ms = now_ms
        self._answer = None
        self._answer_ms = 0
        self._conditioning_ms = None  # since when
        self.conditioned_ms = 0
        self.is_hot = False
        self.compensation = None
        self._random = 1
        self._last = None

    def _levels(self, now_ms: int) -> list:
        at = min(now_ms, self._signals.until_ms)
        levels = [self._signals.level(name, at) for name in self.SENSES]
        if None in levels:
            raise OSError(_NACK)
        return levels

    def look(self, now_ms: int):
        """Brings conditioned_ms and is_damaged up to date."""
        if self._conditioning_ms is not None:
            self.conditioned_ms += now_ms - self._conditioning_ms
            self._conditioning_ms = now_ms
            self.is_damaged = self.is_damaged or self.conditioned_ms > _DAMAGE_MS

    def write(self, now_ms: int, data: bytes):
        if not self._powered:
            self.power_on(now_ms)
        levels = self._levels(now_ms)
        command = data[0] << 8 | data[1] if len(data) in (2, 8) else -1
        words = tuple([data[i] << 8 | data[i + 1] for i in range(2, len(data), 3)])
        if (
            now_ms < self._busy_until_ms
            or command not in _EXECUTES_MS
            or len(words) != (2 if command in (_CONDITION, _MEASURE) else 0)
            or with_crc(words) != data[2:]
        ):
            raise OSError(_NACK)
        self.look(now_ms)
        if command in (_CONDITION, _MEASURE, _SELF_TEST, _HEATER_OFF):
            self._conditioning_ms = now_ms if command == _CONDITION else None
            self.is_hot = command in (_CONDITION, _MEASURE)
        if command == _HEATER_OFF:
            self.conditioned_ms = 0
        if words:
            self.compensation = words
        self._busy_until_ms = self._answer_ms = now_ms + _EXECUTES_MS[command]
        answer = self._words(command, levels)
        self._answer = with_crc(answer) if answer else None

    def _words(self, command: int, levels: list):
        if command == _FEATURES:
            return (0x3220 if self.fault == "chip id" else 0x0040,)
        if command == _SELF_TEST:
            return (0xD401 if self.fault == "self-test" else 0xD400,)
        if command == _SERIAL:
            return _SERIAL_WORDS
        if command == _HEATER_OFF:
            return None
        if self.fault != "frozen" or self._last is None:
            self._random = (self._random * 1103 + 12_345) % 65_536
            noise = (self._random >> 8) % 7 - 3, (self._random >> 11) % 7 - 3
            self._last = [min(max(levels[i] + noise[i], 0), 0xFFFF) for i in (0, 1)]
        voc, nox = self._last
        if self.fault == "range":
            voc = 0xFFFF
        return (voc, nox) if command == _MEASURE else (voc,)

    def read(self, now_ms: int, n: int) -> bytes:
        self._levels(now_ms)
        if self._answer is None or now_ms < self._answer_ms or not self._powered:
            raise OSError(_NACK)
        answer, self._answer = self._answer, None
        if self.fault == "checksum":
            answer = answer[:-1] + bytes((answer[-1] ^ 0x01,))
        return (answer + b"\xff" * n)[:n]
