# SPDX-License-Identifier: MIT
"""Runs Espressif's esptool, one process for each call: it is GPL, so it is a program to us and
never a library. What it says is followed line by line, and judged by its exit code."""

import contextlib
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable

from host_tools.child_environment import child_environment
from host_tools.errors import ToolError
from host_tools.flashing import esptool_errors
from host_tools.flashing.ports import holders

_SILENT_S = 180  # an erase of a large flash takes two minutes
_CONFIG_FILE = "ESPTOOL_CFGFILE"
_NO_CONFIG_AT = os.path.abspath(os.sep)  # where nobody but the machine's owner writes
_STEP = re.compile(r"[\r\n]+")


class Esptool:
    """chip: as esptool names it, or "auto"; manual: the board has no lines DTR and RTS, and a
    person put it into download mode."""

    def __init__(self, port: str, baud: int, chip: str = "auto", manual: bool = False):
        self.port = port
        self.baud = baud
        self.chip = chip
        self.manual = manual
        self._process = None

    def stop(self):
        """Ends what runs, from another thread."""
        process = self._process
        if process is not None:
            process.terminate()

    def run(
        self, *args: str, after: str = "no-reset", fds=(), on_line: Callable = lambda line: None,
        program: str = "esptool",
    ) -> list[str]:  # fmt: skip
        """The lines that one command printed; on_line is told each at once. ToolError when it
        failed. after: what becomes of the board (esptool's --after); program: esptool, or its
        sister espefuse."""
        before = "no-reset" if self.manual else "default-reset"
        port = os.path.abspath(self.port) if os.path.exists(self.port) else self.port
        command = [
            sys.executable, "-P", "-m", program, "--chip", self.chip, "--port", port,
            "--baud", str(self.baud), "--before", before,
            "--after", "no-reset" if self.manual else after, *args,
        ]  # fmt: skip
        lines, code = self._watch(command, fds, on_line)
        if code:
            error = esptool_errors.explain(self.port, lines)
            names = holders(self.port) if error.busy and "://" not in self.port else []
            if names:
                error.message += f": {', '.join(names)}"
            raise error
        return lines

    def _watch(self, command: list[str], fds, on_line: Callable) -> tuple[list[str], int]:
        try:
            process = self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, pass_fds=fds, text=True, errors="replace",
                **surroundings(),
            )  # fmt: skip
        except OSError as err:
            hint = "pip install 'esptool>=5.5,<6'"
            raise ToolError(f"esptool cannot be run: {err.strerror}", hint) from err
        lines, silence = [], _Silence(process)
        try:
            for line in process.stdout:
                silence.heard()
                for part in filter(None, (part.strip() for part in _STEP.split(line))):
                    lines.append(part)
                    on_line(part)
            return lines, process.wait()
        finally:
            silence.stop()
            _end(process)


def surroundings() -> dict:
    """Environment and folder of an esptool process. It would take an esptool.cfg, setup.cfg or
    tox.ini from the present folder, which may come with the tickets; who uses it puts theirs into
    ~/.config/esptool."""
    environment = child_environment(PYTHONUNBUFFERED="1", NO_COLOR="1", COLUMNS="400")
    environment.pop(_CONFIG_FILE, None)
    return {"env": environment, "cwd": _NO_CONFIG_AT}


def _end(process: subprocess.Popen):
    process.stdout.close()
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
        process.kill()
    process.wait()


class _Silence:
    """Ends a process that has said nothing for long."""

    def __init__(self, process: subprocess.Popen):
        self._process = process
        self._timer = None
        self.heard()

    def heard(self):
        self.stop()
        self._timer = threading.Timer(_SILENT_S, self._process.kill)
        self._timer.daemon = True
        self._timer.start()

    def stop(self):
        if self._timer is not None:
            self._timer.cancel()
