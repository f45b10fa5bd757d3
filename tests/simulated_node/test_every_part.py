# SPDX-License-Identifier: MIT
"""Every part of every kit, as a node samples it, while its chip and its wires fail: found,
counted, and recovered within two sampling periods. What is wrong never becomes a reading."""

import json
import re
from pathlib import Path

import pytest

import boards
from host_tools.provisioning.driver_facts import DriverFacts
from host_tools.provisioning.kit import split_options
from node.drivers.registry import PARTS, driver_class
from node.errors import SensorFault
from node.pipeline import particles
from node.pipeline.quantities import QUANTITIES
from node.pipeline.sample import Sensor
from node.pipeline.watch import WatchingSensor
from simulator.buses.counter import PulseCounter
from simulator.buses.i2c import I2CBus
from simulator.buses.signals import Signals
from simulator.buses.uart import UartLine
from simulator.chips import registry as chips
from simulator.hal.bench import Bench, bench
from simulator.world.city import City

ROOT = Path(boards.__path__[0])
BOARD = json.loads((ROOT / "esp32-devkitc/board.json").read_text())
NOON_S = 1_790_596_800  # a Monday
SPAN_MS = 3_600_000
OWN_CLOCK = ("i2s", "ble")  # driven by interrupts of the board: see their own tests
WIRE = {"i2c": ("stretch", "stuck"), "uart": ("loses", "brown-out")}


def entries() -> dict:
    """{part: an entry of a kit that has it}"""
    found = {}
    for path in sorted(ROOT.glob("kits/*/kit.json")):
        for entry in json.loads(path.read_text())["sensors"]:
            found.setdefault(entry["part"], entry)
    return found


ENTRIES = entries()
SAMPLED = [p for p in ENTRIES if BOARD["buses"][ENTRIES[p]["bus"]]["kind"] not in OWN_CLOCK]


def faults_of(part: str) -> list[str]:
    """What the chip's docstring says it can play, and what its bus can do to it."""
    module = __import__(f"simulator.chips.{part}", None, None, ("x",))
    told = re.search(r"Faults?:(.*?)(Harmless:|$)", module.__doc__ or "", re.S)
    return re.findall(r'"([a-z_ -]+)"', told[1]) if told else []


@pytest.fixture(autouse=True)
def fresh_bench():
    before = dict(vars(bench))
    vars(bench).update(vars(Bench()))
    bench.until_ms = 10**9
    yield bench
    vars(bench).clear()
    vars(bench).update(before)


