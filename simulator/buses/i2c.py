# SPDX-License-Identifier: MIT
"""An I2C bus with chips on it: the transfers of machine.I2C, answered by chip models.

A chip has `plugged`, `wire`, `write(now_ms, data)` and `read(now_ms, n)`. An address that nobody
answers, or a chip that does not acknowledge, gives OSError(19) (ENODEV), as on an ESP32. What a
chip may do to the bus itself is in wire_faults.py.
"""

_ENODEV = 19


class I2CBus:
    """now_ms: function that tells the simulated time in ms; pins: (SCL, SDA)."""

    pins = (22, 21)

    def __init__(self, now_ms):
        self._now_ms = now_ms
        self._chips = {}

    def attach(self, address: int, chip):
        self._chips[address] = chip

    def _chip(self, address: int):
        for chip in self._chips.values():
            if chip.wire:
                from simulator.buses import wire_faults

                wire_faults.check(self, chip, chip is self._chips.get(address))
        chip = self._chips.get(address)
        if chip is None or not chip.plugged:
            raise OSError(_ENODEV)
        return chip

    def writeto(self, addr, buf, stop=True) -> int:
        """Returns the number of acknowledged bytes."""
        data = bytes(buf)
        self._chip(addr).write(self._now_ms(), data)
        return len(data)

    def readfrom_into(self, addr, buf, stop=True):
        buf[:] = self._chip(addr).read(self._now_ms(), len(buf))

    def _select(self, addr, memaddr, addrsize, data=b""):
        register = memaddr.to_bytes(addrsize // 8, "big")
        self._chip(addr).write(self._now_ms(), register + data)

    def readfrom_mem_into(self, addr, memaddr, buf, *, addrsize=8):
        self._select(addr, memaddr, addrsize)
        self.readfrom_into(addr, buf)

    def __getattr__(self, name):
        """The transfers that few drivers use are loaded when one does: a node's heap is small."""
        if name not in ("scan", "writevto", "readfrom", "readfrom_mem", "writeto_mem"):
            raise AttributeError(name)
        from simulator.buses import i2c_more

        transfer = getattr(i2c_more, name)
        return lambda *args, **options: transfer(self, *args, **options)
