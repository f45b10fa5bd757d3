# SPDX-License-Identifier: MIT
"""node/drivers/dsmr_p1.py against the chip model, and against telegrams of real meters."""

import unittest

from driver_fixture import Random
from meter_fixture import MeterBench
from p1_telegrams import EASYMETER, TELEGRAMS

from node.drivers.dsmr_p1 import DsmrP1
from node.errors import CHECKSUM, FRAME, FROZEN, RANGE, SILENT, SensorFault
from node.pipeline.quantities import in_range
from simulator.buses.uart import UartLine
from simulator.chips.dsmr_p1 import DsmrP1 as Chip
from simulator.chips.dsmr_p1 import crc16

_REASONS = (CHECKSUM, FRAME, FROZEN, RANGE, SILENT)


class Told:
    """A meter that sends what it is given, at any rate and in any form."""

    plugged = True
    wire = None

    def __init__(self, line=None):
        self.sending = b""

    def receive(self, now_ms, data):
        pass

    def transmit(self, now_ms):
        sent, self.sending = self.sending, b""
        return sent

    def join(self, line):
        self.BAUD, self.FORM = line._baudrate, line.form


def reading(telegrams, **options):
    """What the driver makes of them, of which one comes a second; its faults."""
    chip = Told()
    chip.BAUD = 0
    line = UartLine(lambda: 0, chip, 115_200, DsmrP1.RXBUF)
    driver = DsmrP1(line, **options)
    chip.join(line)
    driver.start()
    for telegram in telegrams:
        chip.sending = telegram
        values = driver.read()
        if isinstance(values, tuple):
            return values
    while True:
        values = driver.read()
        if isinstance(values, tuple):
            return values


def fuzz(count: int, seed: int) -> int:
    """Streams that are no telegrams, or nearly: a tuple or a SensorFault, in bounded time."""
    draw = Random(seed).below
    good = [telegram for telegram, _, _ in TELEGRAMS]
    for tried in range(count):
        kind = draw(5)
        data = bytearray(good[draw(len(good))][: 40 + draw(900)])
        if kind == 0:
            data = bytearray([draw(256) for _ in range(draw(300))])
        elif kind == 1:
            for _ in range(1 + draw(8)):
                data[draw(len(data))] = draw(256)
        elif kind == 2:
            at = draw(len(data))
            data = data[:at] + data[at + 1 + draw(9) :]
        elif kind == 3:
            data = data + data
        else:
            data = data[:30] + bytes([b"0123456789.:-*()kWh/!\r\n"[draw(23)] for _ in range(99)])
        end = bytearray(b"!\r\n") if draw(2) else b"!%04X\r\n" % crc16(bytes(data) + b"!")
        try:
            values = reading([bytes(data + end)] * 3, version=22 if draw(2) else 50)
            if len(values) != len(DsmrP1.QUANTITIES):
                raise ValueError(tried)
            if not all([v is None or isinstance(v, int) for v in values]):
                raise ValueError(tried)
        except SensorFault as err:
            if err.args[0] not in _REASONS:
                raise ValueError(tried)
    return count


