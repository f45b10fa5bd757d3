# SPDX-License-Identifier: MIT
"""Extends MicroPython's `socket`: TCP is the original's, names and UDP the access point's."""

import usocket
from usocket import *  # noqa: F403

from simulator.hal.sntp_socket import DatagramSocket, lookup

IPPROTO_TCP, TCP_NODELAY = 6, 1


def getaddrinfo(host, port, af=0, type=0, proto=0, flags=0) -> list:
    return usocket.getaddrinfo(*lookup(host, port))


def socket(af=usocket.AF_INET, type=usocket.SOCK_STREAM, proto=0):
    if type == usocket.SOCK_DGRAM:
        return DatagramSocket()
    return usocket.socket(af, type, proto)
