# SPDX-License-Identifier: MIT
"""Owns the simulated time. Grants each node process how far it may run, and brings them together.

    grant (until, what the city does until then) ──▶ node process runs main.py ──▶ "arrived"

A node may run up to the next window boundary of any node. There all meet, and the conductor goes
on when every sealed envelope is receipted, or after 2 s of real time without progress (a fault is
being played). So the time between two meetings is the time at which things are seen from outside.
"""

import collections
import contextlib
import json
import subprocess
import threading
import time
from pathlib import Path

from host_tools.provisioning.kit import split_options
from simulator.chips.registry import PARTS, chip_class
from simulator.hal.bench import MARK
from simulator.nvs_answers import NvsAnswers
from simulator.world.flash import PowerCut
from simulator.world.radio import Radio
from simulator.world.time_server import TimeServer

AHEAD_MS = 8000  # a person is in a radar's view that long before they cross
GRANT_MAX_MS = 300_000  # a grant is one line that a small heap must hold
PATIENCE_S = 2.0
_PACE_S = 0.25  # real time between two meetings when the speed is limited
HANG_S = 120  # real time
_LOG_LINES = 200
_TOLD = ("hosts", "silent")  # of what the access point has; the radio is at this end
_COUNTS = ("samples", "faults", "records", "envelopes", "newest", "waiting", "unsealed")


def with_chips(kit: dict) -> dict:
    """The kit as a node process takes it: each sensor names the class of its chip, as a list of
    all chips would cost heap there, and has the options of the chip alone."""
    sensors = [
        {**entry, "chip": PARTS[entry["part"]][0]} if entry["part"] in PARTS else entry
        for entry in split_options(kit)["sensors"]
    ]
    return {**kit, "sensors": sensors}


