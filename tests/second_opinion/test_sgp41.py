# SPDX-License-Identifier: MIT
"""simulator/chips/sgp41.py, read by Adafruit's driver, and by ours."""

import pytest

from node.drivers.sgp41 import SGP41
from simulator.chips.sgp41 import SGP41 as Chip
from tests.second_opinion.air_bench import AirBench, weather
from tests.second_opinion.circuitpython_i2c import CircuitPythonI2C

NOISE = 3  # of the chip model, ticks


@pytest.fixture
def bench(monkeypatch):
    library = pytest.importorskip("adafruit_sgp41.sgp41")
    bench = AirBench(Chip, SGP41, monkeypatch, library)
    bench.feel(**next(weather(0)))
    bench.library = library.SGP41(CircuitPythonI2C(bench.bus))
    return bench


def test_reads_the_same(bench):
    ours = SGP41(bench.bus)
    bench.wait(0.01)
    for levels, _ in zip(weather(1), range(40), strict=False):
        bench.feel(**levels)
        values = bench.our_reading(ours)
        for name, value in zip(SGP41.QUANTITIES, bench.library.measure_raw(), strict=True):
            assert abs(value - levels[name]) <= NOISE
            assert abs(values[name] - value) <= 2 * NOISE


def test_conditioning_and_self_test(bench):
    assert bench.library.self_test_passed
    voc_raw = bench.signals.level("voc_raw_ticks", bench.now_ms)
    for _ in range(9):
        assert abs(bench.library.conditioning() - voc_raw) <= NOISE
        bench.wait(0.95)
    bench.library.measure_raw()
    bench.library.heater_off()
    bench.chip.fault = "self-test"
    assert not bench.library.self_test_passed


def test_compensation(bench):
    for humidity_mpct, temperature_mc in ((50_000, 25_000), (0, -45_000), (71_200, 12_345)):
        bench.library.measure_raw(humidity_mpct / 1000, temperature_mc / 1000)
        theirs = bench.chip.compensation
        bench.our_reading(SGP41(bench.bus, 0x59, humidity_mpct, temperature_mc))
        assert bench.chip.compensation == theirs


def test_checksum(bench):
    bench.chip.fault = "checksum"
    with pytest.raises(RuntimeError, match="CRC"):
        bench.library.measure_raw()
