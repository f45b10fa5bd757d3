# SPDX-License-Identifier: MIT
"""dsmr-parser reads our chip, and telegrams of real meters, as our driver does."""

from datetime import timedelta
from decimal import Decimal

import pytest

from simulator.buses.signals import Signals
from simulator.buses.uart import UartLine
from simulator.chips.dsmr_p1 import DsmrP1 as Chip
from tests.portable.p1_telegrams import EASYMETER, TELEGRAMS
from tests.portable.test_dsmr_p1 import reading
from tests.second_opinion.serial_port import Clock, SerialPort

specifications = pytest.importorskip(
    "dsmr_parser.telegram_specifications", reason="dsmr-parser is not installed"
)
from dsmr_parser.clients import serial_ as client  # noqa: E402
from dsmr_parser.clients import settings  # noqa: E402
from dsmr_parser.parsers import TelegramParser  # noqa: E402

VERSIONS = {
    22: (specifications.V2_2, settings.SERIAL_SETTINGS_V2_2),
    # From 4.0 on the standard has 8N1; 7E1, which this library takes for 4.x, is a byte as long.
    42: (specifications.V4, settings.SERIAL_SETTINGS_V5),
    50: (specifications.V5, settings.SERIAL_SETTINGS_V5),
    50217: (specifications.BELGIUM_FLUVIUS, settings.SERIAL_SETTINGS_V5),
}
OTHERS = (
    specifications.V2_2,
    specifications.V4,
    specifications.V5,
    specifications.V5,
    specifications.BELGIUM_FLUVIUS,
    specifications.LUXEMBOURG_SMARTY,
    {**specifications.SAGEMCOM_T210_D_R, "general_global_cipher": False},  # as it is inside
)
_UNITS = {"kWh": 1_000_000, "Wh": 1000, "kW": 1_000_000, "W": 1000, "V": 1000, "A": 1000}


def milli(telegram, name: str):
    """A value in thousandths of its unit without a prefix; None where it is not told."""
    told = getattr(telegram, name, None)
    return None if told is None else int(Decimal(told.value) * _UNITS[told.unit])


def total(telegram, way: str):
    whole = milli(telegram, f"ELECTRICITY_{'IM' if way == 'USED' else 'EX'}PORTED_TOTAL")
    parts = [milli(telegram, f"ELECTRICITY_{way}_TARIFF_{i}") for i in (1, 2, 3, 4)]
    return whole if whole is not None else sum(part for part in parts if part is not None)


def as_ours(telegram) -> tuple:
    """What the library reads, in the order of our driver; nothing has passed since."""
    power_in = milli(telegram, "CURRENT_ELECTRICITY_USAGE")
    power_out = milli(telegram, "CURRENT_ELECTRICITY_DELIVERY") or 0
    volts = [milli(telegram, f"INSTANTANEOUS_VOLTAGE_L{i}") for i in (1, 2, 3)]
    amps = [milli(telegram, f"INSTANTANEOUS_CURRENT_L{i}") for i in (1, 2, 3)]
    return (
        total(telegram, "USED"), total(telegram, "DELIVERED"), None, None, power_in - power_out,
        *volts, *amps, None,
    )  # fmt: skip


@pytest.mark.parametrize("index", range(len(TELEGRAMS)))
def test_telegrams_of_real_meters(index):
    telegram, options, values = TELEGRAMS[index]
    parsed = TelegramParser(OTHERS[index]).parse(telegram.decode(), throw_ex=True)
    if index == 1 or index == 0:  # its specifications of 2.2 and 4 leave some lines out
        assert as_ours(parsed)[:5] == values[:5]
    else:
        assert as_ours(parsed) == values
    assert reading([telegram, telegram], **options) == values


def test_a_meter_that_pushes():
    telegram, values = EASYMETER
    parsed = TelegramParser(specifications.Q3D).parse(telegram.decode(), throw_ex=True)
    assert as_ours(parsed)[:5] == values[:5]


class Port(SerialPort):
    """What serialx, which the library uses, has another name for."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    num_unread_bytes = property(lambda self: lambda: self.in_waiting)


def signals_of(power_mw, sun_mw, voltage_mv):
    signals = Signals()
    levels = {"power_mw": power_mw, "pv_power_mw": sun_mw, "voltage_mv": voltage_mv}
    signals.extend(10_000_000, {name: [[0, value]] for name, value in levels.items()}, {})
    return signals


@pytest.mark.parametrize("version", VERSIONS)
def test_its_reader_at_our_chip(monkeypatch, version):
    specification, serial_settings = VERSIONS[version]
    clock = Clock(0)
    chip = Chip(signals_of(1_234_000, 0, 229_300), version=version)
    line = UartLine(lambda: clock.now_ms, chip, 1, 1 << 20)

    def open_port(url, baudrate, bytesize, parity, timeout, **_):
        even = {"N": None, "E": 0}[parity if isinstance(parity, str) else parity.value]
        line.init(baudrate, bytesize, even, invert=line.INV_RX)  # by the cable
        return Port(line, clock, baudrate, timeout)

    monkeypatch.setattr(client.serialx, "serial_for_url", open_port)
    reader = client.SerialReader("simulated", dict(serial_settings), specification)
    reads = reader.read()
    telegrams = [next(reads) for _ in range(3)]
    assert [milli(t, "CURRENT_ELECTRICITY_USAGE") for t in telegrams] == [
        1_230_000 if version == 22 else 1_234_000
    ] * 3
    if version != 22:
        times = [telegram.P1_MESSAGE_TIMESTAMP.value for telegram in telegrams]
        assert times[1] - times[0] == timedelta(seconds=1 if version >= 50 else 10)


@pytest.mark.parametrize("version", VERSIONS)
def test_both_read_the_same_of_our_chip(version):
    parser = TelegramParser(VERSIONS[version][0])
    for step in range(40):
        power_mw, sun_mw = 7_919_000 * step % 15_000_000, 5_003_000 * step % 9_000_000
        chip = Chip(signals_of(power_mw, sun_mw, 200_000 + 1_373 * step), version=version)
        for begin_ms in (0, 3_600_000):
            telegram = b"".join(chip._telegram(begin_ms))
            parsed = parser.parse(telegram.decode(), throw_ex=True)
            ours = reading([telegram, telegram], version=version)
            count = 12 if version >= 50 else 5
            assert as_ours(parsed)[:count] == ours[:count]


@pytest.mark.parametrize("version", VERSIONS)
def test_it_finds_a_wrong_checksum_of_our_chip(version):
    if version < 40:
        return
    chip = Chip(signals_of(1_000_000, 0, 230_000), version=version)
    chip.fault = "checksum"
    with pytest.raises(Exception, match="CRC"):
        TelegramParser(VERSIONS[version][0]).parse(b"".join(chip._telegram(0)).decode())
