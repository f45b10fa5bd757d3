# SPDX-License-Identifier: MIT
"""node/link/time_sync.py against the simulated access point's SNTP, and forged answers."""

import unittest

from bench_fixture import START_S, fresh_bench

from node.link.time_sync import TimeSync

MS = 1000


class TestTimeSync(unittest.TestCase):
    def setUp(self):
        self.bench = fresh_bench()
        self.bench.wifi_joined = True
        self.sync = TimeSync("time")

    def ask(self, wait_ms=20):
        """Asks at the present, and looks for the answer after `wait_ms`."""
        self.assertIsNone(self.sync.step(self.bench.now_ms))
        self.assertTrue(self.sync.waiting())
        self.bench.sleep_ms(wait_ms)
        return self.sync.step(self.bench.now_ms)

    def forge(self, at, value):
        """Changes bytes of the answer that lies in the socket."""
        answer = bytearray(self.sync._socket._answer)
        answer[at : at + len(value)] = value
        self.sync._socket._answer = bytes(answer)

    def test_the_time_with_half_of_the_way(self):
        self.bench.sleep_ms(5000)
        self.assertEqual(self.ask(20), (START_S + 5) * MS + 10)
        self.assertFalse(self.sync.waiting())

    def test_it_is_asked_again_after_six_hours(self):
        self.ask()
        self.bench.sleep_ms(6 * 3_600_000 - 1)
        self.sync.step(self.bench.now_ms)
        self.assertFalse(self.sync.waiting())
        self.bench.sleep_ms(1)
        self.assertIsNotNone(self.ask())

    def test_or_soon_when_it_was_not_believed(self):
        self.ask()
        self.sync.ask_soon(self.bench.now_ms)
        self.bench.sleep_ms(10_000)
        self.assertIsNotNone(self.ask())

    def test_the_wait_doubles_up_to_five_minutes_and_falls_back_when_all_was_well(self):
        for wait_s in (10, 20, 40, 80, 160, 320, 320):
            self.ask()
            self.sync.ask_soon(self.bench.now_ms)
            self.bench.sleep_ms(wait_s * MS - 1)
            self.sync.step(self.bench.now_ms)
            self.assertFalse(self.sync.waiting())
            self.bench.sleep_ms(1)
        self.ask()
        self.bench.sleep_ms(6 * 3_600_000)
        self.ask()
        self.sync.ask_soon(self.bench.now_ms)
        self.bench.sleep_ms(10_000)
        self.assertIsNotNone(self.ask())

    def test_an_answer_that_lay_about_is_not_taken(self):
        self.assertIsNone(self.ask(1000))
        self.assertFalse(self.sync.waiting())

    def test_no_answer_and_no_network(self):
        self.bench.air["sntp"] = False
        self.assertIsNone(self.ask(1000))
        self.bench.wifi_joined = False
        self.bench.sleep_ms(10_000)
        self.assertIsNone(self.sync.step(self.bench.now_ms))
        self.assertFalse(self.sync.waiting())
        self.bench.wifi_joined, self.bench.air["sntp"] = True, True
        self.bench.sleep_ms(20_000)
        self.assertIsNotNone(self.ask())

    def test_forged_and_useless_answers(self):
        for at, value in (
            (24, b"whatever"),  # not the echo of our cookie
            (0, b"\xe4"),  # a clock that is not synchronised
            (0, b"\x23"),  # a client's packet
            (1, b"\x00"),  # a kiss of death
            (1, b"\x10"),  # stratum 16
            (40, bytes(8)),  # no time, which would be in 2036
        ):
            self.sync = TimeSync("time")
            self.sync.step(self.bench.now_ms)
            self.forge(at, value)
            self.bench.sleep_ms(20)
            self.assertIsNone(self.sync.step(self.bench.now_ms))

    def test_the_era_after_2036(self):
        self.sync.step(self.bench.now_ms)
        self.forge(40, b"\x00\x00\x00\x10\x00\x00\x00\x00")
        self.assertEqual(self.sync.step(self.bench.now_ms), (2_085_978_496 + 16) * MS)


if __name__ == "__main__":
    unittest.main()
