# SPDX-License-Identifier: MIT
"""Sensirion SPS30: particles.

Bus: I2C at 0x69, up to 100 kHz, while its pin SEL is tied to ground; supply 5 V. 0–1000 µg/m³.
Options: clean_each_samples: sensirion_pm.py (its own timer of a week starts anew at power-up);
measure_s: 0: laser and fan run all the time; else it idles between samples and runs for so many
seconds before each (30 in clean air, 8 at least), which must be shorter than the interval.

It has no name to check. A SEN5x at the same address does not acknowledge how it is started.
Errors: OSError; SensorFault CHECKSUM, SILENT (not measuring), FRAME (a value is not a number, or
it reports a broken fan or laser; from firmware 2.2 on it can). Source: SPS30 datasheet 1.0,
chapter 4 (modes, cleaning, status register) and 6 (I2C); sensirion-i2c-sps30 1.0.0.

Wiring: VDD 5 V; SDA (RX) sda; SCL (TX) scl; SEL GND; GND. With: 2 × resistor 4.7 kΩ (SCL and SDA
to 3.3 V); 1 × 5-pin cable of 1.5 mm pitch.

    sensor = SPS30(i2c)
    wait_ms = sensor.start()
    ...
    values = sensor.read()  # a tuple; None: nothing new; an int: call again in so many ms
"""

from micropython import const

from node.drivers.float32 import to_scaled
from node.drivers.sensirion_pm import ParticleSensor

_STOP = const(0x0104)
_HAS_STATUS = const(0x0202)  # the first firmware that has a status register
_FAN_OR_LASER = const(0x0030)
_IDLE = const(10)  # of _step: see sensirion_pm.py


class SPS30(ParticleSensor):
    BUS = "i2c"
    ADDRESSES = (0x69,)
    INTERVAL_S = (10, 3600)  # shorter, and cleaning would look like a fault
    SETTLE_MS = 30_000  # until few particles can be told
    QUANTITIES = ("pm1_0_ngm3", "pm2_5_ngm3", "pm4_0_ngm3", "pm10_ngm3")
    KIND = (0xD100, 3)  # the version of its firmware
    START = (0x0010, 0x0300)  # floats
    SIZE = 24  # of 60: counts and sizes of particles follow
    STOP_MS = 30
    ANSWER_MS = 5

    def __init__(self, i2c, address: int = 0x69, clean_each_samples: int = 0, measure_s: int = 0):
        ParticleSensor.__init__(self, i2c, address, clean_each_samples)
        self._idles = self._has_missed = measure_s > 0  # after a start there is something new
        if measure_s:
            self._first_ms = measure_s * 1000

    def start(self) -> int:
        return self._measure() if self._step == _IDLE else ParticleSensor.start(self)

    def _check(self, version: list):
        self.ERRORS = _FAN_OR_LASER if version[0] >= _HAS_STATUS else 0

    def _values(self, found: list) -> tuple:
        if self._idles:
            self._ask(_STOP, _IDLE)
            self._has_missed = True
        return tuple([to_scaled(found[i] << 16 | found[i + 1], 1000) for i in (0, 2, 4, 6)])
