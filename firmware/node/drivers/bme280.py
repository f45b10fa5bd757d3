# SPDX-License-Identifier: MIT
"""Bosch BME280: temperature, air pressure, relative humidity.

Bus: I2C at 0x76 or 0x77. −40…85 °C in steps of 0.01 °C, 300–1100 hPa, 0–100 %. Forced mode with
one sample of each and no filter: it sleeps between measurements. Errors: OSError; SensorFault
CHIP_ID, FRAME (it lost its settings: its power was gone), SILENT (not ready in time).
Source: BST-BME280-DS002 1.6, section 4.2.3 (compensation), chapter 5 (registers), 9.1 (times).

Wiring: VIN 3.3 V; GND; SCL scl; SDA sda. With: 2 × resistor 4.7 kΩ (SCL and SDA to 3.3 V).

    sensor = BME280(i2c, address=0x76)
    wait_ms = sensor.start()
    ...
    temperature_mc, pressure_pa, humidity_mpct = sensor.read()
"""

from struct import unpack_from

from micropython import const

from node.errors import CHIP_ID, FRAME, RANGE, SILENT, SensorFault

_CALIB_00 = const(0x88)  # to 0xA1
_ID = const(0xD0)
_CALIB_26 = const(0xE1)  # to 0xE7
_CTRL_HUM = const(0xF2)  # followed by status, ctrl_meas, config, -, and the data: to 0xFE

_CHIP = const(0x60)
_UPDATING = const(0x01)  # of status: calibration is being copied
_MEASURING = const(0x08)
_SKIPPED = const(0x80000)  # where nothing was measured since power-up

# Pairs of register and value (6.2.1); ctrl_hum counts from the next write of ctrl_meas (5.4.3).
_SLEEP = b"\xf4\x00\xf5\x00"
_MEASURE = b"\xf2\x01\xf4\x25"
_MEASURE_MS = const(10)  # 1.25 + 2.3 + (2.3 + 0.575) + (2.3 + 0.575) at most


class BME280:
    BUS = "i2c"
    ADDRESSES = (0x76, 0x77)
    INTERVAL_S = (1, 3600)
    QUANTITIES = ("temperature_mc", "pressure_pa", "humidity_mpct")
    SETTLE_MS = 0

    def __init__(self, i2c, address: int = 0x76):
        self._i2c = i2c
        self._address = address
        self._registers = memoryview(bytearray(26))
        if self._read(_ID, 1)[0] != _CHIP:
            raise SensorFault(CHIP_ID)
        if self._read(_CTRL_HUM, 2)[1] & _UPDATING:
            raise SensorFault(SILENT)
        i2c.writeto(address, _SLEEP)
        calib = self._read(_CALIB_00, 26)
        self._t = unpack_from("<Hhh", calib, 0)
        self._p = unpack_from("<Hhhhhhhhh", calib, 6)
        h1 = calib[25]
        # Table 16: H4 and H5 have 12 bits and share the byte in the middle.
        h2, h3, h4, middle, h5, h6 = unpack_from("<hBbBbb", self._read(_CALIB_26, 7), 0)
        self._h = (h1, h2, h3, h4 << 4 | middle & 0x0F, h5 << 4 | middle >> 4, h6)

    def _read(self, register: int, count: int):
        into = self._registers[:count]
        self._i2c.readfrom_mem_into(self._address, register, into)
        return into

    def start(self) -> int:
        self._i2c.writeto(self._address, _MEASURE)
        return _MEASURE_MS

    def read(self) -> tuple:
        # One burst, so that all values are of one measurement (chapter 4).
        ctrl_hum, status, ctrl_meas, config, _, p0, p1, p2, t0, t1, t2, h0, h1 = self._read(
            _CTRL_HUM, 13
        )
        if status & _MEASURING:
            raise SensorFault(SILENT)
        adc_p = p0 << 12 | p1 << 4 | p2 >> 4
        adc_t = t0 << 12 | t1 << 4 | t2 >> 4
        if (ctrl_hum, ctrl_meas, config) != (1, 0x24, 0) or adc_p == adc_t == _SKIPPED:
            raise SensorFault(FRAME)
        celsius, t_fine = self._temperature(adc_t)
        return (
            celsius * 10,
            (self._pressure(adc_p, t_fine) + 128) >> 8,
            (self._humidity(h0 << 8 | h1, t_fine) * 125 + 64) >> 7,
        )

    def _temperature(self, adc: int) -> tuple:
        """(0.01 °C, t_fine): section 4.2.3, int32."""
        t1, t2, t3 = self._t
        apart = (adc >> 4) - t1
        t_fine = (((adc >> 3) - (t1 << 1)) * t2 >> 11) + ((apart * apart >> 12) * t3 >> 14)
        return (t_fine * 5 + 128) >> 8, t_fine

    def _pressure(self, adc: int, t_fine: int) -> int:
        """Pa in Q24.8: section 4.2.3, int64."""
        p1, p2, p3, p4, p5, p6, p7, p8, p9 = self._p
        fine = t_fine - 128_000
        square = fine * fine
        offset = square * p6 + (fine * p5 << 17) + (p4 << 35)
        scale = ((1 << 47) + (square * p3 >> 8) + (fine * p2 << 12)) * p1 >> 33
        if scale == 0:
            raise SensorFault(RANGE)  # calibration of zeros
        p = ((1_048_576 - adc << 31) - offset) * 3125 // scale
        return (p + (p9 * (p >> 13) * (p >> 13) >> 25) + (p8 * p >> 19) >> 8) + (p7 << 4)

    def _humidity(self, adc: int, t_fine: int) -> int:
        """% in Q22.10: section 4.2.3, int32."""
        h1, h2, h3, h4, h5, h6 = self._h
        fine = t_fine - 76_800
        slope = (fine * h6 >> 10) * ((fine * h3 >> 11) + 32_768) >> 10
        h = ((adc << 14) - (h4 << 20) - h5 * fine + 16_384 >> 15) * (
            (slope + 2_097_152) * h2 + 8192 >> 14
        )
        h -= ((h >> 15) * (h >> 15) >> 7) * h1 >> 4
        return min(max(h, 0), 419_430_400) >> 12
