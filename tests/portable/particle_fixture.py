# SPDX-License-Identifier: MIT
"""What the tests of Sensirion's particle sensors share: a bench, and what holds for each."""

from driver_fixture import failure

from node.errors import CHECKSUM, FRAME, SILENT, SensorFault
from simulator.buses.i2c import I2CBus
from simulator.buses.signals import Signals
from simulator.chips.sensirion import with_crc

ENODEV = 19
ETIMEDOUT = 116
HALF_MINUTE = 30_000
LEVELS = {
    "pm1_0_ngm3": 8_300,
    "pm2_5_ngm3": 10_400,
    "pm4_0_ngm3": 11_600,
    "pm10_ngm3": 12_100,
    "humidity_mpct": 45_670,
    "temperature_mc": -3_215,
    "voc_index_tenths": 1_012,
    "nox_index_tenths": 13,
    "co2_ppm": 430,
}


class Spy:
    """An I2C bus that notes what is written, and may answer itself."""

    def __init__(self, bus=None, answers=None):
        self._bus = bus
        self._answers = answers
        self.written = []

    def commands(self) -> list:
        return [data[0] << 8 | data[1] for data in self.written]

    def writeto(self, address, data):
        self.written.append(bytes(data))
        if self._bus:
            self._bus.writeto(address, data)

    def readfrom_into(self, address, into):
        if self._bus:
            self._bus.readfrom_into(address, into)
        else:
            wire = self._answers[self.commands()[-1]]
            into[:] = wire[: len(into)]


class Bench:
    """A part on a bus. Of the part: Driver, Chip."""

    def setUp(self):
        self.Driver.until_clean = None
        self.now = 20_000
        self.signals = Signals()
        self.bus = I2CBus(lambda: self.now)
        self.chip = self.Chip(self.signals)
        self.bus.attach(self.Driver.ADDRESSES[0], self.chip)
        self.feel(**LEVELS)

    def feel(self, **levels):
        points = {}
        for name in levels:
            points[name] = [[self.now, levels[name]]]
        self.signals.extend(self.now + 600_000, points, {})

    def take(self, driver):
        """One sample of a driver, at once."""
        waits = [driver.start()]
        values = 0
        while isinstance(values, int):
            self.now += waits[-1]
            values = driver.read()
            waits.append(values)
            assert len(waits) < 30
        self.waits = waits[:-1]
        return values

    def sample(self, driver):
        """One sampling, and the time until the next one."""
        begun = self.now
        try:
            return self.take(driver)
        finally:
            while self.now >= begun + HALF_MINUTE:  # a longer one: a sample is left out
                begun += HALF_MINUTE
            self.now = begun + HALF_MINUTE
            self.signals.until_ms = max(self.signals.until_ms, self.now)

    def running(self, **options):
        driver = self.Driver(self.bus, **options)
        self.sample(driver)
        return driver

    def wanted(self, levels=LEVELS):
        return [levels[name] for name in self.Driver.QUANTITIES]

    def near(self, values, wanted):
        self.assertEqual(len(values), len(wanted))
        for name, value, want in zip(self.Driver.QUANTITIES, values, wanted):
            if abs(value - want) > self.STEP[name]:
                self.fail(name + ": " + str(value) + " for " + str(want))

    def recovers(self):
        """A fresh driver reads within two samples."""
        driver = self.Driver(self.bus)
        values = self.sample(driver)
        if values is None or None in values:  # a gas index, just after power-up
            values = self.sample(driver)
        self.near(values, self.wanted())


