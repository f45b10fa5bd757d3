# SPDX-License-Identifier: MIT
"""Look-alike of MicroPython's `machine` on an ESP32: what the documentation says, on the bench.

A watchdog that is not fed and a reset end this run of the firmware. A UART that is not read in
time loses bytes. What is not here raises AttributeError, as on a port that lacks it.
"""

from simulator.buses.i2c import I2CBus
from simulator.buses.uart import UartLine
from simulator.hal import ticks
from simulator.hal.bench import bench

PWRON_RESET, HARD_RESET, WDT_RESET, DEEPSLEEP_RESET, SOFT_RESET = 1, 2, 3, 4, 5
PIN_WAKE, TIMER_WAKE = 2, 4
_CAUSES = {"power": PWRON_RESET, "hard": HARD_RESET, "wdt": WDT_RESET, "deepsleep": 4, "soft": 5}


class Pin:
    """A pin whose level is driven by the bench, or by itself as an output."""

    IN, OUT, OPEN_DRAIN = 1, 3, 7
    PULL_UP, PULL_DOWN = 2, 1
    IRQ_RISING, IRQ_FALLING = 1, 2

    def __init__(self, id, mode=-1, pull=-1, *, value=None, drive=None, hold=None):
        if not 0 <= id <= 48:
            raise ValueError("invalid pin")
        self.id = id
        self._handler = None
        self._trigger = 0
        self.init(mode, pull, value=value)

    def init(self, mode=-1, pull=-1, *, value=None, drive=None, hold=None):
        if value is not None:
            self.value(value)
        elif pull == self.PULL_UP and self.id not in bench.pin_levels:
            bench.pin_levels[self.id] = 1

    def value(self, x=None):
        if x is None:
            chip = bench.wired.get(("input", self.id))
            if chip is not None and chip.plugged:
                return chip.level(bench.now_ms)
            return bench.pin_levels.get(self.id, 0)
        drive(self.id, 1 if x else 0)

    __call__ = value

    def on(self):
        self.value(1)

    def off(self):
        self.value(0)

    def irq(self, handler=None, trigger=3, *, wake=None, hard=False):
        self._handler, self._trigger = handler, trigger
        bench.pins[self.id] = self
        return self


def drive(pin: int, level: int):
    """Gives a pin a level from outside; calls its handler on an edge that it waits for."""
    edge = level - bench.pin_levels.get(pin, 0)
    bench.pin_levels[pin] = level
    waiting = bench.pins.get(pin)
    wanted = Pin.IRQ_RISING if edge > 0 else Pin.IRQ_FALLING
    if edge and waiting and waiting._handler and waiting._trigger & wanted:
        waiting._handler(waiting)


def I2C(id=-1, *, scl=None, sda=None, freq=400_000, timeout=50_000):
    """A hardware I2C bus of the bench."""
    bus = bench.i2c.get(id)
    if bus is None:
        bus = bench.i2c[id] = I2CBus(bench.now)
    bus.pins = scl.id, sda.id
    for pin in bus.pins:  # pulled up
        bench.pin_levels[pin] = 1
    return bus


class UART(UartLine):
    """A hardware UART of the bench, with a receive buffer of `rxbuf` bytes."""

    def __init__(
        self, id, baudrate=115_200, bits=8, parity=None, stop=1, *,
        tx=None, rx=None, rts=None, cts=None, txbuf=256, rxbuf=256,
        timeout=0, timeout_char=0, invert=0, flow=0,
    ):  # fmt: skip
        UartLine.__init__(self, bench.now, bench.uart.get(id), baudrate, max(rxbuf, 128))
        if invert or bits != 8 or parity is not None:
            self.init(0, bits, parity, invert=invert)

    def deinit(self):
        pass

    def flush(self):
        pass

    def txdone(self) -> bool:
        return True


class RTC:
    """The clock that survives sleep, and its memory of 2048 bytes."""

    def datetime(self, fields=None):
        if fields is None:
            year, month, day, hour, minute, second, weekday, _ = ticks.gmtime()
            return year, month, day, weekday, hour, minute, second, 0
        year, month, day, _, hour, minute, second = fields[:7]
        ticks.set_rtc(ticks.mktime((year, month, day, hour, minute, second)))

    def init(self, fields):
        self.datetime(fields)

    def memory(self, data=None):
        if data is None:
            return bench.rtc_memory
        if len(data) > 2048:
            raise ValueError("buffer too long")
        bench.rtc_memory = bytes(data)


class WDT:
    """The watchdog: not fed for `timeout` ms, it resets the board."""

    def __init__(self, id=0, timeout=5000):
        bench.watchdog_ms = timeout
        self.feed()

    def feed(self):
        bench.watchdog_bites_ms = bench.now_ms + bench.watchdog_ms


def reset():
    bench.reset("hard", 0)


def soft_reset():
    bench.reset("soft", 0)


def reset_cause() -> int:
    return _CAUSES[bench.reset_cause]


def wake_reason() -> int:
    return TIMER_WAKE if bench.reset_cause == "deepsleep" else 0


def __getattr__(name):
    """What nodes seldom use is loaded when it is: their heap is small."""
    from simulator.hal import machine_more

    return getattr(machine_more, name)
