# SPDX-License-Identifier: MIT
"""simulator/chips/scd41.py, read by Sensirion's driver and by Adafruit's, and by ours."""

import pytest

from node.drivers.scd41 import SCD41
from simulator.chips.scd41 import SCD41 as Chip
from tests.second_opinion.air_bench import AirBench, weather
from tests.second_opinion.circuitpython_i2c import CircuitPythonI2C
from tests.second_opinion.sensirion_channel import channel

STEP = (0.5, 2, 1)  # ppm, m°C, m%: half a step of ours and of theirs


@pytest.fixture
def sensirion(monkeypatch):
    connection = pytest.importorskip("sensirion_i2c_driver.connection")
    device = pytest.importorskip("sensirion_i2c_scd4x.device")
    bench = AirBench(Chip, SCD41, monkeypatch, connection)
    bench.feel(**next(weather(0)))
    bench.library = device.Scd4xDevice(channel(bench.bus, bench.wait, Chip.ADDRESS))
    return bench


@pytest.fixture
def adafruit(monkeypatch):
    library = pytest.importorskip("adafruit_scd4x")
    bench = AirBench(Chip, SCD41, monkeypatch, library)
    bench.feel(**next(weather(0)))
    bench.library = library.SCD4X(CircuitPythonI2C(bench.bus))
    return bench


def measuring(bench) -> SCD41:
    """Our driver, of a part that measures every 30 s."""
    driver = SCD41(bench.bus)
    bench.wait(driver.start() / 1000)
    assert driver.read() is None
    return driver


def agree(ours: dict, theirs):
    for value, other, most in zip(ours.values(), theirs, STEP, strict=True):
        assert abs(value - other) <= most


def test_sensirion_reads_the_same(sensirion):
    ours = measuring(sensirion)
    for levels, _ in zip(weather(1), range(20), strict=False):
        sensirion.feel(**levels)
        sensirion.wait(30)
        assert sensirion.library.get_data_ready_status()
        co2, temperature, humidity = sensirion.library.read_measurement()
        assert not sensirion.library.get_data_ready_status()
        sensirion.wait(30)
        theirs = (co2.value, temperature.value * 1000, humidity.value * 1000)
        agree(sensirion.our_reading(ours), theirs)


def test_sensirion_starts_and_stops_it(sensirion):
    sensirion.library.start_low_power_periodic_measurement()
    sensirion.wait(30)
    assert sensirion.library.get_data_ready_status()
    sensirion.library.stop_periodic_measurement()
    sensirion.library.start_periodic_measurement()
    sensirion.wait(5)
    assert sensirion.library.get_data_ready_status()
    sensirion.library.stop_periodic_measurement()
    sensirion.library.reinit()


def test_adafruit_reads_the_same(adafruit):
    ours = measuring(adafruit)
    for levels, _ in zip(weather(2), range(20), strict=False):
        adafruit.feel(**levels)
        adafruit.wait(30)
        assert adafruit.library.data_ready
        co2, temperature = adafruit.library.CO2, adafruit.library.temperature
        humidity = adafruit.library.relative_humidity
        adafruit.wait(30)
        agree(adafruit.our_reading(ours), (co2, temperature * 1000, humidity * 1000))


def test_adafruit_finds_a_wrong_checksum(adafruit):
    adafruit.library.start_periodic_measurement()
    adafruit.wait(5)
    adafruit.chip.fault = "checksum"
    with pytest.raises(RuntimeError, match="CRC"):
        _ = adafruit.library.CO2
