# SPDX-License-Identifier: MIT
"""Bosch BME280: register map, modes and timing of BST-BME280-DS002 1.6.

Senses temperature_mc, pressure_pa and humidity_mpct at the start of each measurement; silent in a
gap of any of them. From them it finds what its converters would give, by solving the compensation
of section 8.1 (floating point) in integers; the resolution follows from the oversampling (16 bits
at ×1). Every measurement takes the longest time that section 9.1 allows. Not modelled: the IIR
filter and SPI.

Faults: "chip_id" (a BMP280's); "range" (the temperature converter at its upper end).
"""

from struct import pack, pack_into

from simulator.chips.part import Part

_NACK = 19
_ID, _RESET, _CTRL_HUM, _STATUS, _CTRL_MEAS, _CONFIG, _DATA = (
    0xD0, 0xE0, 0xF2, 0xF3, 0xF4, 0xF5, 0xF7,
)  # fmt: skip
_MEASURING, _UPDATING = 8, 1
_START_UP_MS = 2
_STANDBY_MS = (1, 63, 125, 250, 500, 1000, 10, 20)
_SAMPLES = (0, 1, 2, 4, 8, 16, 16, 16)

# T1-T3 and P1-P9: the example of BST-BMP280-DS001, section 3.12; H1-H6: of the usual size
CALIBRATION = (27504, 26435, -1000, 36477, -10685, 3024, 2855, 140, -7, 15500, -14600, 6000,
               75, 362, 0, 315, 50, 30)  # fmt: skip


def _clip(value: int, bits: int, samples: int) -> int:
    """The nearest code that a converter gives with so many samples (16 bits and more)."""
    if samples == 0:
        return 1 << bits - 1
    unused = bits - 16
    while samples > 1 and unused > 0:
        samples >>= 1
        unused -= 1
    code = value + (1 << unused >> 1) >> unused
    return min(max(code, 0), (1 << bits - unused) - 1) << unused


