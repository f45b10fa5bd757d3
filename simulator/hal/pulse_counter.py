# SPDX-License-Identifier: MIT
"""The part of `esp32` that is loaded only when it is used: see esp32.py."""

from simulator.buses.counter import PulseCounter
from simulator.hal.bench import bench


class PCNT(PulseCounter):
    """A hardware pulse counter on one pin."""

    IGNORE, INCREMENT, DECREMENT = 0, 1, 2

    def __init__(self, id, **options):
        if not 0 <= id < 8:
            raise ValueError("invalid unit")
        self.init(**options)

    def init(
        self, *, channel=0, pin=None, rising=0, falling=0, mode_pin=None, mode_low=0, mode_high=0,
        filter=0, min=-32_768, max=32_767, value=0,
    ):  # fmt: skip
        if not (-32_768 <= min <= 0 <= max <= 32_767 and 0 <= filter <= 1023):
            raise ValueError("limit out of range")
        chip = bench.counters.get(pin.id) if rising == self.INCREMENT else None
        PulseCounter.__init__(self, bench.now, chip, max)

    def start(self):
        pass

    def stop(self):
        pass
