# SPDX-License-Identifier: MIT
"""pamoja-sensors' INA226: its driver reads the registers of our chip, our driver reads its
simulated part, and both chips compute alike."""

import pytest

from node.drivers.ina226 import INA226
from simulator.buses.i2c import I2CBus
from simulator.buses.signals import Signals
from simulator.chips.ina226 import INA226 as Chip
from tests.second_opinion.serial_port import Clock

LEVELS = ((24_000, 4000), (12_345, -1234), (0, 0), (36_000, 30_000), (5000, -30_000), (3300, 1))
# 1 mΩ and 32.768 A: the step of the current is 1 mA, which both libraries can say exactly.
SHUNT_MILLIOHM, MAX_MICROAMPERE = 1, 32_768_000
OPTIONS = {"shunt_uohm": 1000, "max_current_ma": 32_768}
REGISTERS = (0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x07, 0xFE, 0xFF)


@pytest.fixture
def library():
    return pytest.importorskip("pamoja.sensors", reason="extra second-opinion")


@pytest.fixture
def hal():
    return pytest.importorskip("pamoja.hal", reason="extra second-opinion")


class WordBus:
    """A simulated part of theirs, as our driver asks for registers."""

    def __init__(self, part):
        self._part = part

    def readfrom_mem_into(self, address, register, into):
        into[:] = self._part.word(register).to_bytes(2, "big")

    def writeto(self, address, data):
        # What is set does not change what it shows: it was made for this calibration.
        self._part.set(data[0], int.from_bytes(data[1:], "big"))


class Bench:
    def __init__(self):
        self.clock = Clock()
        self.signals = Signals()
        self.bus = I2CBus(lambda: self.clock.now_ms)
        self.chip = Chip(self.signals, **OPTIONS)
        self.chip.power_on(self.clock.now_ms)
        self.bus.attach(0x40, self.chip)
        self.set(12_000, 0)

    def set(self, voltage_mv: int, current_ma: int):
        now_ms = self.clock.now_ms
        points = {"dc_voltage_mv": [[now_ms, voltage_mv]], "dc_current_ma": [[now_ms, current_ma]]}
        self.signals.extend(now_ms + 60_000, points, {})

    def word(self, register: int) -> int:
        return int.from_bytes(self.bus.readfrom_mem(0x40, register, 2), "big")


def signed(word: int) -> int:
    return word - 0x10000 if word & 0x8000 else word


def test_their_driver_reads_our_registers(library, hal):
    bench = Bench()
    driver = INA226(bench.bus, **OPTIONS)
    for levels in LEVELS:
        bench.set(*levels)
        bench.clock.now_ms += driver.start() + 1000
        ours = driver.read()
        part = hal.WordPart(0x40)
        for register in REGISTERS:
            part.set(register, bench.word(register))
        part.set(0x06, 0x0008)
        part.read_only(0x06, 0x0008)
        theirs = library.Ina226(
            hal.I2cBus.simulated([part]), 0x40,
            shunt_milliohms=SHUNT_MILLIOHM, max_microamps=MAX_MICROAMPERE,
        )  # fmt: skip
        reading = theirs.measure()
        assert theirs.calibration_word == bench.word(0x05)
        assert theirs.current_lsb_microamps == 1000
        assert reading.bus_microvolts == bench.word(0x02) * 1250
        assert abs(reading.bus_microvolts - ours[0] * 1000) <= 625
        assert reading.current_microamps == ours[1] * 1000
        assert reading.power_microwatts == abs(ours[2]) * 1000


def test_our_driver_reads_their_part(library):
    for voltage_mv, current_ma in LEVELS:
        part = library.ina226.sim.reporting(
            0x40, SHUNT_MILLIOHM, MAX_MICROAMPERE, voltage_mv * 1000, current_ma * 1000
        )
        driver = INA226(WordBus(part), **OPTIONS)
        part.set(0x06, 0x0008)
        driver.start()
        voltage, current, power = driver.read()
        assert abs(voltage - voltage_mv) <= 1
        assert abs(current - current_ma) <= 3  # a step of the shunt voltage is 2.5 µV
        assert abs(power - voltage_mv * current_ma // 1000) <= 25 + voltage_mv * 3 // 1000


def test_both_chips_compute_alike(library):
    bench = Bench()
    INA226(bench.bus, **OPTIONS)
    for levels in LEVELS:
        bench.set(*levels)
        bench.clock.now_ms += 1000
        shunt, bus, power, current, calibration = map(bench.word, range(1, 6))
        ina226 = library.ina226
        # Theirs cuts off what ours rounds.
        assert abs(signed(shunt) - ina226.shunt_register(levels[1] * 1000)) <= 1
        assert bus == ina226.bus_register(levels[0] * 1000)
        assert signed(current) == ina226.current_register_from_shunt(signed(shunt), calibration)
        assert power == ina226.power_register_from_current(signed(current), bus)
        assert calibration == ina226.calibration(1000, SHUNT_MILLIOHM)
    assert str(ina226.identify(bench.word(0xFE), bench.word(0xFF)))


def test_settings_mean_what_we_think(library):
    bench = Bench()
    INA226(bench.bus, **OPTIONS)
    ina226 = library.ina226
    config = ina226.config_from_register(bench.word(0x00))
    assert ina226.is_continuous(config.mode)
    assert ina226.update_micros(config) == bench.chip._period_us()
