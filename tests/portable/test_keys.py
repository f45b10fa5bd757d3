# SPDX-License-Identifier: MIT
"""node/device/keys.py: the seal, its epoch, and the count of boots in NVS."""

import unittest

from bench_fixture import fresh_bench, remove_bench, write_nvs

from node.crypto.seal_chain import next_seal, seal_at
from node.device.keys import Keys, count_boot
from node.errors import KeyMissing

SEAL = bytes(range(32))
NVS = '{"lamppost": {"seal": ["blob", "%s"], "receipt": ["blob", "%s"]}}'


def nvs(epoch=0, seal=SEAL, receipt=SEAL):
    def hexed(data):
        return "".join(["%02x" % byte for byte in data])

    return NVS % (hexed(epoch.to_bytes(4, "big") + seal), hexed(receipt))


class TestKeys(unittest.TestCase):
    def setUp(self):
        self.bench = fresh_bench()
        write_nvs(self.bench.folder, nvs())

    def tearDown(self):
        remove_bench()

    def test_they_are_read(self):
        keys = Keys()
        self.assertEqual((keys.epoch, keys.seal, keys.receipt, keys.boots), (0, SEAL, SEAL, 0))

    def test_boots_are_counted(self):
        self.assertEqual([count_boot(), count_boot(), count_boot()], [1, 2, 3])
        self.assertEqual(Keys().boots, 3)

    def test_a_step_forgets_the_seal_before_and_is_durable(self):
        keys = Keys()
        keys.step_to(3)
        third = next_seal(next_seal(next_seal(SEAL)))
        self.assertEqual((keys.epoch, keys.seal), (3, third))
        again = Keys()
        self.assertEqual((again.epoch, again.seal), (3, third))

    def test_an_epoch_only_rises(self):
        keys = Keys()
        keys.step_to(3)
        for epoch in (3, 2, 0, -1):
            keys.step_to(epoch)
        self.assertEqual((keys.epoch, Keys().epoch), (3, 3))
        with self.assertRaises(ValueError):
            seal_at(SEAL, 3, 2)

    def test_without_its_blob_there_is_no_key(self):
        for content in ("{}", nvs(seal=SEAL[:31]), nvs(receipt=b""), nvs(seal=SEAL + b"x")):
            write_nvs(self.bench.folder, content)
            with self.assertRaises(KeyMissing):
                Keys()


if __name__ == "__main__":
    unittest.main()
