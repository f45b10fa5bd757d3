# SPDX-License-Identifier: MIT
"""What the models of Texas Instruments' power monitors share: registers behind a pointer, and
conversions that go on by themselves.

Senses dc_voltage_mv and dc_current_ma, at the end of each mean; silent in a gap of either. Only
continuous conversion is modelled: any other mode converts nothing.
"""

from simulator.chips.part import Part

_NACK = 19
MANUFACTURER = 0x5449


class Monitor(Part):
    """A subclass has RESET {register: value}, WRITABLE {register: bits}, _size(register),
    _value(register), _period_us() and _convert(voltage_mv, current_ma)."""

    SENSES = ("dc_voltage_mv", "dc_current_ma")
    ADDRESS = 0x40

    def __init__(self, signals, shunt_uohm: int):
        Part.__init__(self, signals)
        self._shunt_uohm = shunt_uohm
        self.power_on(0)

    def power_on(self, now_ms: int):
        self._powered = True
        self._registers = dict(self.RESET)
        self._pointer = 0
        self._begin(now_ms)

    def _begin(self, now_ms: int):
        self._begun_ms = now_ms
        self._done = 0  # how many means there were since then
        self._ready = False

    def _wake(self, now_ms: int):
        if not self._powered:
            self.power_on(now_ms)
        for name in self.SENSES:
            if self._signals.level(name, now_ms) is None:
                raise OSError(_NACK)
        self._go_on(now_ms)

    def _go_on(self, now_ms: int):
        """Does what was due up to now; of many means, only the last one counts."""
        period_us = self._period_us()
        if not period_us or self.fault == "frozen":
            return
        done = (now_ms - self._begun_ms) * 1000 // period_us
        if done > self._done:
            self._done = done
            at = min(self._begun_ms + done * period_us // 1000, self._signals.until_ms)
            levels = [self._signals.level(name, at) for name in self.SENSES]
            if None not in levels:
                self._convert(*levels)
                self._ready = True

    def write(self, now_ms: int, data: bytes):
        self._wake(now_ms)
        if data:
            self._pointer = data[0]
        if len(data) == 3:
            self._set(now_ms, data[0], data[1] << 8 | data[2])

    def _set(self, now_ms: int, register: int, value: int):
        bits = self.WRITABLE.get(register, 0)
        if bits:
            self._registers[register] = value & bits | self._registers[register] & ~bits

    def read(self, now_ms: int, n: int) -> bytes:
        self._wake(now_ms)
        size = self._size(self._pointer)
        return (self._value(self._pointer).to_bytes(size, "big") + b"\xff" * n)[:n]


def clip(value: int, bits: int) -> int:
    """Two's complement of so many bits, at the nearest that it can hold."""
    top = (1 << bits - 1) - 1
    return min(max(value, -top - 1), top) & (1 << bits) - 1


def rounded(value: int, by: int) -> int:
    return (2 * value + by) // (2 * by)
