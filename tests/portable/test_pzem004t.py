# SPDX-License-Identifier: MIT
"""node/drivers/pzem004t.py against the chip model, and against frames of real meters."""

import unittest
from binascii import unhexlify

from driver_fixture import Random, mutated

from node.drivers.pzem004t import PZEM004T
from node.errors import CHECKSUM, FRAME, SILENT, SensorFault
from node.pipeline.quantities import in_range
from simulator.buses.signals import Signals
from simulator.buses.uart import UartLine
from simulator.chips.modbus_rtu import with_crc
from simulator.chips.pzem004t import PZEM004T as Chip

# (answer, voltage_mv, current_ma, power_mw, energy_total_mwh, frequency_mhz, power factor ‰)
ANSWERS = (
    # User manual V3.0, section 2.3: 220.0 V, 1.000 A, 220.0 W, 0 Wh, 50.0 Hz, 1.00
    (
        "010414" "0898" "03e80000" "08980000" "00000000" "01f4" "0064" "0000",
        (220_000, 1000, 220_000, 0, 50_000, 1000),
    ),
    # Tasmota issue 9687: 123.2 V, 90.950 A, 3.7116 kW, 138.730 kWh, 60.0 Hz, 0.33
    (
        "010414" "04d0" "63460001" "90fc0000" "1dea0002" "0258" "0021" "0000",
        (123_200, 90_950, 3_711_600, 138_730_000, 60_000, 330),
    ),
    # A published reading at the general address: 225.9 V, 35 mA, 0.5 W, 2 Wh, 50.1 Hz, 0.06
    (
        "f80414" "08d3" "00230000" "00050000" "00020000" "01f5" "0006" "0000",
        (225_900, 35, 500, 2000, 50_100, 60),
    ),
)  # fmt: skip


class Answering:
    """A chip that gives one answer to everything."""

    BAUD = 9600
    plugged = True
    wire = None

    def __init__(self, answer):
        self.answer = answer
        self.sending = b""

    def receive(self, now_ms, data):
        self.sending = self.answer

    def transmit(self, now_ms):
        sent, self.sending = self.sending, b""
        return sent


def fuzz(count, seed):
    """Answers whose bytes are by chance, mutated, cut or doubled, and summed anew; returns how
    many."""
    random = Random(seed)
    highest = (6_553_500, 2**32 - 1, (2**32 - 1) * 100, (2**32 - 1) * 1000, 6_553_500, 655_350)
    for _ in range(count):
        data = unhexlify(ANSWERS[random.below(2)][0])
        if random.below(2):
            data = data[:3] + random.bytes(len(data) - 3)
        data = mutated(random, with_crc(mutated(random, data)))
        driver = PZEM004T(UartLine(lambda: 0, Answering(data), 9600, PZEM004T.RXBUF), address=1)
        driver.start()
        try:
            values = driver.read()
        except SensorFault:
            continue
        if [v for v, most in zip(values, highest) if not 0 <= v <= most] or len(values) != 6:
            raise AssertionError("not a reading")
    return count


