# SPDX-License-Identifier: MIT
"""Atlas Scientific EZO-DO: oxygen that is dissolved in water.

Bus: I2C at 0x61 (97), in I2C mode and behind an isolator of its own. 0.01–100 mg/l, in steps of
0.01. It compensates for 20 °C, or for `temperature_mc`. It must put out mg/l, and may put out the
saturation as well. Errors: OSError; SensorFault FRAME, CHIP_ID, SILENT, RANGE, MISFIT (mg/l is
switched off). Source: ezo.py; the order of the numbers: Atlas Scientific's sample code for it.

Wiring: VCC 3.3 V; GND; SDA (TX) sda; SCL (RX) scl; PRB its probe. With: 2 × resistor 4.7 kΩ (SCL
and SDA to 3.3 V); 1 × isolation board for EZO circuits and its probe.

    sensor = EzoDO(i2c, temperature_mc=12_000)
    wait_ms = sensor.start()
    ...
    values = sensor.read()  # (dissolved_oxygen_ugl,), or so many ms more
"""

from node.drivers.ezo import Ezo


class EzoDO(Ezo):
    BUS = "i2c"
    ADDRESSES = (0x61,)
    INTERVAL_S = (5, 3600)
    QUANTITIES = ("dissolved_oxygen_ugl",)
    SETTLE_MS = 0
    NAMES = (b"D.O.", b"DO")
    OUTPUT = b"mg"
    READ_MS = 600
    BETWEEN = (0, 100_000)

    def __init__(self, i2c, address: int = 0x61, temperature_mc=None):
        Ezo.__init__(self, i2c, address, temperature_mc)
