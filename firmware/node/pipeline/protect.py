# SPDX-License-Identifier: MIT
"""Windows of streams that have noise or k. It is imported when a policy has such a stream.

The order is minimise.py's: clamp, aggregate, add noise, withhold, round. What is withheld is null,
so nobody can tell it from what was not measured. Noise is drawn once for a window, while it is
open and nothing is released: drawing takes a time that depends on what is drawn, and the time at
which a window is released must tell nothing.
"""

from node.pipeline.minimise import Window


class ProtectedWindow(Window):
    """draw(numerator, denominator): integer noise of that scale."""

    def __init__(self, stream, draw):
        self._draw = draw
        Window.__init__(self, stream)

    def clear(self):
        Window.clear(self)
        self._noise = None  # one number for each statistic, drawn ahead
        self._parts_lost = False  # a shorter window within this one tells nothing, for no k
        self._parts_withheld = self._withheld = 0  # shorter ones below k: how many, and their sum

    def draw_ahead(self):
        if self._noise is None:
            self._noise = self._draw_noise()

    def _draw_noise(self) -> list:
        sensitivity, numerator, denominator = self.stream.noise
        return [
            0 if statistic == "count" else self._draw(sensitivity * denominator, numerator)
            for statistic in self.stream.statistics
        ]

    def record(self, instant_s: int, expected: int, whole: bool, windows: list) -> list:
        stream, k = self.stream, self.stream.k
        values = []
        total = None  # what k is compared with
        for statistic in stream.statistics:
            step = None
            fraction = self.aggregate(statistic, expected) if whole else None
            if fraction is not None:
                value, count = fraction
                if stream.noise and statistic != "count":
                    self.draw_ahead()  # it was, unless a window began and ended in one step
                    value, count = stream.clamp(value, count)
                    value = (2 * value + count) // (2 * count) + self._noise[len(values)]
                    count = 1
                if statistic == "sum":
                    total = value
                step = stream.steps(statistic, value, count)
            values.append(step)
        if k and (total is None or total < k or not self._hides_parts(k)):
            values = [None] * len(values)
            for window in windows:
                if self._is_part_of(window.stream):
                    window.take_part(self.total, total is not None and total < k)
        return self.head(instant_s) + values

    def _is_part_of(self, stream) -> bool:
        own = self.stream
        longer = stream.window_s > own.window_s
        is_open = stream.k > 0 and stream.bins is None
        return longer and stream.quantity == own.quantity and is_open

    def take_part(self, total: int, is_below_k: bool):
        """A shorter window within this one was withheld."""
        self._parts_lost = self._parts_lost or not is_below_k
        self._parts_withheld += 1
        self._withheld += total

    def _hides_parts(self, k: int) -> bool:
        """Whether each part that was withheld could still have been anything below k, for who
        sees this total and the parts that were not; a single sample of them would tell more. With
        noise there is nothing to hide."""
        parts = self._parts_withheld
        if not parts or self.stream.noise:
            return True
        if [1 for statistic in self.stream.statistics if statistic in ("min", "max", "last")]:
            return False
        return not self._parts_lost and k <= self._withheld <= (parts - 1) * (k - 1)
