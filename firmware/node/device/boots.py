# SPDX-License-Identifier: MIT
"""Counts the power-ups in NVS, by cause, and those in a row that did not reach a receipt.

A node that restarts again and again before its store has heard of it starts in a safe state: it
measures only its own health, and takes commands. After an hour of that it tries the ordinary way
once more, since the trouble may have been the broker's all along.
"""

import struct

import esp32

from node.device import power
from node.device.kept import Kept
from node.device.keys import NAMESPACE

SAFE_AFTER = 5  # boots without a receipt
_LAYOUT = ">IHHHHH"  # boots, unreached, of each cause, formats
_BYTES = 14
_MAX = 0xFFFF


class Boots:
    """boots, unreached, power, watchdog, other, formats: counts that outlive power."""

    def __init__(self):
        self._kept = Kept(esp32.NVS(NAMESPACE), "boot", _BYTES)
        self._take(struct.unpack(_LAYOUT, self._kept.value or bytes(_BYTES)))

    def _take(self, counts):
        self.boots, self.unreached, self.power, self.watchdog, self.other, self.formats = counts

    def _keep(self):
        counts = [self.boots & 0x7FFFFFFF]
        for count in (self.unreached, self.power, self.watchdog, self.other, self.formats):
            counts.append(min(count, _MAX))
        self._kept.keep(struct.pack(_LAYOUT, *counts))

    def count(self):
        """One more power-up, by its cause."""
        cause = power.reset_cause()
        self.boots += 1
        self.unreached += 1
        if cause == power.POWER_ON:
            self.power += 1
        elif cause == power.WATCHDOG:
            self.watchdog += 1
        else:
            self.other += 1
        self._keep()

    def reached(self):
        """A receipt has come."""
        if self.unreached:
            self.unreached = 0
            self._keep()

    def formatted(self):
        """The data filesystem was damaged, and made anew."""
        self.formats += 1
        self._keep()

    def is_safe(self) -> bool:
        """Whether this power-up is one in the safe state."""
        return self.unreached > SAFE_AFTER

    def leave_safe(self):
        """Lets the next power-up be an ordinary one."""
        self.unreached = SAFE_AFTER - 1
        self._keep()
