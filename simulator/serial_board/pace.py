# SPDX-License-Identifier: MIT
"""Lets bytes take the time that they need at the baud rate of the line."""

import time
from collections.abc import Callable

_BITS_PER_BYTE = 10  # start, 8, stop


class Pace:
    """One direction of a line; baud: a function that gives its rate now.

    wait(count): sleeps until that many bytes have come over it. waiting: they lay there when they
    were looked for, so the line may have carried them while something else was done."""

    def __init__(self, baud: Callable[[], int]):
        self._baud = baud
        self._free_s = 0.0  # when the line has carried all

    def wait(self, count: int, waiting: bool = False):
        takes_s = count * _BITS_PER_BYTE / self._baud()
        now_s = time.monotonic()
        begun_s = now_s - takes_s if waiting else now_s
        self._free_s = max(self._free_s, begun_s) + takes_s
        if self._free_s > now_s:
            time.sleep(self._free_s - now_s)
