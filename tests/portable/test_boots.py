# SPDX-License-Identifier: MIT
"""node/device/boots.py: power-ups by cause, and the safe state after several without a receipt."""

import unittest

from bench_fixture import fresh_bench

from node.device.boots import SAFE_AFTER, Boots


class TestBoots(unittest.TestCase):
    def setUp(self):
        self.bench = fresh_bench()

    def boot(self, cause="power"):
        self.bench.reset_cause = cause
        Boots().count()
        return Boots()

    def test_they_are_counted_by_cause(self):
        for cause in ("power", "wdt", "hard", "soft", "deepsleep", "wdt", "power", "power"):
            boots = self.boot(cause)
        self.assertEqual((boots.boots, boots.power, boots.watchdog, boots.other), (8, 3, 2, 3))

    def test_after_several_without_a_receipt_it_is_safe_and_then_tries_again(self):
        for _ in range(SAFE_AFTER):
            self.assertFalse(self.boot().is_safe())
        boots = self.boot("hard")
        self.assertTrue(boots.is_safe())
        boots.leave_safe()
        self.assertFalse(self.boot("hard").is_safe())
        self.assertTrue(self.boot().is_safe())
        Boots().reached()
        self.assertEqual(Boots().unreached, 0)
        for _ in range(SAFE_AFTER):
            self.assertFalse(self.boot().is_safe())

    def test_a_receipt_writes_once(self):
        boots = self.boot()
        written = []
        boots._keep = lambda: written.append(1)
        boots.reached()
        boots.reached()
        self.assertEqual(written, [1])

    def test_formats_are_counted_and_no_count_wraps(self):
        boots = self.boot()
        boots.formatted()
        boots.formatted()
        self.assertEqual(Boots().formats, 2)
        boots = Boots()
        boots.power = boots.unreached = 0xFFFF
        boots.count()
        self.assertEqual((Boots().power, Boots().unreached), (0xFFFF, 0xFFFF))


if __name__ == "__main__":
    unittest.main()