class TestDsmrP1(MeterBench, unittest.TestCase):
    def connect(self, **options):
        self.options = options
        self.chip = Chip(self.signals, **options)
        self.line = UartLine(lambda: self.now_ms, self.chip, 115_200, DsmrP1.RXBUF)
        self.chip.power_on(self.now_ms)
        self.renew()
        self.set(1_500_000, 0, 231_000)

    def renew(self):
        self.driver = DsmrP1(self.line, **self.options)

    def test_telegrams_of_real_meters(self):
        for telegram, options, values in TELEGRAMS:
            self.assertEqual(reading([telegram, telegram], **options), values)

    def test_a_checksum_in_small_letters(self):
        telegram, options, values = TELEGRAMS[2]
        self.assertEqual(reading([telegram.replace(b"E47C", b"e47c")], **options), values)

    def test_a_meter_that_pushes_as_iec_62056_21_mode_d(self):
        telegram, values = EASYMETER
        got = reading([telegram, telegram], version=22, inverted=0, baud=9600)
        self.assertEqual(got, values)

    def test_a_damaged_byte_is_found(self):
        telegram = TELEGRAMS[2][0]
        for at in range(0, len(telegram) - 2, 7):
            damaged = bytearray(telegram)
            damaged[at] ^= 0x04
            with self.assertRaises(SensorFault):
                reading([bytes(damaged)] * 2)

    def test_a_lost_byte_is_found_where_there_is_no_checksum(self):
        telegram, options, values = TELEGRAMS[0]
        found = 0
        for at in range(1, len(telegram) - 2):
            damaged = telegram[:at] + telegram[at + 1 :]
            try:
                got = reading([telegram, damaged, telegram, telegram], **options)
                self.assertEqual(got, values)
            except SensorFault:
                found += 1
        self.assertTrue(found < len(telegram) // 10)  # it goes on to the next ones

    def test_two_that_do_not_agree_where_there_is_no_checksum(self):
        telegram, options, values = TELEGRAMS[0]
        damaged = telegram.replace(b"1.8.1(00001", b"1.8.1(40001")
        told = [telegram, damaged, telegram, telegram]
        self.assertEqual(reading(told, **options), values)

    def test_a_line_that_is_torn_where_there_is_no_checksum(self):
        telegram, options, _ = TELEGRAMS[0]
        damaged = telegram.replace(b"1-0:1.8.2(", b"1-0:1;8.2(")
        with self.assertRaises(SensorFault):
            reading([damaged] * 3, **options)

    def test_what_names_the_meter_is_nowhere_kept(self):
        chip, line = Told(), None
        chip.BAUD = 0
        line = UartLine(lambda: 0, chip, 115_200, DsmrP1.RXBUF)
        driver = DsmrP1(line)
        chip.join(line)
        driver.start()
        chip.sending = TELEGRAMS[3][0]
        driver.read()
        kept = []
        for thing in (driver, driver._registers):
            for name in thing.__dict__:
                if name not in ("_uart", "_piece"):
                    kept.append(repr(thing.__dict__[name]))
        for secret in ("4B384547", "3232323241", "MT382"):
            self.assertFalse(secret in " ".join(kept))
            self.assertFalse(secret in repr(bytes(driver._piece)))

    def test_quantities(self):
        for version in (22, 42, 50, 50217):
            self.connect(version=version)
            values = self.sample()
            self.assertEqual(len(values), len(DsmrP1.QUANTITIES))
            for quantity, value in zip(DsmrP1.QUANTITIES, values):
                self.assertTrue(value is None or in_range(quantity, value), quantity)
            self.assertTrue(3_016_829_000 <= values[0] <= 3_016_840_000)  # a sample takes seconds
            self.assertEqual(values[1], 6_825_000)
            self.assertEqual(values[2:5], (None, None, 1_500_000))
            volts = (231_000, 231_600, 230_600) if version >= 50 else (None,) * 3
            self.assertEqual(values[5:8], volts)

    def test_round_trip(self):
        for version in (22, 42, 50, 50217):
            self.connect(version=version)
            state = 7 + version
            imported, exported = self.sample()[:2]
            for _ in range(12):
                state = (state * 1_103_515_245 + 12_345) & 0x7FFFFFFF
                power, sun = (state >> 3) % 15_000_000, (state >> 9) % 20_000_000
                volts = 200_000 + (state >> 5) % 55_000
                self.set(power, sun, volts)
                self.now_ms += 60_000
                values = self.sample()
                net, step = power - sun, 1000 if version >= 40 else 10_000
                size = abs(net) // step * step
                self.assertEqual(values[4], size if net >= 0 else -size)
                # A minute and the wait for the telegram, in steps of 1 Wh.
                used = values[0] - imported, values[1] - exported
                self.assertEqual(used, values[2:4])
                passed = abs(net) // 60  # mWh in a minute
                self.assertEqual(used[net >= 0], 0)
                self.assertTrue(passed * 9 // 10 - 2000 <= used[net < 0] <= passed * 3 // 2 + 2000)
                imported, exported = values[:2]
                if version >= 50:
                    self.assertEqual(values[5], volts // 100 * 100)

    def test_gas_since_the_sample_before(self):
        self.assertEqual(self.sample()[11], None)
        self.now_ms += 60_000
        self.assertEqual(self.sample()[11], 0)  # the gas meter tells each five minutes
        self.now_ms += 3_600_000
        self.assertEqual(self.sample()[11], 180)

    def test_tariffs_are_added(self):
        before = self.sample()
        self.now_ms += 7 * 3_600_000  # in the other tariff
        after = self.sample()
        self.assertEqual(after[2], after[0] - before[0])
        self.assertTrue(abs(after[2] - 10_500_000) <= 10_000)

    def test_a_text_message_is_dropped(self):
        self.chip.fault = "names"
        self.assertEqual(self.sample()[4], 1_500_000)

    def test_who_comes_late_still_finds_a_telegram(self):
        for _ in range(20):
            self.driver.start()
            self.now_ms += 7_300  # the buffer has run over meanwhile
            values = self.driver.read()
            while isinstance(values, int):
                self.now_ms += values
                values = self.driver.read()
            self.assertEqual(values[4], 1_500_000)
            self.now_ms += 30_000

    def test_each_fault_and_recovery(self):
        for version in (42, 50, 50217):
            self.connect(version=version)
            self.sample()
            for fault, reasons in (("checksum", (CHECKSUM,)), ("short", (FRAME,))):
                self.chip.fault = fault
                self.now_ms += 30_000
                self.assertFault(*reasons)
                self.chip.fault = None
                self.assertEqual(self.sample()[4], 1_500_000)

    def test_frozen(self):
        self.sample()
        self.chip.fault = "frozen"
        self.now_ms += 30_000
        try:
            self.sample()
            self.now_ms += 30_000
            self.sample()
        except SensorFault as err:
            self.assertEqual(err.args, (FROZEN,))
        else:
            self.fail("no fault")
        self.chip.fault = None
        self.renew()
        self.now_ms += 30_000
        self.assertEqual(self.sample()[4], 1_500_000)

    def test_out_of_range(self):
        self.chip.fault = "range"
        self.assertFalse(in_range("voltage_l1_mv", self.sample()[5]))

    def test_silent_then_back(self):
        for version in (22, 50):
            self.connect(version=version)
            for values in ((None, 0, 230_000), (1000, None, 230_000), (1000, 0, 50_000)):
                self.set(*values)
                self.now_ms += 11_000
                self.assertFault(SILENT)
                self.set(1_500_000, 0, 231_000)
                self.assertEqual(self.sample()[4], 1_500_000)
                self.now_ms += 30_000

    def test_faults_of_the_wire(self):
        for version in (22, 42, 50):
            for wire in ("loses", "brown-out"):
                self.connect(version=version)
                self.sample()
                self.chip.wire = wire
                self.now_ms += 30_000
                self.assertFault(FRAME, CHECKSUM, SILENT)
                self.chip.wire = None
                self.assertEqual(self.sample()[4], 1_500_000)

    def test_another_form_of_frames(self):
        for options, wrong in (
            ({"version": 22}, {"version": 50}),
            ({"version": 50}, {"version": 22}),
            ({"version": 50}, {"version": 50, "inverted": 0}),
            ({"version": 22, "inverted": 0}, {"version": 22}),
        ):
            self.connect(**options)
            self.options = wrong
            self.renew()
            self.assertFault(FRAME, CHECKSUM)
            self.options = options
            self.renew()
            self.assertEqual(self.sample()[4], 1_500_000)

    def test_fuzz(self):
        self.assertEqual(fuzz(300, 1), 300)


if __name__ == "__main__":
    unittest.main()
