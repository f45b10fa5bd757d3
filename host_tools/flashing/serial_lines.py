# SPDX-License-Identifier: MIT
"""Listens to a board's serial port, line by line, from its reset on."""

import contextlib
import time
from collections.abc import Iterator

from host_tools.errors import ToolError
from host_tools.flashing.esptool_errors import AGAIN

BAUD = 115_200  # of MicroPython's console
_LOOK_S = 0.2
_REOPEN_S = 10  # a chip with USB of its own takes its port away while it resets
_RESET_S = 0.1
_LONGEST = 1000  # bytes of a line; noise has no ends of lines


def read_lines(port: str, for_s: float, reset: bool, is_running: bool = False) -> Iterator[str]:
    """Lines as they come, "" when none came for a moment; ends after `for_s` seconds. reset: the
    board starts anew when the port is open, so that no line is missed. is_running: it is not
    disturbed. ToolError when the port goes away and does not come back."""
    end_s = time.monotonic() + for_s
    lost_s, rest = None, b""
    while time.monotonic() < end_s:
        with contextlib.closing(_open(port, end_s, is_running)) as serial:
            try:
                if reset:
                    reset = False
                    _reset(serial)
                while time.monotonic() < end_s:
                    data = serial.read(serial.in_waiting or 1)
                    lost_s = lost_s if not data else None
                    *lines, rest = (rest + data).split(b"\n")
                    rest = rest[-_LONGEST:]
                    yield from (line.decode("utf-8", "replace") for line in lines)
                    if not data:
                        yield ""
            except OSError:  # pyserial's exceptions are that
                lost_s = lost_s or time.monotonic()
                if time.monotonic() - lost_s > _REOPEN_S:
                    raise ToolError(f"{port}: the board went away", AGAIN) from None
                yield ""
                time.sleep(_LOOK_S)


def _reset(serial):
    """EN is low while RTS alone is asserted."""
    serial.rts = True
    time.sleep(_RESET_S)
    serial.rts = False


def _open(port: str, end_s: float, is_running: bool):
    """A system asserts both lines as it opens a port, which resets nothing. pyserial lets DTR go
    first: with RTS alone EN is low for a moment, so of a board that runs both stay."""
    import serial

    limit_s = min(time.monotonic() + _REOPEN_S, end_s + 1)
    while True:
        opened = serial.serial_for_url(port, do_not_open=True)
        opened.baudrate, opened.timeout = BAUD, _LOOK_S
        opened.dtr = opened.rts = is_running  # both or none: EN and IO0 are high
        try:
            opened.open()
            return opened
        except OSError as err:
            if time.monotonic() > limit_s:
                raise ToolError(f"{port}: the port cannot be opened again", AGAIN) from err
            time.sleep(_LOOK_S)
