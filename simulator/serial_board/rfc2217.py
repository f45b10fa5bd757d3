# SPDX-License-Identifier: MIT
"""The board's serial port on the network (RFC 2217): bytes, baud rate, and the lines DTR and RTS.

The Telnet side is pyserial's own PortManager; the port that it manages is the board.
One program has the port at a time, as with a cable.
"""

import contextlib
import select
import socket
import struct
import threading

from serial.rfc2217 import PortManager

from host_tools.errors import ToolError
from simulator.serial_board.board import ROM_BAUD, Board, CableOut
from simulator.serial_board.pace import Pace

_PIECE_BYTES = 4096
_LOOK_S = 0.2
WRITE_S = 5.0
_SUBOPTION_BYTES = 64
_REFUSED = 8  # connections of others that are kept
_IAC = b"\xff"


class _Nonsense(Exception):
    """The host speaks something else than RFC 2217."""


class _Port:
    """The board as PortManager sees it: the attributes of a pyserial port."""

    bytesize, parity, stopbits = 8, "N", 1
    xonxoff = rtscts = break_condition = False
    cts = dsr = cd = True
    ri = False

    def __init__(self, board: Board):
        self._board = board
        self._dtr = self._rts = False

    @property
    def baudrate(self) -> int:
        return self._board.host_baud or ROM_BAUD

    @baudrate.setter
    def baudrate(self, baud: int):
        self._board.host_baud = baud

    @property
    def dtr(self) -> bool:
        return self._dtr

    @dtr.setter
    def dtr(self, asserted: bool):
        self._dtr = asserted
        self._board.set_lines(self._dtr, self._rts)

    @property
    def rts(self) -> bool:
        return self._rts

    @rts.setter
    def rts(self, asserted: bool):
        self._rts = asserted
        self._board.set_lines(self._dtr, self._rts)

    def reset_input_buffer(self):
        pass  # nothing is kept here

    def reset_output_buffer(self):
        pass


class _Wire:
    """The host's end of the connection, which several threads write to. A host that does not
    read for WRITE_S is cut off: a board does not wait for anybody."""

    def __init__(self, connection: socket.socket):
        connection.settimeout(WRITE_S)
        self._connection = connection
        self._lock = threading.Lock()

    def write(self, data: bytes):
        with self._lock:
            try:
                self._connection.sendall(data)
            except OSError:
                with contextlib.suppress(OSError):  # the reading end sees that it is over
                    self._connection.shutdown(socket.SHUT_RDWR)


class Rfc2217Server:
    """start() gives the port; serve() answers until stop()."""

    def __init__(self, board: Board, port: int, pace: bool = False, busy: bool = False):
        self._board = board
        self._wanted = port
        # to the board, to the host
        self._paces = (Pace(self._speed), Pace(self._speed)) if pace else None
        self._busy = busy
        self._listener: socket.socket | None = None
        self._refused: list[socket.socket] = []
        self._stopped = False

    def start(self) -> str:
        """Listens on this computer only. The address for --port; ToolError when it is taken."""
        try:
            self._listener = socket.create_server(("127.0.0.1", self._wanted), backlog=1)
        except OSError as err:
            raise ToolError(
                f"port {self._wanted}: {err.strerror}", "take another, or 0 for any that is free"
            ) from None
        return f"rfc2217://127.0.0.1:{self._listener.getsockname()[1]}"

    def stop(self):
        self._stopped = True
        for one in (self._listener, *self._refused):
            if one is not None:
                one.close()

    def serve(self, tell):
        """Serves one host after the other, until stop(); tell(text) when the cable comes out."""
        while not self._stopped:
            try:
                ready, _, _ = select.select([self._listener], [], [], _LOOK_S)
                if not ready:
                    continue
                connection, _ = self._listener.accept()
            except (OSError, ValueError):  # it was closed
                return
            if self._busy:
                self._refuse(connection)
                continue
            with connection:
                self._serve_one(connection, tell)

    def _serve_one(self, connection: socket.socket, tell):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wire = _Wire(connection)
        manager = PortManager(_Port(self._board), wire)
        self._board.send = lambda data: self._to_host(wire, data)
        try:
            while self._wait_for(connection):
                data = connection.recv(_PIECE_BYTES)
                if not data:
                    return
                self._from_host(manager, data)
        except CableOut:
            tell("the cable came out, and is put in again")
        except (OSError, _Nonsense):
            return
        finally:
            self._board.send = lambda data: None

    def _wait_for(self, connection: socket.socket) -> bool:
        """Waits for the host to say something; meanwhile others find the port taken. False when
        the server stops."""
        while not self._stopped:
            ready, _, _ = select.select([connection, self._listener], [], [], _LOOK_S)
            if connection in ready:  # first: it may have gone, which makes room for another
                return True
            if self._listener in ready:
                self._refuse(self._listener.accept()[0])
        return False

    def _refuse(self, connection: socket.socket):
        """Says nothing to a host that has no place. It is not closed at once: a host that is still
        writing would see a broken pipe instead."""
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_WR)
        self._refused.append(connection)
        if len(self._refused) > _REFUSED:
            self._refused.pop(0).close()

    def _from_host(self, manager: PortManager, data: bytes):
        """Passes bytes on and acts on commands; _Nonsense when they are no Telnet."""
        try:
            self._filter(manager, data)
        except (struct.error, LookupError, ValueError, TypeError):
            raise _Nonsense from None
        if len(manager.suboption or b"") > _SUBOPTION_BYTES:
            raise _Nonsense

    def _filter(self, manager: PortManager, data: bytes):
        if _IAC not in data and not manager.mode and manager.suboption is None:
            self._to_board(data)
            return
        # A change of the lines acts after the bytes before it: both come in their order.
        pending = bytearray()
        for byte in data:
            for one in manager.filter(bytes((byte,))):
                pending += one
            if manager.mode and pending:
                self._to_board(bytes(pending))
                pending.clear()
        if pending:
            self._to_board(bytes(pending))

    def _to_board(self, data: bytes):
        if self._paces:
            self._paces[0].wait(len(data))
        self._board.receive(data)

    def _speed(self) -> int:
        return self._board.host_baud or ROM_BAUD

    def _to_host(self, wire: _Wire, data: bytes):
        if self._paces:
            self._paces[1].wait(len(data))
        wire.write(data.replace(_IAC, _IAC + _IAC))
