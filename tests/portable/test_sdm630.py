# SPDX-License-Identifier: MIT
"""node/drivers/sdm630.py against the chip model, and against a frame of a real meter."""

import unittest
from binascii import unhexlify

from eastron_fixture import Answering, Draws, MeterTest, fuzz_meter

from node.drivers.eastron import scaled
from node.drivers.modbus_rtu import InputRegisters
from node.drivers.sdm630 import SDM630
from node.pipeline.quantities import in_range
from simulator.buses.uart import UartLine
from simulator.chips.sdm630 import SDM630 as Chip

# A real SDM630 V2 at address 5, 48 registers from 0x014E on, as logged in solaredge_meterproxy
# issue 16, with what sdm_modbus made of them: (register, value)
FRAME = (
    "050460" + "00" * 16 + "44a37614" + "44916e76" + "440979ba" + "43d21a3d" + "43a8ca9f"
    + "00" * 12 + "440979ba" + "43d21a3d" + "43a8ca9f" + "3c343958" + "3c8b4395" + "00000000"
    + "4403772b" + "4310b8d4" + "43f66b85" + "440377df" + "4310bd2f" + "43f66b85" + "52ce"
)  # fmt: skip
DECODED = (
    (0x0156, 1_307_689_941),  # 1307.68994140625 kWh
    (0x0158, 1_163_451_904),  # 1163.451904296875
    (0x015A, 549_901_978),  # 549.9019775390625
    (0x015C, 420_204_987),  # 420.2049865722656
    (0x015E, 337_582_977),  # 337.5829772949219
    (0x016C, 11_000),  # 0.010999999940395355
    (0x016E, 17_000),  # 0.016999999061226845
)


def fuzz(count, seed):
    return fuzz_meter(SDM630, (12, 24), count, seed)


class TestSDM630(MeterTest, unittest.TestCase):
    Driver, Chip = SDM630, Chip
    VOLTAGE, NET = 0, 6

    def test_a_known_frame(self):
        line = UartLine(lambda: 0, Answering(9600, [unhexlify(FRAME)]), 9600, 128)
        registers = InputRegisters(line, 5, 0x014E, 48)
        registers.request()
        data = memoryview(registers.answer())[3:]
        for register, result in DECODED:
            self.assertEqual(scaled(data, register - 0x014E, 1_000_000), result)

    def test_quantities(self):
        self.set(230_000, 10_000_000, factor=1000)
        self.sample()
        values = self.next_sample()
        self.assertEqual(len(values), len(SDM630.QUANTITIES))
        for quantity, value in zip(SDM630.QUANTITIES, values):
            self.assertTrue(in_range(quantity, value), quantity)
        self.assertEqual(values[:3], (230_000, 229_300, 230_500))
        self.assertEqual(values[3:8], (17_391, 15_264, 10_846, 10_000_000, 50_000))

    def test_the_whole_range(self):
        draws = Draws(9)
        for _ in range(200):
            voltage, power = draws.next(100_700, 289_000), draws.next(0, 16_000_000)
            pv, frequency = draws.next(0, 16_000_000), draws.next(45_000, 65_000)
            current = draws.next(0, 300) * 1000
            self.set(voltage, power, pv, 900, frequency, current_ma=current)
            got = self.sample()
            self.assertEqual(got[:3], (voltage, voltage - 700, voltage + 500))
            self.assertEqual(got[3:6], (current * 2 // 5, current * 7 // 20, current // 4))
            self.assertTrue(abs(got[6] - (power - pv)) <= 1)  # 24 bits
            self.assertEqual(got[7], frequency)
            self.now_ms += 15_000

    def test_fuzz(self):
        self.assertTrue(fuzz(2000, 2) >= 2000)


if __name__ == "__main__":
    unittest.main()
