# SPDX-License-Identifier: MIT
"""node/drivers/obis.py: lines of OBIS, one byte at a time."""

import unittest

from node.drivers.obis import Registers, drain, scaled
from node.errors import FRAME, RANGE, SensorFault


def number(unit):
    value = 0
    for byte in unit.encode():
        value = value << 8 | byte
    return value


def registers(text):
    taken = Registers()
    for byte in text.replace("|", "\r\n").encode():
        taken.take(byte)
    return taken


def imported(text):
    return registers(text).total()


class TestObis(unittest.TestCase):
    def test_scaled(self):
        for value, decimals, unit, base, milli in (
            (123_456_789, 3, "kWh", "Wh", 123_456_789_000),
            (521_857_825_309, 7, "kWh", "Wh", 52_185_782_530),
            (6_545_766, 0, "Wh", "Wh", 6_545_766_000),
            (12, 0, "MWh", "Wh", 12_000_000_000),
            (1193, 3, "kW", "W", 1_193_000),
            (212_486, 2, "W", "W", 2_124_860),
            (2301, 1, "V", "V", 230_100),
            (230_100, 0, "mV", "V", 230_100),
            (48, 2, "A", "A", 480),
            (12_785_123, 3, "m3", "m3", 12_785_123),
            (7, 0, "dm3", "m3", 7),
            (1, 0, "kvarh", "Wh", None),
            (1, 0, "GJ", "m3", None),
            (1, 0, "kVA", "A", None),
            (1, 0, "", "Wh", None),
            (1, 0, "kW", "Wh", None),
            (1, 0, "kWh", "W", None),
        ):
            unit_number = number(unit) & 0xFFFFFF
            self.assertEqual(scaled(value, decimals, unit_number, number(base)), milli)

    def test_ids(self):
        for text, mwh in (
            ("1-0:1.8.0(1*kWh)|", 1_000_000),
            ("1.8.0(1*kWh)|", 1_000_000),
            ("1-0:1.8.0*255(1*kWh)|", 1_000_000),
            ("1-1:1.8.0(1.5*kWh)|", 1_500_000),
            ("1-0:1.8.1(1*kWh)|1-0:1.8.2(2*kWh)|", 3_000_000),
            ("1-0:1.8.1(1*kWh)|1-0:1.8.0(5*kWh)|1-0:1.8.2(2*kWh)|", 5_000_000),
            ("1.8.1(1*kWh)1.8.2(2*kWh)|", 3_000_000),
            ("1.8.0(1kWh)|", 1_000_000),
            ("1.8.0*01(1*kWh)|", None),  # of an earlier month
            ("0-0:1.8.0(1*kWh)|", None),
            ("2-0:1.8.0(1*kWh)|", None),
            ("1-0:11.8.0(1*kWh)|", None),
            ("1-0:1.8(1*kWh)|", None),
            ("-0:1.8.0(1*kWh)|", None),
            ("1-:1.8.0(1*kWh)|", None),
            ("1-0.1.8.0(1*kWh)|", None),
            ("1-0:1.8.0.255.1(1*kWh)|", None),
            ("x1.8.0(1*kWh)|", None),
            ("1.8.0(1*kvarh)|", None),
            ("1.8.0()|", None),
            ("1.8.0(*kWh)|", None),
            ("1.8.0(1234567890123456*kWh)|", None),
            ("1.8.0(1*kWh", None),
        ):
            self.assertEqual(imported(text), mwh, text)

    def test_lines_that_are_torn(self):
        for text in ("1-0:1.8.0", "1-0:1.8.0(1*kWh", "1-01.8.0(1*kWh)", "F.F(0)", "-(1)"):
            self.assertTrue(registers(text + "|").torn, text)
        for text in ("", "1-0:1.8.0(1*kWh)", "0-1:24.3.0(1)(m3)|(2)", "0-0:96.13.1()"):
            self.assertFalse(registers(text + "|").torn, text)

    def test_gas_is_that_of_the_gas_meter(self):
        for text, dm3 in (
            ("0-1:24.1.0(003)|0-1:24.2.1(1W)(00981.443*m3)|", 981_443),
            ("0-2:24.1.0(003)|0-2:24.2.3(1W)(00981.443*m3)|", 981_443),
            ("0-1:24.1.0(7)|0-1:24.2.1(1W)(9*m3)|0-2:24.1.0(3)|0-2:24.2.1(1W)(8*m3)|", 8000),
            ("0-1:24.1.0(3)|0-1:24.3.0(1)(00)(60)(1)(0-1:24.2.1)(m3)|(00001.001)|", 1001),
            ("0-1:24.1.0(003)|0-1:24.2.1(632525252525W)(00000.000)|", None),
            ("0-1:24.1.0(007)|0-1:24.2.1(1W)(00872.234*m3)|", None),
            ("0-1:24.1.0(003)|0-1:24.2.1(1W)(00872.234*GJ)|", None),
            ("0-1:24.2.1(1W)(00872.234*m3)|", None),
        ):
            self.assertEqual(registers(text).values[13], dm3, text)

    def test_power_that_flows_both_ways(self):
        base = "1.8.0(1*kWh)|"
        for text, milliwatts in (
            ("1.7.0(0.5*kW)|2.7.0(0.2*kW)|", 300_000),
            ("1.7.0(0.000*kW)|2.7.0(0.897*kW)|", -897_000),
            ("16.7.0(-000.897*kW)|", -897_000),
            ("16.7.0(+12*W)|1.7.0(9*kW)|", 12_000),
            ("1.7.0(12*W)|", 12_000),
            ("2.7.0(12*W)|", None),
            ("", None),
        ):
            self.assertEqual(registers(base + text).reading()[4], milliwatts, text)

    def test_since_the_reading_before(self):
        taken = Registers()
        expected = (
            ("1.8.0(5.0*kWh)|2.8.0(1.0*kWh)|", (None, None)),
            ("1.8.0(5.2*kWh)|2.8.0(1.0*kWh)|", (200_000, 0)),
            ("1.8.0(5.2*kWh)|", (0, None)),
            ("1.8.0(5.3*kWh)|2.8.0(1.5*kWh)|", (100_000, None)),
            ("1.8.0(5.3*kWh)|2.8.0(1.75*kWh)|", (0, 250_000)),
        )
        for text, since in expected:
            taken.clear()
            for byte in text.replace("|", "\r\n").encode():
                taken.take(byte)
            self.assertEqual(taken.reading()[2:4], since)

    def test_what_is_no_reading(self):
        for text, reason in (("2.8.0(1*kWh)|", FRAME), ("1.8.0(4*kWh)|", RANGE)):
            taken = registers("1.8.0(5*kWh)|")
            taken.reading()
            taken.clear()
            for byte in text.encode():
                taken.take(byte)
            try:
                taken.reading()
            except SensorFault as err:
                self.assertEqual(err.args, (reason,))
            else:
                self.fail("no fault")

    def test_a_phase_that_is_not_connected(self):
        values = registers("1.8.0(1*kWh)|32.7.0(230.1*V)|52.7.0(000.0*V)|51.7.0(0*A)|").reading()
        self.assertEqual(values[5:11], (230_100, None, None, None, 0, None))

    def test_drain(self):
        class Line:
            left = [b"abcd", b"efgh", b"ij"]

            def readinto(self, piece):
                if not self.left:
                    return None
                data = self.left.pop(0)
                piece[: len(data)] = data
                return len(data)

        piece = bytearray(4)
        drain(Line(), piece)
        self.assertEqual(piece, bytearray(4))


if __name__ == "__main__":
    unittest.main()
