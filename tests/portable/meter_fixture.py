# SPDX-License-Identifier: MIT
"""What the tests of meters that tell OBIS in ASCII share: a bench with one of them in a house."""

from node.errors import RANGE, SILENT, SensorFault
from simulator.buses.signals import Signals


class MeterBench:
    """A subclass has connect(), which sets `line` and calls renew(), and renew(): a new driver."""

    def setUp(self):
        self.now_ms = 5_000
        self.signals = Signals()
        self.connect()

    def set(self, power_mw, sun_mw, voltage_mv):
        levels = {"power_mw": power_mw, "pv_power_mw": sun_mw, "voltage_mv": voltage_mv}
        points = {name: [[self.now_ms, levels[name]]] for name in levels}
        self.signals.extend(self.now_ms + 100_000_000, points, {})

    def sample(self):
        wait_ms = self.driver.start()
        for _ in range(2000):
            self.now_ms += wait_ms
            wait_ms = self.driver.read()
            if not isinstance(wait_ms, int):
                return wait_ms
        self.fail("it does not end")

    def assertFault(self, *reasons):
        try:
            self.sample()
        except SensorFault as err:
            self.assertTrue(err.args[0] in reasons, err.args)
        else:
            self.fail("no fault")
        self.renew()
        self.now_ms += 30_000

    def test_a_register_that_went_back(self):
        self.now_ms += 3_600_000
        self.sample()
        self.chip._mwms = [[0, 0], [0, 0]]  # another meter
        self.now_ms += 30_000
        self.assertFault(RANGE)
        self.assertEqual(self.sample()[2], None)

    def test_unplug_and_replug(self):
        self.sample()
        self.chip.plugged = False
        self.assertFault(SILENT)
        self.chip.plugged = True
        self.assertEqual(self.sample()[4], 1_500_000)
