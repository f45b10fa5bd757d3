# SPDX-License-Identifier: MIT
"""Serial ports: which there are, whether one can be used, and who has it.

A port is not opened to find out: that would reset a node that runs.
"""

import getpass
import os
import stat
from pathlib import Path

from host_tools.errors import ToolError
from host_tools.flashing.esptool_errors import DIALOUT

# USB vendors of the adapters and chips on ESP32 boards: others are no boards.
BOARDS_VENDORS = {
    0x303A: "Espressif", 0x10C4: "CP210x", 0x1A86: "CH340", 0x0403: "FTDI", 0x067B: "PL2303",
}  # fmt: skip
ASLEEP = (
    "a chip that is its own USB device takes its port away while it sleeps: hold BOOT, press EN"
)
_NONE = (
    "plug the board in with a cable that carries data (one for charging makes no port appear); "
    f"{ASLEEP}; see `lamppost doctor`"
)


def find_ports() -> list:
    """The ports at which a board may be (pyserial's ListPortInfo), in order."""
    from serial.tools.list_ports import comports

    return sorted(port for port in comports() if port.vid in BOARDS_VENDORS)


def describe(port) -> str:
    """One of find_ports(), by what tells it from others: its adapter, VID:PID, serial number."""
    words = BOARDS_VENDORS[port.vid]
    if port.pid is not None:
        words += f" {port.vid:04x}:{port.pid:04x}"
    if port.serial_number:
        words += f", serial number {port.serial_number}"
    return f"{port.device} ({words})"


def choose_port() -> str:
    """The only port at which a board may be. ToolError when there is none, or several."""
    found = find_ports()
    if not found:
        raise ToolError("no board is plugged in", _NONE)
    if len(found) > 1:
        names = ", ".join(map(describe, found))
        raise ToolError(f"several boards are plugged in: {names}", "name them: --port PORT, again")
    return found[0].device


def check_port(port: str):
    """ToolError when `port` is a device that cannot be used: not there, not ours to open, or
    another program's. An address such as rfc2217://host:port is not looked at."""
    if "://" in port or os.name != "posix":
        return
    try:
        found = os.stat(port)
    except OSError as err:
        others = ", ".join(map(describe, find_ports()))
        hint = f"there is {others}" if others else _NONE
        raise ToolError(f"{port}: there is no such port", hint) from err
    if not stat.S_ISCHR(found.st_mode):
        raise ToolError(f"{port} is no serial port", "give a port such as /dev/ttyUSB0")
    if not os.access(port, os.R_OK | os.W_OK):
        raise ToolError(f"{port}: you may not open the port", _permission(found))
    # the other end of a pseudo-terminal has it open as well
    names = [] if os.path.realpath(port).startswith("/dev/pts/") else holders(port)
    if names:
        raise ToolError(f"{port}: another program has the port: {', '.join(names)}", "close it")


def _permission(found: os.stat_result) -> str:
    """How to get at a port: by the group that owns it."""
    import grp

    try:
        group = grp.getgrgid(found.st_gid)
    except KeyError:
        return DIALOUT
    if group.gr_name == "root" or not found.st_mode & stat.S_IWGRP:
        return DIALOUT
    if getpass.getuser() in group.gr_mem:
        return f"you are in its group {group.gr_name}, but not in this session: log out and in"
    return f"sudo usermod -aG {group.gr_name} $USER, then log out and in; never run this as root"


def holders(port: str) -> list[str]:
    """Programs that have the port open, as far as this user can see: "name (process id)"."""
    device = os.path.realpath(port)
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        if int(process.name) == os.getpid():
            continue
        try:
            if any(os.path.realpath(fd) == device for fd in (process / "fd").iterdir()):
                name = (process / "comm").read_text().strip()
                found.append(f"{name} ({process.name})")
        except OSError:  # another user's, or gone
            continue
    return sorted(found)
