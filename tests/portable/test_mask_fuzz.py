# SPDX-License-Identifier: MIT
"""node/pipeline/masked.py and masked_window.py under masked streams by chance (mask_fuzz.py);
`python -m tests.soak masks` plays a million windows."""

import unittest

from mask_fuzz import Fuzzer

CASES = 150


class TestMaskFuzz(unittest.TestCase):
    def test_all_opens_to_the_true_sum(self):
        fuzzer = Fuzzer(2026)
        for number in range(CASES):
            try:
                fuzzer.case()
            except Exception:
                print("case", number)
                raise
        happened = (fuzzer.gaps, fuzzer.restarts, fuzzer.failed, fuzzer.days, fuzzer.negative,
                    fuzzer.wrapped, fuzzer.empty)  # fmt: skip
        self.assertTrue(min(happened) > 5)
        self.assertTrue(fuzzer.masked > 4 * CASES)
        self.assertEqual(fuzzer.silent, 0)


if __name__ == "__main__":
    unittest.main()
