# SPDX-License-Identifier: MIT
"""Sensirion SGP41: commands, states and timing of the SGP41 datasheet 1.0.

Senses voc_raw_ticks and nox_raw_ticks, and adds noise of a few ticks; silent in a gap of either.
The words for compensation are checked and kept (`compensation`), and change nothing.
What it may not be given for longer than 10 s, conditioning, it takes: the test watches.

Faults: "checksum"; "chip id" (an SGP40); "self-test"; "range" (a signal at its end); "frozen".
"""

from simulator.chips.sensirion import SensirionPart, nack, with_crc

_EXECUTES_MS = {
    0x2612: 50,  # conditioning
    0x2619: 50,  # raw signals
    0x280E: 320,  # self-test
    0x3615: 1,  # heater off
    0x202F: 1,  # features
    0x3682: 1,  # serial number
}


class SGP41(SensirionPart):
    SENSES = ("voc_raw_ticks", "nox_raw_ticks")
    ADDRESS = 0x59

    def __init__(self, signals, **_):
        # Options are the driver's.
        SensirionPart.__init__(self, signals)
        self.power_on(0)

    def power_on(self, now_ms: int):
        self._powered = True
        self._busy_until_ms = now_ms
        self._answer = self._last = self.compensation = None
        self._random = 1

    def write(self, now_ms: int, data: bytes):
        if not self._powered:
            self.power_on(now_ms)
        levels = self._levels(now_ms)
        words = tuple([data[i] << 8 | data[i + 1] for i in range(2, len(data) - 2, 3)])
        command = data[0] << 8 | data[1] if len(data) % 3 == 2 else 0
        needed = 2 if command in (0x2612, 0x2619) else 0
        if now_ms < self._busy_until_ms or command not in _EXECUTES_MS or len(words) != needed:
            nack()
        if with_crc(words) != data[2:]:
            nack()
        self._busy_until_ms = self._answer_ms = now_ms + _EXECUTES_MS[command]
        answer = ()
        if command == 0x202F:
            answer = (0x3220 if self.fault == "chip id" else 0x0040,)
        elif command == 0x3682:
            answer = (0, 0, 1)  # of no real part
        elif command == 0x280E:
            answer = (0xD401 if self.fault == "self-test" else 0xD400,)
        elif needed:
            self.compensation = words
            answer = self._raw(levels)[: 2 if command == 0x2619 else 1]
        self._answer = with_crc(answer) if answer else None

    def _raw(self, levels: list) -> list:
        if self.fault != "frozen" or self._last is None:
            self._random = (self._random * 1103 + 12_345) % 65_536
            noise = (self._random >> 8) % 7 - 3, (self._random >> 11) % 7 - 3
            self._last = [min(max(levels[i] + noise[i], 0), 0xFFFF) for i in (0, 1)]
        return [0xFFFF, 0xFFFF] if self.fault == "range" else self._last
