# SPDX-License-Identifier: MIT
"""Sensirion SCD41: CO2 (photo-acoustic), temperature, relative humidity.

Bus: I2C at 0x62, up to 100 kHz. Low-power periodic measurement: a new value every 30 s, so sample
it every 30 s (at least 10). 400–5000 ppm, −10…60 °C, 0–100 %. Its self-calibration expects fresh
air once a week. Errors: OSError; SensorFault CHECKSUM, or SILENT when it has stopped measuring.
Source: SCD4x datasheet 1.3 (the divisor 65535: current datasheet and Sensirion's own driver).

Wiring: VDD 3.3 V; GND; SCL scl; SDA sda. With: 2 × resistor 4.7 kΩ (SCL and SDA to 3.3 V).

    sensor = SCD41(i2c)
    wait_ms = sensor.start()
    ...
    values = sensor.read()  # (co2_ppm, temperature_mc, humidity_mpct), or None
"""

from micropython import const

from node.drivers.sensirion import send, words
from node.errors import SILENT, SensorFault

_STOP = const(0x3F86)  # section 3.5.3
_START_LOW_POWER = const(0x21AC)  # 3.8.1
_READ = const(0xEC05)  # 3.5.2
_DATA_READY = const(0xE4B8)  # 3.8.2

_STOP_MS = const(500)  # until then it acknowledges nothing
_READ_MS = const(2)  # executes in 1 ms; a clock of ms may be short by one
_MISSES = const(3)  # in a row; the first reading is due 30 s after the start


class SCD41:
    BUS = "i2c"
    ADDRESSES = (0x62,)
    INTERVAL_S = (10, 3600)  # four samples without a new value are a fault
    QUANTITIES = ("co2_ppm", "temperature_mc", "humidity_mpct")
    SETTLE_MS = 0

    def __init__(self, i2c, address: int = 0x62):
        """Stops a measurement that an earlier run may have left behind."""
        self._i2c = i2c
        self._address = address
        self._answer = bytearray(9)
        self._measuring = False
        self._misses = 0
        send(i2c, address, _STOP)

    def start(self) -> int:
        """After construction: waits for the stop. Then: asks for what was measured last."""
        if not self._measuring:
            return _STOP_MS
        send(self._i2c, self._address, _READ)
        return _READ_MS

    def read(self):
        """None until there is a measurement that was not read yet."""
        if not self._measuring:
            send(self._i2c, self._address, _START_LOW_POWER)
            self._measuring = True
            return None
        try:
            self._i2c.readfrom_into(self._address, self._answer)
        except OSError:
            # 3.5.2: it does not acknowledge the read when it has nothing new. This command it
            # always acknowledges, so that one that was pulled out still gives OSError.
            send(self._i2c, self._address, _DATA_READY)
            return self._miss()
        co2, temperature, humidity = words(self._answer)
        if co2 == 0:  # an invalid sample
            return self._miss()
        self._misses = 0
        # 3.5.2: −45 + 175 · w / 65535 °C, and 100 · w / 65535 %
        return (
            co2,
            (temperature * 175_000 + 32_767) // 65_535 - 45_000,
            (humidity * 100_000 + 32_767) // 65_535,
        )

    def _miss(self):
        self._misses += 1
        if self._misses > _MISSES:
            raise SensorFault(SILENT)  # idle: its power was gone for a moment
        return None
