# SPDX-License-Identifier: MIT
"""A serial line that never falls silent, faster than it is read: a driver must come back all the
same, so that the watchdog is fed and the other sensors are asked."""

import unittest

from node.drivers.dsmr_p1 import DsmrP1
from node.drivers.iec62056_21 import Iec62056
from node.drivers.ld2450 import LD2450
from node.drivers.ld2451 import LD2451
from node.drivers.obis import drain
from node.drivers.ops243 import OPS243
from node.drivers.pzem004t import PZEM004T
from node.drivers.sdm120 import SDM120
from node.drivers.sml import SML
from node.drivers.tf_luna import TFLuna
from node.errors import SensorFault

_FILLS = (b"\x59", b"\x00", b"\x1b", b"/", b"(", b"\n", b"\xf4\xf3\xf2\xf1", b"\xaa\xff\x03\x00")
_LD2451_ON = (
    b"\xfd\xfc\xfb\xfa\x08\x00\xff\x01\x00\x00\x01\x00\x00\x00\x04\x03\x02\x01"
    b"\xfd\xfc\xfb\xfa\x04\x00\x02\x01\x00\x00\x04\x03\x02\x01"
)
_READS = 1100  # more than any driver needs until it gives up


class Endless:
    """A UART whose buffer is full again after each read; `first` is told before."""

    INV_RX = 4

    def __init__(self, fill, rxbuf, first=b""):
        self.rxbuf = rxbuf
        self.first = first
        self.fill = fill
        self.taken = self.most = 0  # bytes in this call, and in the longest

    def _next(self, size):
        self.taken += size
        if self.taken > 4 * self.rxbuf:
            raise MemoryError("the driver does not come back")
        return (self.fill * (size // len(self.fill) + 1))[:size]

    def init(self, **_):
        pass

    def any(self):
        return self.rxbuf

    def write(self, data):
        return len(data)

    def read(self, size=-1):
        if self.first:
            return self.first
        return self._next(self.rxbuf if size < 0 else size)

    def readinto(self, into):
        into[:] = self._next(len(into))
        return len(into)


class TestFlood(unittest.TestCase):
    def come_back(self, driver, uart):
        """Whether it fails, or gives something, in so many reads, none of which is long."""
        try:
            driver.start()
            for _ in range(_READS):
                uart.taken = 0
                if not isinstance(driver.read(), int):
                    return
        except SensorFault:
            return
        self.fail("it asks for more time for ever")

    def test_each_driver_comes_back(self):
        for driver in (DsmrP1, Iec62056, LD2450, SML, PZEM004T, SDM120):
            for fill in _FILLS:
                uart = Endless(fill, driver.RXBUF)
                self.come_back(driver(uart), uart)

    def test_those_that_are_set_up_first(self):
        luna = b"\x5a\x06\x03\x64\x00\xc7"
        for driver, answer in ((OPS243, b'"m-per-sec"'), (TFLuna, luna), (LD2451, _LD2451_ON)):
            for fill in _FILLS:
                uart = Endless(fill, driver.RXBUF, answer)
                made = driver(uart)
                self.set_up(made)
                uart.first = b""
                self.come_back(made, uart)

    def set_up(self, driver):
        driver.start()
        while driver.read() is not None:
            pass

    def test_a_radar_that_is_set_up(self):
        acknowledged = b"\xfd\xfc\xfb\xfa\x04\x00\xa4\x01\x00\x00\x04\x03\x02\x01"
        for fill in _FILLS:
            uart = Endless(fill, LD2450.RXBUF, acknowledged)
            driver = LD2450(uart)
            for _ in range(2):
                driver.start()
                driver.read()
            uart.first = b""
            self.come_back(driver, uart)

    def test_what_is_dropped_is_a_full_buffer_at_most(self):
        uart = Endless(b"x", DsmrP1.RXBUF)
        piece = bytearray(64)
        drain(uart, piece)
        self.assertEqual((uart.taken, bytes(piece)), (DsmrP1.RXBUF, bytes(64)))

    def test_a_meter_is_not_kept_as_it_is_dropped(self):
        uart = Endless(b"1EMH0012345678", SML.RXBUF)
        driver = SML(uart)
        uart.read = None  # it would make an object of it, which stays in the heap
        driver.start()
        self.assertEqual(bytes(driver._chunk), bytes(64))


if __name__ == "__main__":
    unittest.main()
