# SPDX-License-Identifier: MIT
"""node/drivers/iec62056_21.py against the chip model, and against messages of real meters."""

import unittest

from driver_fixture import Random
from meter_fixture import MeterBench

from node.drivers.iec62056_21 import Iec62056
from node.errors import CHECKSUM, FRAME, RANGE, SILENT, SensorFault
from node.pipeline.quantities import in_range
from simulator.buses.signals import Signals
from simulator.buses.uart import UartLine
from simulator.chips.iec62056_21 import Iec62056 as Chip
from simulator.chips.iec62056_21 import block_check

_REASONS = (CHECKSUM, FRAME, RANGE, SILENT)

# What meters in the field told: (data block, what is in it), with the names of their makers.
BLOCKS = (
    # Landis+Gyr ZMD 310 (volkszaehler wiki) with the totals of an earlier month behind them
    (
        "1-1:F.F(00000000)|1-1:0.0.0(50871031)|1-1:0.9.1(155420)|1-1:0.1.2*18(1701010000)|"
        "1-1:1.6.1(27.19*kW)(1702090945)|1-1:1.6.1*18(28.74)(1701121445)|"
        "1-1:1.8.0(00051206*kWh)|1-1:1.8.0*18(00049555)|1-1:1.8.0*17(00045862)",
        (51_206_000_000, None, None, None, None) + (None,) * 6,
    ),
    # Elster AS1440 (ESPHome's component obis)
    (
        "F.F(00000000)|0.0.0(03224928)|0.1.2*32(2112010000)|1.8.1(052481.2*kWh)|"
        "1.8.1*32(051967.9)|2.8.1(033594.7*kWh)|2.8.1*32(033578.7)|0.9.2(211222)|"
        "32.7.0(231.9*V)|52.7.0(232.0*V)|72.7.0(232.0*V)|C.6.0(001987)|0.2.0(CE07)",
        (52_481_200_000, 33_594_700_000, None, None, None, 231_900, 232_000, 232_000)
        + (None,) * 3,
    ),
    # Itron EM214 (node-smartmeter-obis), with signs before its currents
    (
        "F.F(00000000)|0.0.0(1240007670003202)|0.2.0(V01.69#EEA3546C)|1.7.0(00.49*kW)|"
        "2.7.0(00.00*kW)|1.8.1(022108.7*kWh)|1.8.2(000000.0*kWh)|2.8.1(010452.0*kWh)|"
        "2.8.2(000000.0*kWh)|31.7.0(+000.8*A)|51.7.0(+000.7*A)|71.7.0(+001.2*A)|C.1(53965555)|"
        "C.5.0(L1-L2-L3)|C.6.3(03.78*V)|C.13.21(00000001*secs)",
        (22_108_700_000, 10_452_000_000, None, None, 490_000, None, None, None, 800, 700, 1200),
    ),
)  # fmt: skip


def message(block: str) -> bytes:
    body = block.replace("|", "\r\n").encode() + b"\r\n!\r\n\x03"
    return b"\x02" + body + bytes((block_check(body),))


class Fixed(Chip):
    """A meter that tells what it is given."""

    given = b""

    def _message(self, now_ms, *values):
        return self.given


def fuzz(count: int, seed: int) -> int:
    """Data messages that are none, or nearly: a tuple or a SensorFault, in bounded time."""
    draw = Random(seed).below
    now_ms = 0
    chip = Fixed(Signals())
    line = UartLine(lambda: now_ms, chip, 300, Iec62056.RXBUF)
    driver = Iec62056(line)
    for tried in range(count):
        data = bytearray(message(BLOCKS[draw(3)][0]))
        kind = draw(4)
        if kind == 0:
            data = bytearray([draw(128) for _ in range(draw(200))])
        elif kind == 1:
            for _ in range(1 + draw(6)):
                data[draw(len(data))] = draw(128)
        elif kind == 2:
            at = draw(len(data))
            data = data[:at] + data[at + 1 + draw(9) :]
        else:
            data = data + data
        chip.given = bytes(data[:-1]) + bytes((block_check(data[1:-1]),))
        chip.identification = (
            b"/ISK5\\MT174\r\n" if draw(3) else bytes([47] + [draw(128) for _ in range(9)] + [10])
        )
        try:
            values = driver.start()
            for _ in range(2000):
                if not isinstance(values, int):
                    break
                now_ms += values
                values = driver.read()
            if len(values) != len(Iec62056.QUANTITIES):
                raise ValueError(tried)
        except SensorFault as err:
            if err.args[0] not in _REASONS:
                raise ValueError(tried)
            driver = Iec62056(line)
        now_ms += 5000
    return count