class TestPZEM004T(unittest.TestCase):
    def setUp(self):
        self.now_ms = 0
        self.signals = Signals()
        self.connect()

    def connect(self, **options):
        self.chip = Chip(self.signals, **options)
        self.line = UartLine(lambda: self.now_ms, self.chip, 9600, PZEM004T.RXBUF)
        self.driver = PZEM004T(self.line, **options)

    def set(self, voltage_mv, power_mw, factor=1000, frequency_mhz=50_000, **more):
        levels = {
            "voltage_mv": voltage_mv,
            "power_mw": power_mw,
            "power_factor_permille": factor,
            "frequency_mhz": frequency_mhz,
        }
        levels.update(more)
        points = {name: [[self.now_ms, levels[name]]] for name in levels}
        self.signals.extend(self.now_ms + 60_000, points, {})

    def sample(self):
        self.now_ms += self.driver.start()
        return self.driver.read()

    def assertFault(self, reason):
        try:
            self.sample()
        except SensorFault as err:
            self.assertEqual(err.args, (reason,))
        else:
            self.fail("no fault")
        self.driver = PZEM004T(self.line)

    def test_known_answers(self):
        for text, values in ANSWERS:
            frame = with_crc(unhexlify(text))
            line = UartLine(lambda: 0, Answering(frame), 9600, 128)
            driver = PZEM004T(line, address=frame[0])
            driver.start()
            self.assertEqual(driver.read(), values)

    def test_fuzz(self):
        self.assertEqual(fuzz(1000, 1), 1000)

    def test_quantities(self):
        self.set(230_000, 1_000_000)
        values = self.sample()
        self.assertEqual(len(values), len(PZEM004T.QUANTITIES))
        for quantity, value in zip(PZEM004T.QUANTITIES, values):
            self.assertTrue(in_range(quantity, value), quantity)
        self.assertEqual(values[:3], (230_000, 4348, 1_000_000))

    def test_every_value_comes_through_rounded_to_its_step(self):
        state = 7

        def draw(low, high):
            nonlocal state
            state = (state * 1_103_515_245 + 12_345) & 0x7FFFFFFF
            return low + (state >> 8) % (high - low + 1)

        for _ in range(300):
            voltage, power = draw(80_000, 260_000), draw(0, 23_000_000)
            factor, frequency = draw(300, 1000), draw(45_000, 65_000)
            self.set(voltage, power, factor, frequency)
            got = self.sample()
            self.assertEqual(got[0], (voltage + 50) // 100 * 100)
            self.assertEqual(got[2], (power + 50) // 100 * 100)
            self.assertEqual(got[4], (frequency + 50) // 100 * 100)
            self.assertEqual(got[5], (factor + 5) // 10 * 10)
            # P = U · I · factor holds within half a milliampere.
            self.assertTrue(
                abs(got[1] * voltage * factor - power * 1_000_000) * 2 <= voltage * factor
            )
            self.now_ms += 15_000

    def test_no_load(self):
        self.set(230_000, 0, 0)
        self.assertEqual(self.sample()[1:3], (0, 0))

    def test_a_current_that_was_recorded_is_used(self):
        self.set(230_000, 1_000_000, current_ma=5_000)
        self.assertEqual(self.sample()[1], 5_000)

    def test_low_word_first(self):
        self.set(240_000, 22_000_000, 900, current_ma=70_000)  # both beyond 16 bits
        got = self.sample()
        self.assertEqual(got[1:3], (70_000, 22_000_000))
        self.now_ms += 4 * 3600 * 1000
        self.set(240_000, 22_000_000)
        self.assertTrue(87_900_000 <= self.sample()[3] <= 88_100_000)  # 0x157C0 Wh

    def test_energy_adds_up(self):
        self.set(230_000, 3_600_000)  # 1 Wh a second
        before = self.sample()[3]
        self.now_ms += 50_000
        self.assertEqual(self.sample()[3] - before, 50_000)  # 50.1 s
        for _ in range(100):  # also in steps of less than 1 Wh
            self.now_ms += 400
            self.signals.extend(self.now_ms, {}, {})
            self.sample()
        self.assertEqual(self.sample()[3] // 1000, (self.now_ms - 100) // 1000)

    def test_energy_reset(self):
        self.set(230_000, 3_600_000)
        self.now_ms += 50_000
        self.assertTrue(self.sample()[3] >= 50_000)
        self.line.write(with_crc(b"\xf8\x42"))
        self.now_ms += 100
        self.assertEqual(self.line.read(), with_crc(b"\xf8\x42"))
        self.assertEqual(self.sample()[3], 0)

    def test_what_the_chip_refuses(self):
        self.set(230_000, 0)
        for request, answer in (
            (b"\xf8\x04\x00\x00\x00\x0b", b"\xf8\x84\x02"),
            (b"\xf8\x04\x00\x0a\x00\x01", b"\xf8\x84\x02"),
            (b"\xf8\x10\x00\x00\x00\x01", b"\xf8\x90\x01"),
        ):
            self.line.write(with_crc(request))
            self.now_ms += 100
            self.assertEqual(self.line.read(), with_crc(answer))
        self.line.write(with_crc(b"\xf8\x04\x00\x07\x00\x01"))
        self.now_ms += 100
        self.assertEqual(self.line.read(), with_crc(b"\xf8\x04\x02\x01\xf4"))  # 50.0 Hz

    def test_addresses(self):
        self.connect(address=0x05)
        self.set(230_000, 0)
        self.assertEqual(self.sample()[0], 230_000)
        self.driver = PZEM004T(self.line)  # the general address
        self.assertEqual(self.sample()[0], 230_000)
        self.driver = PZEM004T(self.line, address=0x06)
        self.assertFault(SILENT)

    def test_each_fault_and_recovery(self):
        self.set(230_000, 0)
        for fault, reason in (("checksum", CHECKSUM), ("short", FRAME), ("refused", FRAME)):
            self.chip.fault = fault
            self.assertFault(reason)
            self.chip.fault = None
            self.assertEqual(self.sample()[0], 230_000)
        self.chip.fault = "range"
        self.assertFalse(in_range("voltage_mv", self.sample()[0]))

    def test_a_late_answer_does_not_spoil_the_next(self):
        self.set(230_000, 0)
        self.driver.start()
        self.now_ms += 50
        with self.assertRaises(SensorFault):
            self.driver.read()  # half of it has come
        self.driver = PZEM004T(self.line)
        self.now_ms += 15_000
        self.assertEqual(self.sample()[0], 230_000)

    def test_gap_and_mains_failure(self):
        for voltage_mv, power_mw in ((None, 1000), (230_000, None), (79_999, 1000)):
            self.set(voltage_mv, power_mw)
            self.assertFault(SILENT)
            self.now_ms += 60_000
            self.set(230_000, 1000)
            self.assertEqual(self.sample()[0], 230_000)
            self.now_ms += 60_000

    def test_unplug_and_replug(self):
        self.set(230_000, 3_600_000)
        self.sample()
        self.chip.plugged = False
        self.assertFault(SILENT)
        self.now_ms += 30_000
        self.chip.plugged = True
        energy_mwh = self.sample()[3]  # the register survives; what passed meanwhile is not in it
        self.assertTrue(energy_mwh <= 1000)
        self.chip.plugged = False
        self.now_ms += 10_000
        self.chip.plugged = True
        self.chip.power_on(self.now_ms)
        self.assertTrue(self.sample()[3] <= energy_mwh + 1000)


if __name__ == "__main__":
    unittest.main()
