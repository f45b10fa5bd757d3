# SPDX-License-Identifier: MIT
"""What runs when a board has booted: MicroPython with the node that its flash describes.

    flash ─ vfs, lpdata, nvs ─▶ flash.img, data.img, nvs.img ─▶ node process ─▶ serial line
      ▲───────────────────────────── when it stops ──────────────────┘

Code, configuration, keys, policy and data are what was flashed; what code is not on the flash is
that of this checkout. Around it is a world of its own: an access point with the node's own Wi-Fi,
and behind it a broker if one was named. A flash without a node's configuration gives the REPL.
"""

import json
import shutil
import tempfile
import threading
import time
from pathlib import Path

from littlefs import LittleFSError

from host_tools.micropython_path import micropython_path
from host_tools.provisioning.node_flash import NVS_BYTES, flash_image
from simulator.city_folder import PASSWORD, SNTP_HOST, SSID
from simulator.conductor import Conductor, with_chips
from simulator.micropython_tree import (
    micropython_command,
    micropython_environment,
    micropython_tree,
)
from simulator.node_image import Image
from simulator.serial_board.board_node import BoardNode
from simulator.serial_board.bootloader import Boot, Partition
from simulator.serial_board.flash_chip import SECTOR_BYTES
from simulator.world.access_point import AccessPoint
from simulator.world.city import City

_FILES = {"vfs": "flash.img", "lpdata": "data.img", "nvs": "nvs.img"}
_DATA = 1
_HEAP = "512k"
# The modules that a board has in its own program are hidden in /.sim, where they stay when the
# computer's files are left.
_BEGIN = (
    "import sys, vfs; vfs.mount(vfs.VfsPosix({!r}), '/.sim', readonly=True); "
    "sys.path[0] = '/.sim'; from simulator.serial_board.repl_loop import main; "
)
_FOR_EVER_MS = 10**12
_MEETING_S = 60
_NOWHERE = ("broker.invalid", ("127.0.0.1", 1))  # nobody listens at port 1
_AGAIN_S = 1.0  # before a program that has ended itself is started again