class TestIec62056(MeterBench, unittest.TestCase):
    def connect(self, chip=Chip):
        self.chip = chip(self.signals)
        self.chip.power_on(self.now_ms)
        self.line = UartLine(lambda: self.now_ms, self.chip, 300, Iec62056.RXBUF)
        self.renew()
        self.set(1_500_000, 0, 231_000)

    def renew(self):
        self.driver = Iec62056(self.line)

    def test_blocks_of_real_meters(self):
        for block, values in BLOCKS:
            self.connect(Fixed)
            self.chip.given = message(block)
            self.assertEqual(self.sample(), values)

    def test_quantities(self):
        values = self.sample()
        self.assertEqual(len(values), len(Iec62056.QUANTITIES))
        for quantity, value in zip(Iec62056.QUANTITIES, values):
            self.assertTrue(value is None or in_range(quantity, value), quantity)
        self.assertTrue(3_016_829_000 <= values[0] <= 3_016_840_000)
        self.assertEqual(values[1:5], (6_825_000, None, None, 1_500_000))
        self.assertEqual(values[5:8], (231_000, 231_600, 230_600))

    def test_each_mode_and_rate(self):
        times = {}
        for offer in "0123456ABCDEF\\":
            self.chip.identification = b"/ISK" + offer.encode() + b"\\2MT174\r\n"
            began_ms = self.now_ms
            self.assertEqual(self.sample()[4], 1_500_000)
            times[offer] = self.now_ms - began_ms
            self.now_ms += 30_000
        self.assertTrue(times["6"] < times["3"] < times["0"] < 40_000)
        self.assertTrue(times["F"] < times["A"] < times["\\"])

    def test_each_reaction_time(self):
        for reaction_ms in (20, 200, 700, 1500):  # 20: allowed to who says so in small letters
            for offer in b"05BF\\":
                if reaction_ms > 20 or offer in b"05":
                    self.chip.reaction_ms = reaction_ms
                    self.chip.identification = b"/ISk%c\\MT174\r\n" % offer
                    self.assertEqual(self.sample()[4], 1_500_000)
                    self.now_ms += 30_000

    def test_round_trip(self):
        state = 11
        imported, exported = self.sample()[:2]
        for _ in range(40):
            state = (state * 1_103_515_245 + 12_345) & 0x7FFFFFFF
            power, sun = (state >> 3) % 15_000_000, (state >> 9) % 20_000_000
            volts = 200_000 + (state >> 5) % 55_000
            self.set(power, sun, volts)
            self.now_ms += 60_000
            values = self.sample()
            net = power - sun
            watts = abs(net) // 1000 if net >= 0 else -(abs(net) // 1000)
            self.assertTrue(abs(values[4] - watts * 1000) <= 1000)
            used = values[0] - imported, values[1] - exported
            self.assertEqual(used, values[2:4])
            self.assertEqual(used[net >= 0], 0)
            passed = abs(net) // 60
            self.assertTrue(passed * 9 // 10 - 2000 <= used[net < 0] <= passed * 3 // 2 + 2000)
            self.assertEqual(values[5], volts // 100 * 100)
            imported, exported = values[:2]

    def test_the_acknowledgement_comes_in_time(self):
        said = []
        hear = self.chip.receive

        def receive(now_ms, data):
            said.append((now_ms, bytes(data), self.chip._named_ms))
            hear(now_ms, data)

        self.chip.receive = receive
        self.sample()
        self.assertEqual(said[0][1], b"/?!\r\n")
        self.assertEqual(said[1][1], b"\x06050\r\n")
        # Section 6.4: 200 ms to 1500 ms after the identification
        self.assertTrue(200 <= said[1][0] - said[1][2] <= 1500)

    def test_a_head_that_gives_back_what_it_is_sent(self):
        self.chip.fault = "echo"
        self.assertEqual(self.sample()[4], 1_500_000)

    def test_what_names_the_meter_is_nowhere_kept(self):
        self.sample()
        kept = []
        for thing in (self.driver, self.driver._registers):
            for name in thing.__dict__:
                if name != "_uart":
                    kept.append(repr(thing.__dict__[name]))
        for secret in ("50871031", "53965555", "MT174"):
            self.assertFalse(secret in " ".join(kept))

    def test_each_fault_and_recovery(self):
        self.sample()
        for fault, reason in (("checksum", CHECKSUM), ("short", FRAME)):
            self.chip.fault = fault
            self.assertFault(reason)
            self.chip.fault = None
            self.assertEqual(self.sample()[4], 1_500_000)
        self.chip.fault = "range"
        self.assertFault_in_range()

    def assertFault_in_range(self):
        self.assertEqual(in_range("net_power_mw", self.sample()[4]), False)

    def test_silent_then_back(self):
        for values in ((None, 0, 230_000), (1000, None, 230_000), (1000, 0, 50_000)):
            self.set(*values)
            self.assertFault(SILENT)
            self.set(1_500_000, 0, 231_000)
            self.assertEqual(self.sample()[4], 1_500_000)
            self.now_ms += 30_000

    def test_the_head_has_fallen_off(self):
        self.chip.fault = "echo"
        self.set(None, 0, 230_000)  # only the echo comes
        self.assertFault(SILENT)

    def test_faults_of_the_wire(self):
        for wire in ("loses", "brown-out"):
            self.sample()
            self.chip.wire = wire
            self.now_ms += 30_000
            self.assertFault(FRAME, CHECKSUM, SILENT)
            self.chip.wire = None
            self.assertEqual(self.sample()[4], 1_500_000)

    def test_another_form_of_frames(self):
        self.chip.FORM = None
        self.assertFault(SILENT, FRAME)
        self.chip.FORM = (7, 0, 0)
        self.assertEqual(self.sample()[4], 1_500_000)

    def test_fuzz(self):
        self.assertEqual(fuzz(300, 1), 300)


if __name__ == "__main__":
    unittest.main()
