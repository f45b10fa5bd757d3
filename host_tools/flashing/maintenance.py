# SPDX-License-Identifier: MIT
"""Stops a node at its REPL: resets the board, and types Ctrl-C in the window that the node's
boot.py leaves after a cold boot (firmware/boot.py).

    reset ─▶ "maintenance: Ctrl-C within 3 s" ─▶ Ctrl-C ─▶ ">>> "

Ctrl-C, and not before the node asks for it: what is typed earlier reaches no program, which is
why a program that types it once when it connects, as mpremote does, mostly comes too soon or late.
"""

import contextlib
import errno
import time
from collections.abc import Callable

from host_tools.errors import ToolError
from host_tools.flashing import serial_lines
from host_tools.flashing.esptool_errors import AGAIN, NO_DATA
from host_tools.flashing.ports import check_port

_WINDOW, _PROMPT, _CTRL_C = b"maintenance: ", b">>> ", b"\x03"
_BOOT_S, _PERSON_S = 15, 120
_KEPT_BYTES = 4096
_NO_LINES = (errno.ENOTTY, errno.EINVAL)  # of a pseudo-terminal


def stop_at_repl(
    port: str, manual: bool = False, show: Callable = lambda words, percent: None
) -> dict:
    """{"port", "node": whether a node was stopped; else the board had a prompt by itself}. manual:
    a person presses EN. ToolError when there is no prompt in the end."""
    check_port(port)
    limit_s = time.monotonic() + (_PERSON_S if manual else _BOOT_S)
    try:
        with contextlib.closing(serial_lines.open_line(port, limit_s)) as line:
            show("press EN (RST) now" if manual else "resets the board", 0)
            if not manual:
                serial_lines.reset(line)
            return {"port": port, "node": _wait_for_prompt(port, line, limit_s, show)}
    except serial_lines.LINE_ERRORS as err:
        if err.args and err.args[0] in _NO_LINES:
            hint = "give --manual, and press EN (RST) when it asks for it"
            raise ToolError(f"{port}: the port has no DTR and RTS", hint) from err
        raise ToolError(f"{port}: the board went away", AGAIN) from err


def _wait_for_prompt(port: str, line, limit_s: float, show: Callable) -> bool:
    heard, asked = b"", False
    while time.monotonic() < limit_s:
        heard += line.read(line.in_waiting or 1)
        if _WINDOW in heard:  # again, should it start again in between
            heard = heard.rpartition(_WINDOW)[2]
            show("stops the node", 50)
            line.write(_CTRL_C)
            limit_s = limit_s if asked else time.monotonic() + _BOOT_S
            asked = True
        if heard.endswith(_PROMPT):
            show("is at the prompt", 100)
            return asked
        heard = heard[-_KEPT_BYTES:]
    if asked:
        message = "the node leaves its window open, and does not hear Ctrl-C"
        hint = "check the wire or adapter from TX to the board's RX"
    elif heard:
        message = "the board does not stop: what runs on it has no window for maintenance"
        hint = (
            "give --manual and press EN: a chip that is its own USB port has a window after that "
            "alone; else write it anew: hold BOOT, press EN, then `lamppost flash`"
        )
    else:
        message = "the board says nothing after a reset"
        hint = f"give --manual and press EN yourself; else {NO_DATA}"
    raise ToolError(f"{port}: {message}", hint)
