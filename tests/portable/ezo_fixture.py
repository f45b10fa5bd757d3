# SPDX-License-Identifier: MIT
"""What the tests of the EZO circuits share: a bench with one of them, and their faults."""

from driver_fixture import Random, failure

from node.drivers.ezo import thousandths
from node.errors import CHIP_ID, FRAME, SILENT, SensorFault
from simulator.buses.i2c import I2CBus
from simulator.buses.signals import Signals

ENODEV = 19
ETIMEDOUT = 116
MINUTE_MS = 60_000


class Answering:
    """An I2C bus with a circuit that says one text after the other."""

    def __init__(self, answers=()):
        self.answers = list(answers)
        self.told = []

    def writeto(self, address, data):
        self.told.append(bytes(data))

    def readfrom_into(self, address, into):
        answer = self.answers.pop(0)
        into[:] = (answer + bytes(len(into)))[: len(into)]


def fuzz_driver(make, good, count: int, seed: int) -> int:
    """Answers of all kinds to a driver that make(bus) gives; good: texts of its own. It gives a
    reading, a wait or a fault, and nothing else."""
    random = Random(seed)
    for _ in range(count):
        answers = []
        for text in list(good) + [good[-1]] * 3:
            kind = random.below(8)
            answer = bytearray(b"\x01" + text + b"\0")
            if kind == 1:
                answer[random.below(len(answer))] ^= 1 << random.below(8)
            elif kind == 2:
                answer = answer[: random.below(len(answer))]
            elif kind == 3:
                answer = answer + answer
            elif kind == 4:
                answer = bytearray([random.below(256) for _ in range(random.below(48))])
            elif kind == 5:
                answer[0] = (2, 254, 255, 0, 3)[random.below(5)]
            answers.append(bytes(answer))
        bus = Answering(answers)
        try:
            driver = make(bus)
            driver.start()
            while bus.answers:
                values = driver.read()
                if isinstance(values, int):
                    if not 0 < values < 2000:
                        raise ValueError("wait")
                    continue
                if len(values) != 1 or abs(values[0]) > 10**9:
                    raise ValueError("not a reading")
                driver.start()
        except SensorFault:
            pass
    return count


class EzoBench:
    """A subclass has DRIVER, CHIP, LEVEL and NEAR, how far a reading may be from it."""

    OUTPUTS_ASKED = 1

    def setUp(self):
        self.now = 5000
        self.signals = Signals()
        self.bus = I2CBus(lambda: self.now)
        self.chip = self.CHIP(self.signals)
        self.address = self.DRIVER.ADDRESSES[0]
        self.bus.attach(self.address, self.chip)
        self.feel(self.LEVEL)

    def feel(self, level):
        name = self.DRIVER.QUANTITIES[0]
        self.signals.extend(self.now + 600_000, {name: [[self.now, level]]}, {})

    def sample(self, driver):
        """One sampling, and the time until the next one."""
        begun = self.now
        try:
            self.now += driver.start()
            while True:
                values = driver.read()
                if not isinstance(values, int):
                    return values
                self.now += values
                if self.now - begun > 5000:
                    raise ValueError("it never ends")
        finally:
            self.now = begun + MINUTE_MS

    def reads(self, driver, level):
        (value,) = self.sample(driver)
        self.assertTrue(abs(value - level) <= self.NEAR)

    def made(self):
        return self.DRIVER(self.bus)


