# SPDX-License-Identifier: MIT
"""The transfers of an I2C bus that few drivers use: see i2c.py."""


def scan(bus) -> list:
    """The 7-bit addresses 0x08..0x77 that answer."""
    return [a for a in range(0x08, 0x78) if a in bus._chips and bus._chips[a].plugged]


def readfrom(bus, addr, nbytes, stop=True) -> bytes:
    return bus._chip(addr).read(bus._now_ms(), nbytes)


def writevto(bus, addr, vector, stop=True) -> int:
    return bus.writeto(addr, b"".join([bytes(part) for part in vector]), stop)


def readfrom_mem(bus, addr, memaddr, nbytes, *, addrsize=8) -> bytes:
    bus._select(addr, memaddr, addrsize)
    return bus.readfrom(addr, nbytes)


def writeto_mem(bus, addr, memaddr, buf, *, addrsize=8):
    bus._select(addr, memaddr, addrsize, bytes(buf))
