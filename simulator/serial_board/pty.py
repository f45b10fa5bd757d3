# SPDX-License-Identifier: MIT
"""The board's serial port as a pseudo-terminal. It has no lines DTR and RTS: the board waits in
download mode until a program tells it to run (`esptool --no-stub run`). Its baud rate changes
nothing but the pace, where bytes are paced."""

import contextlib
import os
import re
import select
import termios
import time
import tty

from simulator.serial_board.board import ROM_BAUD, Board, CableOut
from simulator.serial_board.pace import Pace

_PIECE_BYTES = 4096
_LOOK_S, _ANSWER_S = 0.2, 5.0
_SPEEDS = {
    getattr(termios, name): int(name[1:]) for name in dir(termios) if re.fullmatch(r"B\d+", name)
}


class PtyServer:
    """start() gives the path of the terminal; serve() answers until stop()."""

    def __init__(self, board: Board, pace: bool = False):
        self._board = board
        self._paces = (Pace(self._speed), Pace(self._speed)) if pace else None  # to board, host
        self._ours = self._theirs = None
        self._stopped = False

    def start(self) -> str:
        self._ours, self._theirs = os.openpty()
        tty.setraw(self._theirs)  # it stays open, so that a program may come and go
        os.set_blocking(self._ours, False)
        self._board.host_baud = None
        self._board.send = self._to_host
        return os.ttyname(self._theirs)

    def stop(self):
        self._stopped = True

    def serve(self, tell):
        """Until stop(); tell(text) when the cable comes out. The terminal is gone then, but its
        name is kept: esptool tries again, and would take another's terminal for the board's."""
        try:
            self._serve()
        except CableOut:
            tell("the cable came out")
            self._board.send = lambda data: None
            os.close(self._ours)
            self._ours = None
            while not self._stopped:
                time.sleep(_LOOK_S)
        finally:
            self._board.send = lambda data: None
            os.close(self._theirs)
            if self._ours is not None:
                os.close(self._ours)

    def _serve(self):
        while not self._stopped:
            waiting = self._is_ready(0)
            if waiting or self._is_ready(_LOOK_S):
                data = os.read(self._ours, _PIECE_BYTES)
                if self._paces:
                    self._paces[0].wait(len(data), waiting)
                self._board.receive(data)

    def _is_ready(self, for_s: float) -> bool:
        return bool(select.select([self._ours], [], [], for_s)[0])

    def _speed(self) -> int:
        """The baud rate that the program at the other end has set; before one has, the ROM's."""
        return max(_SPEEDS.get(termios.tcgetattr(self._theirs)[5], 0), ROM_BAUD)

    def _to_host(self, data: bytes):
        if self._paces:
            self._paces[1].wait(len(data))
        # Nobody may be reading what a program prints: what a terminal cannot hold is lost, as on a
        # line. What a loader answers was asked for, by a program that may be slow to read it.
        patience_s = _ANSWER_S if self._board.is_in_download() else _LOOK_S
        with contextlib.suppress(OSError):
            while data and select.select([], [self._ours], [], patience_s)[1]:
                data = data[os.write(self._ours, data) :]
