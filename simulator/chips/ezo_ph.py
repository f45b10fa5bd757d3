# SPDX-License-Identifier: MIT
"""Atlas Scientific EZO-pH: three decimals (datasheet 5.8, p. 51). Fault "range": the end of its
scale. See ezo.py."""

from simulator.chips.ezo import Ezo, decimal


class EzoPH(Ezo):
    SENSES = ("ph_milli",)
    ADDRESS = 0x63
    NAME = b"pH"
    READ_MS = 900

    def __init__(self, signals, address: int = ADDRESS, temperature_mc=None):
        Ezo.__init__(self, signals, address, temperature_mc)

    def number(self, level: int) -> bytes:
        return decimal(14_000 if self.fault == "range" else min(max(level, 1), 14_000), 3)
