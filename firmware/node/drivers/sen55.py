# SPDX-License-Identifier: MIT
"""Sensirion SEN55: particles, humidity, temperature, VOC and NOx index.

Bus: I2C at 0x69, up to 100 kHz; supply 5 V. Laser and fan run all the time. 0–1000 µg/m³ in steps
of 0.1, 0–100 % in steps of 0.01, −10…50 °C in steps of 0.005, indices 1–500 in tenths. It cleans
its fan once a week, counted from its power-up; option clean_each_samples (sensirion_pm.py) is for
where the power is often off. An index is relative to what it has learnt of the place, which is
lost with its power, and may be None in the first samples.

Errors: OSError; SensorFault CHIP_ID (another name: a SEN50 or SEN54), CHECKSUM, SILENT (not
measuring), FRAME (it reports a broken fan, laser or sensor), RANGE (a value is unknown to it).
Source: SEN5x datasheet 2, its commands and device status register, and Sensirion's own driver
(sensirion-i2c-sen5x 0.1.1): its stop is 0x0104.

Wiring: VDD 5 V; GND; SDA sda; SCL scl; SEL GND. With: 2 × resistor 4.7 kΩ (SCL and SDA to 3.3 V);
1 × 6-pin cable of 1.25 mm pitch.

    sensor = SEN55(i2c)
    wait_ms = sensor.start()
    ...
    values = sensor.read()  # a tuple; None: nothing new; an int: call again in so many ms
"""

from node.drivers.sensirion_air import ParticleNode


class SEN55(ParticleNode):
    BUS = "i2c"
    ADDRESSES = (0x69,)
    INTERVAL_S = (10, 3600)  # shorter, and cleaning would look like a fault
    SETTLE_MS = 30_000  # until particles and gases can be told
    QUANTITIES = (
        "pm1_0_ngm3", "pm2_5_ngm3", "pm4_0_ngm3", "pm10_ngm3", "humidity_mpct", "temperature_mc",
        "voc_index_tenths", "nox_index_tenths",
    )  # fmt: skip
    NAME = (0x5345, 0x4E35, 0x3500)  # SEN55
    READ = 0x03C4
    SIZE = 24
    ERRORS = 0x00F0  # fan, laser, humidity and temperature, gas

    def __init__(self, i2c, address: int = 0x69, clean_each_samples: int = 0):
        ParticleNode.__init__(self, i2c, address, clean_each_samples)
