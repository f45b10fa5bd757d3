# SPDX-License-Identifier: MIT
"""node/cbor.py: RFC 8949 appendix A, and that there is one encoding only."""

import unittest

from node import cbor
from node.errors import FormatError

# RFC 8949, appendix A, table 6: the rows of the types that are used
APPENDIX_A = (
    (0, "00"), (10, "0a"), (23, "17"), (24, "1818"), (100, "1864"), (1000, "1903e8"),
    (1_000_000, "1a000f4240"), (1_000_000_000_000, "1b000000e8d4a51000"),
    (18_446_744_073_709_551_615, "1bffffffffffffffff"), (-1, "20"), (-10, "29"), (-100, "3863"),
    (-1000, "3903e7"), (False, "f4"), (True, "f5"), (None, "f6"), (b"", "40"),
    (b"\x01\x02\x03\x04", "4401020304"), ("", "60"), ("a", "6161"), ("IETF", "6449455446"),
    ("\u00fc", "62c3bc"), ("\u6c34", "63e6b0b4"), ([], "80"), ([1, 2, 3], "83010203"),
    ([1, [2, 3], [4, 5]], "8301820203820405"),
)  # fmt: skip

NOT_OURS = (
    "", "18", "1817", "190018", "1a0000ffff", "1b00000000ffffffff", "1c", "5f4101ff", "9f01ff",
    "a0", "a10102", "c001", "d81801", "f7", "f97e00", "fa7fc00000", "f818", "41", "61", "6180",
    "8101ff", "9bffffffffffffffff", "7bffffffffffffffff", "0000", "818181818181818181818101",
)  # fmt: skip


def unhex(text):
    return bytes([int(text[i : i + 2], 16) for i in range(0, len(text), 2)])


class TestCbor(unittest.TestCase):
    def test_appendix_a_both_ways(self):
        for value, text in APPENDIX_A:
            self.assertEqual(cbor.encode(value), unhex(text))
            self.assertEqual(cbor.decode(unhex(text)), value)

    def test_other_forms_are_refused(self):
        for text in NOT_OURS:
            with self.assertRaises(FormatError):
                cbor.decode(unhex(text))

    def test_every_truncation_is_refused(self):
        data = cbor.encode(["lp1", 70_000, b"x" * 30, [None, -300, "text"]])
        for end in range(len(data)):
            with self.assertRaises(FormatError):
                cbor.decode(data[:end])

    def test_types_without_an_encoding(self):
        for value in ({}, {1}, object(), 1 << 64):
            with self.assertRaises(FormatError):
                cbor.encode(value)

    def test_first_value_and_its_length(self):
        self.assertEqual(cbor.decode_first(b"\x82\x01\x02\x00\x00"), ([1, 2], 3))


if __name__ == "__main__":
    unittest.main()
