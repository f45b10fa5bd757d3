# SPDX-License-Identifier: MIT
"""node/drivers/sgp41.py with simulator/chips/sgp41.py."""

import unittest

from driver_fixture import failure
from particle_fixture import ENODEV, ETIMEDOUT, Bench, Spy

from node.drivers.sgp41 import SGP41
from node.errors import CHECKSUM, CHIP_ID, FRAME, FROZEN, RANGE, SensorFault
from simulator.buses.i2c import I2CBus
from simulator.chips.sensirion import with_crc
from simulator.chips.sgp41 import SGP41 as Chip

NOISE = 3


class Watch(Spy):
    """For how long its NOx side was conditioned, in ms, since it was last idle."""

    def __init__(self, bench):
        Spy.__init__(self, bench.bus)
        self._bench = bench
        self._since_ms = None
        self.conditioned_ms = 0

    def writeto(self, address, data):
        Spy.writeto(self, address, data)
        command, now_ms = self.commands()[-1], self._bench.now
        if self._since_ms is not None:
            self.conditioned_ms += now_ms - self._since_ms
        self._since_ms = now_ms if command == 0x2612 else None
        if command == 0x3615:
            self.conditioned_ms = 0


class Gases(Bench):
    Driver, Chip = SGP41, Chip
    STEP = {"voc_raw_ticks": NOISE, "nox_raw_ticks": NOISE}
    LEVELS = {"voc_raw_ticks": 29_800, "nox_raw_ticks": 16_200}

    def setUp(self):
        Bench.setUp(self)
        self.feel(**self.LEVELS)

    def wanted(self, levels=LEVELS):
        return [levels[name] for name in SGP41.QUANTITIES]


class TestDatasheet(unittest.TestCase):
    def test_commands(self):
        """SGP41 datasheet 1.0, sections 3.1 and 3.2: 50 % and 25 °C by default."""
        answers = {
            0x202F: with_crc((0x0040,)),
            0x280E: with_crc((0xD400,)),
            0x2619: with_crc((0x1234, 0x4321)),
        }
        spy = Spy(answers=answers)
        driver = SGP41(spy)
        waits = [driver.start()]
        while isinstance(waits[-1], int):
            waits.append(driver.read())
        self.assertEqual(waits.pop(), (0x1234, 0x4321))
        self.assertEqual(waits, [3, 3, 325] + [1000] * 9 + [51])
        self.assertEqual(
            spy.written,
            [b"\x36\x15", b"\x20\x2f", b"\x28\x0e"]
            + [b"\x26\x12\x80\x00\xa2\x66\x66\x93"] * 9
            + [b"\x26\x19\x80\x00\xa2\x66\x66\x93"],
        )

    def test_compensation(self):
        """Section 3.1: 100 · w / 65535 %, −45 + 175 · w / 65535 °C."""
        for humidity, temperature, words in (
            (0, -45_000, (0, 0)),
            (100_000, 130_000, (0xFFFF, 0xFFFF)),
            (70_000, 10_000, (0xB333, 0x5075)),
        ):
            spy = Spy(answers={})
            driver = SGP41(spy, humidity_mpct=humidity, temperature_mc=temperature)
            driver._step = 12
            driver.start()
            self.assertEqual(spy.written[-1], b"\x26\x19" + with_crc(words))


