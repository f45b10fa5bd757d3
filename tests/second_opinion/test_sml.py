# SPDX-License-Identifier: MIT
"""smllib reads what our meter's chip says, and finds in recordings of real meters what we find.

Recordings are not part of this project: LAMPPOST_RECORDINGS is a folder with sml/*.bin.
"""

import os
from pathlib import Path

import pytest

from node.drivers.sml import SML
from node.drivers.sml_telegram import Telegrams
from simulator.buses.signals import Signals
from simulator.buses.uart import UartLine
from simulator.chips.sml import SML as Chip
from simulator.chips.sml import entry, message, octets, signed, telegram, unsigned

smllib = pytest.importorskip("smllib", reason="smllib is not installed")
crc_kermit = pytest.importorskip("smllib.crc.kermit").get_crc

ROOT = Path(__file__).parents[2]
RECORDINGS = Path(os.environ.get("LAMPPOST_RECORDINGS", ROOT.parent / "shared" / "data")) / "sml"
FILES = sorted(RECORDINGS.glob("*.bin"))
REGISTERS = {"0100010800ff": 0, "0100020800ff": 1, "0100100700ff": 2}
TARIFFS = {"0100010801ff": 0, "0100010802ff": 0, "0100020801ff": 1, "0100020802ff": 1}
IDS = ("DZG", "EMH", "HLY", "ISK", "HAG", "SIM")


def tree(frame):
    """A value of the frame: what smllib reads, lists within lists (also entries without a value,
    which its messages do not take)."""
    value = frame.get_value().value
    if isinstance(value, list):
        return [tree(frame) for _ in value]
    return value


def entries(found):
    if isinstance(found, list):
        if len(found) == 7 and isinstance(found[0], str) and len(found[0]) == 12:
            yield found
        for item in found:
            yield from entries(item)


def frames(data, crc="x25"):
    """What smllib finds: for each good frame [import, export, power] in thousandths, or None."""
    reader = smllib.SmlStreamReader(crc=crc)
    chunks = [data[i : i + 4096] for i in range(0, len(data), 4096)]  # it keeps 50 KB
    while True:
        try:
            frame = reader.get_frame()
        except smllib.errors.CrcError:
            continue
        if frame is None:
            if not chunks:
                return
            reader.add(chunks.pop(0))
            continue
        told, tariffs = [None] * 3, [None] * 3
        frame.next_pos = 0
        while frame.next_pos < frame.buf_len:
            for code, _, _, _, scaler, value, _ in entries(tree(frame)):
                if value is None:
                    continue
                if code in REGISTERS:
                    told[REGISTERS[code]] = value * 10 ** (scaler + 3)
                elif code in TARIFFS:
                    kind = TARIFFS[code]
                    tariffs[kind] = (tariffs[kind] or 0) + value * 10 ** (scaler + 3)
        yield [sums if value is None else value for value, sums in zip(told, tariffs, strict=True)]


def ours(data):
    telegrams = Telegrams()
    return [telegrams.told for byte in data if telegrams.feed(bytes((byte,)), 1)]


@pytest.fixture(scope="module")
def recordings():
    if not FILES:
        pytest.skip("no recordings: set LAMPPOST_RECORDINGS to their folder")
    return {path.name: path.read_bytes() for path in FILES}


def test_recordings(recordings):
    for name, data in recordings.items():
        wanted = list(frames(data))
        assert wanted, name
        assert ours(data) == wanted, name


def test_recordings_cut_anywhere(recordings):
    """What is lost of a frame takes no more than the next one with it."""
    for name, data in recordings.items():
        wanted = list(frames(data))
        for cut in range(1, min(len(data), 400), 7):
            assert ours(data[cut:]) == wanted[-len(ours(data[cut:])) :] or not ours(data[cut:]), (
                name
            )
            found = ours(data[:cut] + data)
            assert found[-len(wanted) + 1 :] == wanted[1:] or len(wanted) == 1, name


def test_recordings_through_the_driver(recordings):
    """Each as a meter that repeats it, and no id in what the driver holds."""
    for name, data in recordings.items():
        line = Repeating(data)
        meter = SML(line)
        for _ in range(3):
            meter.start()
            values = 0
            for _ in range(24):
                line.wait()
                values = meter.read()
                if isinstance(values, tuple):
                    break
            wanted = list(frames(data))
            assert [*values[:2], values[4]] in wanted, name
        assert values[2] is None or abs(values[2]) < 1000, name
        held = repr(vars(meter)) + repr(vars(meter._telegrams))
        assert not any(text in held or text.encode().hex() in held for text in IDS), name


class Repeating:
    """A UART on which `data` comes again and again, as far as there was time for."""

    def __init__(self, data):
        self._data, self._come, self._read = data * 40, 0, 0

    def wait(self):
        self._come += 480

    def read(self):
        self._read = self._come

    def readinto(self, buf):
        size = min(len(buf), self._come - self._read)
        buf[:size] = self._data[self._read : self._read + size]
        self._read += size
        return size or None


@pytest.mark.parametrize("fault", [None, "no_pin"])
def test_smllib_reads_our_meter(fault):
    signals = Signals()
    levels = {"power_mw": [[0, 400_000], [3_000_000, 900_000]],
              "pv_power_mw": [[0, 0], [3_000_000, 2_500_000]]}  # fmt: skip
    signals.extend(3_000_000, levels, {})
    chip = Chip(signals)
    chip.fault = fault
    now = [0]
    line = UartLine(lambda: now[0], chip, 9600, SML.RXBUF)
    heard = b""
    for now[0] in range(0, 3_000_000, 1000):
        heard += line.read() or b""
    read = list(frames(heard))
    assert len(read) > 1400
    assert read == ours(heard)
    if fault is None:
        assert read[-1][1] > read[700][1] > 0
        assert read[0][2] == pytest.approx(400_000, abs=2000)
        assert read[-1][2] == pytest.approx(-1_600_000, abs=10_000)
    else:
        assert read[-1] == [0, 0, None]
    frame_reader = smllib.SmlStreamReader()
    frame_reader.add(heard)
    messages = frame_reader.get_frame().parse_frame()  # its types and its order of fields, too
    assert [type(m.message_body).__name__ for m in messages] == [
        "SmlOpenResponse", "SmlGetListResponse", "SmlCloseResponse",
    ]  # fmt: skip


def test_the_other_checksum():
    data = telegram(message(1, 0x0701, entry(b"\x01\x08\x00", 30, -1, unsigned(77, 4))))
    other = data[:-2] + crc_kermit(data[:-2]).to_bytes(2, "big")
    assert ours(other) == list(frames(other, "kermit")) == [[7700, None, None]]
    assert ours(data) == list(frames(data)) == [[7700, None, None]]


def test_escapes_and_long_lists():
    """smllib knows escapes at multiples of four, as they are when nothing precedes them."""
    held = b"\x77" + octets(b"\x01\x00\x60\x01\x00\xff") + b"\x01\x01\x01\x01"
    for text in (b"\x1b" * 4, b"\x1b" * 8, b"\x1b" * 13, b"a\x1b\x1b\x1b\x1bz" * 30):
        values = held + octets(text) + b"\x01" + entry(b"\x10\x07\x00", 27, 0, signed(-3, 1))
        data = telegram(message(1, 0x0701, b"\x72" + values))
        assert ours(data) == list(frames(data)) == [[None, None, -3000]]
