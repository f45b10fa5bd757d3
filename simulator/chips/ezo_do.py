# SPDX-License-Identifier: MIT
"""Atlas Scientific EZO-DO: mg/l with two decimals, and its saturation with one if that is switched
on (datasheet 5.3, p. 58: they are listed the other way round). Fault "range": far more than water
can take. See ezo.py."""

from simulator.chips.ezo import Ezo, decimal


class EzoDO(Ezo):
    SENSES = ("dissolved_oxygen_ugl",)
    ADDRESS = 0x61
    NAME = b"D.O."
    READ_MS = 600
    OUTPUTS = (b"mg", b"%")
    LISTED = b"?,O"

    def __init__(self, signals, address: int = ADDRESS, temperature_mc=None):
        Ezo.__init__(self, signals, address, temperature_mc)

    def number(self, level: int) -> bytes:
        return decimal(450_000 if self.fault == "range" else min(max(level, 0), 100_000), 2)
