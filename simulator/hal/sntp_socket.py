# SPDX-License-Identifier: MIT
"""UDP and names as the simulated access point answers them; only TCP is real.

The bench's `air` says which hosts there are ({name: [address, port]}) and whether SNTP answers:
true, false, or {"offset_ms": n} for a server that lies by n milliseconds.
"""

from simulator.hal.bench import bench

_EAGAIN, _EHOSTUNREACH, _ENOENT_DNS = 11, 113, -2
_TO_1900_S = 2_208_988_800


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
        sntp = bench.air["sntp"]
        if sntp and len(data) >= 48:
            now_ms = bench.now_ms + (sntp["offset_ms"] if isinstance(sntp, dict) else 0)
            seconds = bench.start_s + now_ms // 1000 + _TO_1900_S
            fraction = (now_ms % 1000 << 32) // 1000 + 1
            stamp = (seconds & 0xFFFFFFFF).to_bytes(4, "big") + fraction.to_bytes(4, "big")
            head = b"\x24\x02\x06\xec" + bytes(8) + b"SIM\x00"
            self._answer = head + stamp + data[40:48] + stamp + stamp
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
