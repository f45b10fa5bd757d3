# SPDX-License-Identifier: MIT
"""Electricity meter with an S0 pulse output: energy since the sample before, in mWh.

Bus: pulse counter; a dry contact to ground, pulses of at least 30 ms. Range: up to 32,766 pulses
between two samples. What a pulse is worth is printed on the meter (impulses per kWh). A cut cable
cannot be told from a load of zero: no errors. Source: IEC 62053-31.

Wiring: S0+ pin; S0- GND. With: 1 × resistor 10 kΩ (S0+ to 3.3 V).

    meter = S0Meter(counter, pulses_per_kwh=1000)
    meter.start()
    ...
    (energy_mwh,) = meter.read()
"""

from micropython import const

from node.drivers.pulse_count import PulseCount

_MWH_PER_KWH = const(1_000_000)


class S0Meter:
    BUS = "counter"
    INTERVAL_S = (1, 900)  # the counter wraps at 32,767 pulses
    SETTLE_MS = 0
    QUANTITIES = ("energy_mwh",)

    def __init__(self, counter, pulses_per_kwh: int = 1000):
        self._pulses = PulseCount(counter)
        self._pulses_per_kwh = pulses_per_kwh
        self._rest = 0  # mWh · pulses per kWh: a pulse need not be a whole number of mWh

    def start(self) -> int:
        return 0

    def read(self) -> tuple:
        energy = self._pulses.take() * _MWH_PER_KWH + self._rest
        self._rest = energy % self._pulses_per_kwh
        return (energy // self._pulses_per_kwh,)
