# SPDX-License-Identifier: MIT
"""simulator/chips/sps30.py, read by Sensirion's driver, and by ours; the floats of both."""

import random
import struct

import pytest

from node.drivers.float32 import to_scaled
from node.drivers.sps30 import SPS30
from simulator.chips.sps30 import SPS30 as Chip
from simulator.chips.sps30 import float32
from tests.second_opinion.air_bench import AirBench, weather
from tests.second_opinion.sensirion_channel import channel


@pytest.fixture
def bench(monkeypatch):
    library = pytest.importorskip("sensirion_i2c_sps30.device")
    bench = AirBench(
        Chip, SPS30, monkeypatch, pytest.importorskip("sensirion_i2c_driver.connection")
    )
    bench.feel(**next(weather(0)))
    bench.library = library.Sps30Device(channel(bench.bus, bench.wait, Chip.ADDRESS))
    return bench


def test_reads_the_same(bench):
    from sensirion_i2c_sps30.commands import OutputFormat

    bench.library.start_measurement(OutputFormat.OUTPUT_FORMAT_FLOAT)
    for levels, _ in zip(weather(1), range(40), strict=False):
        bench.feel(**levels)
        bench.wait(2)
        assert bench.library.read_data_ready_flag() == 1
        theirs = bench.library.read_measurement_values_float()[:4]
        assert bench.library.read_data_ready_flag() == 0
        ours = bench.our_reading()
        assert list(ours.values()) == [round(value * 1000) for value in theirs]
        for name, value in ours.items():
            assert abs(value - levels[name]) <= 1


def test_knows_its_states(bench):
    from sensirion_i2c_sps30.commands import OutputFormat

    device = bench.library
    assert device.read_firmware_version() == (2, 3)
    device.start_measurement(OutputFormat.OUTPUT_FORMAT_FLOAT)
    bench.wait(2)
    device.read_measurement_values_float()
    device.start_fan_cleaning()
    bench.wait(9)
    assert bench.chip.cleanings == 1
    device.read_measurement_values_float()
    assert device.read_data_ready_flag() == 0
    bench.wait(2)
    assert device.read_data_ready_flag() == 1
    device.stop_measurement()
    assert device.read_data_ready_flag() == 0
    bench.chip.fault = "fan"
    assert device.read_device_status_register() == 1 << 4
    bench.chip.fault = None
    device.clear_device_status_register()
    assert device.read_device_status_register() == 0


def test_floats():
    """As CPython's struct has them, whose doubles hold them exactly."""
    chance = random.Random(3)
    for _ in range(20_000):
        value = chance.randint(0, 10 ** chance.randint(0, 9))
        bits = float32(value, 1000)
        (exact,) = struct.unpack(">f", bits.to_bytes(4, "big"))
        assert 0 <= value / 1000 - exact <= value / 1000 / (1 << 23)
        assert abs(to_scaled(bits, 1000) - exact * 1000) <= 0.5
