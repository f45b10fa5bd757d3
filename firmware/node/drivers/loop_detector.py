# SPDX-License-Identifier: MIT
"""Induction loop detector with a relay or transistor output: vehicles since the sample before.

Bus: pulse counter; one pulse for each vehicle, to ground. Range: up to 32,766 vehicles between two
samples. A loop that is broken cannot be told from an empty street: no errors. No new hardware: the
detectors of traffic lights have this output. Source: the detector's manual.

Wiring: OUT pin; COM GND. With: 1 × resistor 10 kΩ (OUT to 3.3 V).

    loop = LoopDetector(counter)
    loop.start()
    ...
    (vehicles,) = loop.read()
"""

from node.drivers.pulse_count import PulseCount


class LoopDetector:
    BUS = "counter"
    INTERVAL_S = (1, 900)
    SETTLE_MS = 0
    QUANTITIES = ("vehicles",)

    def __init__(self, counter):
        self._pulses = PulseCount(counter)

    def start(self) -> int:
        return 0

    def read(self) -> tuple:
        return (self._pulses.take(),)
