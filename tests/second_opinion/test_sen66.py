# SPDX-License-Identifier: MIT
"""simulator/chips/sen66.py, read by Sensirion's driver and by Adafruit's, and by ours."""

import pytest

from node.drivers.sen66 import SEN66
from simulator.chips.sen66 import SEN66 as Chip
from tests.second_opinion.air_bench import AirBench, weather
from tests.second_opinion.circuitpython_i2c import CircuitPythonI2C
from tests.second_opinion.sensirion_channel import channel

NAMES = ("pm1_0", "pm2_5", "pm4_0", "pm10", "humidity", "temperature", "voc_index", "nox_index")
SCALES = (1000, 1000, 1000, 1000, 1000, 1000, 10, 10, 1)


def scaled(values) -> list:
    return [round(value * scale) for value, scale in zip(values, SCALES, strict=True)]


@pytest.fixture
def sensirion(monkeypatch):
    connection = pytest.importorskip("sensirion_i2c_driver.connection")
    device = pytest.importorskip("sensirion_i2c_sen66.device")
    bench = AirBench(Chip, SEN66, monkeypatch, connection)
    bench.feel(**next(weather(0)))
    bench.library = device.Sen66Device(channel(bench.bus, bench.wait, Chip.ADDRESS))
    return bench


@pytest.fixture
def adafruit(monkeypatch):
    library = pytest.importorskip("adafruit_sen6x")
    bench = AirBench(Chip, SEN66, monkeypatch, library)
    bench.feel(**next(weather(0)))
    bench.library = library.SEN66(CircuitPythonI2C(bench.bus))
    return bench


def test_sensirion_reads_the_same(sensirion):
    sensirion.library.start_continuous_measurement()
    for levels, _ in zip(weather(1), range(40), strict=False):
        sensirion.feel(**levels)
        sensirion.wait(2)
        _, is_ready = sensirion.library.get_data_ready()
        assert is_ready
        *signals, co2 = sensirion.library.read_measured_values()
        theirs = [*(signal.value for signal in signals), co2]
        _, is_ready = sensirion.library.get_data_ready()
        assert not is_ready
        assert list(sensirion.our_reading().values()) == scaled(theirs)


def test_sensirion_knows_its_states(sensirion):
    device = sensirion.library
    assert device.get_product_name() == "SEN66"
    unknown = device.read_measured_values_as_integers()
    assert unknown == (0xFFFF,) * 4 + (0x7FFF,) * 4 + (0xFFFF,)
    device.start_fan_cleaning()
    sensirion.wait(10)
    assert sensirion.chip.cleanings == 1
    sensirion.chip.fault = "fan"
    assert device.read_device_status().fan_error
    sensirion.chip.fault = None
    device.read_and_clear_device_status()
    assert not device.read_device_status().fan_error
    device.start_continuous_measurement()
    device.start_continuous_measurement()  # no effect
    sensirion.wait(2)
    assert device.get_data_ready()[1]
    device.stop_measurement()
    device.stop_measurement()  # no effect
    assert not device.get_data_ready()[1]
    sensirion.chip.power_on(sensirion.now_ms)
    sensirion.wait(1)
    device.start_continuous_measurement()
    sensirion.wait(2)
    values = device.read_measured_values_as_integers()
    assert values[7:] == (0x7FFF, 0xFFFF)  # NOx and CO2 warm up


def test_adafruit_reads_the_same(adafruit):
    """Above 0 °C: it takes a colder reading for one without a sign."""
    adafruit.library.start_measurement()
    for levels, _ in zip(weather(2, cold=False), range(20), strict=False):
        adafruit.feel(**levels)
        adafruit.wait(2)
        assert adafruit.library.data_ready
        theirs = adafruit.library.all_measurements()
        ours = list(adafruit.our_reading().values())
        assert ours == scaled([theirs[name] for name in (*NAMES, "co2")])


def test_adafruit_finds_a_blocked_fan(adafruit):
    assert not adafruit.library.device_status.errors
    adafruit.chip.fault = "fan"
    assert adafruit.library.device_status.fan_error
    adafruit.chip.fault = None
    adafruit.library.clear_device_status()
    assert not adafruit.library.device_status.errors
