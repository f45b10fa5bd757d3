# SPDX-License-Identifier: MIT
"""CircuitPython's `onewireio` over our 1-Wire bus, as adafruit_onewire uses it. Each bit takes
0.1 ms of a clock of its own, which stands in for the module `time` too."""

import types

from simulator.buses.onewire import OneWireBus


class Clock:
    def __init__(self):
        self.us = 5_000_000

    def now_ms(self) -> int:
        return self.us // 1000

    def monotonic(self) -> float:
        return self.us / 1e6

    def sleep(self, seconds: float):
        self.us += round(seconds * 1e6)


def module(clock: Clock, chips: list) -> types.ModuleType:
    """What `import onewireio` gives."""

    class OneWire:
        def __init__(self, pin):
            self._bus = OneWireBus(clock.now_ms, chips)

        def reset(self) -> bool:
            """True: nobody says that it is there, as CircuitPython has it."""
            clock.us += 960
            return not self._bus.reset()

        def read_bit(self) -> int:
            clock.us += 100
            return self._bus.readbit()

        def write_bit(self, value):
            clock.us += 100
            self._bus.writebit(value)

        def deinit(self):
            pass

    made = types.ModuleType("onewireio")
    made.OneWire = OneWire
    return made
