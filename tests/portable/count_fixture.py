# SPDX-License-Identifier: MIT
"""What the tests of drivers that count who passes share: one with a test at its UART, and one with
the chip model, sampled every 3 s as the node does."""

from node.errors import SensorFault
from simulator.buses.signals import Signals
from simulator.buses.uart import UartLine

_SAMPLE_MS = 3000


class WireBench:
    """A subclass has connected(**options): (the wire, a driver that is set up)."""

    def setUp(self):
        self.connect()

    def connect(self, **options):
        self.wire, self.driver = self.connected(**options)

    def poll(self, data):
        self.wire.waiting += data
        self.assertEqual(self.driver.start(), 0)
        return self.driver.read()

    def failure(self, data):
        try:
            self.poll(data)
        except SensorFault as err:
            self.connect()
            return err.args[0]


class CountBench:
    """A subclass has DRIVER, CHIP, cleared(), which sets its sums to nothing, and add(values)."""

    def setUp(self):
        self.signals = Signals()
        self.connect()

    def connect(self, **options):
        self.now_ms = 0
        self.options = options
        self.chip = self.CHIP(self.signals, **options)
        driver = self.DRIVER
        self.line = UartLine(lambda: self.now_ms, self.chip, driver.BAUD, driver.RXBUF)
        self.driver = None
        self.faults = []
        self.cleared()

    def sample(self):
        """As pipeline/sample.py: a driver that failed is made anew."""
        values = None
        began_ms = self.now_ms
        try:
            if self.driver is None:
                self.driver = self.DRIVER(self.line, **self.options)
            self.now_ms += self.driver.start()
            values = self.driver.read()
        except SensorFault as err:
            self.driver = None
            self.faults.append(err.args[0])
        self.now_ms = began_ms
        if values:
            self.add(values)
        return values

    def run_for(self, duration_ms):
        end_ms = self.now_ms + duration_ms
        while self.now_ms < end_ms:
            self.now_ms += _SAMPLE_MS
            self.sample()

    def settle(self, vehicles):
        self.signals.extend(3_600_000, {}, {"vehicles": [list(v) for v in vehicles]})
        self.run_for(_SAMPLE_MS)
        self.assertEqual(self.faults, [])
