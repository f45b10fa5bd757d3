# SPDX-License-Identifier: MIT
"""Battery of the node: its voltage, through the board's divider.

Bus: analogue input. Its range is the board's (esp32-devkitc: 1.15–18.78 V); what is beyond is
SensorFault RANGE, as a node that runs has a battery: a wire that is cut, or a divider that does
not fit. The ADC is part of the chip that asks it, so there are no other errors. Source: ESP32
datasheet, ADC characteristics (150–2450 mV at 11 dB).

Wiring: + R1, never the board; between R1 and R2 pin; - and R2 GND. With: 2 × resistor of the
board's divider (R1 from +, R2 to GND); 1 × capacitor 100 nF (across R2).

    battery = Battery(bus)
    battery.start()
    ...
    (battery_mv,) = battery.read()
"""

from node.drivers.voltage import median_mv
from node.errors import RANGE, SensorFault


class Battery:
    BUS = "adc"
    INTERVAL_S = (1, 3600)
    QUANTITIES = ("battery_mv",)
    SETTLE_MS = 0

    def __init__(self, bus):
        self._bus = bus

    def start(self) -> int:
        return 0

    def read(self) -> tuple:
        voltage_mv = median_mv(self._bus)
        if voltage_mv <= self._bus.range_mv[0]:
            raise SensorFault(RANGE)
        return (voltage_mv,)
