# SPDX-License-Identifier: MIT
"""Makes a board of its profile, powers it, and serves its serial port."""

import contextlib
import functools
from pathlib import Path

from host_tools.errors import ToolError
from host_tools.provisioning.kit import load_board
from simulator.serial_board.board import Board
from simulator.serial_board.chips import CHIPS
from simulator.serial_board.faults import Faults
from simulator.serial_board.flash_chip import FlashChip, FlashError
from simulator.serial_board.node_on_board import NodeOnBoard
from simulator.serial_board.pty import PtyServer
from simulator.serial_board.rfc2217 import Rfc2217Server

_SMALL_BYTES = 1024 * 1024
_STUCK_BIT = 0x01


def serve(name: str, flash_path: Path, port: int | None, faults: Faults, *, ready, tell,
          mac=None, broker=None, speed=1.0, pace=False, download=False):  # fmt: skip
    """Serves until KeyboardInterrupt.

    name: of the board; mac: 6 bytes, None for the one that all have; port: for RFC 2217, None for
    a pseudo-terminal; ready(address, chip) is called when programs can connect, tell(text) when
    something befalls the line; download: it starts with its boot button held. ToolError when there
    is no such board, chip, flash or port.
    """
    profile = load_board(name)
    chip = CHIPS.get(profile["chip"])
    if chip is None:
        hint = f"take a board with one of {', '.join(CHIPS)}"
        raise ToolError(f"no ROM loader is known of {profile['chip']}", hint)
    if faults.wrong_chip:
        chip = next(other for other in CHIPS.values() if other is not chip)
    if mac is not None:
        chip = chip.with_mac(mac)
    size = _SMALL_BYTES if faults.small_flash else profile["flash_kib"] * 1024
    with contextlib.ExitStack() as stack:
        flash = FlashChip(flash_path, size)
        stack.callback(flash.close)
        if faults.stuck_bit is not None:
            _wear(flash, "stuck-bit", faults.stuck_bit)
        if faults.no_erase is not None:
            _wear(flash, "no-erase", faults.no_erase)
        make_app = functools.partial(
            NodeOnBoard, default_board=profile, broker=broker, speed=speed
        )
        board = Board(chip, flash, make_app, faults)
        if port is None:
            server = PtyServer(board, pace)
        else:
            server = Rfc2217Server(board, port, pace, faults.port_busy)
        address = server.start()
        stack.callback(server.stop)
        stack.callback(board.power_down)
        board.power_up(download)
        ready(address, chip.name)
        server.serve(tell)


def _wear(flash: FlashChip, fault: str, at: int):
    try:
        if fault == "no-erase":
            flash.keep(at)
        else:
            flash.wear(at, _STUCK_BIT)
    except FlashError:
        hint = f"take one below {flash.size:#x}"
        raise ToolError(f"{fault}: the flash has no such byte", hint) from None
