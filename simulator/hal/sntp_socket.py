# SPDX-License-Identifier: MIT
"""UDP and names as the simulated access point answers them; only TCP is real.

The bench's `air` says which hosts there are ({name: [address, port]}); `bench.sntp` answers what
is asked for the time (simulator/world/time_server.py).
"""

from simulator.hal.bench import bench

_EAGAIN, _EHOSTUNREACH, _ENOENT_DNS = 11, 113, -2


def lookup(host: str, port: int):
    """(address, port) that a host name stands for; OSError when nobody answers."""
    if not bench.wifi_joined:
        raise OSError(_ENOENT_DNS)
    known = bench.air["hosts"].get(host)
    if known is not None:
        return known[0], known[1] if len(known) > 1 and known[1] else port
    if host.replace(".", "").isdigit():
        return host, port
    raise OSError(_ENOENT_DNS)


class DatagramSocket:
    """A UDP socket whose only peer is the access point's SNTP server."""

    def __init__(self):
        self._answer = None

    def settimeout(self, seconds):
        pass

    def setblocking(self, flag):
        pass

    def connect(self, address):
        pass

    def sendto(self, data, address) -> int:
        if not bench.wifi_joined:
            raise OSError(_EHOSTUNREACH)
        self._answer = bench.sntp(data) or None
        return len(data)

    def recv(self, size):
        if self._answer is None:
            raise OSError(_EAGAIN)
        answer, self._answer = self._answer[:size], None
        return answer

    def recvfrom(self, size):
        return self.recv(size), ("192.168.4.1", 123)

    def close(self):
        pass
