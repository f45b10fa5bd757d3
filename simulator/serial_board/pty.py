# SPDX-License-Identifier: MIT
"""The board's serial port as a pseudo-terminal. It has no lines DTR and RTS: the board waits in
download mode until a program tells it to run (`esptool --no-stub run`)."""

import contextlib
import os
import select
import time
import tty

from simulator.serial_board.board import Board, CableOut
from simulator.serial_board.pace import Pace

_PIECE_BYTES = 4096
_LOOK_S = 0.2


class PtyServer:
    """start() gives the path of the terminal; serve() answers until stop()."""

    def __init__(self, board: Board, pace: bool = False):
        self._board = board
        self._pace = Pace(board) if pace else None
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
            ready, _, _ = select.select([self._ours], [], [], _LOOK_S)
            if ready:
                data = os.read(self._ours, _PIECE_BYTES)
                if self._pace:
                    self._pace.wait(len(data))
                self._board.receive(data)

    def _to_host(self, data: bytes):
        if self._pace:
            self._pace.wait(len(data))
        # Nobody may be reading: what a terminal cannot hold is lost, as on a line.
        with contextlib.suppress(OSError):
            while data and select.select([], [self._ours], [], _LOOK_S)[1]:
                data = data[os.write(self._ours, data) :]
