# SPDX-License-Identifier: MIT
"""sdm_modbus (on pymodbus) and minimalmodbus, unmodified, read our SDM120 and SDM630: they know
the meters' registers from elsewhere, and agree with our drivers."""

import pytest

from node.drivers.sdm120 import SDM120
from node.drivers.sdm630 import SDM630
from simulator.buses.signals import Signals
from simulator.buses.uart import UartLine
from simulator.chips.sdm120 import SDM120 as SDM120Chip
from simulator.chips.sdm630 import SDM630 as SDM630Chip
from tests.second_opinion.modbus_masters import minimalmodbus_instrument, sdm_modbus_meter
from tests.second_opinion.serial_port import Clock

# in the order of what the chips sense: V, W, power factor, Hz, W of a solar plant
LEVELS = (
    (230_000, 1_000_000, 950, 50_000, 0),
    (231_234, 500_000, 987, 49_980, 4_512_345),
    (162_000, 0, 1000, 45_000, 0),
    (259_999, 9_876_543, 333, 65_000, 1),
)
# What sdm_modbus calls our quantities: (name, scale)
SDM120_NAMES = (
    ("voltage", 1000),
    ("current", 1000),
    ("power_active", 1000),
    ("power_factor", 1000),
    ("frequency", 1000),
    ("import_energy_active", 1_000_000),
    ("export_energy_active", 1_000_000),
)
SDM630_NAMES = (
    ("l1_voltage", 1000),
    ("l2_voltage", 1000),
    ("l3_voltage", 1000),
    ("l1_current", 1000),
    ("l2_current", 1000),
    ("l3_current", 1000),
    ("total_power_active", 1000),
    ("frequency", 1000),
    ("import_energy_active", 1_000_000),
    ("export_energy_active", 1_000_000),
)
PARTS = (
    (SDM120, SDM120Chip, "SDM120", SDM120_NAMES, (0x00, 0x06, 0x0C, 0x1E, 0x46, 0x48, 0x4A)),
    (SDM630, SDM630Chip, "SDM630", SDM630_NAMES,
     (0x00, 0x02, 0x04, 0x06, 0x08, 0x0A, 0x34, 0x46, 0x48, 0x4A)),
)  # fmt: skip


class Bench:
    def __init__(self, driver_class, chip_class):
        self.clock = Clock()
        self.signals = Signals()
        self.driver_class = driver_class
        self.chip = chip_class(self.signals, address=7)
        self.chip.power_on(self.clock.now_ms)
        self.chip._noise = lambda second: 0  # all read the same, though one after the other
        self.chip._energy_mwms = [1_307_690 * 3_600_000_000, 98_765_432 * 3_600_000_000]
        self.line = UartLine(lambda: self.clock.now_ms, self.chip, driver_class.BAUD, 256)

    def set(self, levels):
        self.clock.now_ms += 60_000
        names = ("voltage_mv", "power_mw", "pv_power_mw", "power_factor_permille", "frequency_mhz")
        points = {
            name: [[self.clock.now_ms, value]] for name, value in zip(names, levels, strict=True)
        }
        # Until now only, so that the energy stands still while all read it.
        self.signals.extend(self.clock.now_ms, points, {})

    def ours(self) -> tuple:
        driver = self.driver_class(self.line, address=7)
        self.clock.now_ms += driver.start()
        while isinstance(values := driver.read(), int):
            self.clock.now_ms += values
        return values


def same(value: float, scale: int, ours: int) -> bool:
    """Our integer is the nearest to their float; a power factor has lost its sign."""
    return abs(abs(value) * scale - abs(ours)) <= 0.5


@pytest.mark.parametrize(("driver", "chip", "name", "names", "_registers"), PARTS)
def test_sdm_modbus_agrees(monkeypatch, driver, chip, name, names, _registers):
    bench = Bench(driver, chip)
    meter = sdm_modbus_meter(monkeypatch, name, bench.line, bench.clock, 7)
    for levels in LEVELS:
        bench.set(levels)
        ours = bench.ours()
        for (key, scale), value in zip(names, ours, strict=False):
            theirs = meter.read(key)
            assert same(theirs, scale, value), key
            if key != "power_factor":
                assert (theirs < 0) == (value < 0)


@pytest.mark.parametrize(("driver", "chip", "_name", "names", "registers"), PARTS)
def test_minimalmodbus_agrees(monkeypatch, driver, chip, _name, names, registers):
    bench = Bench(driver, chip)
    meter = minimalmodbus_instrument(monkeypatch, bench.line, bench.clock, 7, driver.BAUD)
    for levels in LEVELS:
        bench.set(levels)
        ours = bench.ours()
        for register, (key, scale), value in zip(registers, names, ours, strict=False):
            assert same(meter.read_float(register, functioncode=4), scale, value), key


def test_sdm_modbus_reads_a_block_as_a_whole(monkeypatch):
    bench = Bench(SDM630, SDM630Chip)
    meter = sdm_modbus_meter(monkeypatch, "SDM630", bench.line, bench.clock, 7)
    bench.set(LEVELS[0])
    found = meter.read_all()
    for (key, scale), value in zip(SDM630_NAMES, bench.ours(), strict=False):
        assert same(found[key], scale, value), key
