# SPDX-License-Identifier: MIT
"""node/pipeline/particles.py, with node/drivers/pm_correction.py and pm_duty.py on chips."""

import unittest

from node.drivers.pm_correction import correct
from node.drivers.pm_duty import COMMANDS, OnDuty
from node.drivers.pms5003 import PMS5003
from node.drivers.sds011 import SDS011
from node.errors import SILENT, SensorFault
from node.pipeline import particles
from simulator.buses.signals import Signals
from simulator.buses.uart import UartLine
from simulator.chips.pms5003 import PMS5003 as PlantowerChip
from simulator.chips.sds011 import SDS011 as NovaChip

NOON_MS = 1_800_014_400_000
RANGES = {"pm2_5_ngm3": [0, 1_000_000], "pm10_ngm3": [0, 1_000_000]}

# ng/m³, milli-percent, ng/m³: of the formula by hand, one or two of each step
VECTORS = (
    (0, 0, 5750),
    (10_000, 50_000, 6680),  # 5.24 - 4.31 + 5.75
    (29_999, 50_000, 17_159),  # 15.719476 + 1.44
    (30_000, 50_000, 17_160),
    (40_000, 50_000, 27_640),  # half of 20.96, half of 31.44, and 1.44
    (50_000, 50_000, 40_740),
    (100_000, 80_000, 77_454),  # 78.6 - 6.896 + 5.75
    (210_000, 50_000, 166_500),
    (235_000, 50_000, 200_042),  # half of 186.15, half of 213.9349
    (260_000, 50_000, 242_124),  # 2.966 + 179.4 + 59.7584
    (1_000_000, 0, 1_576_966),
    (0, 100_000, 0),  # -2.87
    (5000, 100_000, 0),  # 2.62 - 8.62 + 5.75 = -0.25
)


class Script:
    """A driver that tells what it is told to."""

    QUANTITIES = ("pm2_5_ngm3", "pm10_ngm3")
    SETTLE_MS = 0
    values = (10_000, 20_000)

    def start(self):
        return 0

    def read(self):
        return self.values


class Damp:
    QUANTITIES = ("temperature_mc", "humidity_mpct")
    SETTLE_MS = 0
    values = (20_000, 50_000)

    def start(self):
        return 0

    def read(self):
        return self.values


def entry(**options):
    return {"part": "sds011", "interval_s": 300, "ranges": RANGES, "particles": options}


class TestCorrection(unittest.TestCase):
    def test_vectors(self):
        for pm, humidity, wanted in VECTORS:
            self.assertEqual(correct(pm, humidity), wanted)

    def test_it_rises_with_the_reading(self):
        before = 0
        for pm in range(0, 1_000_000, 777):
            self.assertTrue(correct(pm, 60_000) >= before)
            before = correct(pm, 60_000)


class TestKit(unittest.TestCase):
    """Sensors as app.py makes them of a kit."""

    def setUp(self):
        self.humidity = [None]
        self.driver, self.damp = Script(), Damp()
        ranges = {"humidity_mpct": [0, 100_000]}
        told = {"part": "bme280", "interval_s": 60, "ranges": ranges, "humid": True}
        self.teller = particles.make(told, lambda: self.damp, self.humidity)

    def make(self, **options):
        return particles.make(entry(**options), lambda: self.driver, self.humidity)

    def test_slope_and_intercept_are_for_pm2_5(self):
        sensor = self.make(slope_permille=1234, intercept_ngm3=-340)
        self.assertEqual(sensor.step(NOON_MS), [("pm2_5_ngm3", 12_000), ("pm10_ngm3", 20_000)])
        sensor = self.make(intercept_ngm3=-10_001)
        self.assertEqual(sensor.step(NOON_MS)[0], ("pm2_5_ngm3", 0))
        self.driver.values = (900_000, 900_000)
        self.assertEqual(self.make(slope_permille=2000).step(NOON_MS)[0][1], 1_000_000)

    def test_correction_takes_the_newest_humidity(self):
        sensor = self.make(correction=1)
        self.assertEqual(sensor.step(NOON_MS), [("pm10_ngm3", 20_000)])
        self.assertEqual(self.teller.step(NOON_MS + 60_000), [("humidity_mpct", 50_000)])
        readings = sensor.step(NOON_MS + 300_000)
        self.assertEqual(readings, [("pm2_5_ngm3", 6680), ("pm10_ngm3", 20_000)])
        self.damp.values = (20_000, 80_000)
        self.teller.step(NOON_MS + 360_000)
        self.assertEqual(sensor.step(NOON_MS + 600_000)[0][1], correct(10_000, 80_000))

    def test_slope_comes_before_the_correction(self):
        sensor = self.make(correction=1, slope_permille=500, intercept_ngm3=5000)
        self.teller.step(NOON_MS)
        self.assertEqual(sensor.step(NOON_MS)[0], ("pm2_5_ngm3", 6680))

    def test_humidity_grows_old(self):
        sensor = self.make(correction=1)
        self.teller.step(NOON_MS)
        self.damp.values = None
        self.teller.step(NOON_MS + 119_000)
        self.assertEqual(self.humidity, [50_000])
        self.teller.step(NOON_MS + 120_000)
        self.assertEqual(sensor.step(NOON_MS + 300_000), [("pm10_ngm3", 20_000)])

    def test_a_step_of_the_clock_does_not_make_it_old(self):
        sensor = self.make(correction=1)
        self.teller.step(60_000)
        self.damp.values = None
        for one in (self.teller, sensor):
            one.shift(NOON_MS)
        self.teller.step(NOON_MS + 61_000)
        self.assertEqual(len(sensor.step(NOON_MS + 300_000)), 2)
        self.teller.shift(-86_400_000)
        self.teller.step(NOON_MS + 240_000 - 86_400_000)
        self.assertEqual(self.humidity, [None])

    def test_without_options_nothing_changes(self):
        sensor = self.make(slope_permille=1000, correction=0, duty=0)
        self.assertEqual(sensor.step(NOON_MS), [("pm2_5_ngm3", 10_000), ("pm10_ngm3", 20_000)])


