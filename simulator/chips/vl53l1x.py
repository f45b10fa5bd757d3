# SPDX-License-Identifier: MIT
"""ST VL53L1X above a doorway: its registers as ST's ULD driver (UM2510) uses them, the regions of
UM2555, the range status of UM2356.

Senses `door`: each takes 0.6 to 1.5 s to go through, one after the other, seen first by one half
of the SPADs, then by both, then by the other one; who goes in by the half of SPAD 231 first,
`invert` turns the part round. Heads are 0.3 to 0.9 m below it, the floor 2.2 m; ranges have noise
of some mm. Below 128 SPADs a half is what its centre lies in. Not modelled: distance modes,
thresholds, the noise of short budgets, cover glass.

Faults: "chip id" (a VL53L4CD); "range" (sunlight: no range can be trusted, status 6); "defect"
(status 3); "frozen" (results stay what they were); "idle" (it does not measure).
"""

from struct import pack_into

from simulator.chips.part import Part

_NACK = 19
_SIZE = 0x0140
_BOOT_MS = 2
_FLOOR_MM = 2200
_POLARITY, _READY, _BUDGET, _PERIOD = 0x30, 0x31, 0x5E, 0x6C
_CENTRE, _REGION, _CLEAR, _MODE, _RESULT = 0x7F, 0x80, 0x86, 0x87, 0x89
_OSCILLATOR, _BOOTED, _MODEL = 0xDE, 0xE5, 0x010F
_SOME_MS, _OTHER_BUDGET_MS = 2, 100
# What ST's driver writes for a budget in ms, in the short and the long distance mode.
_BUDGETS = {
    0x001D: 15, 0x0051: 20, 0x001E: 20, 0x00D6: 33, 0x0060: 33, 0x01AE: 50, 0x00AD: 50,
    0x02E1: 100, 0x01CC: 100, 0x03E1: 200, 0x02D9: 200, 0x0591: 500, 0x048F: 500,
}  # fmt: skip
_VALID, _SIGMA, _DEFECT = 9, 6, 3


class VL53L1X(Part):
    SENSES = ("door",)
    ADDRESS = 0x29

    def __init__(self, signals, address: int = ADDRESS, min_mm: int = 0, max_mm: int = 0,
                 max_permille: int = 850, invert: int = 0):  # fmt: skip
        # What counts as somebody is the driver's: the part knows of ranges only.
        Part.__init__(self, signals)
        self._turned = bool(invert)
        self._known_ms = 0  # people until then are known
        self._people = []  # (begin ms, for how many ms, the half that sees them first, mm)
        self._free_ms = 0  # when the last of them is through
        self._chance = 12345
        self.power_on(-_BOOT_MS)

    def power_on(self, now_ms: int):
        self._powered = True
        self._booted_ms = now_ms + _BOOT_MS
        self._index = 0
        self._due_ms = None  # when the measurement under way is done
        self._ready = False
        registers = self._registers = bytearray(_SIZE)
        registers[0x01], registers[_POLARITY] = self.ADDRESS, 0x11
        registers[_BOOTED], registers[_CENTRE], registers[_REGION] = 0x03, 199, 0xFF
        pack_into(">H", registers, _OSCILLATOR, 596)

    def write(self, now_ms: int, data: bytes):
        """The register's address, then values for it and those that follow."""
        self._wake(now_ms)
        if len(data) < 2:
            return
        self._index = data[0] << 8 | data[1]
        for value in data[2:]:
            if self._index < _SIZE:
                self._registers[self._index] = value
                self._obey(now_ms, self._index, value)
            self._index += 1

    def read(self, now_ms: int, n: int) -> bytes:
        self._wake(now_ms)
        if self._due_ms is not None and now_ms >= self._due_ms and not self._ready:
            self._ready = True
            if self.fault != "frozen":
                self._measure(min(self._due_ms, self._signals.until_ms))
        registers = self._registers
        registers[_MODEL : _MODEL + 3] = (
            b"\xeb\xaa\x10" if self.fault == "chip id" else b"\xea\xcc\x10"
        )
        active = 0 if registers[_POLARITY] & 0x10 else 1
        registers[_READY] = registers[_READY] & 0xFE | (active if self._ready else 1 - active)
        found = bytes(registers[self._index : self._index + n])
        self._index += n
        return found + bytes(n - len(found))

    def _wake(self, now_ms: int):
        if not self._powered:
            self.power_on(now_ms)
        if now_ms < self._booted_ms:
            raise OSError(_NACK)

    def _word(self, register: int) -> int:
        return self._registers[register] << 8 | self._registers[register + 1]

    def _obey(self, now_ms: int, register: int, value: int):
        budget_ms = _BUDGETS.get(self._word(_BUDGET), _OTHER_BUDGET_MS) + _SOME_MS
        if register == _MODE:
            self._ready = False
            ranging = value & 0x40 and self.fault != "idle"
            self._due_ms = now_ms + budget_ms if ranging else None
        elif register == _CLEAR and value & 1 and self._ready:
            self._ready = False
            ticks = self._word(_PERIOD) << 16 | self._word(_PERIOD + 2)
            period_ms = ticks * 1000 // (self._word(_OSCILLATOR) * 1075)
            self._due_ms = max(self._due_ms + max(period_ms, budget_ms), now_ms)

    # what it sees

    def _below(self, limit: int) -> int:
        self._chance = (self._chance * 1_103_515_245 + 12_345) & 0x7FFFFFFF
        return (self._chance >> 8) % limit

    def _measure(self, now_ms: int):
        self._learn()
        columns = (self._registers[_REGION] & 0x0F) + 1
        spad = self._registers[_CENTRE]
        column = (spad - 128 if spad > 127 else 127 - spad) >> 3
        halves = (0, 1) if columns > 8 else (column // 8,)
        mm = _FLOOR_MM
        people = self._people
        while people and people[0][0] + people[0][1] < now_ms:
            people.pop(0)
        if people and people[0][0] <= now_ms:
            begin_ms, took_ms, first, head_mm = people[0]
            for half in halves:
                # Seven tenths of the way are seen by each half; in the middle both see.
                begins_ms = begin_ms if half == first else begin_ms + took_ms * 3 // 10
                if begins_ms <= now_ms < begins_ms + took_ms * 7 // 10:
                    mm = head_mm
        mm += self._below(9) - 4
        status = {"range": _SIGMA, "defect": _DEFECT}.get(self.fault, _VALID)
        signal = 2_000_000 // mm + self._below(40)
        # Status, report, stream count, SPADs, signal, ambient, sigma, phase, range, signal.
        pack_into(
            ">BBBHHHHHHH", self._registers, _RESULT, status, 0, 1, 0x6000 + self._below(256),
            signal, 12 + self._below(4), 8 + self._below(4), mm * 8 // 5, mm, signal,
        )  # fmt: skip

    def _learn(self):
        """Takes the people whom the world has told of since."""
        known_ms, self._known_ms = self._known_ms, self._signals.known_ms
        if self._known_ms <= known_ms:
            return
        for time_ms, direction, open_ms in self._signals.events("door", known_ms, self._known_ms):
            took_ms = 600 + (time_ms * 7919 + open_ms) % 901
            begin_ms = max(time_ms - took_ms // 2, self._free_ms)
            self._free_ms = begin_ms + took_ms + 200
            first = 1 if (direction > 0) != self._turned else 0
            self._people.append((begin_ms, took_ms, first, 300 + open_ms % 600))
