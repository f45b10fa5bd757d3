# SPDX-License-Identifier: MIT
"""MicroPython's `socket`: TCP is the host's, names and UDP are the simulated access point's.

While a call waits, simulated time runs 1:1 with real time.
"""

import socket as _host

from simulator.hal.bench import bench, ticks_us
from simulator.hal.sntp_socket import DatagramSocket, lookup

AF_INET, AF_INET6 = 2, 10
SOCK_STREAM, SOCK_DGRAM, SOCK_RAW = 1, 2, 3
IPPROTO_TCP, IPPROTO_UDP = 6, 17
SOL_SOCKET, SO_REUSEADDR, SO_KEEPALIVE, SO_BROADCAST, TCP_NODELAY = 1, 2, 9, 6, 1
_ETIMEDOUT, _EHOSTUNREACH = 110, 113


def getaddrinfo(host, port, af=0, type=0, proto=0, flags=0) -> list:
    return [(AF_INET, type or SOCK_STREAM, proto, "", lookup(host, port))]


def socket(af=AF_INET, type=SOCK_STREAM, proto=0):
    return DatagramSocket() if type == SOCK_DGRAM else _Stream()


class _Stream:
    """A TCP socket with MicroPython's stream methods: None where nothing can be done now."""

    def __init__(self):
        self.host = _host.socket(_host.AF_INET, _host.SOCK_STREAM)

    def _waiting(self, function, *args):
        """Calls a blocking function of the host's socket; None if it would block."""
        began_us = ticks_us()
        try:
            return function(*args)
        except (BlockingIOError, InterruptedError):
            return None
        except TimeoutError:
            raise OSError(_ETIMEDOUT) from None
        except OSError as err:
            raise OSError(err.errno or _EHOSTUNREACH) from None
        finally:
            bench.waited_since(began_us)

    def connect(self, address):
        if not bench.wifi_joined:
            raise OSError(_EHOSTUNREACH)
        self._waiting(self.host.connect, address)

    def settimeout(self, seconds):
        self.host.settimeout(seconds)

    def setblocking(self, flag):
        self.host.setblocking(flag)

    def setsockopt(self, level, optname, value):
        if level == IPPROTO_TCP and optname == TCP_NODELAY:
            optname = _host.TCP_NODELAY
        self.host.setsockopt(level, optname, value)

    def recv(self, size):
        return self._waiting(self.host.recv, size)

    read = recv

    def readinto(self, buf, nbytes=None):
        return self._waiting(self.host.recv_into, buf, nbytes or len(buf))

    def send(self, data):
        return self._waiting(self.host.send, data)

    def write(self, data, length=None):
        return self._waiting(self.host.send, data if length is None else data[:length])

    def fileno(self) -> int:
        return self.host.fileno()

    def close(self):
        self.host.close()
