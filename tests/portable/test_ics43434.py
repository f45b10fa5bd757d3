# SPDX-License-Identifier: MIT
"""node/drivers/ics43434.py, sound_level.py and a_weighting.py with simulator/chips/ics43434.py, on
the look-alike of machine.I2S. The whole response: tests/second_opinion/test_a_weighting.py."""

import unittest
from array import array

from driver_fixture import failure
from sound_fixture import Ear

from node.drivers.a_weighting import weigh
from node.drivers.ics43434 import ICS43434
from node.errors import FROZEN, SILENT, SensorFault
from node.pipeline.quantities import QUANTITIES as ALL
from simulator.chips.i2s_microphone import amplitude
from simulator.chips.ics43434 import ICS43434 as Chip

LAEQ, LAMAX = 0, 1
BLOCK, STATE, FULL_SCALE = 250, 19, 1 << 20  # of a_weighting.py
AUDIO_MS = 1000


class Words:
    """An I2S whose blocks a test gives."""

    def irq(self, handler):
        self.handler = handler

    def readinto(self, buf):
        self.buf = buf

    def give(self, make):
        for i in range(BLOCK):
            self.buf[i] = make(i)
        self.handler(self)


def fuzz(count, seed):
    """Blocks of random words of many kinds; returns how many."""
    sum_over(count, seed)
    return count


