# SPDX-License-Identifier: MIT
"""Extends MicroPython's `select`: simulated time runs 1:1 with real time while poll() waits,
but where nothing can come."""

import uselect
from uselect import POLLERR, POLLHUP, POLLIN, POLLOUT  # noqa: F401

from simulator.hal.bench import bench, ticks_us


class poll:
    """The original's methods."""

    def __init__(self):
        poller = uselect.poll()
        self.register = poller.register
        self.unregister = poller.unregister
        self.modify = poller.modify
        self._poll = poller.poll

    def poll(self, timeout=-1) -> list:
        if timeout == 0:
            return self._poll(0)
        began_us = ticks_us()
        real_ms = bench.real_ms(timeout)
        found = self._poll(real_ms)
        bench.waited_since(began_us)
        if not found:
            bench.skip(timeout - real_ms)
        return found

    ipoll = poll