class Bench(unittest.TestCase):
    part, chip, driver, answer = "sds011", NovaChip, SDS011, (11_000, 23_000)

    def setUp(self):
        self.now = 0
        self.signals = Signals()
        self.air = self.chip(self.signals)
        levels = {"pm1_0_ngm3": [[0, 7000]], "pm2_5_ngm3": [[0, 11_000]],
                  "pm10_ngm3": [[0, 23_000]]}  # fmt: skip
        self.signals.extend(100_000_000, levels, {})
        self.line = UartLine(lambda: self.now, self.air, 9600, 256)
        self.made = 0
        self.sensor = particles.make(
            {"part": self.part, "interval_s": 300, "ranges": RANGES, "particles": {"duty": 30}},
            self.make, [None],
        )  # fmt: skip

    def make(self):
        self.made += 1
        return self.driver(self.line)

    def run_for(self, for_ms):
        """[(ms since the last whole five minutes, readings), …]; how long the laser was on."""
        seen, on_ms, end_ms = [], 0, self.now + for_ms
        while self.now < end_ms:
            readings = self.sensor.step(self.now)
            if readings:
                seen.append((self.now % 300_000, [value for _, value in readings]))
            next_ms = max(self.now + 1, min(self.sensor.next_ms(), end_ms))
            on_ms += next_ms - self.now if self.air._awake else 0
            self.now = next_ms
        return seen, on_ms

    def close(self, values):
        for value, wanted in zip(values, self.answer):
            self.assertTrue(abs(value - wanted) <= 500)


class TestDuty(Bench):
    def test_the_laser_is_on_before_each_reading_alone(self):
        self.run_for(300_000)
        seen, on_ms = self.run_for(3_600_000)
        self.assertEqual(len(seen), 12)
        for at_ms, values in seen:
            self.assertEqual(at_ms, 32_000)  # 30 s, then to set the mode and to ask
            self.close(values)
        self.assertEqual(on_ms, 12 * 32_000)
        self.assertEqual((self.made, self.sensor.faults), (1, 0))

    def test_the_first_reading_is_a_settled_one(self):
        seen, _ = self.run_for(60_000)
        self.assertEqual(len(seen), 1)
        self.close(seen[0][1])

    def test_it_loses_its_power_while_it_sleeps(self):
        """Back in whatever mode, the next sample still tells, and sends it to sleep."""
        self.run_for(300_000)
        self.air.plugged = False
        self.air.plugged = True
        self.run_for(300_000)
        seen, on_ms = self.run_for(600_000)
        self.assertEqual((len(seen), on_ms), (2, 64_000))
        self.close(seen[0][1])

    def test_a_fault_sends_it_to_sleep_too(self):
        self.run_for(300_000)
        self.air.fault = "checksum"
        _, on_ms = self.run_for(300_000)
        self.assertEqual((self.sensor.faults, on_ms), (1, 32_000))
        self.air.fault = None
        seen, _ = self.run_for(300_000)
        self.close(seen[0][1])

    def test_unplugged_and_put_back(self):
        self.run_for(300_000)
        self.air.plugged = False
        self.assertEqual(self.run_for(600_000)[0], [])
        self.assertEqual(self.sensor.faults, 2)
        self.air.plugged = True
        seen, _ = self.run_for(600_000)
        self.assertEqual(len(seen), 2)
        self.close(seen[1][1])

    def test_reasons_of_faults_are_the_drivers(self):
        self.air.plugged = False
        driver = OnDuty(self.driver(self.line), self.part, 30)
        self.assertEqual(driver.start(), 30_000)
        self.assertTrue(driver.read() > 0)
        try:
            while isinstance(driver.read(), int):
                pass
        except SensorFault as err:
            self.assertEqual(err.args, (SILENT,))
        else:
            self.fail("no fault")


class TestDutyOfPMS5003(TestDuty):
    part, chip, driver = "pms5003", PlantowerChip, PMS5003

    def test_its_commands(self):
        """Data manual V2.3, appendix II: the sum of the bytes before it ends a command."""
        for command in COMMANDS["pms5003"]:
            self.assertEqual(sum(command[:5]), command[5] << 8 | command[6])
        for command in COMMANDS["sds011"]:
            self.assertEqual((sum(command[2:17]) & 0xFF, len(command)), (command[17], 19))


if __name__ == "__main__":
    unittest.main()
