# SPDX-License-Identifier: MIT
"""What the tests of Eastron's meters share: a meter on its line, its faults, and fuzz."""

from node.errors import CHECKSUM, FRAME, FROZEN, MISFIT, SILENT, SensorFault
from simulator.buses.signals import Signals
from simulator.buses.uart import UartLine
from simulator.chips.modbus_rtu import with_crc


def reason_of(function):
    try:
        function()
    except SensorFault as err:
        return err.args[0]
    return None


class Answering:
    """A slave that gives prepared answers, one to each request, whatever it is."""

    plugged = True
    wire = None

    def __init__(self, baud, answers):
        self.BAUD = baud
        self.answers = list(answers)
        self.sending = b""

    def receive(self, now_ms, data):
        self.sending = self.answers.pop(0) if self.answers else b""

    def transmit(self, now_ms):
        sent, self.sending = self.sending, b""
        return sent


class Draws:
    """Numbers from a seed, alike on both interpreters."""

    def __init__(self, seed):
        self._state = seed

    def next(self, low, high):
        self._state = (self._state * 1_103_515_245 + 12_345) & 0x7FFFFFFF
        return low + (self._state >> 8) % (high - low + 1)

    def data(self, size):
        return bytes([self.next(0, 255) for _ in range(size)])


def fuzz_meter(driver_class, counts, count, seed):
    """Gives `driver_class` answers of all kinds for its two blocks of so many registers; returns
    how many it was given. Whatever it raises but SensorFault is a finding, as is a non-integer."""
    draws = Draws(seed)
    tried = 0
    while tried < count:
        answers = []
        for registers in counts:
            head = bytes((1, 4, 2 * registers))
            good = with_crc(head + draws.data(2 * registers))
            kind = draws.next(0, 7)
            if kind == 0:
                good = draws.data(draws.next(0, 200))
            elif kind == 1:
                at = draws.next(0, len(good) - 1)
                good = good[:at] + bytes((good[at] ^ 1 << draws.next(0, 7),)) + good[at + 1 :]
            elif kind == 2:
                good = good[: draws.next(0, len(good) - 1)]
            elif kind == 3:
                good = good * 2
            elif kind == 4:
                good = with_crc(draws.data(draws.next(0, 100)))
            answers.append(good)
            tried += 1
        line = UartLine(lambda: 0, Answering(driver_class.BAUD, answers), driver_class.BAUD,
                        driver_class.RXBUF)  # fmt: skip
        driver = driver_class(line)
        try:
            for _ in range(2):
                driver.start()
                values = driver.read()
                if isinstance(values, int):
                    values = driver.read()
                check(driver_class, values)
        except SensorFault:
            pass
    return tried


def check(driver_class, values):
    if len(values) != len(driver_class.QUANTITIES):
        raise ValueError(values)
    for value in values:
        if not (value is None or isinstance(value, int)):
            raise ValueError(values)


