# SPDX-License-Identifier: MIT
"""A node gets the firmware of this installation, and with an image another MicroPython: nothing
else of it changes, and none of its keys is needed here.

probe ─▶ check_board ─▶ read `vfs` back ─▶ read_node ─▶ write a copy of lp/ beside it ─▶ write what
differs, blanks in place of the copy last ─▶ reset ─▶ SelfTest

`nvs`, `lpdata` and the table are not touched. Whenever the cable comes out, the board still has
its whole configuration, and the next run goes on from there: see copy_on_flash.py.
"""

import dataclasses

from host_tools.errors import ToolError
from host_tools.flashing.copy_on_flash import pack_copy, place_copy
from host_tools.flashing.esp_image import EspImage
from host_tools.flashing.flash_board import FlashBoard, check_size, check_version
from host_tools.flashing.layout import CODE, is_node, lay_out
from host_tools.flashing.node_on_flash import NodeOnFlash, read_node
from host_tools.flashing.partition_table import Partition
from host_tools.flashing.ports import check_port
from host_tools.flashing.probe import FoundBoard, check_board, probe
from host_tools.flashing.read_back import read_back
from host_tools.flashing.regions import Region, code_files, image_regions
from host_tools.flashing.secret_files import secret_files
from host_tools.provisioning.node_flash import BLOCK_BYTES, flash_image

_FIRMWARE, _BEHIND, _COPY = "firmware", "firmware behind the copy", "copy"


@dataclasses.dataclass(frozen=True)
class UpdatePlan:
    """What is to be done with each board. board: the content of board.json; image: of MicroPython,
    or None to leave that as it is; wait_s: see Plan in flash_board.py."""

    board: dict
    image: EspImage | None = None
    baud: int = 460_800
    manual: bool = False
    dry_run: bool = False
    wait_s: float | None = None


class FirmwareUpdate(FlashBoard):
    """See FlashBoard; the plan is an UpdatePlan. result["removed"]: files of `vfs` that are no
    part of a node."""

    def _run(self):
        plan = self._plan
        check_port(self.port)
        self._at("look", "looks at the board")
        found = probe(self._esptool)
        self.result.update(chip=found.chip, mac=found.mac, flash_kib=found.flash_kib)
        self._show(f"{found.name}, MAC {found.mac}, flash {found.flash_kib} KiB", None)
        check_board(found, plan.board, self.port)
        vfs = self._find_vfs(found)
        self._at("read", "reads its code and configuration")
        node, copy, made = self._decide_update(found, vfs)
        if plan.dry_run:
            self.result.update(state="dry run", written=_names([region.name for region in made]))
            return
        self._at("write", "writes")
        try:
            if copy is not None:
                self._write_copy(copy)
            if made:
                self._write(made)
            else:
                self._esptool.run("read-mac", after="hard-reset")
        finally:
            self.result["written"] = _names(self.result["written"])
        self.result["state"] = "written"
        self._listen(node)

    # decide

    def _find_vfs(self, found: FoundBoard) -> Partition:
        if not is_node(found.rows):
            message = f"{self.port}: the board is no node, or not a whole one"
            raise ToolError(message, "make it one: lamppost flash")
        vfs = next((row for row in found.rows if row.label == CODE), None)
        if vfs is None or vfs.size % BLOCK_BYTES:
            hint = "flash it with the node's ticket: lamppost flash --anew"
            raise ToolError(f"{self.port}: the board has no partition {CODE}", hint)
        return vfs

    def _decide_update(self, found: FoundBoard, vfs: Partition):
        """(the node, the region of the copy that is to be written first or None, what is written
        then)"""
        plan = self._plan
        self._esptool.baud = self._esptool.baud if plan.manual else plan.baud
        partition = read_back(self._esptool, vfs.at, vfs.size)
        node = read_node(partition, plan.board, self.port)
        self.result.update(node=node.config["node"], kit=node.kit["kit"])
        made = [] if plan.image is None else self._image_regions(found, node)
        copy, more = _code_regions(node, code_files(plan.board.get("native")), vfs, partition)
        self.result["kept"] = ["keys", "data", "configuration"]
        self.result["removed"] = node.strangers()
        return node, copy, made + more

    def _image_regions(self, found: FoundBoard, node: NodeOnFlash) -> list[Region]:
        image = self._plan.image
        layout = lay_out(image)
        check_size(image, found, self.port)
        check_version(node.kit, self._plan.board, image)
        if not set(layout.rows) <= set(found.rows):
            message = f"{self.port}: the image has other partitions than the node"
            raise ToolError(message, "take MicroPython's image of the same kind as before")
        return image_regions(image, layout)

    # write

    def _write_copy(self, copy: Region):
        """Whole, and checked by esptool, before anything of the file system is written."""
        with secret_files([copy.data]) as (paths, fds):
            self._esptool.run("write-flash", f"{copy.at:#x}", paths[0], fds=fds)


def _code_regions(node: NodeOnFlash, code: dict[str, bytes], vfs: Partition, there: bytes):
    """(the copy to be written first, or None where it is, the file system around it and blanks in
    its place); (None, []) when there is nothing to do."""
    wanted = {**node.configuration, **code}
    if node.copy_at is None and node.files == wanted:
        return None, []
    image = flash_image(wanted, vfs.size // BLOCK_BYTES)
    packed = pack_copy(node.configuration)
    blank = b"\xff" * len(packed)
    copy, at = None, node.copy_at
    if at is None or image[at : at + len(packed)] != blank:
        at = place_copy(len(packed), there, image)
        copy = Region(_COPY, vfs.at + at, packed)
    end = at + len(packed)
    around = [
        Region(_FIRMWARE, vfs.at, image[:at]), Region(_BEHIND, vfs.at + end, image[end:]),
        Region(_COPY, vfs.at + at, blank),
    ]  # fmt: skip
    return copy, [region for region in around if region.data]


def _names(written: list[str]) -> list[str]:
    """Names of regions as they are told."""
    told = [_FIRMWARE if name == _BEHIND else name for name in written if name != _COPY]
    return list(dict.fromkeys(told))