class TestSGP41(Gases, unittest.TestCase):
    def test_reads(self):
        watch = Watch(self)
        driver = SGP41(watch)
        for _ in range(20):
            self.near(self.sample(driver), self.wanted())
        self.assertEqual(self.waits, [51])
        self.assertEqual(watch.conditioned_ms, 9000)

    def test_the_whole_range(self):
        driver = self.running()
        for step in range(1, 100):
            levels = {"voc_raw_ticks": step * 655, "nox_raw_ticks": 65_535 - step * 655}
            self.feel(**levels)
            self.near(self.sample(driver), self.wanted(levels))

    def test_never_asks_who_it_is(self):
        spy = Spy(self.bus)
        driver = SGP41(spy)
        for _ in range(3):
            self.sample(driver)
        self.assertFalse(0x3682 in spy.commands())

    def test_one_that_was_left_conditioning(self):
        """The node restarts within it: it is ended, and begun anew."""
        watch = Watch(self)
        driver = SGP41(watch)
        self.now += driver.start()
        for _ in range(7):
            self.now += driver.read()
        self.assertEqual(watch.commands()[-1], 0x2612)
        self.near(self.sample(SGP41(watch)), self.wanted())
        self.assertEqual(watch.conditioned_ms, 9000)

    def test_not_there(self):
        self.assertEqual(failure(SGP41, I2CBus(lambda: self.now)), ENODEV)

    def test_faults(self):
        for fault, reason in (
            ("checksum", CHECKSUM), ("range", RANGE), ("chip id", CHIP_ID), ("self-test", FRAME),
        ):  # fmt: skip
            self.setUp()
            driver = self.running()
            self.chip.fault = fault
            if fault in ("checksum", "range"):
                self.assertEqual(failure(self.sample, driver), reason)
            self.assertEqual(failure(self.sample, SGP41(self.bus)), reason)
            self.chip.fault = None
            self.recovers()

    def test_frozen(self):
        driver = self.running()
        self.chip.fault = "frozen"
        found = [failure(self.sample, driver) for _ in range(6)]
        self.assertEqual(found[:4], [None] * 4)
        self.assertTrue(FROZEN in found[4:])
        self.chip.fault = None
        self.recovers()

    def test_unplugged_and_put_back(self):
        driver = self.running()
        self.chip.plugged = False
        self.assertEqual(failure(driver.start), ENODEV)
        self.assertEqual(failure(SGP41, self.bus), ENODEV)
        self.chip.plugged = True
        self.recovers()
        self.now += self.Driver(self.bus).start()
        self.chip.plugged = False
        self.assertEqual(failure(driver.start), ENODEV)

    def test_wire(self):
        for wire in ("stretch", "stuck"):
            self.setUp()
            driver = self.running()
            self.chip.wire = wire
            self.assertEqual(failure(self.sample, driver), ETIMEDOUT)
            self.assertEqual(failure(SGP41, self.bus), ETIMEDOUT)
            self.chip.wire = None
            self.recovers()

    def test_gap(self):
        for name in Chip.SENSES:
            self.setUp()
            driver = self.running()
            self.signals.extend(self.now + 60_000, {name: [[self.now - 1, None]]}, {})
            self.assertEqual(failure(self.sample, driver), ENODEV)
            self.feel(**self.LEVELS)
            self.recovers()

    def test_chip_refuses(self):
        for data in (
            b"", b"\x26\x12", b"\x26\x12\x80\x00\xa2\x66\x66\x94", b"\x36\x15\x00\x00\x81",
            b"\x26\x19\x80\x00\xa2", b"\x26\x0f\x80\x00\xa2\x66\x66\x93",
        ):  # fmt: skip
            self.assertEqual(failure(self.bus.writeto, 0x59, data), ENODEV)
        self.bus.writeto(0x59, b"\x26\x19\x80\x00\xa2\x66\x66\x93")
        self.now += 49
        self.assertEqual(failure(self.bus.writeto, 0x59, b"\x36\x15"), ENODEV)
        self.assertEqual(failure(self.bus.readfrom, 0x59, 6), ENODEV)
        self.now += 1
        self.bus.readfrom(0x59, 6)
        self.assertEqual(failure(self.bus.readfrom, 0x59, 6), ENODEV)

    def test_fuzz(self):
        self.assertEqual(fuzz(2000, 1), 2000)


def fuzz(count, seed):
    """Gives the driver `count` answers that were damaged; it may raise nothing but its faults."""
    state = [seed]

    def below(limit):
        state[0] = (state[0] * 1_103_515_245 + 12_345) & 0x3FFFFFFF
        return (state[0] >> 8) % limit

    class Noise:
        def writeto(self, address, data):
            self.command = data[0] << 8 | data[1]

        def readfrom_into(self, address, into):
            kind = below(6)
            answer = with_crc([below(0x10000) for _ in range(len(into) // 3)])
            if self.command in (0x202F, 0x280E) and kind:
                answer = with_crc((0x0040,))
            elif kind == 0:
                raise OSError(ENODEV)
            elif kind == 1:
                answer = bytes([below(256) for _ in range(len(into))])
            into[:] = answer

    bus, driver, reads = Noise(), None, 0
    while reads < count:
        try:
            if driver is None:
                driver = SGP41(bus)
            waits = [driver.start()]
            while isinstance(waits[-1], int):
                if len(waits) > 30 or not 0 < waits[-1] < 60_000:
                    raise AssertionError("it goes on and on")
                reads += 1
                waits.append(driver.read())
            if len(waits[-1]) != 2:
                raise AssertionError("not a reading")
        except (OSError, SensorFault):
            driver = None
    return count


if __name__ == "__main__":
    unittest.main()