class BME280(Part):
    SENSES = ("temperature_mc", "pressure_pa", "humidity_mpct")
    ADDRESS = 0x76

    def __init__(self, signals, address: int = ADDRESS, calibration: tuple = CALIBRATION):
        Part.__init__(self, signals)
        self._calibration = calibration
        self.power_on(-_START_UP_MS)

    def power_on(self, now_ms: int):
        """Power-on reset, and soft reset: table 18."""
        self._powered = True
        self._ready_ms = now_ms + _START_UP_MS
        self._begun_ms = self._done_ms = self._later = None
        self._pointer = 0
        self._registers = registers = bytearray(256)
        c = self._calibration
        pack_into("<HhhHhhhhhhhhBB", registers, 0x88, *(c[:12] + (0, c[12])))
        _, h2, h3, h4, h5, h6 = c[12:]
        shared = h4 & 0x0F | (h5 & 0x0F) << 4
        pack_into("<hBbBbb", registers, 0xE1, h2, h3, h4 >> 4, shared, h5 >> 4, h6)
        registers[_ID] = 0x60
        registers[_DATA : _DATA + 8] = b"\x80\x00\x00\x80\x00\x00\x80\x00"

    def _wake(self, now_ms: int):
        if not self._powered:
            self.power_on(now_ms - _START_UP_MS)
        level = self._signals.level
        for name in ("temperature_mc", "pressure_pa", "humidity_mpct"):
            if level(name, now_ms) is None:
                raise OSError(_NACK)
        while self._done_ms is not None and now_ms >= self._done_ms:
            self._finish(now_ms)

    def write(self, now_ms: int, data: bytes):
        """A register to read from, or pairs of register and value (section 6.2)."""
        self._wake(now_ms)
        self._pointer = data[0] if data else self._pointer
        for i in range(1, len(data), 2):
            self._set(now_ms, data[i - 1], data[i])

    def read(self, now_ms: int, n: int) -> bytes:
        registers = self._registers
        measuring = self._done_ms is not None and self._begun_ms <= now_ms < self._done_ms
        registers[_STATUS] = (_MEASURING if measuring else 0) | (
            _UPDATING if now_ms < self._ready_ms else 0
        )
        registers[_ID] = 0x58 if self.fault == "chip_id" else 0x60
        at, self._pointer = self._pointer, self._pointer + n & 0xFF
        return bytes(registers[at : at + n])

    def _set(self, now_ms: int, register: int, value: int):
        busy = self._done_ms is not None and self._begun_ms <= now_ms
        if register == _RESET and value == 0xB6:
            self.power_on(now_ms)
        elif register == _CTRL_MEAS and busy:  # 3.3.1: the first waits, others are ignored
            self._later = value if self._later is None else self._later
        elif register == _CTRL_MEAS:
            self._control(now_ms, value)
        elif register == _CTRL_HUM and not busy:
            self._registers[_CTRL_HUM] = value & 0x07
        elif register == _CONFIG and self._registers[_CTRL_MEAS] & 3 == 0:
            self._registers[_CONFIG] = value & 0xFD

    def _control(self, now_ms: int, value: int):
        self._registers[_CTRL_MEAS] = value
        self._samples = (
            _SAMPLES[value >> 5], _SAMPLES[value >> 2 & 7], _SAMPLES[self._registers[_CTRL_HUM]],
        )  # fmt: skip
        self._done_ms = None
        if value & 3:
            self._begin(now_ms)

    def _begin(self, now_ms: int):
        temperature, pressure, humidity = self._samples
        longest_us = 1250 + 2300 * temperature
        longest_us += 2300 * pressure + 575 if pressure else 0
        longest_us += 2300 * humidity + 575 if humidity else 0
        self._begun_ms = now_ms
        self._done_ms = now_ms + -(-longest_us // 1000)

    def _finish(self, now_ms: int):
        self._sense()
        mode = self._registers[_CTRL_MEAS] & 3
        done_ms, self._done_ms = self._done_ms, None
        if self._later is not None:
            value, self._later = self._later, None
            self._control(done_ms, value)
        elif mode == 3:  # normal mode: goes on after standby; of many rounds only the last counts
            standby_ms = _STANDBY_MS[self._registers[_CONFIG] >> 5]
            round_ms = done_ms - self._begun_ms + standby_ms
            missed = max(0, (now_ms - done_ms) // round_ms - 1)
            self._begin(done_ms + standby_ms + missed * round_ms)
        else:
            self._registers[_CTRL_MEAS] &= 0xFC

    def _sense(self):
        level, at = self._signals.level, min(self._begun_ms, self._signals.until_ms)
        levels = [level(n, at) for n in ("temperature_mc", "pressure_pa", "humidity_mpct")]
        if None in levels:
            return
        fine = (levels[0] * 128 + 12) // 25  # 5120 steps per °C
        temperature, pressure, humidity = self._samples
        t = 0xFFFFF if self.fault == "range" else self._temperature(fine)
        t = _clip(t, 20, temperature)
        p = _clip(self._pressure(levels[1], fine), 20, pressure)
        h = _clip(self._humidity(levels[2], fine), 16, humidity)
        self._registers[_DATA : _DATA + 8] = pack(
            ">HBHBH", p >> 4, p << 4 & 0xF0, t >> 4, t << 4 & 0xF0, h
        )

    # Section 8.1, solved for the converter's code. The equations are nearly linear: what is not
    # shrinks the error by 20 and more with each step.

    def _temperature(self, fine: int) -> int:
        t1, t2, t3 = self._calibration[:3]
        x = 0
        for _ in range(4):
            x = (fine - (x * x * t3 >> 34) << 14) // t2
        return x + (t1 << 4)

    def _pressure(self, pascal: int, fine: int) -> int:
        p1, p2, p3, p4, p5, p6, p7, p8, p9 = self._calibration[3:12]
        v = fine - 128_000
        offset = (v * v * p6 >> 11) + (v * p5 << 6) + (p4 << 24)  # << 8
        scale = ((1 << 35) + (v * v * p3 >> 20) + v * p2) * p1  # << 35
        target = p = pascal << 8
        for _ in range(4):
            p = target - (p9 * p * p >> 43) - (p8 * p >> 19) - (p7 << 4)
        return 1_048_576 - (p * scale // 6250 >> 43) - (offset >> 20)

    def _humidity(self, mpct: int, fine: int) -> int:
        h1, h2, h3, h4, h5, h6 = self._calibration[12:]
        v = fine - 76_800
        gain = h2 * ((1 << 26) + (h6 * v * ((1 << 26) + h3 * v) >> 26))  # << 42
        target = h = (mpct << 10) // 1000
        for _ in range(4):
            h = target + (h1 * h * h >> 29)
        return (h4 << 6) + (h5 * v >> 14) + ((h << 32) + (gain >> 1)) // gain
