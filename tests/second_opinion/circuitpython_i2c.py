# SPDX-License-Identifier: MIT
"""Our simulated I2C bus as CircuitPython's busio.I2C, for drivers of Adafruit's."""


class CircuitPythonI2C:
    """bus: simulator.buses.i2c.I2CBus."""

    def __init__(self, bus):
        self._bus = bus
        self._locked = False

    def try_lock(self) -> bool:
        if self._locked:
            return False
        self._locked = True
        return True

    def unlock(self):
        self._locked = False

    def scan(self) -> list:
        return self._bus.scan()

    def writeto(self, address, buffer, *, start=0, end=None, stop=True):
        data = bytes(buffer)[start:end]
        if data:
            self._bus.writeto(address, data)
        elif address not in self._bus.scan():  # a probe: the address alone
            raise OSError(19)

    def readfrom_into(self, address, buffer, *, start=0, end=None, stop=True):
        end = len(buffer) if end is None else end
        buffer[start:end] = self._bus.readfrom(address, end - start)

    def writeto_then_readfrom(
        self, address, out_buffer, in_buffer, *, out_start=0, out_end=None, in_start=0, in_end=None
    ):
        self.writeto(address, out_buffer, start=out_start, end=out_end)
        self.readfrom_into(address, in_buffer, start=in_start, end=in_end)