class MeterTest:
    """A mixin; a subclass sets Driver, Chip, VOLTAGE (the place of a voltage in what is read) and
    NET (the place of the net power; then in the same order: frequency, two totals, two
    differences)."""

    def setUp(self):
        self.now_ms = 1_000_000
        self.signals = Signals()
        self.connect()

    def connect(self, quiet=True, **options):
        self.chip = self.Chip(self.signals, **options)
        self.chip.power_on(self.now_ms)
        if quiet:
            self.chip._noise = lambda second: 0
        baud = options.get("baud", self.Driver.BAUD)
        self.line = UartLine(lambda: self.now_ms, self.chip, baud, self.Driver.RXBUF)
        self.driver = self.Driver(self.line, **options)

    def set(self, voltage_mv, power_mw, pv_power_mw=0, factor=1000, frequency_mhz=50_000, **more):
        levels = {
            "voltage_mv": voltage_mv,
            "power_mw": power_mw,
            "pv_power_mw": pv_power_mw,
            "power_factor_permille": factor,
            "frequency_mhz": frequency_mhz,
        }
        levels.update(more)
        points = {name: [[self.now_ms, levels[name]]] for name in levels}
        self.signals.extend(self.now_ms + 60_000, points, {})

    def sample(self):
        self.now_ms += self.driver.start()
        values = self.driver.read()
        steps = 0
        while isinstance(values, int):
            self.now_ms += values
            values = self.driver.read()
            steps += 1
            self.assertTrue(steps < 3)
        return values

    def next_sample(self):
        """The sample of the next period."""
        self.now_ms += 15_000
        self.signals.extend(self.now_ms + 30_000, {}, {})
        return self.sample()

    def fault(self, reason):
        self.assertEqual(reason_of(lambda: self.sample()), reason)
        self.driver = self.Driver(self.line)

    def recovers(self):
        self.now_ms += 15_000
        self.set(230_000, 1_000_000)
        self.assertEqual(self.sample()[self.VOLTAGE], 230_000)

    # what both meters are tested for

    def test_energy_adds_up_each_way(self):
        self.set(230_000, 3_600_000)  # 1 Wh a second in
        first = self.sample()
        self.assertEqual(first[self.NET + 4 :], (None, None))
        began_ms = self.now_ms
        total_in = total_out = 0
        for _ in range(4):
            values = self.next_sample()
            total_in += values[self.NET + 4]
            total_out += values[self.NET + 5]
        self.assertEqual(values[self.NET + 2] - first[self.NET + 2], total_in)
        self.assertTrue(abs(total_in - (self.now_ms - began_ms)) <= 1000)
        self.assertEqual(total_out, 0)
        self.set(230_000, 1_000_000, pv_power_mw=8_200_000)  # 2 Wh a second out
        values = self.next_sample()
        self.assertEqual(values[self.NET], -7_200_000)
        since = values[self.NET + 5]
        self.assertTrue(28_000 <= since <= 34_000, since)
        self.assertTrue(values[self.NET + 4] <= 1000)  # until the wind turned
        self.assertEqual(values[self.NET + 3], since)

    def test_a_meter_that_was_set_back(self):
        self.set(230_000, 3_600_000)
        for _ in range(4):
            values = self.next_sample()
        self.assertTrue(values[self.NET + 4] > 0)
        self.chip._energy_mwms = [0, 0]
        self.assertEqual(self.next_sample()[self.NET + 4], None)
        self.assertTrue(self.next_sample()[self.NET + 4] > 0)

    def test_each_fault_and_recovery(self):
        for fault, reason in (
            ("checksum", CHECKSUM), ("short", FRAME), ("refused", FRAME), ("nan", FRAME),
        ):  # fmt: skip
            self.set(230_000, 0)
            self.chip.fault = fault
            self.fault(reason)
            self.chip.fault = None
            self.recovers()
        self.chip.fault = "range"
        self.assertEqual(self.sample()[self.VOLTAGE], 6_553_500)

    def test_frozen(self):
        self.connect(quiet=False)
        self.set(230_000, 1_000_000)
        for _ in range(100):  # constant, but for the noise of the mains
            self.next_sample()
        self.chip.fault = "frozen"
        for _ in range(30):
            self.next_sample()
        self.now_ms += 15_000
        self.fault(FROZEN)
        self.chip.fault = None
        self.set(230_000, 1_000_000)
        self.assertTrue(abs(self.sample()[self.VOLTAGE] - 230_000) <= 50)

    def test_silence(self):
        for voltage_mv, power_mw in (
            (None, 1000), (230_000, None), (self.Chip.SUPPLY_MIN_MV - 1, 1000),
        ):  # fmt: skip
            self.set(voltage_mv, power_mw)
            self.fault(SILENT)
            self.recovers()
        self.chip.plugged = False
        self.fault(SILENT)
        self.chip.plugged = True
        self.recovers()

    def test_power_cut_between_the_blocks(self):
        self.set(230_000, 0)
        self.now_ms += self.driver.start()
        wait_ms = self.driver.read()
        self.chip.plugged = False
        self.now_ms += wait_ms
        self.assertEqual(reason_of(lambda: self.driver.read()), SILENT)
        self.chip.plugged = True
        self.driver = self.Driver(self.line)
        self.recovers()

    def test_brown_out_and_lost_bytes(self):
        for wire in ("brown-out", "loses"):
            self.set(230_000, 0)
            self.chip.wire = wire
            self.fault(FRAME)
            self.chip.wire = None
            self.recovers()

    def test_a_sample_that_was_given_up_does_not_spoil_the_next(self):
        self.set(230_000, 0)
        self.now_ms += self.driver.start()
        self.driver.read()  # asked for the second block, whose answer nobody reads
        self.now_ms += 15_000
        self.assertEqual(self.sample()[self.VOLTAGE], 230_000)
        self.assertEqual(self.sample()[self.NET + 1], 50_000)

    def test_another_slave_or_baud(self):
        self.set(230_000, 0)
        self.driver = self.Driver(self.line, address=2)
        self.fault(SILENT)
        self.connect(address=247, baud=4800)
        self.assertEqual(self.sample()[self.VOLTAGE], 230_000)
        self.driver = self.Driver(
            UartLine(lambda: self.now_ms, self.chip, 19_200, 128), address=247, baud=19_200
        )
        with self.assertRaises(SensorFault):
            self.sample()

    def test_options_that_do_not_fit(self):
        for options in ({"address": 0}, {"address": 248}, {"baud": 0}, {"baud": -9600}):
            self.assertEqual(reason_of(lambda: self.Driver(self.line, **options)), MISFIT)  # noqa: B023

    def test_what_the_chip_refuses(self):
        self.set(230_000, 0)
        for request, answer in (
            (b"\x01\x04\x00\x00\x00\x52", b"\x01\x84\x02"),  # 41 values
            (b"\x01\x04\x00\x01\x00\x02", b"\x01\x84\x02"),
            (b"\x01\x04\x40\x00\x00\x02", b"\x01\x84\x02"),
            (b"\x01\x03\xfc\x00\x00\x02", b"\x01\x83\x01"),  # its serial number
        ):
            self.line.write(with_crc(request))
            self.now_ms += 300
            self.assertEqual(self.line.read(), with_crc(answer))