def sum_over(count, seed):
    """As fuzz(): levels stay in their range, and numbers in 31 bits. Returns a sum over all that
    came of it."""
    state, words = seed, Words()
    driver, told = ICS43434(words), 0
    driver.poll()

    def random():
        nonlocal state
        state = (state * 1_103_515_245 + 12_345) & 0x7FFFFFFF
        return state >> 8

    for _ in range(count):
        kind, a, b, c = random() % 6, random() % 24, random(), random() % 60 + 1
        if kind == 0:  # noise of any strength
            words.give(lambda i, a=a: ((random() - (1 << 22)) >> a) << 8)
        elif kind == 1:  # full scale, one way and the other
            words.give(lambda i, c=c: 0x7FFFFFFF if i // c & 1 else -0x80000000)
        elif kind == 2:
            words.give(lambda i, b=b: (b << 7) - (1 << 29))
        elif kind == 3:  # bits that nobody drives, below the 24
            words.give(lambda i: random() & 0xFF)
        elif kind == 4:
            words.give(lambda i, a=a: 0x7FFFFFFF if i == a else 0)
        else:
            words.give(lambda i: 0)
        for number in driver._state:
            told = (told * 31 + number) & 0xFFFFFF
            if not -(1 << 31) <= number < 1 << 31:
                raise ValueError("more than 32 bits")
        if random() % 50:
            continue
        try:
            values = driver.read()
        except SensorFault:
            values, driver = None, ICS43434(words)
            driver.poll()
        for name, value in zip(ICS43434.QUANTITIES, values or ()):
            if value is not None:
                if not -10_000 <= value <= ALL[name][3]:
                    raise ValueError("out of range")
                told = (told * 31 + value) & 0xFFFFFF
    return told


class TestLevels(unittest.TestCase):
    def assert_near(self, value, wanted, within=200):
        self.assertTrue(abs(value - wanted) <= within, "%s is not %s" % (value, wanted))

    def test_worked_example(self):
        """DS-INMP441-00 page 10, of the same sensitivity: a tone of 1 kHz and 1 Pa (94 dB SPL) has
        a peak of 420,426 of 2^23 - 1; AN-1112: a sine of full scale is 0 dBFS."""
        self.assertTrue(abs(amplitude(94_000) - 420_426) <= 42)
        self.assertEqual(amplitude(120_000), (1 << 23) - 1)
        ear = Ear()
        self.assertEqual(ear.read(), None)  # it has not listened yet
        ear.tone(1000, 94_000)
        ear.pass_ms(AUDIO_MS)
        laeq, lamax, la10, la90 = ear.read()
        self.assert_near(laeq, 94_000, 50)
        self.assert_near(lamax, 94_000, 50)
        self.assert_near(la10, 94_000, 250)  # a bin
        self.assert_near(la90, 94_000, 250)

    def test_over_the_range(self):
        ear = Ear()
        ear.pass_ms(600)
        ear.read()
        for level_mdb in (120_000, 100_000, 80_000, 60_000, 45_000, 30_000, 20_000):
            ear.tone(1000, level_mdb - 30)
            ear.pass_ms(250)  # the rest of the tone before dies down
            ear.read()
            ear.pass_ms(250)
            laeq, _, la10, la90 = ear.read()
            self.assert_near(laeq, level_mdb - 30, 100)
            if level_mdb > 25_000:
                self.assert_near(la10, level_mdb, 250)
                self.assert_near(la90, level_mdb, 250)
            else:  # below what a microphone hears there is one bin
                self.assert_near(la10, 25_000, 250)

    def test_weighted(self):
        """IEC 61672-1, table 3: the design goals at 63 Hz, 8 and 16 kHz."""
        for frequency, goal in ((63, -26_200), (8000, -1100), (16_000, -6600)):
            ear = Ear()
            ear.tone(frequency, 94_000)
            ear.pass_ms(900)
            self.assert_near(ear.read()[LAEQ], 94_000 + goal, 350)

    def test_offset(self):
        ear = Ear(offset_mdb=-1200)
        ear.tone(1000, 94_000)
        ear.pass_ms(AUDIO_MS)
        self.assert_near(ear.read()[LAEQ], 92_800)
        ear.chip = Chip(ear.signals, offset_mdb=2000)  # less sensitive, and known to be
        ear.chip.tone = (1_000_000, 94_000)
        ear.i2s._chip = ear.chip
        ear.fresh(offset_mdb=2000)
        ear.pass_ms(AUDIO_MS)
        self.assert_near(ear.read()[LAEQ], 94_000)

    def test_silence(self):
        """What is left is the microphone's own noise: SNR 65 dB(A)."""
        ear = Ear()
        ear.sound(0)
        ear.pass_ms(AUDIO_MS)
        for value in ear.read():
            self.assert_near(value, 29_000, 300)

    def test_the_city(self):
        ear = Ear()
        ear.sound(65_000)
        ear.pass_ms(500 + 7 * 125 * 3)
        laeq, lamax, la10, la90 = ear.read()
        self.assert_near(laeq, 65_000, 100)
        self.assertTrue(la90 < laeq - 4000 < laeq + 2000 < la10 < laeq + 3500)
        self.assert_near(lamax, la10, 500)

    def test_overload(self):
        ear = Ear()
        ear.tone(1000, 121_000)
        ear.pass_ms(AUDIO_MS)
        laeq, lamax, la10, la90 = ear.read()
        self.assertEqual((laeq, lamax), (None, None))  # it is at least as loud as it reads
        self.assertTrue(119_000 < la90 <= la10 < 122_000)
        ear.tone(1000, 119_000)
        ear.pass_ms(500)
        ear.read()
        ear.pass_ms(500)
        self.assert_near(ear.read()[LAEQ], 119_000)

    def test_fast(self):
        """IEC 61672-1, table 4: a burst of 4 kHz of 200 ms reads 1.0 dB less with F than a
        continuous tone, one of 50 ms 4.8 dB less; it dies down by 34.7 dB a second."""
        for burst_ms, goal in ((200, -1000), (50, -4800)):
            ear = Ear()
            ear.tone(4000, 20_000)
            ear.pass_ms(750)
            ear.read()
            ear.tone(4000, 90_000)
            ear.pass_ms(burst_ms)
            ear.tone(4000, 20_000)
            ear.pass_ms(250)
            self.assert_near(ear.read()[LAMAX], 91_000 + goal, 300)
        lamax = []
        for _ in range(2):
            ear.pass_ms(125)
            lamax.append(ear.read()[LAMAX])
        self.assert_near(lamax[0] - lamax[1], 4300, 400)

    def test_energy_mean_of_five_minutes(self):
        """270 s at 50 dB and 30 s at 80 dB are 70 dB, and not 53."""
        ear = Ear(listen_ms=125)
        for level_mdb, seconds in ((50_000, 135), (80_000, 30), (50_000, 135)):
            ear.tone(1000, level_mdb)
            ear.pass_ms(1000 * seconds)
        laeq, lamax, la10, la90 = ear.read()
        self.assert_near(laeq, 70_040, 100)
        self.assert_near(lamax, 80_000, 100)
        self.assert_near(la90, 50_000, 250)
        self.assertTrue(50_000 <= la10 <= 80_250)

    def test_tenths(self):
        ear = Ear()
        ear.tone(1000, 50_000)
        ear.pass_ms(625)
        ear.read()
        for level_mdb, levels in ((70_000, 2), (50_000, 4), (40_000, 3)):
            ear.tone(1000, level_mdb)
            ear.pass_ms(125 * levels)
        la10, la90 = ear.read()[2:]
        self.assert_near(la10, 70_000, 400)
        self.assert_near(la90, 40_000, 400)


class TestListening(unittest.TestCase):
    def test_an_eighth_of_each_second(self):
        ear = Ear(listen_ms=125)
        ear.tone(1000, 70_000)
        asked, readinto = [], ear.i2s.readinto
        ear.i2s.readinto = lambda buf: asked.append(len(buf)) or readinto(buf)
        ear.pass_ms(2000)
        ear.read()
        del asked[:]
        ear.pass_ms(4000)
        self.assertEqual(sum(asked), 4 * (12 + 24) * BLOCK)
        for value in ear.read():
            self.assertTrue(abs(value - 70_000) <= 250)

    def test_what_comes_while_the_board_is_busy_is_lost(self):
        ear = Ear()
        ear.tone(1000, 70_000)
        ear.pass_ms(1000)
        ear.read()
        ear.bench.interrupts, play = None, ear.bench.interrupts
        ear.pass_ms(3000)  # nothing is called
        ear.bench.interrupts = play
        ear.pass_ms(500)
        heard = ear.driver._levels
        self.assertTrue(4 <= heard <= 5, heard)
        self.assertTrue(abs(ear.read()[LAEQ] - 70_000) < 1500)  # with one click

    def test_no_audio_is_left(self):
        ear = Ear()
        ear.tone(1000, 94_000)
        ear.pass_ms(1003)
        ear.read()
        for name in dir(ear.driver):
            value = getattr(ear.driver, name)
            if isinstance(value, array) and len(value) > STATE:
                self.assertFalse([1 for number in value if number], name)
        self.assertEqual(len(ear.driver._state), STATE)  # what the filter needs of the last sample
        self.assertEqual(len(ear.driver._block), BLOCK)


class TestFaults(unittest.TestCase):
    def setUp(self):
        self.ear = Ear()
        self.ear.tone(1000, 70_000)
        self.ear.pass_ms(1000)
        self.assertTrue(abs(self.ear.read()[LAEQ] - 70_000) <= 200)

    def recovers(self):
        """A fresh driver reads within two samples."""
        ear = self.ear
        ear.fresh()
        self.assertEqual(ear.read(), None)
        ear.pass_ms(1000)
        self.assertTrue(abs(ear.read()[LAEQ] - 70_000) <= 200)

    def fails(self, why):
        self.ear.pass_ms(500)
        self.assertEqual(failure(self.ear.read), why)

    def test_not_there(self):
        self.ear.chip.plugged = False
        self.fails(SILENT)
        self.ear.chip.plugged = True
        self.recovers()

    def test_nobody_was_ever_there(self):
        self.ear.bench.wired.clear()
        self.ear.i2s._chip = None
        self.ear.fresh()
        self.assertEqual(self.ear.read(), None)
        self.ear.pass_ms(1000)
        self.assertEqual(failure(self.ear.read), SILENT)

    def test_replugged_unseen(self):
        self.ear.chip.plugged = False
        self.ear.pass_ms(10)
        self.ear.chip.plugged = True
        self.ear.pass_ms(990)
        self.assertTrue(len(self.ear.read()) == 4)

    def test_gap(self):
        self.ear.chip.tone = None
        self.ear.sound(None)
        self.fails(SILENT)
        self.ear.sound(70_000)
        self.recovers_about()

    def recovers_about(self):
        self.ear.fresh()
        self.ear.read()
        self.ear.pass_ms(1500)
        self.assertTrue(abs(self.ear.read()[LAEQ] - 70_000) <= 1500)

    def test_frozen(self):
        self.ear.chip.fault = "frozen"
        self.fails(FROZEN)
        self.ear.chip.fault = None
        self.recovers()

    def test_out_of_range(self):
        self.ear.chip.fault = "range"
        self.ear.pass_ms(500)
        self.assertEqual(self.ear.read()[:2], (None, None))
        self.ear.chip.fault = None
        self.recovers()

    def test_no_clock(self):
        """No block comes at all."""
        self.ear.bench.interrupts = None
        self.ear.pass_ms(1000)
        self.assertEqual(failure(self.ear.read), SILENT)
        self.ear.i2s.deinit()
        self.recovers()

    def test_a_new_driver_while_a_block_is_under_way(self):
        """The one before asks for no more, and stays until that block is full."""
        ear, asked = self.ear, []
        old, readinto = ear.driver, ear.i2s.readinto
        ear.i2s.readinto = lambda buf: asked.append(old._left) or readinto(buf)
        ear.fresh()
        self.assertTrue(ear.driver._before is old)
        self.assertTrue(ear.driver._block is old._block)  # not twice in the heap
        ear.read()
        ear.pass_ms(1000)
        self.assertEqual(ear.driver._before, None)
        self.assertEqual(len(asked), 192)
        self.assertTrue(abs(ear.read()[LAEQ] - 70_000) <= 200)

    def test_blocks_stop(self):
        del self.ear.i2s._asked[:]
        self.fails(SILENT)
        self.recovers()

    def test_fuzz(self):
        """The sum is the same on every interpreter: nothing wraps."""
        self.assertEqual(sum_over(2000, 1), FUZZ_SUM)


FUZZ_SUM = 2_464_498


class TestFilter(unittest.TestCase):
    def test_an_offset_is_forgotten(self):
        """What a rounded pole at 20.6 Hz would keep."""
        for offset in (FULL_SCALE - 1, -3000, 40, 1):
            state, block = array("i", bytes(4 * STATE)), array("i", range(BLOCK))
            for _ in range(480):  # 2.5 s
                for i in range(BLOCK):
                    block[i] = offset << 11
                weigh(block, state)
            state[13] = state[14] = 0
            for i in range(BLOCK):
                block[i] = offset << 11
            weigh(block, state)
            self.assertEqual(state[13], 0)
            self.assertTrue(state[14] <= 2 * BLOCK, state[14])
            self.assertEqual(list(block), [0] * BLOCK)


if __name__ == "__main__":
    unittest.main()
