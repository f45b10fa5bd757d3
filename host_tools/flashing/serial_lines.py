# SPDX-License-Identifier: MIT
"""Listens to a board's serial port, line by line, from its reset on."""

import contextlib
import time
from collections.abc import Iterator

from host_tools.errors import ToolError
from host_tools.flashing.esptool_errors import AGAIN

try:
    from termios import error as _TerminalError
except ImportError:  # Windows has none
    _TerminalError = OSError

# What a port may raise: pyserial's exceptions are OSErrors, and it lets termios.error through.
LINE_ERRORS = (OSError, _TerminalError)
BAUD = 115_200  # of MicroPython's console
_LOOK_S = 0.2
_REOPEN_S = 10  # a chip with USB of its own takes its port away while it resets
_RESET_S = 0.1
_LONGEST = 1000  # bytes of a line; noise has no ends of lines


def read_lines(
    port: str, for_s: float, from_reset: bool, is_running: bool = False
) -> Iterator[str]:
    """Lines as they come, "" when none came for a moment; ends after `for_s` seconds. from_reset:
    the board starts anew when the port is open, so that no line is missed. is_running: it is not
    disturbed. ToolError when the port goes away and does not come back."""
    end_s = time.monotonic() + for_s
    lost_s, rest = None, b""
    while time.monotonic() < end_s:
        with contextlib.closing(open_line(port, end_s, is_running)) as serial:
            try:
                if from_reset:
                    from_reset = False
                    reset(serial)
                while time.monotonic() < end_s:
                    data = serial.read(serial.in_waiting or 1)
                    lost_s = lost_s if not data else None
                    *lines, rest = (rest + data).split(b"\n")
                    rest = rest[-_LONGEST:]
                    yield from (line.decode("utf-8", "replace") for line in lines)
                    if not data:
                        yield ""
            except LINE_ERRORS:
                lost_s = lost_s or time.monotonic()
                if time.monotonic() - lost_s > _REOPEN_S:
                    raise ToolError(f"{port}: the board went away", AGAIN) from None
                yield ""
                time.sleep(_LOOK_S)


def reset(serial):
    """EN is low while RTS alone is asserted."""
    serial.rts = True
    time.sleep(_RESET_S)
    serial.reset_input_buffer()  # what was said before is no news
    serial.rts = False


def open_line(port: str, end_s: float, is_running: bool = False):
    """The port, of pyserial, open with DTR and RTS let go; end_s: when to give up, of
    time.monotonic(). is_running: with both asserted, as a system opens a port, since pyserial lets
    DTR go first, and with RTS alone EN is low for a moment. ToolError when it cannot be opened."""
    import serial

    limit_s = min(time.monotonic() + _REOPEN_S, end_s + 1)
    while True:
        try:
            opened = serial.serial_for_url(port, do_not_open=True)
        except ValueError as err:  # an address such as rfc2217:/host
            raise ToolError(f"{port} is no serial port", "give its name or address") from err
        opened.baudrate, opened.timeout = BAUD, _LOOK_S
        opened.dtr = opened.rts = is_running  # both or none: EN and IO0 are high
        try:
            opened.open()
            return opened
        except LINE_ERRORS as err:
            if time.monotonic() > limit_s:
                raise ToolError(f"{port}: the port cannot be opened again", AGAIN) from err
            time.sleep(_LOOK_S)
