# SPDX-License-Identifier: MIT
"""Atlas Scientific EZO-EC: electrical conductivity of water.

Bus: I2C at 0x64 (100), in I2C mode and behind an isolator of its own. 0.07–500,000 µS/cm; less is
a probe that is dry. It compensates for 25 °C, or for `temperature_mc`. It must put out EC, and may
put out TDS, salinity and gravity as well. Errors: OSError; SensorFault FRAME, CHIP_ID, SILENT,
RANGE, MISFIT (EC is switched off). Source: ezo.py; resolution: datasheet 6.2, p. 6.

Wiring: VCC 3.3 V; GND; SDA (TX) sda; SCL (RX) scl; PRB its probe. With: 2 × resistor 4.7 kΩ (SCL
and SDA to 3.3 V); 1 × isolation board for EZO circuits and its probe.

    sensor = EzoEC(i2c, temperature_mc=12_000)
    wait_ms = sensor.start()
    ...
    values = sensor.read()  # (conductivity_nscm,), or so many ms more
"""

from node.drivers.ezo import Ezo


class EzoEC(Ezo):
    BUS = "i2c"
    ADDRESSES = (0x64,)
    INTERVAL_S = (5, 3600)
    QUANTITIES = ("conductivity_nscm",)
    SETTLE_MS = 0
    NAMES = (b"EC",)
    OUTPUT = b"EC"
    READ_MS = 600
    BETWEEN = (70, 500_000_000)

    def __init__(self, i2c, address: int = 0x64, temperature_mc=None):
        Ezo.__init__(self, i2c, address, temperature_mc)
