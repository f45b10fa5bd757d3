# SPDX-License-Identifier: MIT
"""What on a laptop or a board would keep `lamppost flash` from working, each with its mend. It
changes nothing.

**One more check:** a function that gives findings, and its line in examine().
"""

import dataclasses
import datetime
import subprocess
import sys
import time
from pathlib import Path

from host_tools.errors import ToolError
from host_tools.flashing.esptool_program import Esptool, surroundings
from host_tools.flashing.layout import is_node
from host_tools.flashing.ports import BOARDS_VENDORS, check_port, find_ports
from host_tools.flashing.probe import probe
from host_tools.policy.figures import count
from host_tools.provisioning.node_parts import SUFFIX, read_parts

OK, WARN, BAD = "ok", "warning", "bad"
_SOON_DAYS = 60
_USB = Path("/sys/bus/usb/devices")
_MANAGER = "ModemManager"
_LATEST_ESPTOOL = 6


@dataclasses.dataclass(frozen=True)
class Finding:
    """what: what was looked at; words: what was found; mend: what to do about it."""

    what: str
    state: str
    words: str
    mend: str = ""


def examine(ports: tuple, folder: Path | None, manual: bool = False) -> list[Finding]:
    """Looks at the laptop, at each port (and its board), and at a folder of prepared nodes."""
    found = [_esptool(), _clock(time.time()), *_ports(ports), *_manager()]
    for port in ports:
        found += _board(port, manual)
    if folder is not None:
        found += _nodes(folder, datetime.datetime.now(datetime.UTC))
    return found


def _esptool() -> Finding:
    command = [sys.executable, "-P", "-m", "esptool", "version"]
    done = subprocess.run(
        command, capture_output=True, text=True, stdin=subprocess.DEVNULL, **surroundings()
    )
    version = (done.stdout.split() or [""])[-1]
    mend = "pip install 'esptool>=5.5,<6'"
    if done.returncode or not version:
        return Finding("esptool", BAD, "it cannot be run", mend)
    numbers = [int(part) for part in version.split(".")[:2] if part.isdigit()]
    if not [5, 5] <= numbers < [_LATEST_ESPTOOL]:
        return Finding("esptool", BAD, f"version {version} is not known here", mend)
    return Finding("esptool", OK, version)


def _clock(now_s: float) -> Finding:
    """A node takes the laptop's time as the earliest that it can be."""
    newest_s = max(path.stat().st_mtime for path in Path(__file__).parent.glob("*.py"))
    shown = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(now_s))
    if now_s < newest_s - 86_400:
        mend = "set it: timedatectl set-ntp true, or sudo date -s 'YYYY-MM-DD HH:MM'"
        return Finding("clock", BAD, f"{shown} is before Lamppost was installed", mend)
    return Finding("clock", OK, shown)


def _ports(named: tuple) -> list[Finding]:
    """named: those that are looked at anyway: then none has to be found."""
    found = []
    for port in find_ports():
        name = f"{port.device} ({BOARDS_VENDORS[port.vid]})"
        try:
            check_port(port.device)
            found.append(Finding("port", OK, name))
        except ToolError as err:
            found.append(Finding("port", BAD, err.message, err.hint))
    if found or named:
        return found
    without = _without_driver()
    if without:
        mend = (
            "sudo modprobe -a cp210x ch341 ftdi_sio; on Ubuntu `brltty` takes a CH340 away: "
            "sudo apt remove brltty"
        )
        return [Finding("port", BAD, f"{name} is plugged in without a driver", mend)
                for name in without]  # fmt: skip
    mend = (
        "plug the board in; if it is: its cable is one for charging, take another; then another "
        "socket, without a hub"
    )
    return [Finding("port", BAD, "no board is plugged in", mend)]


def _without_driver() -> list[str]:
    """Adapters that the kernel sees and has no serial port for."""
    found = []
    for path in sorted(_USB.glob("*/idVendor")):
        vendor = int(path.read_text(), 16)
        if vendor in BOARDS_VENDORS and not list(path.parent.glob("*/tty*")):
            found.append(f"{BOARDS_VENDORS[vendor]} at USB {path.parent.name}")
    return found


def _manager() -> list[Finding]:
    """It writes to every port that appears, to see whether it is a modem."""
    for path in Path("/proc").glob("[0-9]*/comm"):
        try:
            if path.read_text().strip() == _MANAGER:
                mend = "when ports are busy: sudo systemctl stop ModemManager"
                return [Finding("ModemManager", WARN, "it tries every new port", mend)]
        except OSError:
            continue
    return []


def _board(port: str, manual: bool) -> list[Finding]:
    """Boot mode, chip, flash, locks: the board is reset for that, and runs again afterwards."""
    esptool = Esptool(port, 115_200, manual=manual)
    try:
        check_port(port)
        found = probe(esptool)
        esptool.run("read-mac", after="hard-reset")
    except ToolError as err:
        return [Finding("board", BAD, err.message, err.hint)]
    words = f"{port}: {found.name}, flash {found.flash_kib} KiB, MAC {found.mac}"
    made = [Finding("board", OK, words)]
    if found.locks:
        mend = "take another board: this cannot be undone"
        made.append(Finding("eFuses", BAD, ", ".join(found.locks), mend))
    else:
        made.append(Finding("eFuses", OK, "no flash encryption, no secure boot"))
    if is_node(found.rows):
        mend = "flash gives it what is new, and keeps its keys"
        made.append(Finding("flash", OK, "a node is on it", mend))
    else:
        kind = "no partition table" if found.rows is None else "another firmware"
        made.append(Finding("flash", OK, f"{kind}: it can become a node"))
    return made


def _nodes(folder: Path, now: datetime.datetime) -> list[Finding]:
    paths = sorted(Path(folder).glob("*" + SUFFIX))
    if not paths:
        mend = "name the folder with the prepared nodes (*.parts)"
        return [Finding("nodes", BAD, f"{folder} holds none", mend)]
    found = []
    for path in paths:
        try:
            parts = read_parts(path)
            parts.files(("", ""), {})  # its policy is signed by its key
        except ToolError as err:
            found.append(Finding("node", BAD, err.message, err.hint))
            continue
        found.append(_certificate(parts, path, now))
    return found


def _certificate(parts, path: Path, now: datetime.datetime) -> Finding:
    certificate = parts.identity.certificate
    days = (certificate.not_valid_after_utc - now).days
    name = f"{path.stem}, kit {parts.kit['kit']}"
    again = "have the node prepared anew"
    if now < certificate.not_valid_before_utc:
        return Finding("node", BAD, f"{name}: its certificate is not valid yet",
                       "is the laptop's clock right? Else " + again)  # fmt: skip
    if days < 0:
        return Finding("node", BAD, f"{name}: its certificate has expired", again)
    state = WARN if days < _SOON_DAYS else OK
    mend = again + " soon" if state == WARN else ""
    words = f"{name}: its certificate is valid for {count(days, 'day')}"
    return Finding("node", state, words, mend)