class NodeOnBoard:
    """board: whose flash it is and to whose line it prints; broker: (host, port) or None; speed:
    times real time; default_board: the content of a board.json for a flash that has none."""

    def __init__(self, board, found: Boot, default_board: dict, broker=None, speed: float = 1.0):
        self._board = board
        self._partitions = with_vfs(found.partitions, board.flash.size)
        self._default_board = default_board
        self._broker = broker
        self._speed = speed
        self._folder: Path | None = None
        self._node: BoardNode | None = None
        self._access_point = self._conductor = self._thread = None
        self._stopped = False
        self._micropython = self._tree = None

    def start(self):
        """ToolError, and nothing is started, when this computer has no MicroPython."""
        self._micropython = micropython_path()
        self._tree = micropython_tree(self._micropython)
        self._folder = Path(tempfile.mkdtemp(prefix="lamppost-board-"))
        self._cut_out()
        files = _configuration(self._folder / "flash.img")
        try:
            self._make_node(files)
        except (LookupError, TypeError, AttributeError, ValueError):
            self._board.print("E (70) board: what describes the node cannot be used\r\n")
            self._make_node({})
        world = City(1, int(time.time()), "normal")
        self._conductor = Conductor(
            world, [self._node], [_MEETING_S], int(time.time()), self._speed
        )
        self._conductor.hang_s = float("inf")  # somebody may sit before the REPL
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()

    def receive(self, data: bytes):
        """What is typed on the serial line."""
        with self._conductor.changed:
            self._node.console.receive(data)

    def stop(self):
        """Takes its power, and puts back what it wrote to its flash."""
        self._stopped = True
        self._conductor.stop()
        self._thread.join()
        self._node.stop()  # if it was just being powered up
        self._access_point.stop()
        for label, part in self._written():
            data = (self._folder / _FILES[label]).read_bytes()
            if data != self._board.flash.read(part.at, len(data)):
                self._board.flash.erase(part.at, len(data))
                self._board.flash.program(part.at, data)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _live(self):
        self._conductor.start()
        while not self._stopped and not self._conductor.run(_FOR_EVER_MS):
            if self._node.ended:
                time.sleep(_AGAIN_S)
                self._node.restart(self._conductor.now_ms)

    def _written(self):
        return [(label, self._partitions[label]) for label in _FILES if label in self._partitions]

    def _cut_out(self):
        """Writes the partitions to files; a vfs that was never formatted is, as by MicroPython."""
        for label, part in self._written():
            data = self._board.flash.read(part.at, part.size // SECTOR_BYTES * SECTOR_BYTES)
            if label == "vfs" and data.count(0xFF) == len(data):
                data = flash_image({}, len(data) // SECTOR_BYTES)
            (self._folder / _FILES[label]).write_bytes(data)
        for name in _FILES.values():
            (self._folder / name).touch()  # a partition that is not there has no blocks
        if "nvs" not in self._partitions:
            (self._folder / "nvs.img").write_bytes(b"\xff" * NVS_BYTES)

    def _make_world(self, config: dict) -> str:
        wifi = config.get("wifi", {})
        node_id = config.get("node", "board")
        ssid, password = wifi.get("ssid", SSID), wifi.get("password", PASSWORD)
        host, address = _NOWHERE
        if "broker" in config:
            host, address = config["broker"]["host"], self._broker or address
        if self._access_point is not None:
            self._access_point.stop()
        self._access_point = AccessPoint(ssid, password)
        self._access_point.hosts[config.get("sntp", SNTP_HOST)] = ("192.168.4.1", 123)
        self._access_point.start()
        self._access_point.connect(node_id, host, address)
        return node_id

    def _make_node(self, files: dict):
        node_id = self._make_world(files.get("config.json", {}))
        kit = files.get("kit.json", {"sensors": []})
        with_chips(kit)  # raises now what would be raised at each power-up
        at = files.get("at", "/")
        whole = {"config.json", "kit.json", "board.json"} <= set(files)
        programs = ("boot", "main") if whole else files.get("programs", ())
        begin = _BEGIN.format(str(self._tree))
        commands = {}
        for raw in (False, True):
            names = [name for name in programs if name != "main" or not raw]
            arguments = ", ".join(repr(word) for word in (str(self._folder), at, *names))
            commands[raw] = micropython_command(
                self._micropython, _HEAP, self._tree, f"{begin}main({arguments})"
            )
        self._node = BoardNode(
            node_id, self._folder, kit, files.get("board.json", self._default_board),
            commands[False], micropython_environment(),
            lambda: self._access_point.air(node_id),
            commands=commands, say=self._board.emit, on_power_up=self._powered_up,
        )  # fmt: skip

    def _powered_up(self, cause: str):
        if self._node.resets:  # the board itself has told of the first
            self._board.tell_reset(cause)


def with_vfs(partitions: dict[str, Partition], flash_bytes: int) -> dict[str, Partition]:
    """The partitions; without one for files, MicroPython makes it of the rest of the flash."""
    at = max(part.at + part.size for part in partitions.values())
    if "vfs" in partitions or at == flash_bytes:
        return partitions
    return {**partitions, "vfs": Partition("vfs", _DATA, 0x81, at, flash_bytes - at)}


def _configuration(path: Path) -> dict:
    """The node's JSON files on its vfs, without those that cannot be read. "at": where MicroPython
    mounts it: at / when they lie in lp/, as on a board; at /lp when they lie at its top, as in a
    simulated city. "programs": which of boot.py and main.py it has."""
    try:
        image = Image(path)
        names = image.fs.listdir("/")
    except (LittleFSError, ValueError):
        return {}
    at_top = "config.json" in names
    files, folder = {"at": "/lp" if at_top else "/"}, "" if at_top else "lp/"
    files["programs"] = [name for name in ("boot", "main") if name + ".py" in names]
    for name in ("config.json", "kit.json", "board.json"):
        try:
            content = json.loads(image.read(folder + name) or b"null")
        except ValueError:
            continue
        if isinstance(content, dict):
            files[name] = content
    return files
