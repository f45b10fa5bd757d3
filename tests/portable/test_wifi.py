# SPDX-License-Identifier: MIT
"""node/link/wifi.py on the simulated radio: it joins, says why it cannot, and joins again."""

import unittest

from bench_fixture import fresh_bench

from node.link import wifi


class TestWifi(unittest.TestCase):
    def setUp(self):
        self.bench = fresh_bench()
        self.said, self.joins = [], []
        wifi_say, wifi.say = wifi.say, lambda where, what: self.said.append(what)
        self.undo = wifi_say
        self.wifi = wifi.Wifi("city", "secret")
        self.wifi.step(0)
        radio, connect = self.wifi._wlan, self.wifi._wlan.connect

        def counted(ssid, key):
            self.joins.append(self.bench.now_ms)
            connect(ssid, key)

        radio.connect = counted

    def tearDown(self):
        wifi.say = self.undo

    def run_for(self, seconds):
        """Steps as the cycle does; how many of these seconds it was online."""
        online, end_ms = 0, self.bench.now_ms + seconds * 1000
        while self.bench.now_ms < end_ms:
            if self.wifi.step(self.bench.now_ms):
                online += 1
            else:
                self.assertTrue(0 < self.wifi.wait_ms <= 60_000)
            self.bench.now_ms += 1000
        return online

    def test_it_joins_and_says_so_once(self):
        self.assertTrue(self.run_for(300) >= 297)
        self.assertEqual((self.said, self.joins), (["joined"], []))

    def test_the_access_point_goes_and_comes_back(self):
        self.run_for(60)
        self.bench.air["ssid"] = None
        self.assertEqual(self.run_for(3600), 0)
        self.assertEqual(self.said, ["joined", "no access point"])
        # the radio is spared: once a minute in the end, and not all the time
        self.assertTrue(50 <= len(self.joins) <= 70)
        self.assertTrue(max([b - a for a, b in zip(self.joins[:-1], self.joins[1:])]) <= 64_000)
        self.bench.air["ssid"] = "city"
        self.assertTrue(self.run_for(120) >= 50)
        self.assertEqual(self.said, ["joined", "no access point", "joined"])

    def test_another_s_access_point_is_none(self):
        self.bench.air["ssid"] = "village"
        self.assertEqual(self.run_for(60), 0)
        self.assertEqual(self.said, ["no access point"])

    def test_a_wrong_password_that_is_mended_at_the_access_point(self):
        self.bench.air["password"] = "new"
        self.assertEqual(self.run_for(600), 0)
        self.assertEqual(self.said, ["wrong password"])
        self.bench.air["password"] = "secret"
        self.assertTrue(self.run_for(120) >= 50)
        self.bench.air["password"] = "newer"  # who is joined is thrown out
        self.assertEqual(self.run_for(600), 0)
        self.assertEqual(self.said, ["wrong password", "joined", "wrong password"])

    def test_no_address(self):
        self.bench.air["dhcp"] = False
        self.assertEqual(self.run_for(600), 0)
        self.assertEqual(self.said, ["no address"])
        self.bench.air["dhcp"] = True
        self.assertTrue(self.run_for(120) >= 50)
        self.assertEqual(self.said, ["no address", "joined"])

    def test_each_reason_is_said_once_and_no_name_ever(self):
        self.bench.air["ssid"] = None
        self.run_for(300)
        self.bench.air.update({"ssid": "city", "password": "new"})
        self.run_for(300)
        self.bench.air.update({"password": "secret", "dhcp": False})
        self.run_for(300)
        self.bench.air["dhcp"] = True
        self.run_for(300)
        self.assertEqual(
            self.said, ["no access point", "wrong password", "no address", "joined"])  # fmt: skip

    def test_another_channel(self):
        self.run_for(60)
        self.bench.air["channel"] = 11
        self.assertTrue(self.run_for(60) >= 55)
        self.assertEqual((len(self.joins), self.said), (1, ["joined"]))

    def test_an_access_point_that_throws_everybody_out_each_minute(self):
        self.bench.air["drop_s"] = 60
        self.assertTrue(self.run_for(3600) >= 3300)
        self.assertTrue(50 <= len(self.joins) <= 60)
        self.assertEqual(self.said, ["joined"])

    def test_and_one_that_does_so_at_once(self):
        self.bench.air["drop_s"] = 3
        self.run_for(3600)
        self.assertTrue(len(self.joins) <= 75)
        self.assertEqual(self.said[:2], ["joined", "refused 4"])

    def test_a_driver_that_is_busy(self):
        def busy(ssid, key):
            self.joins.append(self.bench.now_ms)
            raise OSError("Wifi Internal Error")

        self.run_for(60)
        connect, self.wifi._wlan.connect = self.wifi._wlan.connect, busy
        self.bench.air["channel"] = 1
        self.assertEqual(self.run_for(300), 0)
        self.assertTrue(3 <= len(self.joins) <= 12)
        self.wifi._wlan.connect = connect
        self.assertTrue(self.run_for(120) >= 50)


if __name__ == "__main__":
    unittest.main()