class Street:
    """One part, its chip, and a second sensor on the same bus where that is I2C."""

    def __init__(self, part: str):
        (self.entry,) = split_options({"sensors": [ENTRIES[part]]})["sensors"]
        self.period_ms = self.entry["interval_s"] * 1000
        signals = bench.signals = Signals()
        senses = chips.chip_class(part).SENSES
        told = City(3, NOON_S).signals(0, 0, 12 * SPAN_MS)
        signals.extend(
            12 * SPAN_MS,
            {name: points for name, points in told["levels"].items() if name in senses},
            {name: made for name, made in told["events"].items() if name in senses},
        )
        options = self.entry.get("options", {})
        self.chip = chips.chip_class(part)(signals, **options)
        driver = driver_class(part)
        bus = self.wire(BOARD["buses"][self.entry["bus"]], driver, options)
        ranges = {name: QUANTITIES[name][2:] for name in driver.QUANTITIES}
        entry = {**self.entry, "ranges": ranges}
        self.failures = []

        def make():
            return driver(bus, **options)

        if "particles" in entry:
            self.sensor = particles.make(entry, make, [50_000])
        else:
            self.sensor = (WatchingSensor if DriverFacts(part).watches else Sensor)(entry, make)
        fail = self.sensor._fail

        def note(err):
            self.failures.append(err)
            fail(err)

        self.sensor._fail = note

    def wire(self, bus: dict, driver, options: dict):
        kind = bus["kind"]
        if kind == "i2c":
            made = bench.i2c[bus["id"]] = I2CBus(bench.now)
            made.attach(options.get("address", self.chip.ADDRESS), self.chip)
        elif kind == "uart":
            bench.uart[bus["id"]] = self.chip
            made = UartLine(bench.now, self.chip, options.get("baud", driver.BAUD), driver.RXBUF)
        elif kind == "counter":
            made = PulseCounter(bench.now, self.chip)
        else:
            from node.device import hardware_more

            self.chip.board_bus = bus
            bench.wired[kind, bus.get("pin", bus.get("id"))] = self.chip
            made = hardware_more.make(bus, driver)
        return made

    def run(self, periods: int) -> list:
        """[(how many periods from now, readings)] of that many sampling periods."""
        began = bench.now_ms
        ends = began + periods * self.period_ms
        seen = []
        while bench.now_ms < ends:
            readings = self.sensor.step(bench.now_ms)
            if readings:
                seen.append(((bench.now_ms - began) / self.period_ms, readings))
            bench.now_ms = max(bench.now_ms + 1, min(ends, self.sensor.next_ms()))
        return seen

    def settling(self) -> int:
        """Sampling periods that a part needs after its power came back, by its data sheet."""
        return -(-driver_class(self.entry["part"]).SETTLE_MS // self.period_ms)


def warm(part: str) -> Street:
    street = Street(part)
    street.run(3 + street.settling())
    assert street.run(3), f"{part} gives nothing: {street.failures}"
    assert not street.failures, street.failures
    return street


def assert_back(street: Street):
    """It gives readings within two sampling periods, and what it needs to settle."""
    began = len(street.failures)
    found = street.run(4 + street.settling())
    assert found, (street.entry["part"], street.failures[began:])
    assert found[0][0] <= 2 + street.settling() + 0.999, found[0]


@pytest.mark.parametrize("part", PARTS)
def test_every_part_is_in_a_kit(part):
    assert part in ENTRIES


@pytest.mark.parametrize("part", SAMPLED)
def test_a_part_gives_what_it_says_and_nothing_out_of_range(part):
    street = warm(part)
    seen = set()
    for _, readings in street.run(20):
        for quantity, value in readings:
            low, high = QUANTITIES[quantity][2:]
            assert type(value) is int and low <= value <= high
            seen.add(quantity)
    assert seen >= set(street.entry["quantities"]), "some never come"
    assert not street.failures


@pytest.mark.parametrize("part", SAMPLED)
def test_pulled_out_and_put_back(part):
    street = warm(part)
    street.chip.plugged = False
    given = street.run(6)
    silent = DriverFacts(part).bus in ("counter", "input", "adc")  # nobody can tell there
    if not silent:
        assert street.failures, f"{part}: nobody noticed"
        assert all(at <= 2 for at, _ in given), given
    street.chip.plugged = True
    assert_back(street)


WIRED = [(part, how) for part in SAMPLED for how in WIRE.get(DriverFacts(part).bus, ())]


@pytest.mark.parametrize(("part", "how"), WIRED)
def test_the_wires_fail(part, how):
    street = warm(part)
    street.chip.wire = how
    for _, readings in street.run(8):
        for name, value in readings:
            low, high = QUANTITIES[name][2:]
            assert low <= value <= high
    if how in ("stretch", "stuck"):
        assert street.failures
        assert all(err.args[0] == 116 for err in street.failures), street.failures
    street.chip.wire = None
    assert_back(street)


PLAYED = [(part, fault) for part in SAMPLED for fault in faults_of(part)]


@pytest.mark.parametrize(("part", "fault"), PLAYED)
def test_the_chip_fails(part, fault):
    street = warm(part)
    if fault in ("chip_id", "chip id", "self-test"):  # seen when it is put in its place
        street.chip.plugged = False
        street.run(2)
        street.chip.plugged = True
        street.failures.clear()
    street.chip.fault = fault
    patience = 12
    if fault == "frozen":
        patience = 400
    for _ in range(patience):
        street.run(2)
        if street.failures:
            break
    assert street.failures, f"{part}: {fault} is not found"
    assert all(isinstance(err, (SensorFault, OSError)) for err in street.failures), (
        street.failures
    )
    street.chip.fault = None
    assert_back(street)