class Particles(Bench):
    """What holds for each part."""

    def test_from_idle(self):
        driver = self.Driver(self.bus)
        for _ in range(4):
            self.near(self.sample(driver), self.wanted())

    def test_one_that_was_left_measuring(self):
        self.running()
        self.near(self.sample(self.Driver(self.bus)), self.wanted())

    def test_the_whole_range(self):
        driver = self.running()
        for step in range(101):
            levels = dict(LEVELS)
            for name in levels:
                if name.startswith("pm"):
                    levels[name] = step * 9_999 + len(name)
            levels["humidity_mpct"] = step * 1_000
            levels["temperature_mc"] = -40_000 + step * 1_250
            levels["voc_index_tenths"] = 10 + step * 49
            levels["nox_index_tenths"] = 10 + step * 49
            levels["co2_ppm"] = 350 + step * 396
            self.feel(**levels)
            self.now += 2_000
            self.near(self.sample(driver), self.wanted(levels))

    def test_starts_up(self):
        self.chip.power_on(self.now)
        self.now += 999
        self.assertEqual(failure(self.Driver, self.bus), ENODEV)
        self.now += 1
        self.Driver(self.bus)

    def test_never_asks_who_it_is(self):
        spy = Spy(self.bus)
        driver = self.Driver(spy, clean_each_samples=3)
        for _ in range(12):
            self.sample(driver)
        for command in (0xD033, 0xD025):
            self.assertFalse(command in spy.commands())

    def test_is_cleaned(self):
        driver = self.Driver(self.bus, clean_each_samples=336)
        for _ in range(2):
            self.near(self.sample(driver), self.wanted())
        self.assertEqual(self.chip.cleanings, 0)
        self.near(self.sample(driver), self.wanted())  # two 168ths are over
        self.assertEqual(self.chip.cleanings, 1)
        self.Driver.until_clean = 2
        for _ in range(2):
            self.near(self.sample(driver), self.wanted())
        self.assertEqual(self.chip.cleanings, 1)
        self.near(self.sample(driver), self.wanted())
        self.assertEqual(self.chip.cleanings, 2)
        # A fault in between does not begin the count anew.
        self.assertTrue(self.Driver.until_clean > 300)
        before = self.Driver.until_clean
        driver = self.running(clean_each_samples=336)
        self.assertEqual(self.Driver.until_clean, before - 1)

    def test_is_not_cleaned_unasked(self):
        driver = self.running()
        for _ in range(50):
            self.sample(driver)
        self.assertEqual(self.chip.cleanings, 0)

    # Faults.

    def test_not_there(self):
        self.assertEqual(failure(self.Driver, I2CBus(lambda: self.now)), ENODEV)

    def test_checksum(self):
        driver = self.running()
        self.chip.fault = "checksum"
        self.assertEqual(failure(self.sample, driver), CHECKSUM)
        self.chip.fault = None
        self.recovers()

    def test_frozen(self):
        driver = self.running()
        self.chip.fault = "frozen"
        self.assertEqual(self.sample(driver), None)
        self.assertEqual(failure(self.sample, driver), SILENT)
        self.chip.fault = None
        self.recovers()

    def test_fan(self):
        driver = self.running()
        self.chip.fault = "fan"
        self.assertEqual(failure(self.sample, driver), FRAME)
        self.assertEqual(failure(self.sample, self.Driver(self.bus)), FRAME)
        self.chip.fault = None
        self.recovers()

    def test_unplugged_and_put_back(self):
        driver = self.running()
        self.chip.plugged = False
        self.assertEqual(failure(driver.start), ENODEV)
        self.assertEqual(failure(self.Driver, self.bus), ENODEV)
        self.chip.plugged = True
        self.recovers()

    def test_unplugged_within_a_sample(self):
        driver = self.running()
        self.now += driver.start()
        self.chip.plugged = False
        self.assertEqual(failure(driver.read), ENODEV)

    def test_put_back_unseen(self):
        """Idle again, it never has anything new."""
        driver = self.running()
        self.chip.plugged = False
        self.chip.plugged = True
        self.assertEqual(self.sample(driver), None)
        self.assertEqual(failure(self.sample, driver), SILENT)
        self.recovers()

    def test_gap(self):
        for name in self.Chip.SENSES:
            self.setUp()
            driver = self.running()
            self.signals.extend(self.now + 60_000, {name: [[self.now - 1, None]]}, {})
            self.assertEqual(failure(self.sample, driver), ENODEV)
            self.assertEqual(failure(self.Driver, self.bus), ENODEV)
            self.feel(**LEVELS)
            self.recovers()

    def test_wire(self):
        for wire in ("stretch", "stuck"):
            self.setUp()
            driver = self.running()
            self.chip.wire = wire
            self.assertEqual(failure(self.sample, driver), ETIMEDOUT)
            self.assertEqual(failure(self.Driver, self.bus), ETIMEDOUT)
            self.chip.wire = None
            self.recovers()

    # The chip model.

    def test_chip_refuses_what_it_does_not_know(self):
        for data in (b"", b"\x02", b"\x12\x34", b"\x02\x02\x00", b"\x03\x00\x00\x00\x81"):
            self.assertEqual(failure(self.bus.writeto, self.chip.ADDRESS, data), ENODEV)

    def test_chip_is_busy_while_it_stops(self):
        self.running()
        self.bus.writeto(self.chip.ADDRESS, b"\x01\x04")
        self.now += self.chip.STOP_MS - 1
        self.assertEqual(failure(self.bus.writeto, self.chip.ADDRESS, b"\x02\x02"), ENODEV)
        self.now += 1
        self.bus.writeto(self.chip.ADDRESS, b"\x02\x02")

    def test_fuzz(self):
        self.assertEqual(fuzz(self.Driver, 2000, 1), 2000)


def fuzz(driver_class, count: int, seed: int) -> int:
    """Gives a driver `count` answers that were damaged; it may raise nothing but its faults."""
    state = [seed]

    def below(limit):
        state[0] = (state[0] * 1_103_515_245 + 12_345) & 0x3FFFFFFF
        return (state[0] >> 8) % limit

    driver = None
    size = driver_class.SIZE
    told = getattr(driver_class, "NAME", (0x0203,))

    class Noise:
        def writeto(self, address, data):
            self.command = data[0] << 8 | data[1]

        def readfrom_into(self, address, into):
            kind = below(8)
            if kind == 0:
                raise OSError(ENODEV)
            if kind == 1:
                answer = bytes([below(256) for _ in range(len(into))])
            elif kind < 6 and self.command != driver_class.READ:
                # As it should be, so that the answers after this one are reached.
                known = {0x0202: (1,), 0xD206: (0, 0)}.get(self.command, told)
                answer = with_crc(known)
            else:
                answer = with_crc([below(0x10000) for _ in range(size // 3)])
                if kind == 7:
                    cut = below(size)
                    answer = answer[cut:] + answer[:cut]
            answer = answer + b"\xff" * len(into)
            into[:] = answer[: len(into)]

    bus, reads = Noise(), 0
    while reads < count:
        try:
            if driver is None:
                driver = driver_class(bus)
            waits = [driver.start()]
            while isinstance(waits[-1], int):
                if len(waits) > 30 or not 0 < waits[-1] < 60_000:
                    raise AssertionError("it goes on and on")
                reads += 1
                waits.append(driver.read())
            values = waits[-1]
            if values is not None and len(values) != len(driver_class.QUANTITIES):
                raise AssertionError("not a reading")
        except (OSError, SensorFault):
            driver = None
    return count
