# SPDX-License-Identifier: MIT
"""What the tests of the power monitors share: a monitor on its bus, its faults, and fuzz."""

from driver_fixture import failure
from eastron_fixture import Draws, check, reason_of

from node.errors import CHIP_ID, FRAME, FROZEN, MISFIT, SensorFault
from simulator.buses.i2c import I2CBus
from simulator.buses.signals import Signals

_ENODEV, _ETIMEDOUT = 19, 116


class Registers:
    """An I2C bus with plain registers at 0x40: register: bytes."""

    def __init__(self, registers):
        self.registers = registers

    def readfrom_mem_into(self, address, register, into):
        into[:] = self.registers[register][: len(into)]

    def writeto(self, address, data):
        self.registers[data[0]] = bytes(data[1:])


def fuzz_monitor(driver_class, good, count, seed):
    """Gives `driver_class` registers of all kinds; good: {register: bytes} of a monitor that is
    well. Whatever it raises but SensorFault is a finding, as is a non-integer."""
    draws = Draws(seed)
    tried = 0
    while tried < count:
        bus = Registers(dict(good))
        if draws.next(0, 9) == 0:
            register = list(good)[draws.next(0, len(good) - 1)]
            bus.registers[register] = draws.data(len(good[register]))
        options = {}
        if draws.next(0, 9) == 0:
            options["shunt_uohm"] = draws.next(-10, 1_000_000)
            options["max_current_ma"] = draws.next(-10, 1_000_000)
        try:
            driver = driver_class(bus, **options)
            for _ in range(3):
                tried += 1
                driver.start()
                for register in good:
                    if draws.next(0, 3) and register < 0x20 and register not in driver_class.SET:
                        bus.registers[register] = draws.data(len(good[register]))
                if draws.next(0, 3):
                    bus.registers[driver_class.FLAGS] = driver_class.WELL
                check(driver_class, driver.read())
        except SensorFault:
            tried += 1
    return tried


