# SPDX-License-Identifier: MIT
"""Leak detector with a contact: water between its electrodes closes it (or its relay).

Bus: input with a pull-up, the contact to ground; `leak_level` is what is there while it is wet (0;
1 for a detector that opens then, which is the better one: a wire that is cut is then a leak). A
wire that is cut cannot be told from a dry floor, or a wet one: no errors. It is looked at each
second, and a change counts when it stays for five looks. A leak that has gone since is told once.
Source: none.

Wiring: A pin; B GND.

    leak = Leak(pin)
    wait_ms = leak.poll()  # all the time
    ...
    (leak_present,) = leak.read()  # at any time since the read before
"""

from micropython import const

from node.drivers.debounce import Debounced

_LOOKS = const(5)
_LOOK_MS = const(1000)


class Leak:
    BUS = "input"
    INTERVAL_S = (1, 3600)
    QUANTITIES = ("leak_present",)
    SETTLE_MS = 0

    def __init__(self, pin, leak_level: int = 0):
        self._contact = Debounced(pin, _LOOKS)
        self._leak_level = leak_level
        self._present = self._is_wet()

    def _is_wet(self) -> int:
        return 1 if self._contact.level == self._leak_level else 0

    def poll(self) -> int:
        if self._contact.look() and self._is_wet():
            self._present = 1
        return _LOOK_MS

    def start(self) -> int:
        return 0

    def read(self) -> tuple:
        present, self._present = self._present, self._is_wet()
        return (present,)
