# SPDX-License-Identifier: MIT
"""One board becomes a node: look, decide, write, start, listen.

probe ─▶ check_board ─▶ decide ─▶ erase the old table (only when made anew) ─▶ write what differs,
table last ─▶ reset ─▶ SelfTest

That a board has the MAC that it says cannot be checked. So no two of one command may say the same,
and one that says the MAC of a node that was whole gets its keys once more with `again` only.
"""

import dataclasses
import re
import threading
import time
import zlib
from collections.abc import Callable

from host_tools.errors import ToolError
from host_tools.flashing import serial_lines
from host_tools.flashing.esp_image import EspImage
from host_tools.flashing.esptool_errors import AGAIN, BoardError
from host_tools.flashing.esptool_program import Esptool
from host_tools.flashing.layout import Layout, is_node, lay_out
from host_tools.flashing.partition_table import TABLE_AT, TABLE_BYTES
from host_tools.flashing.ports import check_port
from host_tools.flashing.probe import FoundBoard, check_board, probe
from host_tools.flashing.regions import Region, regions
from host_tools.flashing.secret_files import secret_files
from host_tools.flashing.self_test import SelfTest
from host_tools.provisioning.kit import check_kit
from host_tools.provisioning.node_parts import NodeParts

SAFE_BAUD = 115_200
_NEEDED, _NEEDED_COUNTER = (1, 25), (1, 26)  # of MicroPython; the second for esp32.PCNT
_PERCENT = re.compile(r"(\d+)\.\d% ")
_BEGINS = re.compile(r"^Writing '.*' at (0x[0-9a-f]+)\.\.\.$")
_SKIPPED = re.compile(r"already in flash, skipping write")


@dataclasses.dataclass(frozen=True, repr=False)  # it holds a password
class Plan:
    """What is to be done with each board. board: the content of board.json; nodes: where they
    come from, such as PreparedNodes or TicketNodes; wifi: (ssid, password); again: a board that
    was a node before, whole, and is to get its keys once more, does; ends: one that is a node may
    end, with anew; wait_s: for the self-test,
    None for as long as the kit takes, 0 for none."""

    board: dict
    image: EspImage
    nodes: object
    wifi: tuple[str, str]
    baud: int = 460_800
    manual: bool = False
    anew: bool = False
    again: bool = False
    ends: bool = False
    dry_run: bool = False
    wait_s: float | None = None
    seen: "BoardsSeen" = dataclasses.field(default_factory=lambda: BoardsSeen())


class BoardsSeen:
    """The boards of one command; several threads look at them."""

    def __init__(self):
        self._lock = threading.Lock()
        self._ports: dict[str, list[str]] = {}

    def check(self, mac: str, port: str):
        """ToolError as soon as a board at another port has said the same MAC."""
        with self._lock:
            ports = self._ports.setdefault(mac, [])
            if port not in ports:
                ports.append(port)
            if len(ports) > 1:
                message = f"{port}: the boards at {' and '.join(ports)} say the same MAC, {mac}"
                hint = "one of them lies: put up neither, and tell the office where they are from"
                raise ToolError(message, hint)


