# SPDX-License-Identifier: MIT
"""Which chip, MAC and flash a board has, and what its partition table says: nothing is written."""

import dataclasses
import re

from host_tools.errors import ToolError
from host_tools.flashing.efuses import locks
from host_tools.flashing.esptool_program import Esptool
from host_tools.flashing.partition_table import TABLE_AT, TABLE_BYTES, Partition, parse_table
from host_tools.flashing.secret_files import secret_files

_CHIP = re.compile(r"Connected to (ESP32\S*) on")
_NAME = re.compile(r"Chip type:\s*(.+)")
_MAC = re.compile(r"^MAC:\s*([0-9a-f:]{17})")
_SIZE = re.compile(r"Detected flash size: (\d+)(KB|MB)")
_VERSION = "this needs esptool ≥ 5.5 and < 6: pip install 'esptool>=5.5,<6'"


@dataclasses.dataclass(frozen=True)
class FoundBoard:
    """chip: as in board.json; name: the chip's own; locks: burnt into its eFuses; rows: of its
    partition table, None without one."""

    chip: str
    name: str
    mac: str
    flash_kib: int
    locks: list[str]
    rows: tuple[Partition, ...] | None


def probe(esptool: Esptool) -> FoundBoard:
    """Asks the board. ToolError when it does not answer."""
    lines = esptool.run("flash-id")
    found = {}
    for key, pattern in (("chip", _CHIP), ("name", _NAME), ("mac", _MAC), ("size", _SIZE)):
        found[key] = next(filter(None, map(pattern.search, lines)), None)
    if found["chip"] is None or found["mac"] is None:
        raise ToolError(f"{esptool.port}: esptool's answer is not understood", _VERSION)
    if found["size"] is None:
        hint = "its flash does not answer: is it supplied well? Else take another board"
        raise ToolError(f"{esptool.port}: the size of the flash is not known", hint)
    factor = 1024 if found["size"][2] == "MB" else 1
    chip = found["chip"][1].rstrip(":").lower().replace("-", "")
    name = found["name"][1] if found["name"] else chip
    esptool.chip = chip
    flash_kib = int(found["size"][1]) * factor
    return FoundBoard(chip, name, found["mac"][1], flash_kib, locks(esptool), _read_table(esptool))


def _read_table(esptool: Esptool) -> tuple[Partition, ...] | None:
    with secret_files([b""]) as (paths, fds):
        args = ("read-flash", f"{TABLE_AT:#x}", f"{TABLE_BYTES:#x}", paths[0])
        esptool.run(*args, fds=fds)
        with open(paths[0], "rb") as file:
            return parse_table(file.read())


def check_board(found: FoundBoard, board: dict, port: str):
    """ToolError unless the board is one of this profile: nothing is erased before."""
    if found.chip != board["chip"]:
        message = f"{port}: the board has {found.name}, and {board['board']} has {board['chip']}"
        raise ToolError(message, "check --board against what is printed on the module")
    if found.locks:
        message = f"{port}: the board is locked by its eFuses: {', '.join(found.locks)}"
        raise ToolError(message, "take another board: this cannot be undone")
    if found.flash_kib < board["flash_kib"]:
        message = (
            f"{port}: the board's flash has {found.flash_kib} KiB, and that of {board['board']} "
            f"{board['flash_kib']}"
        )
        raise ToolError(message, "take a board with that flash, or make a profile: boards/")
