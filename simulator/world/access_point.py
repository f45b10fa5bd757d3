# SPDX-License-Identifier: MIT
"""The access point that the nodes' radios see: Wi-Fi, names, time, and a wire to the broker.

Wi-Fi, DNS and SNTP are only told to the node processes (`air`), whose look-alikes play them. TCP
is real: each node gets a port on 127.0.0.1, and what it sends there is passed on to the broker,
counted, and held up or cut when a fault is played. One thread carries all wires.
"""

import asyncio
import socket
import struct

from simulator.world.loop_thread import LoopThread

CHANNEL = 6  # where the look-alike expects it
_CONNECT_S = 5


def _reset(transport: asyncio.Transport):
    """Ends a connection with RST instead of FIN, and drops what it still had to send."""
    raw = transport.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


class _End(asyncio.Protocol):
    """One end of a wire; what it receives, the other end sends. asyncio sets TCP_NODELAY."""

    def __init__(self, wire: "_Wire", direction: int, other: "_End | None" = None):
        self._wire = wire
        self._direction = direction  # 0 up (from the node), 1 down
        self._full = False
        self.transport: asyncio.Transport | None = None
        self.other = other

    def connection_made(self, transport):
        self.transport = transport
        self._wire.ends.add(self)
        if self.other is None:  # a node has come in
            transport.pause_reading()
            self._wire.node_came(self)
        else:
            self.other.other = self
            self.flow()
            self.other.flow()

    def data_received(self, data: bytes):
        self._wire.bytes[self._direction] += len(data)
        self.other.transport.write(data)

    def pause_writing(self):
        self._full = True
        self.other.flow()

    def resume_writing(self):
        self._full = False
        self.other.flow()

    def flow(self):
        """Reads on, or waits: for the other end to come or to take more, for a stall to end."""
        if self._wire.stalled or self.other is None or self.other._full:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    def connection_lost(self, error):
        self._wire.ends.discard(self)
        if self.other is not None:
            self.other.transport.close()  # after what it still has to send


class _Wire:
    """All connections of one node to the broker."""

    def __init__(self, broker: tuple[str, int]):
        self.broker = broker
        self.bytes = [0, 0]
        self.refused = self.stalled = False
        self.ends: set[_End] = set()
        self._tasks: set[asyncio.Task] = set()

    def node_came(self, end: _End):
        if self.refused:
            _reset(end.transport)
            return
        task = asyncio.get_running_loop().create_task(self._reach_broker(end))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _reach_broker(self, end: _End):
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_CONNECT_S):
                await loop.create_connection(lambda: _End(self, 1, end), *self.broker)
        except OSError:  # TimeoutError is one
            if not end.transport.is_closing():
                _reset(end.transport)
            return
        if end.transport.is_closing():  # the node did not wait
            end.other.transport.abort()

    def cut(self):
        for end in tuple(self.ends):
            if not end.transport.is_closing():
                _reset(end.transport)

    def stall(self, stalled: bool):
        self.stalled = stalled
        for end in tuple(self.ends):
            end.flow()


class AccessPoint:
    """ssid, password: of the network; what a node must know to join.

    These may be changed at any time, and a node process learns of it with its next `air`:

    - ssid, password: who is joined with the old ones is thrown out
    - up: False while there is no Wi-Fi
    - dhcp: False while nobody gets an address
    - channel: a station that was joined must look for the access point anew
    - drop_s: after so many seconds each station is thrown out; None: never
    - sntp: True, False, or a lie: see time_server.py
    - hosts: further names
    """

    def __init__(self, ssid: str, password: str):
        self.ssid, self.password = ssid, password
        self.up = self.dhcp = True
        self.channel = CHANNEL
        self.drop_s: int | None = None
        self.sntp: bool | dict | list = True
        self.hosts: dict[str, tuple[str, int]] = {}
        self._wires: dict[str, _Wire] = {}
        self._ways: dict[str, tuple[str, int]] = {}  # node: (broker's name, port of its wire)
        self._servers: list[asyncio.Server] = []
        self._thread = LoopThread("access point")

    def start(self):
        """Starts the thread that carries the wires."""
        self._thread.start()

    def stop(self):
        """Cuts every wire and closes every port."""
        self._thread.stop(self._close())

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def connect(self, node: str, host_name: str, broker: tuple[str, int]) -> int:
        """Lays a node's wire to the broker, which it knows as `host_name`; returns its port.

        A second call leads the same wire to another broker from its next connection on.
        """
        if node in self._wires:
            self._wires[node].broker = broker
            port = self._ways[node][1]
        else:
            wire = self._wires[node] = _Wire(broker)
            port = self._thread.do(self._listen(wire))
        self._ways[node] = (host_name, port)
        return port

    def air(self, node: str) -> dict:
        """What this node's radio sees, as plain JSON values."""
        hosts = {name: [*address] for name, address in self.hosts.items()}
        host_name, port = self._ways[node]
        hosts[host_name] = ["127.0.0.1", port]
        ssid = self.ssid if self.up else None
        air = {"ssid": ssid, "password": self.password, "hosts": hosts, "sntp": self.sntp}
        # A node's heap is small: it is told what is out of the ordinary only.
        for name, ordinary in (("dhcp", True), ("channel", CHANNEL), ("drop_s", None)):
            if getattr(self, name) != ordinary:
                air[name] = getattr(self, name)
        if self._wires[node].stalled:
            air["silent"] = True  # who waits for an answer waits for nothing: see Bench.skip()
        return air

    def wire_bytes(self, node: str) -> tuple[int, int]:
        """Bytes so far: (up from the node, down to it), TLS and all."""
        up, down = self._wires[node].bytes
        return up, down

    # faults

    def refuse(self, node: str, refused: bool = True):
        """New connections are reset as soon as they are made; standing ones go on."""
        self._wires[node].refused = refused

    def stall(self, node: str, stalled: bool = True):
        """Nothing gets through, either way, and nobody is told; nothing is lost either."""
        self._do_soon(self._wires[node].stall, stalled)

    def cut(self, node: str):
        """Breaks the standing connections; what is on its way is lost."""
        self._do_soon(self._wires[node].cut)

    # in the thread

    def _do_soon(self, function, *args):
        async def call():
            function(*args)

        self._thread.do(call())

    async def _listen(self, wire: _Wire) -> int:
        server = await self._thread.loop.create_server(lambda: _End(wire, 0), "127.0.0.1", 0)
        self._servers.append(server)
        return server.sockets[0].getsockname()[1]

    async def _close(self):
        for server in self._servers:
            server.close()
        for wire in self._wires.values():
            wire.cut()