class NodeProcess:
    """One node: its process, what it last said of itself, and whether it has arrived."""

    def __init__(self, node_id: str, folder: Path, kit: dict, board: dict,
                 command: list, environment: dict, air):  # fmt: skip
        self.node_id = node_id
        self.folder = folder
        self.kit = kit
        self.board = board
        self.air = air  # function that tells what the access point offers: see sntp_socket.py
        self.status = dict.fromkeys(_COUNTS, 0)
        self.before = dict(self.status)  # of earlier runs of this board
        self.heap_peak = self.heap_last = None
        self.log = collections.deque(maxlen=_LOG_LINES)
        self.resets = 0
        self.causes = collections.Counter()  # of its power-ups but the first
        self.cuts = collections.Counter()  # power cuts within a flash operation: of data, nvs
        self.on_line = self.on_reset = None  # called with each line it prints; with (cause, ms)
        self.arrived = True
        self.ended = False
        self.told_ms = 0  # up to where it knows what the city does
        self._told_air = None
        self.wakes_ms = 0  # it is off until then
        self.pending_chips = {}
        self.lasting_chips = {}  # what its chips are told again at each power-up
        self.pending_cut = None  # [after so many operations of its flash, torn, for how many ms]
        self.nvs = NvsAnswers(folder / "nvs.img")
        self.nvs_off_ms = 0  # how long a power cut within NVS lasts
        self._time_server = TimeServer()
        self._radio = Radio()
        self._start_s = 0
        self.nvs_cut = None  # (after, torn): strikes also after a power-up, and then is over
        # A kit's node is told only what its chips sense: its heap is small.
        parts = {entry["part"] for entry in kit["sensors"] if entry["part"] in PARTS}
        self._senses = {name for part in parts for name in chip_class(part).SENSES}
        self._command = command
        self._environment = environment
        self._process = None
        self._reset = None

    def total(self, name: str) -> int:
        """A count of the status line, over all power-ups of this board."""
        return self.status[name] + self.before[name]

    def power_up(self, start_s: int, now_ms: int, cause: str, changed: threading.Condition):
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=self._environment,
            start_new_session=True,  # Ctrl-C is for the conductor, which ends them in order
        )
        self.told_ms = now_ms
        self._told_air = None
        self.wakes_ms = now_ms
        self.ended, self.arrived = False, True
        self.nvs.power_up()
        self._start_s = start_s
        self._radio = Radio()
        if self.nvs_cut:
            self.nvs.flash.cut(*self.nvs_cut)
        for index, changes in self.lasting_chips.items():
            self.pending_chips[index] = {**self.pending_chips.get(index, {}), **changes}
        first = {"start_s": start_s, "now_ms": now_ms, "cause": cause}
        first["nvs_blocks"] = self.nvs.blocks
        self._write(json.dumps({**first, "kit": with_chips(self.kit), "board": self.board}))
        thread = threading.Thread(target=self._listen, args=(self._process, changed), daemon=True)
        thread.start()

    def grant(self, until_ms: int, known_ms: int, signals: dict):
        self.arrived = False
        self.told_ms = known_ms
        levels, events = (
            {name: told[name] for name in told if name in self._senses}
            for told in (signals["levels"], signals["events"])
        )
        times = [at_ms - until_ms for at_ms, _ in next(iter(levels.values()), ())]
        message = {"until": until_ms, "known": known_ms, "levels": len(levels), "times": times,
                   "events": events}  # fmt: skip
        air = {name: value for name, value in self.air().items() if name in _TOLD}
        if air != self._told_air:
            message["air"] = self._told_air = air
        if self.pending_chips:
            message["chips"], self.pending_chips = self.pending_chips, {}
        if self.pending_cut:
            message["cut"], self.pending_cut = self.pending_cut, None
        lines = [[name, [value for _, value in points]] for name, points in levels.items()]
        told = [json.dumps(line, separators=(",", ":")) for line in [message, *lines]]
        self._write("\n".join(told))

    def stop(self):
        """Ends the process, as when the board is switched off."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(OSError):
            process.stdin.write("stop\n")
            process.stdin.close()
        try:
            process.wait(2)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def end(self, reason: str):
        """Ends a process that will not end by itself."""
        self.log.append(reason)
        self._process.kill()

    def was_reset(self) -> bool:
        """Whether the board was reset and waits to be powered up again."""
        return self._reset is not None

    def take_reset(self) -> tuple[str, int]:
        """(cause, the simulated ms at which the board starts again)."""
        (cause, at_ms, sleep_ms), self._reset = self._reset, None
        self.switch_off()
        self.causes[cause] += 1
        if self.on_reset is not None:
            self.on_reset(cause, at_ms + sleep_ms)
        return cause, at_ms + sleep_ms

    def switch_off(self):
        """Takes its power, and counts what it did since it had it."""
        self.resets += 1
        self.stop()
        for name in ("samples", "faults", "records", "envelopes", "unsealed"):
            self.before[name] += self.status[name]
            self.status[name] = 0

    def _write(self, line: str):
        process = self._process
        with contextlib.suppress(BrokenPipeError, ValueError):  # it has ended, or is being ended
            if process is not None:
                process.stdin.write(line + "\n")
                process.stdin.flush()

    def _listen(self, process, changed):
        for line in process.stdout:
            with changed:
                self._take(line.rstrip("\n"))
                changed.notify_all()
        process.wait()
        with changed:
            if process is self._process and not self.was_reset():
                self.ended = True
                self.arrived = True
            changed.notify_all()

    def _answer(self, about: str, now_ms: str, words: str):
        """What the node asks and waits for."""
        if about == "wifi":
            answer = self._radio.answer(self.air(), int(now_ms), *json.loads(words))
            self._write(json.dumps(answer))
            return
        if about == "sntp":
            utc_ms = self._start_s * 1000 + int(now_ms)
            request = bytes.fromhex(words)
            self._write(self._time_server.answer(self.air()["sntp"], request, utc_ms).hex())
            return
        try:
            self._write(self.nvs.answer(words.split(" ")))
        except PowerCut:
            self.cuts["nvs"] += 1
            self.nvs_cut = None
            self._reset = ("power", int(now_ms), self.nvs_off_ms)
            self.arrived = False
            self._write("stop")

    def _take(self, line: str):
        if line.startswith(MARK + "arrived "):
            heap = line.split()[2]
            if int(heap):
                self.heap_last = int(heap)
                self.heap_peak = max(self.heap_peak or 0, self.heap_last)
            self.arrived = True
        elif line.startswith(MARK + "reset "):
            _, cause, at_ms, sleep_ms = line.split()
            self._reset = (cause, int(at_ms), int(sleep_ms))
            self.cuts["data"] += cause == "power"
            self.arrived = False  # it has the rest of its way to go
        elif line.startswith((MARK + "nvs ", MARK + "sntp ", MARK + "wifi ")):
            self._answer(*line[1:].split(" ", 2))
        elif line.startswith("status "):
            with contextlib.suppress(ValueError):
                counts = dict(item.split("=") for item in line.split()[1:])
                self.status.update({name: int(count) for name, count in counts.items()})
        elif line:
            self.log.append(line)
            if self.on_line is not None:
                self.on_line(line)


class Conductor:
    """world: signals(index, from_ms, to_ms); windows_s: all window lengths of all nodes' policies.

    settled() tells whether every sealed envelope of every node is receipted; progress() gives any
    value that changes when an envelope or a receipt moves.
    """

    def __init__(self, world, nodes: list, windows_s: list, start_s: int, speed=None,
                 settled=lambda: True, progress=lambda: None):  # fmt: skip
        self.nodes = nodes
        self.start_s = start_s
        self.now_ms = 0
        self.changed = threading.Condition()
        self.hang_s = HANG_S  # after which a node that does not arrive is ended
        self.patience_s = PATIENCE_S  # less while a fault is played that nothing gets past
        self._world = world
        self._windows_ms = sorted({w * 1000 for w in windows_s})
        self._speed = speed
        self._settled = settled
        self._progress = progress
        self._stopped = False
        self._real_start_s = None

    def now_s(self) -> int:
        """Unix time in the simulated city: never later than any node's."""
        return self.start_s + self.now_ms // 1000

    def start(self):
        for node in self.nodes:
            node.power_up(self.start_s, self.now_ms, "power", self.changed)

    def stop(self):
        """Ends all node processes; a run() in another thread returns."""
        self._stopped = True
        with self.changed:
            self.changed.notify_all()
        for node in self.nodes:
            node.stop()

    def run(self, until_ms: int, each_meeting=lambda: None) -> bool:
        """Runs the city up to `until_ms`; False when it was stopped or a node's process ended."""
        while self.now_ms < until_ms and not self._stopped:
            target_ms = min(self._next_meeting_ms(), until_ms)
            for index, node in enumerate(self.nodes):
                self._grant(index, node, target_ms)
            if not self._meet(target_ms):
                return False
            self.now_ms = target_ms
            each_meeting()
            self._pace()
        return not self._stopped

    def cut_power(self, node: NodeProcess, for_ms: int = 0):
        """Takes a node's power at a meeting, and gives it back after `for_ms`."""
        node.switch_off()
        self.switch_on(node, for_ms)

    def switch_on(self, node: NodeProcess, in_ms: int = 0):
        """Gives power to a node that was switched off, after `in_ms`."""
        node.causes["power"] += 1
        node.power_up(self.start_s, self.now_ms + in_ms, "power", self.changed)

    def drain(self, done, patience_s: float = 30.0) -> bool:
        """Lets time run in small steps, at least one, until done().

        False after `patience_s` of real time without progress.
        """
        seen, since = None, time.monotonic()
        while True:
            if not self.run(self.now_ms + 1000):
                return False
            if done():
                return True
            now = (self._progress(), [node.status["waiting"] for node in self.nodes])
            if now != seen:
                seen, since = now, time.monotonic()
            elif time.monotonic() - since > patience_s:
                return False

    def _next_meeting_ms(self) -> int:
        limit_ms = GRANT_MAX_MS
        if self._speed is not None:
            limit_ms = min(limit_ms, max(1000, int(self._speed * 1000 * _PACE_S)))
        utc_ms = self.start_s * 1000 + self.now_ms
        boundary_ms = min(w - utc_ms % w for w in self._windows_ms)
        return self.now_ms + min(boundary_ms, limit_ms)

    def _grant(self, index: int, node: NodeProcess, target_ms: int):
        if node.ended or node.wakes_ms >= target_ms:
            return
        known_ms = target_ms + AHEAD_MS
        node.grant(target_ms, known_ms, self._world.signals(index, node.told_ms, known_ms))

    def _meet(self, target_ms: int) -> bool:
        """Waits until all have arrived and everything sealed is receipted.

        A board that is reset on the way starts again, and runs on to the meeting.
        """
        since = time.monotonic()
        while not self._stopped:
            if time.monotonic() - since > self.hang_s:  # it computes for ever
                for node in self.nodes:
                    if not node.arrived:
                        node.end(f"it did not arrive within {self.hang_s} s")
            with self.changed:
                for index, node in enumerate(self.nodes):
                    if node.was_reset():
                        cause, wakes_ms = node.take_reset()
                        node.power_up(self.start_s, wakes_ms, cause, self.changed)
                        self._grant(index, node, target_ms)
                if all(node.arrived for node in self.nodes):
                    break
                self.changed.wait(0.5)
        seen, since = self._progress(), time.monotonic()
        while not self._settled() and not self._stopped:
            with self.changed:
                self.changed.wait(0.02)
            now = self._progress()
            if now != seen:
                seen, since = now, time.monotonic()
            elif time.monotonic() - since > self.patience_s:
                break
        return not self._stopped and not any(node.ended for node in self.nodes)

    def _pace(self):
        """Holds simulated time back to `speed` times real time."""
        if self._speed is None:
            return
        if self._real_start_s is None:
            self._real_start_s = time.monotonic()
        pause = self._real_start_s + self.now_ms / 1000 / self._speed - time.monotonic()
        with self.changed:
            until = time.monotonic() + pause
            while not self._stopped and time.monotonic() < until:
                self.changed.wait(until - time.monotonic())
