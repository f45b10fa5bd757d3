# SPDX-License-Identifier: MIT
"""atlas_i2c (from Atlas Scientific's own sample code), unmodified, asks our circuits as it asks
those on a Raspberry Pi."""

import pytest

from node.drivers.ezo_do import EzoDO
from node.drivers.ezo_ec import EzoEC
from node.drivers.ezo_ph import EzoPH
from simulator.buses.i2c import I2CBus
from simulator.buses.signals import Signals
from simulator.chips.ezo_do import EzoDO as DOChip
from simulator.chips.ezo_ec import EzoEC as ECChip
from simulator.chips.ezo_ph import EzoPH as PHChip
from tests.second_opinion.i2c_device_file import DeviceFile, Fcntl

LEVELS = {
    "ph": (PHChip, EzoPH, (1, 4000, 6999, 7600, 10_010, 13_999)),
    "do": (DOChip, EzoDO, (10, 990, 9300, 12_345, 100_000)),
    "ec": (ECChip, EzoEC, (70, 84_000, 420_160, 1_413_000, 12_880_000, 80_000_000, 500_000_000)),
}


class Bench:
    def __init__(self, monkeypatch):
        client = pytest.importorskip("atlas_i2c.atlas_i2c", reason="extra second-opinion")
        sensors = pytest.importorskip("atlas_i2c.sensors", reason="extra second-opinion")
        self.commands = pytest.importorskip("atlas_i2c.commands", reason="extra second-opinion")
        self.now = 5000
        self.bus = I2CBus(lambda: self.now)
        self.signals = Signals()
        monkeypatch.setattr(client, "fcntl", Fcntl)
        monkeypatch.setattr(client, "time", self)
        self._client = client.AtlasI2C
        self._sensor = sensors.Sensor

    def sleep(self, seconds):
        self.now += round(seconds * 1000)

    def put(self, chip_class, level):
        self.signals.extend(self.now + 10**6, {chip_class.SENSES[0]: [[self.now, level]]}, {})
        chip = chip_class(self.signals)
        self.bus.attach(chip.ADDRESS, chip)
        return chip

    def theirs(self, address):
        client = self._client(address=address, device_file=DeviceFile(self.bus))
        sensor = self._sensor("sensor", address=address, i2c_client=client)
        sensor.connect()
        return sensor

    def ours(self, driver):
        self.now += driver.start()
        while isinstance(values := driver.read(), int):
            self.now += values
        return values


@pytest.fixture
def bench(monkeypatch):
    return Bench(monkeypatch)


@pytest.mark.parametrize("kind", LEVELS)
def test_it_reads_what_our_driver_reads(bench, kind):
    chip_class, driver, levels = LEVELS[kind]
    for level in levels:
        chip = bench.put(chip_class, level)
        answer = bench.theirs(chip.ADDRESS).query(bench.commands.READ)
        assert answer.status_code == 1
        (ours,) = bench.ours(driver(bench.bus))
        assert ours == round(float(answer.data) * 1000)
        assert abs(ours - level) <= max(10, level // 1000)


@pytest.mark.parametrize("kind, says", [("ph", b"pH"), ("do", b"D.O."), ("ec", b"EC")])
def test_who_it_is(bench, kind, says):
    chip = bench.put(LEVELS[kind][0], LEVELS[kind][2][2])
    sensor = bench.theirs(chip.ADDRESS)
    answer = sensor.query(bench.commands.INFO)
    assert answer.status_code == 1
    assert answer.data.split(b",")[:2] == [b"?i", says]
    assert sensor.query(bench.commands.STATUS).data.startswith(b"?STATUS,")


def test_codes_of_the_response(bench):
    chip = bench.put(PHChip, 7000)
    client = bench.theirs(chip.ADDRESS).client
    assert client.query("R", processing_delay=100).status_code == 254
    assert client.query("nonsense", processing_delay=300).status_code == 2
    assert client.read("R").status_code == 255


def test_all_numbers_of_a_circuit(bench):
    chip = bench.put(ECChip, 1_413_000)
    client = bench.theirs(chip.ADDRESS).client
    for name in ("TDS", "S", "SG"):
        assert client.query(f"O,{name},1", processing_delay=300).status_code == 1
    assert client.query("O,?", processing_delay=300).data == b"?O,EC,TDS,S,SG"
    numbers = client.query("R", processing_delay=600).data.split(b",")
    assert len(numbers) == 4
    assert bench.ours(EzoEC(bench.bus)) == (round(float(numbers[0]) * 1000),)


def test_temperature_compensation(bench):
    chip = bench.put(DOChip, 8260)
    client = bench.theirs(chip.ADDRESS).client
    assert client.query("RT,19.5", processing_delay=900).data == b"8.26"
    assert bench.ours(EzoDO(bench.bus, temperature_mc=19_500)) == (8260,)
