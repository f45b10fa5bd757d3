# SPDX-License-Identifier: MIT
"""The process of a node whose standard output is a serial line, and that can be interrupted.

MicroPython writes lines. Those for the conductor begin with a mark, and the line break before the
mark belongs to them: so a line break goes out with what comes next.
"""

import contextlib
import os
import signal
import threading

from simulator.conductor import NodeProcess
from simulator.hal.bench import MARK
from simulator.serial_board.repl_console import CTRL_C, ReplConsole


class BoardNode(NodeProcess):
    """commands: {raw: command line}, of a start with main.py and of one into the raw REPL; say:
    called with bytes for the serial line; on_power_up: with the cause of each reset."""

    def __init__(self, *args, commands: dict, say, on_power_up):
        super().__init__(*args)
        self.console = ReplConsole(say, self._run, self._interrupt, self._soft_reset)
        self._commands = commands
        self._say = say
        self._on_power_up = on_power_up
        self._raw = False  # what the next start is
        self._break = False  # a line has ended, and nothing has come since
        self._in_repl = False
        self._now_ms = 0
        self._granting = threading.Lock()
        self._changed = None

    def power_up(self, start_s, now_ms, cause, changed):
        raw, self._raw = self._raw, False
        self._command = self._commands[raw]
        self._changed, self._break, self._in_repl = changed, False, False
        self._now_ms = now_ms
        if cause != "soft":
            self._on_power_up(cause)
        self.console.started(raw, anew=cause not in ("power", "soft"))
        super().power_up(start_s, now_ms, cause, changed)

    def grant(self, until_ms, known_ms, signals):
        with self._granting:
            if self._in_repl:  # it does not ask for one: it would take it for something else
                self.arrived = False
                return
            super().grant(until_ms, known_ms, signals)

    def stop(self):
        """EN goes low: it ends in the midst of what it does, as a board's chip does."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            with contextlib.suppress(OSError):
                process.stdin.close()

    def restart(self, now_ms: int):
        """A soft reset of a board whose program has ended its own process."""
        self._say(b"\r\nMPY: soft reboot\r\n")
        self._reset = ("soft", now_ms, 0)
        self.arrived = self.ended = False

    def _take(self, line: str):
        if line.startswith(MARK + "kbd "):
            self._break = False
            self.console.interruptible = int(line.split()[2]) == CTRL_C
            self._write("kbd")
            return
        if line.startswith(MARK + "repl "):
            self._break = False
            with self._granting:
                self._in_repl, self.arrived = True, False
            self._now_ms = int(line.split()[1])
            self.console.at_prompt()
            return
        if line.startswith(MARK):
            self._break = False
            if line.startswith(MARK + "arrived "):
                self._in_repl = False  # until it has slept enough
                self._now_ms = int(line.split()[1])
        else:
            before = b"\r\n" if self._break else b""
            self._break = True
            self._say(before + line.encode())
        super()._take(line)

    # what the console asks for

    def _run(self, kind: str, source: bytes):
        self._write(f"repl {kind} {source.hex()}")

    def _interrupt(self):
        process = self._process
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGINT)

    def _soft_reset(self, raw: bool):
        with self._changed:
            self._raw = raw
            self._reset = ("soft", self._now_ms, 0)
            self.arrived = False
            self._changed.notify_all()
