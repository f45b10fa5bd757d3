# SPDX-License-Identifier: MIT
"""Runs under MicroPython: prints what one driver takes, as JSON. The first line of stdin says
which part, on which kind of bus, with which options, and what its chip senses.

The driver is first run against its chip while every transfer is noted; then the same transfers are
played back, so that the time is the driver's own and not the chip's.
"""

import gc
import json
import sys

from utime import ticks_diff, ticks_us

from node.errors import SensorFault
from simulator.buses.signals import Signals
from simulator.hal.bench import bench

ROUNDS, READINGS = 5, 20


class Noted:
    """A bus that notes what each transfer gives. `tape`: [(result, what came into a buffer)]."""

    def __init__(self, bus):
        self._bus = bus
        self.tape = []
        self.constants = {}

    def __getattr__(self, name):
        method = getattr(self._bus, name)
        if isinstance(method, (int, tuple)):
            self.constants[name] = method
            return method

        def call(*args, **options):
            try:
                result = method(*args, **options)
            except OSError as err:
                self.tape.append((err, None))
                raise
            came = None
            if args and name[-4:] == "into":
                came = bytes(args[-1])
            self.tape.append((result, came))
            return result

        return call


class Played:
    """Gives the same again, as fast as it goes."""

    def __init__(self, tape, constants):
        self.tape = tape
        self.at = 0
        self._constants = constants

    def next(self, *args, **options):
        result, came = self.tape[self.at]
        self.at += 1
        if came is not None:
            args[-1][: len(came)] = came
        elif isinstance(result, OSError):
            raise result
        return result

    def __getattr__(self, name):
        return self._constants.get(name, self.next)


def used():
    gc.collect()
    return gc.mem_alloc()


def make_bus(task, chip, driver):
    from simulator.buses.i2c import I2CBus
    from simulator.buses.uart import UartLine

    kind, options = task["kind"], task["options"]
    if kind == "i2c":
        bus = I2CBus(bench.now)
        bus.attach(options.get("address", chip.ADDRESS), chip)
        return bus
    if kind == "uart":
        chip.transmit(bench.now_ms)  # nobody listened so far
        return UartLine(bench.now, chip, options.get("baud", driver.BAUD), driver.RXBUF)
    if kind == "counter":
        from simulator.buses.counter import PulseCounter

        return PulseCounter(bench.now, chip)
    chip.board_bus = task["bus"]
    bench.wired[kind, task["bus"].get("pin", task["bus"].get("id"))] = chip
    from node.device import hardware_more

    return hardware_more.make(task["bus"], driver)


def sample(driver, interval_ms):
    """One sample, as pipeline/sample.py and watch.py take it; how many ms it was waited."""
    ends_ms = bench.now_ms + interval_ms
    bench.now_ms += driver.start()
    values = driver.read()
    while isinstance(values, int):
        bench.now_ms += values
        values = driver.read()
    if hasattr(driver, "poll"):
        while bench.now_ms < ends_ms:
            bench.now_ms += driver.poll()
    bench.now_ms = max(bench.now_ms, ends_ms)
    return values


def settled(driver, bus, options, interval_ms):
    """A driver that has taken a sample; made anew after a fault, as a node does it."""
    for _ in range(3):
        if isinstance(bus, Noted):
            bus.tape.clear()
        instance = driver(bus, **options)
        try:
            sample(instance, interval_ms)
            return instance
        except (OSError, SensorFault):
            bench.now_ms += interval_ms
    raise RuntimeError("it gives no sample")


def played(driver, poll_ms, interval_ms):
    driver.start()
    while isinstance(driver.read(), int):
        pass
    if poll_ms:
        spent = 0
        while spent < interval_ms:
            spent += driver.poll()


def main():
    task = json.loads(sys.stdin.readline())
    signals = Signals()
    bench.signals = signals
    bench.until_ms = 1 << 29
    signals.extend(bench.until_ms, task["levels"], task["events"])
    part, name, options = task["part"], task["class"], task["options"]
    module = __import__("simulator.chips." + part, None, None, (name,))
    chip = getattr(module, name)(signals, **options)
    bench.now_ms = 120_000
    del module

    before = used()
    driver = getattr(__import__("node.drivers." + part, None, None, (name,)), name)
    imported = used()
    bus = make_bus(task, chip, driver)
    with_bus = used()
    instance = settled(driver, bus, options, task["interval_ms"])
    made = used() - with_bus
    del instance
    noted = Noted(bus)
    instance = settled(driver, noted, options, task["interval_ms"])
    interval_ms, readings = task["interval_ms"], 0
    first = None
    for _ in range(READINGS):
        readings += sample(instance, interval_ms) is not None
        if first is None and readings:
            first = len(noted.tape)
    best = None
    polls = hasattr(instance, "poll")
    for _ in range(ROUNDS):
        tape = Played(noted.tape, noted.constants)
        again = driver(tape, **options)
        gc.collect()
        began = ticks_us()
        try:
            for _ in range(READINGS):
                played(again, polls, interval_ms)
        except IndexError:  # it was polled once more than before
            pass
        spent = ticks_diff(ticks_us(), began)
        best = spent if best is None else min(best, spent)
    transfers = len(noted.tape)
    tape = Played([(None, None)] * transfers, {})
    gc.collect()
    began = ticks_us()
    for _ in range(transfers):
        tape.next(0)
    overhead = ticks_diff(ticks_us(), began)
    print(json.dumps({
        "import_bytes": imported - before, "object_bytes": made, "readings": readings,
        "us": max(0, best - overhead) / max(1, readings),
        "transfers": transfers / max(1, readings),
    }))  # fmt: skip


main()
