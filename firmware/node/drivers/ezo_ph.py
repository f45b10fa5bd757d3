# SPDX-License-Identifier: MIT
"""Atlas Scientific EZO-pH: pH of water.

Bus: I2C at 0x63 (99), in I2C mode and behind an isolator of its own. 0.001–13.999, in steps of
0.001; either end of its scale is a probe that is not there. It compensates for 25 °C, or for
`temperature_mc`. Errors: OSError; SensorFault FRAME, CHIP_ID, SILENT, RANGE. Source: ezo.py.

Wiring: VCC 3.3 V; GND; SDA (TX) sda; SCL (RX) scl; PRB its probe. With: 2 × resistor 4.7 kΩ (SCL
and SDA to 3.3 V); 1 × isolation board for EZO circuits and its probe.

    sensor = EzoPH(i2c)
    wait_ms = sensor.start()
    ...
    values = sensor.read()  # (ph_milli,), or so many ms more
"""

from node.drivers.ezo import Ezo


class EzoPH(Ezo):
    BUS = "i2c"
    ADDRESSES = (0x63,)
    INTERVAL_S = (5, 3600)
    QUANTITIES = ("ph_milli",)
    SETTLE_MS = 0
    NAMES = (b"pH",)
    OUTPUT = None
    READ_MS = 900
    BETWEEN = (1, 13_999)

    def __init__(self, i2c, address: int = 0x63, temperature_mc=None):
        Ezo.__init__(self, i2c, address, temperature_mc)
