# SPDX-License-Identifier: MIT
"""node/crypto/drbg.py, against NIST's cases and those of another implementation."""

import unittest

from vectors_fixture import unhex, vectors

from node.crypto.drbg import Drbg


class TestDrbg(unittest.TestCase):
    def test_vectors(self):
        found = vectors("drbg")
        self.assertTrue(len(found) >= 6)
        self.assertTrue(len([v for v in found if v["name"].startswith("CAVP")]) == 3)
        for v in found:
            drbg = Drbg(unhex(v["seed"]))
            for length, answer in v["answers"]:
                given = drbg.generate(length)
                self.assertEqual(len(given), length)
                if answer is not None:  # NIST tells the last one alone
                    self.assertEqual(given, unhex(answer))

    def test_no_generator_without_a_seed(self):
        for seed in (None, b"", bytes(31)):
            with self.assertRaises(ValueError):
                Drbg(seed)
        Drbg(bytearray(32))

    def test_a_request_has_an_end(self):
        drbg = Drbg(bytes(32))
        with self.assertRaises(ValueError):
            drbg.generate(65_537)

    def test_no_answer_comes_twice(self):
        drbg = Drbg(bytes(32))
        answers = [drbg.generate(16) for _ in range(200)]
        self.assertEqual(len(set(answers)), 200)


if __name__ == "__main__":
    unittest.main()
