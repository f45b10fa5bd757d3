# SPDX-License-Identifier: MIT
"""Sensirion SGP41: raw signals of volatile compounds (VOC) and nitrogen oxides (NOx).

Bus: I2C at 0x59, up to 400 kHz, 1.7–3.6 V. Ticks, 0–65535, of no unit: with more gas VOC falls
and NOx rises. They drift for months; only their changes within hours tell anything. An index would
need Sensirion's algorithm once a second. Options humidity_mpct and temperature_mc: what it is told
to compensate for, fixed for the site, since a driver does not know what other sensors measure.

After power-up its NOx side is conditioned for 9 s: more than 10 damage it, so an interrupted one
is ended first. That its power was gone for a moment between two samples cannot be told.

Errors: OSError; SensorFault CHIP_ID (an SGP40), CHECKSUM, FRAME (its self-test fails), RANGE (a
signal at its end), FROZEN (six equal readings: they vary by a few ticks). Source: SGP41 datasheet
1.0, section 3 (commands); the command that tells SGP40 from SGP41: ESPHome's driver of both.

Wiring: VDD 3.3 V; VDDH 3.3 V; GND; SCL scl; SDA sda. With: 2 × resistor 4.7 kΩ (SCL and SDA to
3.3 V).

    sensor = SGP41(i2c)
    wait_ms = sensor.start()
    ...
    values = sensor.read()  # (voc_raw_ticks, nox_raw_ticks); an int: call again in so many ms
"""

from micropython import const

from node.drivers.sensirion import send, take
from node.errors import CHIP_ID, FRAME, FROZEN, RANGE, SensorFault

_CONDITION = const(0x2612)
_MEASURE = const(0x2619)
_SELF_TEST = const(0x280E)
_HEATER_OFF = const(0x3615)
_FEATURES = const(0x202F)

_SGP41 = const(0x0040)  # of the low nine bits; an SGP40 has 0x0020
_FAILED = const(0x000F)  # of the self-test: a bit for each part that failed
_SELF_TEST_MS = const(325)
_MEASURE_MS = const(51)  # executes in 50 ms; a clock of ms may be short by one
_SHORT_MS = const(3)
_EQUAL = const(6)

# What the next read() is for.
_OFF = const(0)
_FEATURES_TOLD = const(1)
_TESTED = const(2)
_CONDITIONED = const(11)  # nine times, one a second; its answers are of no use
_MEASURED = const(12)


class SGP41:
    BUS = "i2c"
    ADDRESSES = (0x59,)
    INTERVAL_S = (1, 3600)
    QUANTITIES = ("voc_raw_ticks", "nox_raw_ticks")
    SETTLE_MS = 60_000

    def __init__(
        self, i2c, address: int = 0x59, humidity_mpct: int = 50_000, temperature_mc: int = 25_000
    ):
        """Ends what an earlier run may have left behind."""
        self._i2c = i2c
        self._address = address
        self._answer = memoryview(bytearray(6))
        # 100 · w / 65535 %, −45 + 175 · w / 65535 °C; 0…100 % and −45…130 °C fit into a word
        self._humidity = (humidity_mpct * 65_535 + 50_000) // 100_000
        self._temperature = ((temperature_mc + 45_000) * 65_535 + 87_500) // 175_000
        self._last = None
        self._equal = 0
        self._step = _OFF
        send(i2c, address, _HEATER_OFF)

    def start(self) -> int:
        return self._measure(_MEASURE) if self._step else _SHORT_MS

    def read(self):
        """A reading, or the ms that it needs more."""
        step = self._step
        self._step += 1
        if step == _OFF:
            send(self._i2c, self._address, _FEATURES)
            return _SHORT_MS
        if step == _FEATURES_TOLD:
            if self._take(3)[0] & 0x01FF != _SGP41:
                raise SensorFault(CHIP_ID)
            send(self._i2c, self._address, _SELF_TEST)
            return _SELF_TEST_MS
        if step == _TESTED and self._take(3)[0] & _FAILED:
            raise SensorFault(FRAME)
        if step < _CONDITIONED:
            self._measure(_CONDITION)
            return 1000
        if step == _CONDITIONED:
            return self._measure(_MEASURE)
        self._step = _MEASURED
        values = tuple(self._take(6))
        if not (0 < values[0] < 0xFFFF and 0 < values[1] < 0xFFFF):
            raise SensorFault(RANGE)
        self._equal = self._equal + 1 if values == self._last else 1
        if self._equal >= _EQUAL:
            raise SensorFault(FROZEN)
        self._last = values
        return values

    def _take(self, size: int) -> list:
        return take(self._i2c, self._address, self._answer[:size])

    def _measure(self, command: int) -> int:
        send(self._i2c, self._address, command, self._humidity, self._temperature)
        return _MEASURE_MS