class FlashBoard:
    """run() does it; show(words, percent) is told how far it is, and with None for percent what
    is to stay on the screen; stop() ends it from elsewhere."""

    def __init__(self, port: str, plan: Plan, show: Callable = lambda words, percent: None):
        self.port = port
        self.result = {"port": port, "state": "failed", "written": [], "kept": []}
        self.said = ""  # by esptool, when it failed
        self._plan = plan
        self._show = show
        self._esptool = Esptool(port, SAFE_BAUD, manual=plan.manual)
        self._stopped = False

    def stop(self):
        self._stopped = True
        self._esptool.stop()

    def run(self) -> dict:
        """What became of the board; a ToolError in it as "error" and "hint"."""
        begun_s = time.monotonic()
        try:
            self._run()
        except ToolError as err:
            self.result.update(state="failed", error=err.message, hint=err.hint)
            self.said = getattr(err, "said", "")
        except serial_lines.LINE_ERRORS as err:  # of this port: the others go on
            words = f"{self.port}: the port fails: {err.args[-1] if err.args else 'no reason'}"
            self.result.update(state="failed", error=words, hint=AGAIN)
        self.result["seconds"] = round(time.monotonic() - begun_s, 1)
        return self.result

    def _run(self):
        plan = self._plan
        layout = lay_out(plan.image)
        self._at("look", "looks at the board")
        check_port(self.port)
        found = probe(self._esptool)
        self.result.update(chip=found.chip, mac=found.mac, flash_kib=found.flash_kib)
        self._show(f"{found.name}, MAC {found.mac}, flash {found.flash_kib} KiB", None)
        plan.seen.check(found.mac, self.port)
        check_board(found, plan.board, self.port)
        check_size(plan.image, found, self.port)
        self._at("decide", "decides what it becomes")
        parts, is_update = self._decide(found, layout)
        made = self._make(parts, layout)
        if is_update:
            self.result["kept"] = [region.name for region in made if region.own]
            made = [region for region in made if not region.own]
        if plan.dry_run:
            self.result.update(state="dry run", written=[region.name for region in made])
            return
        if not is_update:
            parts = self._bind(found)
            made = self._make(parts, layout)
        plan.seen.check(found.mac, self.port)
        self._at("write", "writes")
        self._write(made)
        plan.nodes.note_whole(found.mac)
        self.result["state"] = "written"
        self._listen(parts)
        plan.seen.check(found.mac, self.port)

    def _at(self, stage: str, words: str):
        self.result["stage"] = stage
        self._show(words, 0)

    # decide

    def _decide(self, found: FoundBoard, layout: Layout) -> tuple[NodeParts, bool]:
        """(the node that this board is to be, whether it is that already and keeps its keys)"""
        plan = self._plan
        if is_node(found.rows) and plan.anew and not (plan.ends or plan.again or plan.dry_run):
            raise ToolError(
                f"{self.port}: the board, MAC {found.mac}, is a node: its keys would go, and what"
                " it has not delivered",
                "look with --dry-run, and then give --yes",
            )
        if not is_node(found.rows) or plan.anew:
            return plan.nodes.look(found.mac, plan.again), False
        bound = plan.nodes.bound_to(found.mac)
        if bound is None:
            raise ToolError(
                f"{self.port}: the board is a node already, and none of {plan.nodes.NAMED}",
                "make it anew with --anew: its keys go, and what it has not delivered is lost",
            )
        if not set(layout.rows) <= set(found.rows):
            raise ToolError(
                f"{self.port}: the board is node {bound.ticket.node_id}, with other partitions",
                "make it anew with --anew, and its keyring entry too: it starts at epoch 0",
            )
        return bound, True

    def _bind(self, found: FoundBoard) -> NodeParts:
        """The node for this board, for good. What it was before ends first: a board that is bound
        and has a node's table is that node."""
        self._plan.seen.check(found.mac, self.port)
        if is_node(found.rows):
            self._show("takes back what it was", 0)
            self._esptool.run("erase-region", f"{TABLE_AT:#x}", f"{TABLE_BYTES:#x}")
        return self._plan.nodes.take(found.mac, self._plan.again)

    def _make(self, parts: NodeParts, layout: Layout) -> list[Region]:
        plan = self._plan
        self.result.update(node=parts.ticket.node_id, kit=parts.kit["kit"])
        check_kit(f"kit {parts.kit.get('kit')}", parts.kit, plan.board)
        check_version(parts.kit, plan.board, plan.image)
        return regions(plan.image, layout, parts, plan.wifi, plan.board)

    # write

    def _write(self, made: list[Region]):
        baud = self._plan.baud
        try:
            self._write_at(baud, made)
        except BoardError as err:
            if not err.slower or baud <= SAFE_BAUD or self._plan.manual or self._stopped:
                raise
            self._show(f"slower, at {SAFE_BAUD} baud", 0)
            try:
                self._write_at(SAFE_BAUD, made)
            except BoardError:
                raise err from None

    def _write_at(self, baud: int, made: list[Region]):
        self._esptool.baud = baud
        progress = _Progress(made, self._show)
        self.result["written"] = progress.written
        with secret_files([region.data for region in made]) as (paths, fds):
            pairs = []
            for region, path in zip(made, paths, strict=True):
                pairs += [f"{region.at:#x}", path]
            args = ("write-flash", "--skip-flashed", *pairs)
            self._esptool.run(*args, after="hard-reset", fds=fds, on_line=progress.on_line)

    # listen

    def _listen(self, parts: NodeParts):
        test = SelfTest(parts.kit)
        wait_s = test.wait_s() if self._plan.wait_s is None else self._plan.wait_s
        if not wait_s:
            return
        self._at("self-test", "waits for the node")
        begun_s = time.monotonic()
        first = "press EN (RST) now; " if self._plan.manual else ""
        for line in serial_lines.read_lines(self.port, wait_s, not self._plan.manual):
            test.feed(line)
            if test.is_over() or self._stopped:
                break
            self._show(first + test.waiting_for(), 100)
        test.close(time.monotonic() - begun_s)
        self.result["self_test"] = test.as_object()
        if test.dead:
            message = f"{self.port}: the node does not run: {test.dead}"
            raise ToolError(message, test.dead_hint())
        self.result["state"] = "needs you" if test.failed() else "done"


