# SPDX-License-Identifier: MIT
"""The bench on which one simulated board lies: its clock, wires, radio and persistent memory.

All state of the look-alikes is here, in one object per process. A look-alike module may be loaded
under two names (by path and by package); this module is only ever `simulator.hal.bench`.

Simulated time belongs to the conductor (simulator/conductor.py). This process may run until
`until_ms`; there it says that it has arrived and waits for the next grant. Computing takes no
simulated time; sleeping skips it; waiting on a socket lets it run 1:1 with real time.
"""

import binascii
import json
import sys

try:
    from utime import ticks_diff, ticks_us  # MicroPython: the original
except ImportError:
    from time import monotonic_ns

    def ticks_us():
        return monotonic_ns() // 1000

    def ticks_diff(a, b):
        return a - b


EPOCH_S = 946_684_800  # 2000-01-01 in Unix time, where an ESP32 counts from
_DAY_S = 86_400
_CERTIFICATE_DAYS = 3650
_SILENT_MS = 20
MARK = "\x01"  # starts a line for the conductor; all others are the board's serial port


class Bench:
    """Filled by simulator/node_process.py before the firmware starts."""

    def __init__(self):
        self.start_s = 0  # Unix time of simulated millisecond 0
        self.now_ms = 0
        self.until_ms = 0
        self.booted_ms = 0
        self._part_us = 0  # microseconds of waiting that are not yet a millisecond
        self.partitions = {}  # label: what lies there, with blocks, read_into, program, erase
        self.nvs = None  # get, has, set, erase_key: see nvs_pipe.py
        self.sntp = None  # function of a request that gives the answer, or nothing
        self.radio = None  # function of what the Wi-Fi driver is asked: see world/radio.py
        self.reset_cause = "power"
        self.is_over = False  # it was reset, or is stopped: what its firmware does yet is nothing
        self.off_ms = 0  # how long a power cut lasts
        self.rtc = None  # seconds since 2000 when it was set, and the simulated ms of that moment
        self.rtc_memory = b""
        self.watchdog_ms = None  # its timeout, and when it bites
        self.watchdog_bites_ms = 0
        self.signals = None
        self.chips = []  # in the order of the kit's sensors
        self.i2c = {}  # peripheral id: I2CBus
        self.uart = {}  # peripheral id: chip
        self.counters = {}  # pin: chip
        self.wired = {}  # (kind, pin or peripheral id): chip, of the kinds that few kits have
        self.pin_levels = {}  # pin: 0 or 1, as driven from outside
        self.pins = {}  # pin: machine.Pin look-alike with an irq
        self.analog_uv = {}  # pin: microvolts
        self.air = {"hosts": {}}
        self.wifi_joined = False
        self.interrupts = None  # plays what comes by itself until a time: one such part at most
        self.heap_used = None  # function that tells the heap in use, on MicroPython

    # time

    def now(self) -> int:
        """Simulated milliseconds since the world's start."""
        return self.now_ms

    def sleep_ms(self, duration_ms: int):
        """Skips simulated time, and meets the others where this process may not run on."""
        target_ms = self.now_ms + max(0, duration_ms)
        while True:
            self._move(min(target_ms, max(self.until_ms, self.now_ms)))
            if self.now_ms >= self.until_ms:
                self._arrive()
            if self.now_ms >= target_ms:
                return

    def waited_since(self, began_us: int):
        """Lets the clock run for the real time since `began_us`, a value of ticks_us()."""
        self._part_us += max(0, ticks_diff(ticks_us(), began_us))
        whole_ms = self._part_us // 1000
        self._part_us -= whole_ms * 1000
        self._move(self.now_ms + whole_ms)

    def real_ms(self, timeout_ms: int) -> int:
        """How much of a wait on a socket is to be waited for in earnest."""
        return min(timeout_ms, _SILENT_MS) if self.air.get("silent") else timeout_ms

    def skip(self, rest_ms: int):
        """Skips what is left of a wait at which nothing can come, up to where all meet."""
        if rest_ms > 0:
            self.sleep_ms(min(rest_ms, max(1, self.until_ms - self.now_ms)))

    def _move(self, to_ms: int):
        if self.interrupts:
            self.interrupts(to_ms)
        if self.watchdog_ms is not None and to_ms >= self.watchdog_bites_ms:
            self.now_ms = self.watchdog_bites_ms
            self.reset("wdt", 0)
        self.now_ms = to_ms

    def check_certificate_dates(self):
        """mbedTLS compares them with the board's clock: ValueError when it is not between. They
        count as issued the day before the world began, for ten years."""
        seconds, at_ms = self.rtc or (0, self.booted_ms)
        board_s = seconds + (self.now_ms - at_ms) // 1000 + EPOCH_S
        if board_s < self.start_s - _DAY_S:
            raise ValueError("The certificate validity starts in the future")
        if board_s >= self.start_s - _DAY_S + _CERTIFICATE_DAYS * _DAY_S:
            raise ValueError("The certificate validity has expired")

    # the conductor

    def say(self, *words):
        """One line of words, of which bytes are told in hex."""
        sys.stdout.write("\n" + MARK)  # the firmware may be within a line
        for i, word in enumerate(words):
            sys.stdout.write(" " if i else "")
            if isinstance(word, bytes):
                for at in range(0, len(word), 32):  # in pieces: the heap is small
                    sys.stdout.write(binascii.hexlify(word[at : at + 32]).decode())
            else:
                sys.stdout.write(str(word))
        sys.stdout.write("\n")
        if hasattr(sys.stdout, "flush"):
            sys.stdout.flush()

    def _arrive(self):
        heap = self.heap_used() if self.heap_used else 0
        self.say("arrived", self.now_ms, heap)
        self.take_grant()

    def ask(self, *words) -> str:
        """Says a line that the conductor answers at once; returns its answer."""
        self.say(*words)
        return self.hear()

    def hear(self) -> str:
        """The next line of the conductor's."""
        line = sys.stdin.readline()
        if not line or line == "stop\n":
            self.is_over = True
            raise SystemExit
        return line

    def take_grant(self):
        """Reads what the conductor says: how far to run, and what the city does until then; then
        a line for each level, [name, values], as the heap has no room for a long one. All levels
        have their points at the same times, which are told from `until` on."""
        grant = json.loads(self.hear())
        levels = dict([json.loads(self.hear()) for _ in range(grant["levels"])])
        self.air = grant.get("air", self.air)
        for index, changes in grant.get("chips", {}).items():
            for name in changes:
                setattr(self.chips[int(index)], name, changes[name])
        if "cut" in grant:
            self.cut(*grant["cut"])
        self.signals.take_levels(grant["times"], levels, grant["until"])
        self.signals.take_events(grant["until"], grant["events"], grant["known"])
        self.until_ms = grant["until"]

    def cut(self, after: int, torn: str, off_ms: int):
        """Lets the power fail at the `after`-th flash operation from now, for `off_ms`."""
        self.off_ms = off_ms
        self.partitions["lpdata"].cut(after, torn)

    def reset(self, cause: str, sleep_ms: int):
        """Ends this run of the firmware, once; the conductor powers the board up again."""
        if not self.is_over:
            self.is_over = True
            data = self.partitions.get("lpdata")
            if data is not None and data.dead:  # the firmware asks for it on its way out
                cause, sleep_ms = "power", self.off_ms
            self.say("reset", cause, self.now_ms, sleep_ms)
        raise SystemExit


bench = Bench()
