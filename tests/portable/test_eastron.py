# SPDX-License-Identifier: MIT
"""The numbers of Eastron's meters: known ones for node/drivers/float32.py, and there and back with
the encoder of simulator/chips/eastron.py."""

import unittest

from node.drivers.float32 import to_scaled
from node.errors import FRAME, SensorFault
from simulator.chips.eastron import to_float32

# (bits, scale, result)
KNOWN = (
    (0x43663334, 1000, 230_200),  # Eastron SDM320Y user manual, page 42: 230.2
    (0x42C80000, 1000, 100_000),  # the same page: 100
    (0x3F800000, 1, 1),
    (0xBF800000, 1000, -1000),
    (0x00000000, 1000, 0),
    (0x80000000, 1000, 0),
    (0x41460000, 1000, 12_375),  # IEEE 754 as told in Wikipedia, "single-precision": 12.375
    (0xC2ED4000, 10_000, -1_186_250),  # and −118.625
    # halves go away from zero
    (0x3F000000, 1, 1),
    (0xBF000000, 1, -1),
    (0x40200000, 1, 3),
    (0xC0200000, 1, -3),
    (0x3EFFFFFF, 1, 0),
    (0x3F000001, 1, 1),
    (0x3A83126F, 1000, 1),  # 0.001, which is a little more than that
    (0x3A03126F, 1000, 1),  # 0.0005, the same
    (0x3A03126E, 1000, 0),
    # the ends
    (0x00000001, 1000, 0),
    (0x007FFFFF, 10**43, 117_549),
    (0x00800000, 10**43, 117_549),
    (0x4B7FFFFF, 1, 16_777_215),
    (0x4B800000, 1, 16_777_216),
    (0x4B800001, 1, 16_777_218),
    (0x7F7FFFFF, 1, (2**24 - 1) * 2**104),
)
NO_NUMBERS = (0x7F800000, 0xFF800000, 0x7FC00000, 0x7F800001, 0xFFFFFFFF)


def reason_of(function):
    try:
        function()
    except SensorFault as err:
        return err.args[0]
    return None


class TestFloat32(unittest.TestCase):
    def test_known_numbers(self):
        for bits, scale, result in KNOWN:
            self.assertEqual(to_scaled(bits, scale), result)

    def test_what_is_no_number(self):
        for bits in NO_NUMBERS:
            self.assertEqual(reason_of(lambda: to_scaled(bits, 1000)), FRAME)  # noqa: B023

    def test_the_encoder_of_the_chips(self):
        for bits, scale, _ in KNOWN[1:8]:  # the first is cut off, not rounded: …34 for …33
            result = to_scaled(bits, scale)
            if result:
                self.assertEqual(to_float32(result, scale), bits)
        self.assertEqual(to_float32(2**24 + 1, 1), 0x4B800000)  # a half: to the even one
        self.assertEqual(to_float32(2**24 + 3, 1), 0x4B800002)
        self.assertEqual(to_float32(2**25 - 1, 1), 0x4C000000)  # rounding carries over
        self.assertEqual(to_float32(-1, 3), 0xBEAAAAAB)

    def test_there_and_back(self):
        state = 5
        for _ in range(500):
            state = (state * 1_103_515_245 + 12_345) & 0x7FFFFFFF
            value = (state >> 7) - 2**23
            self.assertEqual(to_scaled(to_float32(value, 1000), 1000), value)


if __name__ == "__main__":
    unittest.main()
