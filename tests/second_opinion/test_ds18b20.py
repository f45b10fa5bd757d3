# SPDX-License-Identifier: MIT
"""adafruit_ds18x20 on adafruit_onewire, unmodified, finds our chip, sets it and reads it."""

import sys

import pytest

from node.drivers.ds18b20 import DS18B20
from simulator.buses.onewire import OneWireBus
from simulator.buses.signals import Signals
from simulator.chips.ds18b20 import DS18B20 as Chip
from simulator.chips.ds18b20_more import rom
from tests.second_opinion import onewireio_bus

MINUTE_US = 60_000_000


@pytest.fixture
def library(monkeypatch):
    clock, chips = onewireio_bus.Clock(), []
    for name in [name for name in sys.modules if name.startswith("adafruit_onewire")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "onewireio", onewireio_bus.module(clock, chips))
    ds18x20 = pytest.importorskip("adafruit_ds18x20", reason="extra second-opinion")
    bus = pytest.importorskip("adafruit_onewire.bus", reason="extra second-opinion")
    monkeypatch.setattr(ds18x20, "time", clock)
    return clock, chips, bus.OneWireBus, ds18x20.DS18X20


def chip(temperature_mc, **options):
    signals = Signals()
    signals.extend(10**9, {"water_temperature_mc": [[0, temperature_mc]]}, {})
    return Chip(signals, **options)


def test_it_reads_what_our_driver_reads(library):
    clock, chips, bus, driver = library
    for temperature_mc in range(-55_000, 125_001, 3_333):
        chips[:] = [chip(temperature_mc)]
        line = bus(None)
        (address,) = line.scan()
        theirs = driver(line, address)
        ours = DS18B20(OneWireBus(clock.now_ms, chips))
        clock.us += ours.start() * 1000
        (read_mc,) = ours.read()
        assert read_mc == theirs.temperature * 1000 // 1
        assert abs(read_mc - temperature_mc) <= 32
        clock.us += MINUTE_US


@pytest.mark.parametrize("bits", [9, 10, 11, 12])
def test_it_sets_the_resolution_and_ours_reads_on(library, bits):
    clock, chips, bus, driver = library
    chips[:] = [chip(23_187)]
    line = bus(None)
    theirs = driver(line, line.scan()[0])
    theirs.resolution = bits
    assert theirs.resolution == bits
    before_us, conversion_us = clock.us, 750_000 / 2 ** (12 - bits)
    value_mc = theirs.temperature * 1000 // 1
    assert conversion_us <= clock.us - before_us < conversion_us + 40_000
    ours = DS18B20(OneWireBus(clock.now_ms, chips), bits=bits)
    clock.us += ours.start() * 1000
    assert ours.read() == (value_mc,)


def test_it_finds_all_on_one_line_and_tells_them_apart(library):
    _, chips, bus, driver = library
    wanted = {serial: 1000 * serial for serial in (0, 1, 2, 3, 64, 100)}
    chips[:] = [chip(level, serial=serial) for serial, level in wanted.items()]
    line = bus(None)
    addresses = line.scan()
    assert sorted(bytes(address.rom) for address in addresses) == sorted(map(rom, chips))
    for address in addresses:
        assert address.family_code == 0x28
        assert line.crc8(address.rom) == 0
        (found,) = [c for c in chips if rom(c) == bytes(address.rom)]
        level_mc = wanted[found.serial]
        assert abs(driver(line, address).temperature * 1000 - level_mc) <= 32


def test_it_refuses_what_we_refuse(library):
    _, chips, bus, driver = library
    chips[:] = [chip(20_000)]
    line = bus(None)
    theirs = driver(line, line.scan()[0])
    chips[0].fault = "checksum"
    with pytest.raises(RuntimeError, match="CRC"):
        _ = theirs.temperature
    chips[0].fault = "range"  # what our driver does not take for a temperature
    assert theirs.temperature == 85.0
    chips[0].plugged = False
    assert line.scan() == []


def test_the_pulse_of_a_rom_that_is_not_there(library):
    _, chips, bus, driver = library
    chips[:] = [chip(20_000)]
    line = bus(None)
    theirs = driver(line, line.scan()[0])
    chips[:] = [chip(20_000, serial=9)]
    with pytest.raises(RuntimeError, match="CRC"):
        theirs.read_temperature()
