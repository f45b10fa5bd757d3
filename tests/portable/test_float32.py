# SPDX-License-Identifier: MIT
"""node/drivers/float32.py."""

import struct
import unittest

from node.drivers.float32 import to_scaled
from node.errors import FRAME, SensorFault


class TestToScaled(unittest.TestCase):
    def test_known(self):
        for bits, scale, wanted in (
            (0x3F800000, 1000, 1000),
            (0xC1200000, 1000, -10_000),
            (0x43663334, 1000, 230_200),  # Eastron SDM630 Modbus protocol: 230.2 V
            (0x3DCCCCCD, 1000, 100),
            (0x00000000, 1000, 0),
            (0x80000000, 1000, 0),
            (0x00000001, 1000, 0),  # 2^−149
            (0x00800000, 1 << 126, 1),  # 2^−126
            (0x007FFFFF, 1 << 126, 1),
            (0x00400000, 1 << 126, 1),  # half of it
            (0x003FFFFF, 1 << 126, 0),
            (0x4B000001, 1, 8_388_609),
            (0x4B800000, 1000, 16_777_216_000),
            (0x7F7FFFFF, 1, 340282346638528859811704183484516925440),
        ):
            self.assertEqual(to_scaled(bits, scale), wanted)

    def test_halves_go_away_from_zero(self):
        for bits, wanted in (
            (0x3F000000, 1), (0x3EFFFFFF, 0), (0x3FC00000, 2), (0x40200000, 3), (0x401FFFFF, 2),
        ):  # fmt: skip
            self.assertEqual(to_scaled(bits, 1), wanted)
            self.assertEqual(to_scaled(bits | 0x80000000, 1), -wanted)

    def test_as_the_interpreter_has_it(self):
        bits = 1
        for _ in range(2000):
            bits = (bits * 1_103_515_245 + 12_345) & 0xFFFFFFFF
            if not 90 < bits >> 23 & 0xFF < 150:
                continue
            (value,) = struct.unpack(">f", bits.to_bytes(4, "big"))
            self.assertTrue(abs(to_scaled(bits, 1000) - value * 1000) <= 0.5)

    def test_not_a_number(self):
        for bits in (0x7F800000, 0xFF800000, 0x7FC00000, 0x7F800001, 0xFFFFFFFF):
            try:
                to_scaled(bits, 1)
                reason = None
            except SensorFault as err:
                reason = err.args[0]
            self.assertEqual(reason, FRAME)


if __name__ == "__main__":
    unittest.main()
