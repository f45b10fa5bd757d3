# SPDX-License-Identifier: MIT
"""Windows of streams that leave masked, and in sums alone. Imported when a policy has such a
stream. host_tools/controller/README.md tells what they add up."""

from node.pipeline.minimise import Window


class Hidden:
    """What a window has added up, one number per element. No encoding has a form for it: so it
    leaves masked (masked.py) or not at all."""

    def __init__(self, stream, values: list):
        self.stream = stream
        self.values = values


class MaskedWindow(Window):
    """Adds up steps of the stream's resolution, each reading clamped and rounded on its own."""

    def clear(self):
        self.count = self.total = self.squares = 0
        self.bins = [0] * (len(self.stream.bins) + 1)

    def add(self, value: int):
        stream = self.stream
        step = stream.steps("sum", value)
        self.count += 1
        self.total += step
        self.squares += step * step
        value = stream.clamp(value)[0]
        self.bins[len([1 for edge in stream.bins if edge <= value])] += 1

    def draw_ahead(self):
        """The controller draws the noise of its sums."""

    def record(self, instant_s: int, expected: int, whole: bool, windows: list) -> list:
        """[number, slot, Hidden]. Of a window that was not watched whole, or has too few samples
        for a sum, all is 0: the mask is given all the same, or sums would have a hole."""
        values = []
        for statistic in self.stream.statistics:
            if statistic == "histogram":
                values += self.bins
            elif statistic == "count":
                values.append(self.count)
            else:
                values.append(self.total if statistic == "sum" else self.squares)
        if not whole or self.count * 20 < expected * 19:
            values = [0] * len(values)
        return self.head(instant_s) + [Hidden(self.stream, values)]
