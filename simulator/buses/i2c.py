# SPDX-License-Identifier: MIT
"""An I2C bus with chips on it: the transfers of machine.I2C, answered by chip models.

A chip has `plugged`, `write(now_ms, data)` and `read(now_ms, n)`. An address that nobody answers,
or a chip that does not acknowledge, gives OSError(19) (ENODEV), as on an ESP32.
"""

_ENODEV = 19


class I2CBus:
    """now_ms: function that tells the simulated time in ms."""

    def __init__(self, now_ms):
        self._now_ms = now_ms
        self._chips = {}

    def attach(self, address: int, chip):
        self._chips[address] = chip

    def _chip(self, address: int):
        chip = self._chips.get(address)
        if chip is None or not chip.plugged:
            raise OSError(_ENODEV)
        return chip

    def scan(self) -> list:
        """The 7-bit addresses 0x08..0x77 that answer."""
        return [a for a in range(0x08, 0x78) if a in self._chips and self._chips[a].plugged]

    def writeto(self, addr, buf, stop=True) -> int:
        """Returns the number of acknowledged bytes."""
        data = bytes(buf)
        self._chip(addr).write(self._now_ms(), data)
        return len(data)

    def writevto(self, addr, vector, stop=True) -> int:
        return self.writeto(addr, b"".join([bytes(part) for part in vector]), stop)

    def readfrom(self, addr, nbytes, stop=True) -> bytes:
        return self._chip(addr).read(self._now_ms(), nbytes)

    def readfrom_into(self, addr, buf, stop=True):
        buf[:] = self._chip(addr).read(self._now_ms(), len(buf))

    def _select(self, addr, memaddr, addrsize, data=b""):
        register = memaddr.to_bytes(addrsize // 8, "big")
        self._chip(addr).write(self._now_ms(), register + data)

    def readfrom_mem(self, addr, memaddr, nbytes, *, addrsize=8) -> bytes:
        self._select(addr, memaddr, addrsize)
        return self.readfrom(addr, nbytes)

    def readfrom_mem_into(self, addr, memaddr, buf, *, addrsize=8):
        self._select(addr, memaddr, addrsize)
        self.readfrom_into(addr, buf)

    def writeto_mem(self, addr, memaddr, buf, *, addrsize=8):
        self._select(addr, memaddr, addrsize, bytes(buf))
