# SPDX-License-Identifier: MIT
"""node/drivers/sml.py and sml_telegram.py, with simulator/chips/sml.py and telegrams made by hand.

What real meters send is in tests/second_opinion/test_sml.py.
"""

import unittest
from binascii import unhexlify
from struct import pack

from driver_fixture import Random, failure

from node.drivers.sml import SML
from node.drivers.sml_telegram import Telegrams
from node.errors import CHECKSUM, FRAME, FROZEN, SILENT, SensorFault
from node.pipeline.quantities import in_range
from simulator.buses.signals import Signals
from simulator.buses.uart import UartLine
from simulator.chips.sml import SML as Chip
from simulator.chips.sml import (
    begin_list,
    crc_x25,
    entry,
    message,
    octets,
    signed,
    telegram,
    unsigned,
)

# TR-03109-1, annex IV-b, has no whole telegram. The check values of the CRC catalogue (reveng):
# CRC-16/IBM-SDLC (X.25) and CRC-16/KERMIT of "123456789".
CHECK = b"123456789"
CHECK_X25, CHECK_KERMIT = 0x906E, 0x2189
IMPORT, EXPORT, POWER = b"\x01\x08\x00", b"\x02\x08\x00", b"\x10\x07\x00"
SAMPLE_MS = 60_000


def crc_kermit(data):
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x8408 if crc & 1 else 0)
    return crc


def listed(*entries, before=b"", after=b""):
    """A telegram of one message with these entries."""
    values = b"\x77\x01" + octets(b"server") + b"\x01\x01"
    values += begin_list(len(entries)) + b"".join(entries) + b"\x01\x01"
    return telegram(before + message(7, 0x0701, values) + after)


def told(data, **options):
    """What the last good telegram in `data` tells, one byte at a time; None without one."""
    telegrams = Telegrams(**options)
    for byte in data:
        telegrams.feed(bytes((byte,)), 1)
    return telegrams.told


class Script:
    """A UART that has `data` to read once the driver has started."""

    def __init__(self, data):
        self.data = data
        self.started = False

    def read(self):
        self.started = True

    def readinto(self, buf):
        size = min(len(buf), len(self.data)) if self.started else 0
        buf[:size] = self.data[:size]
        self.data = self.data[size:]
        return size or None


def fuzz(count, seed):
    """Bytes by chance, good telegrams that are mutated, cut and doubled; returns how many."""
    random = Random(seed)
    good = listed(
        entry(IMPORT, 30, -1, unsigned(12_345, 5), b"\x65\x00\x1c\x01\x04"),
        entry(EXPORT, 30, -1, unsigned(1, 8)),
        entry(POWER, 27, -2, signed(-5, 2)),
        before=message(1, 0x0101, b"\x76\x01\x01" + octets(b"file") + octets(b"id") + b"\x01\x01"),
        after=b"\x1b\x1b\x1b\x1b",
    )
    for tried in range(count):
        kind = tried % 6
        at = random.below(len(good))
        data = bytearray(good)
        if kind == 0:
            data = random.bytes(random.below(300))
        elif kind == 1:
            data = b"\x1b\x1b\x1b\x1b\x01\x01\x01\x01" + random.bytes(random.below(300))
        elif kind == 2:
            data[at] = random.below(256)
        elif kind == 3:
            data = good[:at] + good[random.below(len(good)) :]
        elif kind == 4:
            data = good[at:] + good
        else:  # the checksum is right, and what it covers is not a tree
            inner = bytearray(good[8:-8])
            for _ in range(1 + random.below(4)):
                inner[random.below(len(inner))] = random.below(256)
            data = good[:8] + inner + good[-8:-2]
            data += pack("<H", crc_x25(data))
        driver = SML(Script(bytes(data)))
        driver.start()
        waits = 0
        try:
            while isinstance(driver.read(), int):
                waits += 1
                if waits > 30:
                    raise AssertionError("it waits for ever")
        except SensorFault:
            pass
        for value in driver._telegrams.told or ():
            if value is not None and abs(value) >= 1 << 110:
                raise AssertionError("a number without bounds")
    return count


