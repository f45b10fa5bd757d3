# SPDX-License-Identifier: MIT
"""One board leaves service: its flash is erased whole, and read back to prove it.

look() ─▶ chip, MAC, node, what is to be read ─▶ (a person says yes) ─▶ run(): the same board?
─▶ erase ─▶ read back ─▶ all bytes 0xff

An erase is a command that the flash chip says it has done; worn sectors may not. So nothing counts
as gone that was not read as gone: the table and the partitions that hold a node's keys, code and
data, or the whole flash where there is no table that says where all of them are.
"""

import dataclasses
import re
import time
from collections.abc import Callable

from host_tools.errors import ToolError
from host_tools.flashing.esptool_program import Esptool
from host_tools.flashing.flash_board import SAFE_BAUD
from host_tools.flashing.layout import CODE, NVS_LABEL, OURS, is_node
from host_tools.flashing.node_on_flash import node_id_on
from host_tools.flashing.partition_table import SECTOR_BYTES, TABLE_AT, TABLE_BYTES
from host_tools.flashing.ports import check_port
from host_tools.flashing.probe import FoundBoard, probe
from host_tools.flashing.read_back import read_back
from host_tools.policy.figures import count
from host_tools.provisioning.node_flash import BLOCK_BYTES

_ERASED = 0xFF
_PIECE_BYTES = 0x80000  # of a read, which takes ten seconds: then it says how far it is
_MAC = re.compile(r"^MAC:\s*([0-9a-f:]{17})")


@dataclasses.dataclass(frozen=True)
class Place:
    """A part of the flash that is read back; at, size: bytes."""

    name: str
    at: int
    size: int


@dataclasses.dataclass(frozen=True)
class WipePlan:
    """node_of: function of a MAC that gives the id of the node that the board was made, or None,
    when the board itself is asked; full: read all of the flash back."""

    node_of: Callable = lambda mac: None
    baud: int = 460_800
    manual: bool = False
    full: bool = False


class WipeBoard:
    """look(), then run(): each gives what became of the board, a ToolError in it as "error" and
    "hint". show(words, percent) is told how far it is; stop() ends it from elsewhere."""

    def __init__(self, port: str, plan: WipePlan):
        self.port = port
        self.show: Callable = lambda words, percent: None
        self.result = {"port": port, "state": "failed", "proved": []}
        self.said = ""  # by esptool, when it failed
        self._plan = plan
        self._esptool = Esptool(port, SAFE_BAUD, manual=plan.manual)
        self._places: list[Place] = []

    def stop(self):
        self._esptool.stop()

    def look(self) -> dict:
        """Asks the board what it is, and changes nothing."""
        return self._told(self._look, "looked at")

    def run(self) -> dict:
        """Erases and proves; a board that look() has not found stays as it is."""
        if self.result["state"] != "looked at":
            return self.result
        begun_s = time.monotonic()
        self._told(self._wipe, "wiped")
        self.result["seconds"] = round(time.monotonic() - begun_s, 1)
        return self.result

    def _told(self, do: Callable, state: str) -> dict:
        try:
            do()
        except ToolError as err:
            self.result.update(state="failed", error=err.message, hint=err.hint)
            self.said = getattr(err, "said", "")
        else:
            self.result["state"] = state
        return self.result

    def _look(self):
        check_port(self.port)
        self.show("looks at the board", 0)
        found = probe(self._esptool)
        is_one = is_node(found.rows)
        node_id = self._plan.node_of(found.mac) or (self._node_on(found) if is_one else None)
        self.result.update(
            chip=found.chip, mac=found.mac, flash_kib=found.flash_kib, node=node_id,
            holds="a node" if is_one else "no node",
        )  # fmt: skip
        self._places = _places(found, self._plan.full)
        self.result["to_prove"] = [place.name for place in self._places]

    def _node_on(self, found: FoundBoard) -> str | None:
        """What the board itself says it is; None when that cannot be read: it is erased anyway."""
        vfs = next((row for row in found.rows if row.label == CODE), None)
        if vfs is None or vfs.size % BLOCK_BYTES:
            return None
        self.show("reads which node it is", 0)
        self._esptool.baud = SAFE_BAUD if self._plan.manual else self._plan.baud
        try:
            return node_id_on(read_back(self._esptool, vfs.at, vfs.size))
        except ToolError:
            return None
        finally:
            self._esptool.baud = SAFE_BAUD

    def _wipe(self):
        self._check_mac()
        self.show("erases the flash", 0)
        self._esptool.run("erase-flash")
        self._esptool.baud = SAFE_BAUD if self._plan.manual else self._plan.baud
        whole, done = sum(place.size for place in self._places), 0
        for place in self._places:
            left = []
            for at in range(place.at, place.at + place.size, _PIECE_BYTES):
                size = min(_PIECE_BYTES, place.at + place.size - at)
                self.show(f"reads back {place.name}", done * 100 // whole)
                left += _not_erased(read_back(self._esptool, at, size), at)
                done += size
            if left:
                self._complain(place, left)
            self.result["proved"].append(dataclasses.asdict(place))
        self.show("is erased, as read back", 100)

    def _check_mac(self):
        """A person may have taken time to say yes, and plugged in another board."""
        macs = filter(None, map(_MAC.match, self._esptool.run("read-mac")))
        if self.result["mac"] not in {mac[1] for mac in macs}:
            message = f"{self.port}: this is not the board that was looked at"
            raise ToolError(message, "leave the boards plugged in, and run the command again")

    def _complain(self, place: Place, sectors: list[int]):
        message = (
            f"{self.port}: {place.name} is not erased: {count(len(sectors), 'sector')} not "
            f"blank, the first at {sectors[0]:#x}"
        )
        hint = "run the command again; when it stays so, the flash is worn: destroy the board"
        raise ToolError(message, hint)


def _places(found: FoundBoard, full: bool) -> list[Place]:
    secret = {NVS_LABEL, CODE, OURS}
    labels = {row.label for row in found.rows or ()}
    if full or not secret <= labels:
        return [Place("the whole flash", 0, found.flash_kib * 1024)]
    rows = [Place(row.label, row.at, row.size) for row in found.rows if row.label in secret]
    return [Place("table", TABLE_AT, TABLE_BYTES), *rows]


def _not_erased(data: bytes, at: int) -> list[int]:
    """Where the sectors begin that hold anything else than 0xff."""
    if data.count(_ERASED) == len(data):
        return []
    blank = bytes((_ERASED,)) * SECTOR_BYTES
    return [
        at + first
        for first in range(0, len(data), SECTOR_BYTES)
        if data[first : first + SECTOR_BYTES] != blank[: len(data) - first]
    ]
