# SPDX-License-Identifier: MIT
"""Atlas Scientific EZO-EC: µS/cm in four figures (datasheet 6.2, p. 6: 0.01 below 100, 0.1 below
1000, then 1, 10 and 100), and what it works out from that if it is switched on: TDS, salinity and
specific gravity. Fault "range": its probe is dry. See ezo.py."""

from simulator.chips.ezo import Ezo, decimal

_FULL_NSCM = 500_000_000


class EzoEC(Ezo):
    SENSES = ("conductivity_nscm",)
    ADDRESS = 0x64
    NAME = b"EC"
    READ_MS = 600
    OUTPUTS = (b"EC", b"TDS", b"S", b"SG")
    LISTED = b"?O"

    def __init__(self, signals, address: int = ADDRESS, temperature_mc=None):
        Ezo.__init__(self, signals, address, temperature_mc)

    def number(self, level: int) -> bytes:
        nscm = 0 if self.fault == "range" else min(max(level, 0), _FULL_NSCM)
        if nscm < 1_000_000:
            return decimal(nscm, 2 if nscm < 100_000 else 1)
        step = 1000
        while nscm >= step * 10_000:
            step *= 10
        return decimal(nscm // step * step, 0)