class TestTelegrams(unittest.TestCase):
    def test_check_values(self):
        self.assertEqual(crc_x25(CHECK), CHECK_X25)
        self.assertEqual(crc_kermit(CHECK), CHECK_KERMIT)

    def test_sizes_signs_and_scales(self):
        for size in range(1, 9):
            for scaler, unit in ((-4, 1), (-3, 1), (-1, 100), (0, 1000), (3, 1_000_000)):
                top = 1 << 8 * size - 1
                for value in (0, 1, top - 1, top, 2 * top - 1):
                    data = listed(entry(IMPORT, 30, scaler, unsigned(value, size)))
                    wanted = value // 10 if scaler == -4 else value * unit
                    self.assertEqual(told(data), [wanted, None, None])
                for value in (-top, -1, top - 1):
                    data = bytes((0x51 + size,)) + pack(">q", value)[8 - size :]
                    wanted = value // 10 if scaler == -4 else value * unit
                    data = listed(entry(POWER, 27, scaler, data))
                    self.assertEqual(told(data), [None, None, wanted])

    def test_a_meter_without_its_pin(self):
        """No power, or one without a value."""
        kwh = entry(IMPORT, 30, 3, unsigned(25_688, 8))
        self.assertEqual(told(listed(kwh)), [25_688_000_000, None, None])
        self.assertEqual(
            told(listed(kwh, entry(POWER, 27, 0, b"\x01"))), [25_688_000_000, None, None]
        )

    def test_optional_fields_may_be_missing(self):
        """Unit and scaler, status, the time as a list of a list; a value that is a text."""
        code = octets(b"\x01\x00\x01\x08\x00\xff")
        bare = b"\x77" + code + b"\x01\x01\x01\x01" + unsigned(5, 1) + b"\x01"
        self.assertEqual(told(listed(bare)), [5000, None, None])
        time = b"\x72\x62\x02\x73" + unsigned(1, 4) + signed(60, 2) + signed(60, 2)
        timed = b"\x77" + code + b"\x62\x82" + time + b"\x62\x1e\x52\xff\x62\x05\x01"
        self.assertEqual(told(listed(timed)), [500, None, None])
        text = b"\x77" + code + b"\x01\x01\x62\x1e\x52\xff" + octets(b"12345") + b"\x01"
        self.assertEqual(told(listed(text, entry(EXPORT, 30, 0, b"\x62\x01"))), [None, 1000, None])
        six = b"\x76" + code + b"\x01\x01\x62\x1e\x52\xff" + unsigned(7, 2)
        self.assertEqual(told(listed(six)), [700, None, None])

    def test_other_codes_units_and_channels_do_not_count(self):
        self.assertEqual(told(listed(entry(IMPORT, 32, 0, unsigned(1, 1)))), None)
        self.assertEqual(told(listed(entry(POWER, 30, 0, unsigned(1, 1)))), None)
        self.assertEqual(told(listed(entry(b"\x24\x07\x00", 27, 0, unsigned(1, 1)))), None)
        entries = [
            b"\x77" + octets(code) + b"\x01\x01\x62\x1e\x52\xff\x62\x01\x01"
            for code in (b"\x01\x01\x01\x08\x00\xff", b"\x07\x00\x01\x08\x00\xff",
                         b"\x01\x00\x01\x08\x00\x01", b"\x01\x00\x01\x08\x01\xff\xff")
        ]  # fmt: skip
        self.assertEqual(told(listed(*entries)), None)
        self.assertEqual(told(listed(entry(IMPORT, 30, 100, unsigned(1, 1)))), None)

    def test_tariffs_stand_in_for_a_total(self):
        first, second = (
            entry(b"\x01\x08\x01", 30, -1, unsigned(10, 4)),
            entry(b"\x01\x08\x02", 30, 0, unsigned(3, 4)),
        )
        self.assertEqual(told(listed(first, second)), [4000, None, None])
        total = entry(IMPORT, 30, 0, unsigned(9, 4))
        self.assertEqual(told(listed(first, total, second)), [9000, None, None])
        errors = entry(b"\x01\x08\x3f", 30, 0, unsigned(3, 4))
        self.assertEqual(told(listed(first, errors)), [1000, None, None])

    def test_an_old_dzg_meter(self):
        """356.24 W sent as if it were -299.12 W (libsml-testing, DZG DVS-7412.2)."""
        data = listed(entry(POWER, 27, -2, unhexlify("538b28")))
        self.assertEqual(told(data), [None, None, -299_120])
        self.assertEqual(told(data, power_unsigned=True), [None, None, 356_240])
        data = listed(entry(POWER, 27, -2, unhexlify("54fecbfd")))
        self.assertEqual(told(data, power_unsigned=True), [None, None, -788_510])

    def test_long_lengths(self):
        """A list of 21, a signature of 700 bytes, a length of three bytes where one would do."""
        others = [entry(b"\x1f\x07\x00", 33, -2, unsigned(1, 1)) for _ in range(20)]
        data = listed(*others + [entry(IMPORT, 30, 0, unsigned(1, 1))])
        self.assertEqual(told(data), [1000, None, None])
        signature = b"\x82\x8b\x0f" + bytes(700)
        data = listed(entry(IMPORT, 30, 0, b"\xe0\x80\x04\x02")[:-1] + signature,
                      entry(EXPORT, 30, 0, unsigned(2, 1)))  # fmt: skip
        self.assertEqual(told(data), [2000, 2000, None])

    def test_nothing_is_too_long(self):
        others = [entry(b"\x1f\x07\x00", 33, -2, unsigned(1, 1)) for _ in range(250)]
        data = listed(*others[:125] + [entry(IMPORT, 30, 0, unsigned(1, 1))] + others[125:])
        self.assertTrue(len(data) > 2 * SML.RXBUF)
        self.assertEqual(told(data), [1000, None, None])

    def test_nested_deeper_than_anything(self):
        data = telegram(b"\x71" * 200 + b"\x01" + message(1, 0x0201, b"\x71\x01"))
        self.assertEqual(told(data), None)
        deep = b"\x71" * 5 + b"\x01"
        code = octets(b"\x01\x00\x01\x08\x00\xff")
        data = listed(b"\x77" + code + b"\x01" + deep + b"\x01\x01\x62\x05\x01")
        self.assertEqual(told(data), [5000, None, None])

    def test_escaped_data(self):
        """Escape bytes in the data, at each place of a group of four, and at its end."""
        wanted = [1000, None, None]
        one = entry(IMPORT, 30, 0, unsigned(1, 1))
        for count in range(1, 14):
            for shift in range(4):
                text = octets(b"x" * shift + b"\x1b" * count + b"\x01")
                held = b"\x77" + octets(b"\x01\x00\x60\x01\x00\xff") + b"\x01\x01\x01\x01" + text
                self.assertEqual(told(listed(held + b"\x01", one)), wanted)
        data = listed(entry(IMPORT, 30, 0, b"\x69" + 8 * b"\x1b"))
        self.assertTrue(16 * b"\x1b" in data)
        self.assertEqual(told(data), [int("1b" * 8, 16) * 1000, None, None])
        for count in (1, 2, 3):  # right before the end, without fill bytes
            for shift in range(4):
                data = listed(one, after=octets(b"x" * shift + b"\x1b" * count))
                self.assertEqual(told(data), wanted)

    def test_the_other_checksum(self):
        data = listed(entry(IMPORT, 30, 0, unsigned(1, 1)))
        other = data[:-2] + pack(">H", crc_kermit(data[:-2]))
        self.assertEqual(told(other), [1000, None, None])
        swapped = data[:-2] + pack("<H", crc_kermit(data[:-2]))
        self.assertEqual(told(swapped), None)

    def test_every_wrong_byte(self):
        data = listed(entry(IMPORT, 30, 0, unsigned(1, 1)), entry(POWER, 27, 0, signed(-1, 1)))
        for i in range(len(data)):
            broken = bytearray(data)
            broken[i] ^= 0x10
            self.assertEqual(told(bytes(broken)), None)
            self.assertEqual(told(bytes(broken) + data), [1000, None, -1000])
            self.assertEqual(told(data[i:] + data), [1000, None, -1000])
            # Cut within its end, it may take the next one's start for its own.
            more = data if i <= len(data) - 8 else data + data
            self.assertEqual(told(data[:i] + more), [1000, None, -1000])

    def test_it_keeps_no_id(self):
        """Neither the meter's, nor what has the size of a code, nor a status."""
        telegrams = Telegrams()
        data = listed(
            b"\x77" + octets(b"SECRET") + b"\x01\x01\x01\x01" + octets(b"SECRETSERVER") + b"\x01",
            entry(IMPORT, 30, 0, unsigned(1, 1), unsigned(0x53454352, 4)),
        )
        for byte in data:
            telegrams.feed(bytes((byte,)), 1)
            for name in ("_number", "told", "_found"):
                held = getattr(telegrams, name, None)
                if isinstance(held, int):
                    self.assertTrue(abs(held) < 0x534543)
                self.assertFalse("SEC" in str(held))

    def test_fuzz(self):
        self.assertEqual(fuzz(2000, 1), 2000)


