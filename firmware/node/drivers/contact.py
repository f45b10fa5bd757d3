# SPDX-License-Identifier: MIT
"""Dry contact: a reed switch at the door of a cabinet, an end switch, a relay.

Bus: input with a pull-up, the contact to ground; `closed_level` is what is there while it is
closed (0; 1 for a switch that opens then). It is looked at each 200 ms, and each 20 ms while it
changes: a change counts when it stays for three looks, so bouncing does not. Closings shorter than
250 ms may be missed, and so may one while the node is busy with its link for longer than it lasts.
A wire that is cut cannot be told from an open contact: no errors. A shut door should close it.
Source: none; a reed switch bounces for under 1 ms, a door for some tens.

Wiring: A pin; B GND.

    door = Contact(pin)
    wait_ms = door.poll()  # all the time
    ...
    (contact_closed, contact_closures) = door.read()  # since the read before
"""

from micropython import const

from node.drivers.debounce import Debounced

_LOOKS = const(3)
_LOOK_MS = const(200)
_CHANGING_MS = const(20)


class Contact:
    BUS = "input"
    INTERVAL_S = (1, 3600)
    QUANTITIES = ("contact_closed", "contact_closures")
    SETTLE_MS = 0

    def __init__(self, pin, closed_level: int = 0):
        self._contact = Debounced(pin, _LOOKS)
        self._closed_level = closed_level
        self._closures = 0

    def poll(self) -> int:
        if self._contact.look() and self._contact.level == self._closed_level:
            self._closures += 1
        return _CHANGING_MS if self._contact.changing else _LOOK_MS

    def start(self) -> int:
        return 0

    def read(self) -> tuple:
        closures, self._closures = self._closures, 0
        return (1 if self._contact.level == self._closed_level else 0, closures)
