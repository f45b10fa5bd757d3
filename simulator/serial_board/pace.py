# SPDX-License-Identifier: MIT
"""Lets bytes take the time that they need at the baud rate of the line."""

import time

from simulator.serial_board.board import ROM_BAUD, Board

_BITS_PER_BYTE = 10  # start, 8, stop


class Pace:
    """wait(count): sleeps as long as that many bytes are on the line."""

    def __init__(self, board: Board):
        self._board = board

    def wait(self, count: int):
        time.sleep(count * _BITS_PER_BYTE / (self._board.host_baud or ROM_BAUD))