class MonitorTest:
    """A mixin; a subclass sets Driver, Chip, LOST (a register that a power cut changes),
    SETTINGS (of the conversion) and COMMON_CALIBRATION (options)."""

    def setUp(self):
        self.wire()

    def wire(self, address=0x40, **options):
        self.now_ms = 1_000_000
        self.signals = Signals()
        self.bus = I2CBus(lambda: self.now_ms)
        self.chip = self.Chip(self.signals, address, **options)
        self.bus.attach(address, self.chip)
        self.set(24_000, 4000)
        self.chip.power_on(self.now_ms)

    def set(self, voltage_mv, current_ma):
        self.signals.extend(
            self.now_ms + 600_000,
            {
                "dc_voltage_mv": [[self.now_ms, voltage_mv]],
                "dc_current_ma": [[self.now_ms, current_ma]],
            },
            {},
        )

    def sample(self, driver):
        self.now_ms += driver.start()
        return driver.read()

    def next_sample(self, driver):
        self.now_ms += 15_000
        return self.sample(driver)

    def recovers(self):
        """Within two samples, with a new driver."""
        self.chip.fault = self.chip.wire = None
        self.chip.plugged = True
        self.now_ms += 15_000
        self.set(24_000, 4000)
        driver = self.Driver(self.bus)
        for _ in range(2):
            self.near(self.next_sample(driver), 24_000, 4000)
        return driver

    def near(self, values, voltage_mv, current_ma, step_ma=1, step_mv=1):
        self.assertTrue(abs(values[0] - voltage_mv) <= step_mv, values)
        self.assertTrue(abs(values[1] - current_ma) <= step_ma, values)
        power_mw = voltage_mv * current_ma // 1000
        apart = (abs(voltage_mv) * step_ma + abs(current_ma) * step_mv) // 1000 + 10
        self.assertTrue(abs(values[2] - power_mw) <= apart, (values, power_mw, apart))

    # what both monitors are tested for

    def test_all_addresses(self):
        for address in self.Driver.ADDRESSES:
            self.wire(address=address)
            driver = self.Driver(self.bus, address=address)
            self.near(self.sample(driver), 24_000, 4000)
        self.assertEqual(self.Driver.ADDRESSES, tuple(range(0x40, 0x50)))

    def test_a_mean_takes_its_time(self):
        driver = self.Driver(self.bus)
        wait_ms = driver.start()
        self.assertTrue(wait_ms < 1000)
        self.now_ms += wait_ms // 2
        self.assertEqual(failure(driver.read), FROZEN)
        driver = self.Driver(self.bus)
        self.sample(driver)
        self.assertEqual(driver.start(), 0)
        self.assertEqual(failure(driver.read), FROZEN)  # that one was read already
        self.now_ms += wait_ms
        self.near(driver.read(), 24_000, 4000)

    def test_not_there(self):
        bus = I2CBus(lambda: self.now_ms)
        self.assertEqual(failure(lambda: self.Driver(bus)), _ENODEV)

    def test_another_chip(self):
        self.chip.fault = "chip_id"
        self.assertEqual(failure(lambda: self.Driver(self.bus)), CHIP_ID)
        self.recovers()

    def test_frozen(self):
        driver = self.recovers()
        self.chip.fault = "frozen"
        self.assertEqual(failure(lambda: self.next_sample(driver)), FROZEN)
        driver = self.Driver(self.bus)
        self.assertEqual(failure(lambda: self.sample(driver)), FROZEN)
        self.recovers()

    def test_its_power_was_gone(self):
        driver = self.recovers()
        self.chip.power_on(self.now_ms + 7000)
        self.assertEqual(failure(lambda: self.next_sample(driver)), FRAME)
        self.recovers()
        driver = self.recovers()
        self.now_ms += driver.start() + 15_000
        self.chip.power_on(self.now_ms)  # at that moment
        self.assertEqual(failure(driver.read), FRAME)
        self.recovers()

    def test_somebody_else_set_it_up(self):
        driver = self.recovers()
        self.bus.writeto(0x40, bytes((self.LOST, 0x12, 0x34)))
        self.assertEqual(failure(lambda: self.next_sample(driver)), FRAME)
        self.recovers()

    def test_settings_alone_were_lost(self):
        # With this shunt the INA228's calibration is the one that it powers up with.
        options = self.COMMON_CALIBRATION
        self.wire(**options)
        driver = self.Driver(self.bus, **options)
        self.sample(driver)
        register = self.SETTINGS
        self.bus.writeto(0x40, bytes((register,)) + self.chip.RESET[register].to_bytes(2, "big"))
        self.assertEqual(failure(lambda: self.next_sample(driver)), FRAME)
        driver = self.Driver(self.bus, **options)
        self.near(self.sample(driver), 24_000, 4000)

    def test_soft_reset(self):
        driver = self.recovers()
        self.bus.writeto(0x40, b"\x00\x80\x00")
        self.assertEqual(failure(lambda: self.next_sample(driver)), FRAME)
        self.recovers()

    def test_unplug_gap_and_bus(self):
        driver = self.recovers()
        self.chip.plugged = False
        self.assertEqual(failure(lambda: self.next_sample(driver)), _ENODEV)
        self.assertEqual(failure(lambda: self.Driver(self.bus)), _ENODEV)
        driver = self.recovers()
        self.chip.plugged = False  # pulled and put back between two samples
        self.chip.plugged = True
        self.assertEqual(failure(lambda: self.next_sample(driver)), FRAME)
        driver = self.recovers()
        self.set(None, 4000)
        self.assertEqual(failure(lambda: self.sample(driver)), _ENODEV)
        driver = self.recovers()
        for wire in ("stretch", "stuck"):
            self.chip.wire = wire
            self.assertEqual(failure(lambda: self.next_sample(driver)), _ETIMEDOUT)  # noqa: B023
            driver = self.recovers()

    def test_options_that_do_not_fit(self):
        for options in (
            {"shunt_uohm": 0},
            {"max_current_ma": 0},
            {"shunt_uohm": -1},
            {"shunt_uohm": -1, "max_current_ma": -1},
            {"shunt_uohm": 100_000},  # with the highest current as it is
            {"max_current_ma": 100_000},
        ):
            self.assertEqual(
                reason_of(lambda: self.Driver(self.bus, **options)),  # noqa: B023
                MISFIT,
            )
        self.Driver(self.bus, shunt_uohm=100_000, max_current_ma=800)

    def test_tiny_and_large_shunts(self):
        for shunt_uohm, max_current_ma in ((100, 50_000), (500, 20_000), (75_000, 1000), (1, 50)):
            self.wire(shunt_uohm=shunt_uohm)
            driver = self.Driver(self.bus, shunt_uohm=shunt_uohm, max_current_ma=max_current_ma)
            for current_ma in (0, max_current_ma // 2, -max_current_ma // 3):
                self.set(12_000, current_ma)
                self.now_ms += 1000
                self.near(self.sample(driver), 12_000, current_ma, 2500 // shunt_uohm + 1)
