# SPDX-License-Identifier: MIT
"""The Wi-Fi that a node joins: from the environment, a file or a hidden prompt, never from the
command line, which every user of the laptop can read."""

import os
import sys
from pathlib import Path

import rich_click as click

from host_tools import console
from host_tools.errors import ToolError
from host_tools.policy.figures import count

SSID, PASSWORD = "LAMPPOST_WIFI_SSID", "LAMPPOST_WIFI_PASSWORD"
_FORM = "two lines: the name of the network, then its password"


def wifi_credentials(path: Path | None) -> tuple[str, str]:
    """(ssid, password). path: a file of two lines, "-" for stdin, or None: the environment, and
    what is not there is asked for."""
    if path is not None:
        return _checked(*_from_file(path), str(path))
    ssid, password = os.environ.get(SSID), os.environ.get(PASSWORD)
    if ssid is None or password is None:
        if not console.can_ask():
            missing = SSID if ssid is None else PASSWORD
            raise ToolError(f"{missing} is not set", "set it, or give --wifi-file FILE")
        if ssid is None:
            ssid = click.prompt("Name of the Wi-Fi network", err=True)
        if password is None:
            password = click.prompt("Its password", hide_input=True, err=True)
    return _checked(ssid, password, "the environment")


def _from_file(path: Path) -> tuple[str, str]:
    try:
        if str(path) == "-":
            text = sys.stdin.read() if sys.stdin else ""  # None: it is closed
        else:
            if path.stat().st_mode & 0o077:
                message = f"{path} holds a password, and others can read it"
                raise ToolError(message, f"chmod 600 {path}")
            text = path.read_text()
    except OSError as err:
        raise ToolError(f"{path}: {err.strerror}", _FORM) from err
    except UnicodeDecodeError as err:
        raise ToolError(f"{path} is not UTF-8 text", _FORM) from err
    lines = text.splitlines()
    if len(lines) != 2:
        raise ToolError(f"{path} has {count(len(lines), 'line')}", _FORM)
    return lines[0], lines[1]


def _checked(ssid: str, password: str, where: str) -> tuple[str, str]:
    """IEEE 802.11: a name has 1 to 32 bytes, a WPA password 8 to 63 characters."""
    if not 1 <= len(ssid.encode()) <= 32:
        raise ToolError(f"{where}: a Wi-Fi network's name has 1 to 32 bytes", _FORM)
    if not 8 <= len(password.encode()) <= 63:
        hint = "a node joins WPA2 and WPA3 networks only"
        raise ToolError(f"{where}: a Wi-Fi password has 8 to 63 characters", hint)
    return ssid, password