def check_size(image: EspImage, found: FoundBoard, port: str):
    """ToolError when the image is for a larger flash: its bootloader would not start."""
    if image.flash_bytes > found.flash_kib * 1024:
        sizes = f"{image.flash_bytes >> 20} MiB, and the board has {found.flash_kib} KiB"
        hint = "download the image for a smaller flash from micropython.org/download"
        raise ToolError(f"{port}: the image is for a flash of {sizes}", hint)


def check_version(kit: dict, board: dict, image: EspImage):
    """ToolError when the image's MicroPython lacks what a sensor of the kit needs."""
    buses = board["buses"]
    counts = any(buses[entry["bus"]]["kind"] == "counter" for entry in kit["sensors"])
    needed = _NEEDED_COUNTER if counts else _NEEDED
    if image.version < needed:
        names = [".".join(map(str, version)) for version in (image.version, needed)]
        message = f"the image is MicroPython {names[0]}, and the kit needs {names[1]} or later"
        raise ToolError(message, "download a later one from micropython.org/download")


class _Progress:
    """Reads from esptool's lines how far it is; written: the names of regions that it wrote."""

    def __init__(self, made: list[Region], show: Callable):
        self._at = {region.at: region for region in made}
        # What takes time is what goes over the line, and to erase what it goes to.
        self._weights = {
            region.at: len(zlib.compress(region.data, 1)) + len(region.data) // 32
            for region in made
        }
        self._show = show
        self._done = 0
        self._now = None
        self.written = []

    def on_line(self, line: str):
        begins = _BEGINS.match(line)
        percent = _PERCENT.search(line)
        if begins:
            self._finish()
            self._now = self._at.get(int(begins[1], 16))
            self._tell(0)
        elif self._now is not None and _SKIPPED.search(line):
            self.written.remove(self._now.name)
        elif percent and line.startswith("Writing"):
            self._tell(int(percent[1]))

    def _finish(self):
        if self._now is not None:
            self._done += self._weights[self._now.at]

    def _tell(self, percent: int):
        if self._now is None:
            return
        if self._now.name not in self.written:
            self.written.append(self._now.name)
        part = self._done + self._weights[self._now.at] * percent // 100
        self._show(f"writes {self._now.name}", 100 * part // sum(self._weights.values()))
