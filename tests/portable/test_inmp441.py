# SPDX-License-Identifier: MIT
"""node/drivers/inmp441.py with simulator/chips/inmp441.py; what it shares with the ICS-43434 is in
test_ics43434.py."""

import unittest
from array import array

from driver_fixture import failure
from sound_fixture import Ear

from node.drivers.inmp441 import INMP441
from node.errors import SILENT
from simulator.buses.signals import Signals
from simulator.chips.inmp441 import INMP441 as Chip


class TestMicrophone(unittest.TestCase):
    def setUp(self):
        self.ear = Ear(INMP441, Chip)

    def test_worked_example(self):
        """DS-INMP441-00 page 10: 94 dB SPL of 1 kHz have a peak of 420,426."""
        self.ear.tone(1000, 94_000)
        self.ear.pass_ms(1000)
        laeq, lamax = self.ear.read()[:2]
        self.assertTrue(abs(laeq - 94_000) <= 50)
        self.assertTrue(abs(lamax - 94_000) <= 50)

    def test_its_noise_is_33_db(self):
        """Table 1: equivalent input noise."""
        self.ear.sound(0)
        self.ear.pass_ms(1000)
        self.assertTrue(abs(self.ear.read()[0] - 33_000) <= 100)

    def test_overload(self):
        """Table 1: 120 dB SPL at the peak."""
        self.ear.tone(1000, 120_500)
        self.ear.pass_ms(1000)
        self.assertEqual(self.ear.read()[:2], (None, None))

    def test_silent_for_85_ms(self):
        """Page 10: 2^18 clocks after power-up; they do not count as a microphone that is gone."""
        chip, words = Chip(Signals()), array("i", range(4096))
        chip.tone = (1_000_000, 94_000)
        chip.fill(words, 0, 85)
        self.assertEqual(set(words), {0})
        chip.fill(words, 4096, 170)
        self.assertTrue(len(set(words)) > 20)
        self.ear.pass_ms(1000)
        self.assertTrue(self.ear.read()[0] > 50_000)

    def test_not_there(self):
        self.ear.chip.plugged = False
        self.ear.pass_ms(1000)
        self.assertEqual(failure(self.ear.read), SILENT)
        self.ear.chip.plugged = True
        self.ear.fresh()
        self.assertEqual(self.ear.read(), None)
        self.ear.pass_ms(1000)
        self.assertTrue(self.ear.read()[0] > 50_000)


if __name__ == "__main__":
    unittest.main()
