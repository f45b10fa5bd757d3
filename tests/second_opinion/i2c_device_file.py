# SPDX-License-Identifier: MIT
"""Linux's /dev/i2c-N over our I2C bus: a file that is written and read, and an ioctl that says
with whom."""

I2C_SLAVE = 0x0703


class DeviceFile:
    def __init__(self, bus):
        self._bus = bus
        self._address = None

    def write(self, data: bytes) -> int:
        return self._bus.writeto(self._address, data)

    def read(self, n: int) -> bytes:
        return self._bus.readfrom(self._address, n)

    def close(self):
        self._address = None


class Fcntl:
    """What stands in for the module `fcntl`."""

    @staticmethod
    def ioctl(file: DeviceFile, request: int, argument: int):
        assert request == I2C_SLAVE
        file._address = argument
