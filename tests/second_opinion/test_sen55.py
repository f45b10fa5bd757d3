# SPDX-License-Identifier: MIT
"""simulator/chips/sen55.py, read by Sensirion's driver, and by ours."""

import pytest

from node.drivers.sen55 import SEN55
from simulator.chips.sen55 import SEN55 as Chip
from tests.second_opinion.air_bench import AirBench, weather
from tests.second_opinion.sensirion_channel import connection


@pytest.fixture
def bench(monkeypatch):
    library = pytest.importorskip("sensirion_i2c_sen5x")
    bench = AirBench(
        Chip, SEN55, monkeypatch, pytest.importorskip("sensirion_i2c_driver.connection")
    )
    bench.feel(**next(weather(0)))
    bench.library = library.Sen5xI2cDevice(connection(bench.bus, bench.wait))
    return bench


def scaled(values) -> list:
    """Sensirion's physical values, in our scales."""
    masses = [
        values.mass_concentration_1p0,
        values.mass_concentration_2p5,
        values.mass_concentration_4p0,
        values.mass_concentration_10p0,
    ]
    return [
        *(round(mass.physical * 1000) for mass in masses),
        round(values.ambient_humidity.percent_rh * 1000),
        round(values.ambient_temperature.degrees_celsius * 1000),
        round(values.voc_index.scaled * 10),
        round(values.nox_index.scaled * 10),
    ]


def test_reads_the_same(bench):
    bench.library.start_measurement()
    for levels, _ in zip(weather(1), range(40), strict=False):
        bench.feel(**levels)
        bench.wait(2)
        assert bench.library.read_data_ready()
        theirs = bench.library.read_measured_values()
        assert not bench.library.read_data_ready()
        assert list(bench.our_reading().values()) == scaled(theirs)


def test_knows_its_states(bench):
    """As Sensirion's own tests with a real one: test_start_stop_measurement.py."""
    device = bench.library
    assert device.get_product_name() == "SEN55"
    device.start_measurement()
    bench.wait(1.1)
    assert device.read_data_ready() is True
    device.stop_measurement()
    assert device.read_data_ready() is False
    device.stop_measurement()
    bench.chip.power_on(bench.now_ms)
    bench.wait(1)
    device.start_measurement()
    bench.wait(2)
    values = device.read_measured_values()
    assert values.voc_index.available
    assert not values.nox_index.available  # it warms up


def test_cleaning(bench):
    device = bench.library
    device.start_measurement()
    bench.wait(2)
    device.read_measured_values()
    device.start_fan_cleaning()
    bench.wait(9)
    device.read_measured_values()
    assert device.read_data_ready() is False
    bench.wait(2)
    assert device.read_data_ready() is True
    assert bench.chip.cleanings == 1


def test_a_blocked_fan(bench):
    device = bench.library
    assert device.read_device_status().flags == []
    bench.chip.fault = "fan"
    assert device.read_device_status().fan_error
    bench.chip.fault = None
    assert device.read_device_status(clear=True).fan_error
    assert not device.read_device_status().fan_error
