# SPDX-License-Identifier: MIT
"""The client iec62056-21 reads our chip over a simulated serial port, as our driver does."""

from decimal import Decimal

import pytest

from node.drivers.iec62056_21 import Iec62056
from simulator.buses.signals import Signals
from simulator.buses.uart import UartLine
from simulator.chips.iec62056_21 import Iec62056 as Chip
from tests.portable.test_iec62056_21 import BLOCKS, message
from tests.second_opinion.serial_port import Clock, SerialPort

transports = pytest.importorskip("iec62056_21.transports", reason="iec62056-21 is not installed")
from iec62056_21 import client, messages  # noqa: E402

_UNITS = {"kWh": 1_000_000, "kW": 1_000_000, "V": 1000, "A": 1000}
_ADDRESSES = ("1.8.0", "2.8.0", None, None, "16.7.0", "32.7.0", "52.7.0", "72.7.0",
              "31.7.0", "51.7.0", "71.7.0")  # fmt: skip


class Bench:
    """A chip, and the serial port that the client opens, on one clock."""

    def __init__(self, monkeypatch, power_mw=2_345_000, sun_mw=0, voltage_mv=231_400):
        self.clock = Clock(10_000)
        signals = Signals()
        levels = {"power_mw": power_mw, "pv_power_mw": sun_mw, "voltage_mv": voltage_mv}
        signals.extend(100_000_000, {name: [[0, levels[name]]] for name in levels}, {})
        self.chip = Chip(signals)
        self.chip.power_on(0)
        self.line = UartLine(lambda: self.clock.now_ms, self.chip, 300, 1 << 16)
        self.rates = []
        monkeypatch.setattr(transports.serial, "Serial", self._open)
        monkeypatch.setattr(transports, "time", self.clock)
        monkeypatch.setattr(client, "time", self.clock)

    def _open(self, _, baudrate, parity, bytesize, timeout, **__):
        self.rates.append(baudrate)
        self.line.init(baudrate, bytesize, 0 if parity == "E" else None)
        return SerialPort(self.line, self.clock, baudrate, timeout)

    def theirs(self):
        # It opens its port anew 750 ms after its acknowledgement: an answer must not come before.
        self.chip.reaction_ms = 1000
        reader = client.Iec6205621Client(transports.SerialTransport("simulated", timeout=60))
        reader.connect()
        answer = reader.standard_readout()
        told = {}
        for data in answer.data:
            address = (data.address or "").split(":")[-1]
            if not address.endswith("*255"):
                told.setdefault(address, data)
            else:
                told[address[:-4]] = data
        return reader, told

    def ours(self):
        driver = Iec62056(self.line)
        wait_ms = driver.start()
        while isinstance(wait_ms, int):
            self.clock.now_ms += wait_ms
            wait_ms = driver.read()
        return wait_ms


def milli(data):
    return None if data is None else int(Decimal(data.value) * _UNITS[data.unit])


@pytest.mark.parametrize("offer", "0123456")
def test_it_reads_our_chip_at_each_rate(monkeypatch, offer):
    bench = Bench(monkeypatch)
    bench.chip.identification = b"/ISK" + offer.encode() + b"\\MT174-0001\r\n"
    reader, told = bench.theirs()
    assert (reader.manufacturer_id, reader.identification) == ("ISK", "MT174-0001")
    assert bench.rates == [300, 300 << int(offer)]
    assert milli(told["16.7.0"]) == 2_345_000
    assert milli(told["32.7.0"]) == 231_400


def test_both_read_the_same(monkeypatch):
    for step in range(12):
        bench = Bench(monkeypatch, 7_919_000 * step % 15_000_000, 5_003_000 * step % 9_000_000,
                      200_000 + 1_373 * step)  # fmt: skip
        _, told = bench.theirs()
        bench.clock.now_ms += 5000
        ours = bench.ours()
        for quantity, address, value in zip(Iec62056.QUANTITIES, _ADDRESSES, ours, strict=True):
            if address and "total" not in quantity:
                assert value == milli(told[address]), quantity
            elif address:  # some seconds lie between
                assert 0 <= value - milli(told[address]) <= 100_000


def test_blocks_of_real_meters_are_read_as_our_driver_does():
    for block, values in BLOCKS:
        answer = messages.ReadoutDataMessage.from_bytes(message(block))
        told = {}
        for line in answer.data_block.data_lines:
            for data in line.data_sets:
                told.setdefault((data.address or "").split(":")[-1], data)
        for place, way in ((0, "1"), (1, "2")):
            parts = [milli(told[f"{way}.8.{i}"]) for i in (1, 2) if f"{way}.8.{i}" in told]
            whole = milli(told.get(f"{way}.8.0"))
            assert values[place] == (whole if whole is not None else sum(parts) or None)
        for address, value in list(zip(_ADDRESSES, values, strict=True))[5:]:
            assert milli(told.get(address)) == value


def test_our_driver_reads_what_the_client_writes(monkeypatch):
    """A meter whose messages are made by that library."""
    bench = Bench(monkeypatch)
    sets = [("1.8.0", "012345.678", "kWh"), ("2.8.0", "000001.5", "kWh"), ("1.7.0", "00.25", "kW"),
            ("0.0.0", "50871031", None)]  # fmt: skip
    lines = [messages.DataLine([messages.DataSet(*data)]) for data in sets]
    answer = messages.ReadoutDataMessage(messages.DataBlock(lines)).to_bytes()
    bench.chip._message = lambda *_: answer
    bench.chip.identification = messages.IdentificationMessage("X", "ABC", "5").to_bytes()
    assert bench.ours()[:5] == (12_345_678_000, 1_500_000, None, None, 250_000)
    request, acknowledged = messages.RequestMessage(), messages.AckOptionSelectMessage("5", "0")
    assert (request.to_bytes(), acknowledged.to_bytes()) == (b"/?!\r\n", b"\x06050\r\n")
