# SPDX-License-Identifier: MIT
"""Solar panel: its voltage, through the board's divider.

Bus: analogue input. Up to what the board can tell (esp32-devkitc: 37.3 V), beyond is SensorFault
RANGE. What is below the ADC's lower end is told as 0: it is night, and the ADC reads that end
there. A wire that is cut cannot be told from a night. Source: ESP32 datasheet, ADC characteristics
(150–2450 mV at 11 dB).

Wiring: + R1, never the board; between R1 and R2 pin; - and R2 GND. With: 2 × resistor of the
board's divider (R1 from +, R2 to GND); 1 × capacitor 100 nF (across R2).

    panel = Solar(bus)
    panel.start()
    ...
    (solar_mv,) = panel.read()
"""

from node.drivers.voltage import median_mv


class Solar:
    BUS = "adc"
    INTERVAL_S = (1, 3600)
    QUANTITIES = ("solar_mv",)
    SETTLE_MS = 0

    def __init__(self, bus):
        self._bus = bus

    def start(self) -> int:
        return 0

    def read(self) -> tuple:
        voltage_mv = median_mv(self._bus)
        return (voltage_mv if voltage_mv > self._bus.range_mv[0] else 0,)
