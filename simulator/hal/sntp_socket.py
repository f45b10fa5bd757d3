# SPDX-License-Identifier: MIT
"""UDP and names as the simulated access point answers them; only TCP is real.

The bench's `air` says which hosts there are ({name: [address, port]}) and whether SNTP answers:
true, false, or a lie: {"offset_ms": n} is off by n milliseconds, {"unix_ms": n} stands still,
{"forge": [[at, hex], …]} has other bytes there, {"size": n} is of another length, and these can be
joined. A list of such is played in turn, one each time that somebody asks.
"""

from binascii import unhexlify

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


def _answer(lie: dict, asked: bytes) -> bytes:
    """What the server sends back to a request of 48 bytes."""
    now_ms = bench.start_s * 1000 + bench.now_ms
    now_ms = lie.get("unix_ms", now_ms) + lie.get("offset_ms", 0)
    seconds = now_ms // 1000 + _TO_1900_S
    fraction = (now_ms % 1000 << 32) // 1000 + 1
    stamp = (seconds & 0xFFFFFFFF).to_bytes(4, "big") + fraction.to_bytes(4, "big")
    head = b"\x24\x02\x06\xec" + bytes(8) + b"SIM\x00"
    answer = bytearray(head + stamp + asked[40:48] + stamp + stamp)
    for at, digits in lie.get("forge", ()):
        forged = unhexlify(digits)
        answer[at : at + len(forged)] = forged
    size = lie.get("size", len(answer))
    return bytes(answer[:size]) + bytes(max(0, size - len(answer)))


class DatagramSocket:
    """A UDP socket whose only peer is the access point's SNTP server."""

    _asked = 0  # of all sockets

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
        if isinstance(sntp, list):
            sntp = sntp[DatagramSocket._asked % len(sntp)]
            DatagramSocket._asked += 1
        if sntp and len(data) >= 48:
            self._answer = _answer(sntp if isinstance(sntp, dict) else {}, data)
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