class Bench(unittest.TestCase):
    def setUp(self):
        self.now = 100_000
        self.signals = Signals()
        self.chip = Chip(self.signals)
        self.chip.power_on(self.now)
        self.line = UartLine(lambda: self.now, self.chip, 9600, SML.RXBUF)
        self.use(1_000_000, 0)

    def use(self, load_mw, sun_mw):
        self.signals.extend(
            self.now + 10_000_000,
            {"power_mw": [[self.now, load_mw]], "pv_power_mw": [[self.now, sun_mw]]},
            {},
        )

    def sample(self, driver):
        """One sampling, and the time until the next one."""
        begun = self.now
        self.now += driver.start()
        try:
            while True:
                values = driver.read()
                if not isinstance(values, int):
                    return values
                self.now += values
        finally:
            self.now = begun + SAMPLE_MS


class TestRoundTrip(Bench):
    def test_energy_and_power(self):
        driver = SML(self.line)
        first = self.sample(driver)
        self.assertEqual(first[1:], (0, None, None, 1_000_000))
        before = first[0]
        for load, sun in ((1_000_000, 0), (250_000, 0), (0, 0), (300_000, 900_000), (5000, 6000)):
            self.use(load, sun)
            total, export, added, added_export, power = self.sample(driver)
            self.assertEqual((added, power), (total - before, load - sun))
            before = total
        self.assertEqual(added_export % 100, 0)
        self.assertTrue(export > 0)

    def test_an_hour_adds_up(self):
        driver = SML(self.line)
        self.use(2_400_000, 0)
        first = self.sample(driver)
        summed = 0
        for _ in range(60):
            values = self.sample(driver)
            summed += values[2]
        self.assertEqual(summed, values[0] - first[0])
        self.assertTrue(abs(summed - 2_400_000) < 2_400_000 // 1800)  # a telegram each 2 s

    def test_without_pin(self):
        self.chip.fault = "no_pin"
        self.assertEqual(self.sample(SML(self.line)), (0, 0, None, None, None))

    def test_what_has_waited_is_not_read(self):
        """The buffer is full of what the meter said an hour ago."""
        driver = SML(self.line)
        self.sample(driver)
        self.line.any()
        self.now += 3_600_000
        self.use(50_000, 0)
        self.now += 4000
        self.assertEqual(self.sample(driver)[4], 50_000)

    def test_registers_outlive_a_power_cut(self):
        driver = SML(self.line)
        self.sample(driver)
        before = self.sample(driver)[0]
        self.chip.plugged = False
        self.chip.plugged = True
        self.assertTrue(self.sample(SML(self.line))[0] >= before)


class TestFaults(Bench):
    def finds(self, reason):
        driver = SML(self.line)
        self.assertEqual(failure(self.sample, driver), reason)
        self.chip.fault = self.chip.wire = None
        self.chip.plugged = True
        driver = SML(self.line)
        self.assertEqual(self.sample(driver)[4], 1_000_000)
        self.assertEqual(self.sample(driver)[4], 1_000_000)

    def test_checksum(self):
        self.chip.fault = "checksum"
        self.finds(CHECKSUM)

    def test_short(self):
        self.chip.fault = "short"
        self.finds(FRAME)

    def test_one_damaged_telegram_is_not_a_fault(self):
        self.chip.fault = "checksum"
        driver = SML(self.line)
        self.now += driver.start() + 3000
        self.assertEqual(driver.read(), 500)
        self.chip.fault = None
        self.now += 3000
        self.assertEqual(driver.read()[4], 1_000_000)

    def test_out_of_range(self):
        self.chip.fault = "range"
        driver = SML(self.line)
        self.assertFalse(in_range("energy_import_total_mwh", self.sample(driver)[0]))

    def test_frozen(self):
        driver = SML(self.line)
        self.sample(driver)
        self.chip.fault = "frozen"
        for _ in range(19):
            self.sample(driver)
        self.assertEqual(failure(self.sample, driver), FROZEN)
        self.chip.fault = None
        driver = SML(self.line)
        for _ in range(50):
            self.sample(driver)

    def test_bytes_are_lost(self):
        self.chip.wire = "loses"
        self.finds(FRAME)

    def test_brown_out_within_a_telegram(self):
        self.chip.wire = "brown-out"
        self.finds(FRAME)

    def test_unplugged_and_put_back(self):
        self.chip.plugged = False
        self.finds(SILENT)

    def test_gap(self):
        self.signals.extend(self.now + 1000, {"power_mw": [[self.now - 1, None]]}, {})
        self.assertEqual(failure(self.sample, SML(self.line)), SILENT)
        self.use(1_000_000, 0)
        self.finds_after_gap()

    def finds_after_gap(self):
        self.assertEqual(self.sample(SML(self.line))[4], 1_000_000)

    def test_wrong_baud_rate(self):
        self.line = UartLine(lambda: self.now, self.chip, 115_200, SML.RXBUF)
        self.assertEqual(failure(self.sample, SML(self.line)), FRAME)


if __name__ == "__main__":
    unittest.main()