class EzoFaults(EzoBench):
    """Each is found, and over within two samples."""

    def found(self, fault, reason):
        driver = self.made()
        self.reads(driver, self.LEVEL)
        self.chip.fault = fault
        if fault != "chip id":
            self.assertEqual(failure(self.sample, driver), reason)
        self.assertEqual(failure(self.sample, self.made()), reason)
        self.chip.fault = None
        self.reads(self.made(), self.LEVEL)

    def test_chip_id(self):
        self.found("chip id", CHIP_ID)

    def test_never_done(self):
        self.found("pending", SILENT)

    def test_syntax(self):
        self.found("syntax", FRAME)

    def test_short(self):
        self.found("short", FRAME)

    def test_clock_stretched_and_bus_stuck(self):
        for wire in ("stretch", "stuck"):
            driver = self.made()
            self.chip.wire = wire
            self.assertEqual(failure(driver.start), ETIMEDOUT)
            self.assertEqual(failure(driver.read), ETIMEDOUT)
            self.chip.wire = None
            self.reads(self.made(), self.LEVEL)

    def test_unplugged_and_put_back(self):
        driver = self.made()
        self.reads(driver, self.LEVEL)
        self.chip.plugged = False
        for step in (driver.start, driver.read, self.made().start):
            self.assertEqual(failure(step), ENODEV)
        self.chip.plugged = True
        self.reads(self.made(), self.LEVEL)

    def test_started_anew_within_a_reading(self):
        driver = self.made()
        self.reads(driver, self.LEVEL)
        self.now += driver.start()
        self.chip.power_on(self.now)
        self.assertEqual(failure(driver.read), SILENT)
        self.reads(self.made(), self.LEVEL)

    def test_gap(self):
        driver = self.made()
        self.reads(driver, self.LEVEL)
        self.feel(None)
        self.assertEqual(failure(driver.start), ENODEV)
        self.assertEqual(failure(self.made().start), ENODEV)
        self.feel(self.LEVEL)
        self.reads(self.made(), self.LEVEL)

    def test_nothing_there(self):
        bus = I2CBus(lambda: self.now)
        self.assertEqual(failure(self.DRIVER(bus).start), ENODEV)

    def test_another_address(self):
        self.bus.attach(0x33, self.chip)
        self.reads(self.DRIVER(self.bus, address=0x33), self.LEVEL)

    def test_temperature_compensation(self):
        self.reads(self.DRIVER(self.bus, temperature_mc=12_340), self.LEVEL)
        for temperature_mc, command in (
            (12_340, b"RT,12.34"),
            (0, b"RT,0.00"),
            (5_009, b"RT,5.00"),
        ):
            bus = Answering(self.SAYS)
            driver = self.DRIVER(bus, temperature_mc=temperature_mc)
            driver.start()
            while isinstance(driver.read(), int):
                pass
            self.assertEqual(bus.told[-1], command)
        for wrong in (-1, 50_001):
            with self.assertRaises(ValueError):
                self.DRIVER(self.bus, temperature_mc=wrong)

    def test_it_is_asked_once_who_it_is(self):
        bus = Answering(list(self.SAYS) + [self.SAYS[-1]] * 2)
        driver = self.DRIVER(bus)
        readings = []
        while bus.answers:
            if not readings or not isinstance(readings[-1], int):
                driver.start()
            readings.append(driver.read())
        questions = [b"i", b"O,?"][: len(self.SAYS) - 1]
        self.assertEqual(bus.told, questions + [b"R"] * 3)
        self.assertEqual(len([r for r in readings if isinstance(r, tuple)]), 3)

    def test_every_cut_is_found(self):
        """Within the answer the line is let go of: ones come."""
        whole = self.SAYS[-1]
        for length in range(len(whole)):
            bus = Answering(list(self.SAYS[:-1]) + [whole[:length] + b"\xff" * 40])
            driver = self.DRIVER(bus)
            driver.start()
            for _ in self.SAYS[:-1]:
                driver.read()
            self.assertTrue(failure(driver.read) in (FRAME, SILENT))

    def test_numbers(self):
        for text, value in (
            (b"9.560", 9560), (b"0.01", 10), (b"12", 12_000), (b"500000", 500_000_000),
            (b"1.2345", 1234), (b"-1.000", -1000), (b"100.1", 100_100),
        ):  # fmt: skip
            self.assertEqual(thousandths(text), value)
        for text in (
            b"", b".", b"1.", b".5", b"1,5", b"1.2.3", b"--1", b"1e3", b" 1", b"nan", b"no output",
            b"12345678", b"*ER",
        ):  # fmt: skip
            self.assertEqual(failure(thousandths, text), FRAME)

    def test_chip_answers_when_it_is_done(self):
        self.bus.writeto(self.address, b"R")
        self.now += self.CHIP.READ_MS - 1
        self.assertEqual(self.bus.readfrom(self.address, 3), b"\xfe\0\0")
        self.now += 1
        self.assertEqual(self.bus.readfrom(self.address, 40)[0], 1)
        self.assertEqual(self.bus.readfrom(self.address, 3), b"\xff\0\0")

    def test_chip_and_what_it_does_not_know(self):
        for command in (b"", b"X", b"R,1", b"O,?,1", b"O,x,1", b"O,mg", b"Cal,mid,7.00"):
            self.bus.writeto(self.address, command)
            self.now += 900
            self.assertEqual(self.bus.readfrom(self.address, 2), b"\x02\0")
        self.bus.writeto(self.address, b"Status")
        self.now += 300
        self.assertEqual(self.bus.readfrom(self.address, 10), b"\x01?STATUS,P")
