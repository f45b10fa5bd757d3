# SPDX-License-Identifier: MIT
"""Sensirion SEN66: particles, humidity, temperature, VOC and NOx index, CO2.

Bus: I2C at 0x6B, up to 100 kHz, 3.3 V. Laser and fan run all the time. 0–1000 µg/m³ in steps of
0.1, 0–100 % in steps of 0.01, −10…50 °C in steps of 0.005, indices 1–500 in tenths, 400–5000 ppm.
Option clean_each_samples: sensirion_pm.py; it has no timer of its own, and must be cleaned while
idle, so that sample takes 45 s, in which nothing is measured.

The indices are relative: 100 (VOC) and 1 (NOx) are the usual air of this place, as learnt over
days. What was learnt is lost with its power. Gas index and CO2 may be None in the first samples.
Its self-calibration of CO2 expects fresh air once a week.

Errors: OSError; SensorFault CHIP_ID (it tells another name), CHECKSUM (also another model: it
answers to this command with wrong checksums), SILENT (not measuring), FRAME (it reports a broken
fan or sensor), RANGE (a value is unknown to it). Source: SEN6x datasheet 0.9, its commands and
device status register, and Sensirion's own driver (sensirion-i2c-sen66 1.3.1).

Wiring: VDD 3.3 V; GND; SDA sda; SCL scl. With: 2 × resistor 4.7 kΩ (SCL and SDA to 3.3 V); 1 ×
6-pin cable of 1.25 mm pitch.

    sensor = SEN66(i2c)
    wait_ms = sensor.start()
    ...
    values = sensor.read()  # a tuple; None: nothing new; an int: call again in so many ms
"""

from micropython import const

from node.drivers.sensirion_air import ParticleNode

_STOP = const(0x0104)
_CLEAN = const(0x5607)
_CLEANING_MS = const(10_500)
_SETTLED_MS = const(30_000)

# What the next read() is for, beyond sensirion_pm.py.
_IDLE = const(10)
_CLEANED = const(11)


class SEN66(ParticleNode):
    BUS = "i2c"
    ADDRESSES = (0x6B,)
    INTERVAL_S = (10, 3600)  # shorter, and cleaning would look like a fault
    SETTLE_MS = 30_000  # until particles, gases and CO2 can be told
    QUANTITIES = (
        "pm1_0_ngm3", "pm2_5_ngm3", "pm4_0_ngm3", "pm10_ngm3", "humidity_mpct", "temperature_mc",
        "voc_index_tenths", "nox_index_tenths", "co2_ppm",
    )  # fmt: skip
    NAME = (0x5345, 0x4E36, 0x3600)  # SEN66
    SIZE = 27
    # Fan, humidity and temperature, gas, CO2 (of this model), particles.
    ERRORS = 0x0010 | 0x0040 | 0x0080 | 0x0200 | 0x0800
    STOP_MS = 1400

    def __init__(self, i2c, address: int = 0x6B, clean_each_samples: int = 0):
        ParticleNode.__init__(self, i2c, address, clean_each_samples)

    def read(self):
        if self._step == _IDLE:
            self._ask(_CLEAN, _CLEANED)
            return _CLEANING_MS
        if self._step == _CLEANED:
            self._measure()
            return _SETTLED_MS
        return ParticleNode.read(self)

    def _clean(self) -> int:
        self._ask(_STOP, _IDLE)
        return self.STOP_MS
