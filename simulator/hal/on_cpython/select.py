# SPDX-License-Identifier: MIT
"""MicroPython's `select.poll`. What TLS has decrypted and not given out yet counts as readable.

While poll() waits, simulated time runs 1:1 with real time, but where nothing can come.
"""

import select as _host

from simulator.hal.bench import bench, ticks_us

POLLIN, POLLOUT, POLLERR, POLLHUP = 1, 4, 8, 16


class poll:
    """Objects are anything with fileno(), and pending() where it is a TLS stream."""

    def __init__(self):
        self._poll = _host.poll()
        self._objects = {}

    def register(self, obj, eventmask=POLLIN | POLLOUT):
        self._objects[obj.fileno()] = (obj, eventmask)
        self._poll.register(obj.fileno(), eventmask)

    modify = register

    def unregister(self, obj):
        for fd, (known, _) in list(self._objects.items()):
            if known is obj:
                del self._objects[fd]
                self._poll.unregister(fd)

    def poll(self, timeout=-1) -> list:
        """[(object, events), …]; waits up to `timeout` ms, for ever when it is negative."""
        ready = [
            (obj, POLLIN)
            for obj, mask in self._objects.values()
            if mask & POLLIN and getattr(obj, "pending", int)()
        ]
        if ready:
            return ready
        began_us = ticks_us()
        real_ms = bench.real_ms(timeout)
        found = self._poll.poll(None if timeout < 0 else real_ms)
        bench.waited_since(began_us)
        if not found:
            bench.skip(timeout - real_ms)
        return [(self._objects[fd][0], events) for fd, events in found]

    ipoll = poll
