# SPDX-License-Identifier: MIT
"""Windows of sound levels: their mean is the level of the mean energy, and never a mean of
decibels. It is imported when a policy has such a stream.

A minute at 80 dB and one at 40 dB are two minutes at 77 dB, not at 60.
"""

from node.drivers.decibels import SIXTEENTHS, level_mdb
from node.pipeline.minimise import Window

_OCTAVE = 30_103  # as in decibels.py
_ONE_MDB = 48_165  # level_mdb(1 << 16)


class LevelWindow(Window):
    """Of a quantity whose name ends in _mdb."""

    def clear(self):
        Window.clear(self)
        self._energy = 0

    def add(self, value: int):
        Window.add(self, value)
        self._energy += energy(max(0, value))

    def aggregate(self, statistic: str, expected: int):
        fraction = Window.aggregate(self, statistic, expected)
        if statistic != "mean" or fraction is None or self.count == 1:
            return fraction
        return mean_mdb(self._energy, self.count), 1


def energy(mdb: int) -> int:
    """65536 · 10^(mdb / 10,000), of a level from 0 on."""
    octaves, tenths = divmod(mdb * 10, _OCTAVE)
    i = 0
    while tenths >= SIXTEENTHS[i + 1]:
        i += 1
    low, high = SIXTEENTHS[i], SIXTEENTHS[i + 1]
    return (((16 + i) << 12) + ((tenths - low) << 12) // (high - low)) << octaves


def mean_mdb(total: int, count: int) -> int:
    """The level of the mean of `count` energies with that total."""
    return level_mdb(max(1, total // count)) - _ONE_MDB
