# SPDX-License-Identifier: MIT
"""Look-alike of MicroPython's frozen module `onewire`: the bus at a pin of the bench."""

from simulator.buses.onewire import OneWireBus
from simulator.hal.bench import bench


class OneWireError(Exception):
    pass


class OneWire(OneWireBus):
    SEARCH_ROM = 0xF0
    MATCH_ROM = 0x55
    SKIP_ROM = 0xCC

    def __init__(self, pin):
        self.pin = pin
        pin.init(pin.OPEN_DRAIN, pin.PULL_UP)
        wired = bench.wired
        OneWireBus.__init__(
            self, bench.now, [wired[place] for place in wired if place == ("onewire", pin.id)]
        )

    def reset(self, required=False) -> bool:
        """Whether somebody says that they are there."""
        present = OneWireBus.reset(self)
        if required and not present:
            raise OneWireError
        return present

    def __getattr__(self, name):
        """What a driver of one chip on its line does not use is loaded when one does."""
        if name not in ("scan", "select_rom", "crc8"):
            raise AttributeError(name)
        from simulator.hal import onewire_more

        method = getattr(onewire_more, name)
        return lambda *args: method(self, *args)
