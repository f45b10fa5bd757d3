# SPDX-License-Identifier: MIT
"""Windows of sound levels: their mean is the level of the mean energy, and never a mean of
decibels. It is imported when a policy has such a stream.

A minute at 80 dB and one at 40 dB are two minutes at 77 dB, not at 60.
"""

from node.drivers.decibels import energy, mean_mdb
from node.pipeline.minimise import Window


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
