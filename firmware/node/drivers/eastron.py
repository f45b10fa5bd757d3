# SPDX-License-Identifier: MIT
"""What Eastron's meters share: two blocks of input registers, two registers to a float32 with its
high word first, and energy since the sample before. No bus of its own.

A still reading shows that it hangs: voltage and frequency of the mains are not the same, to all
their digits, 31 times in a row. Source: the maker's tables of input registers (function 0x04), the
same for its meters where they measure the same; a request is for at most 30 values.
"""

from struct import unpack_from

from micropython import const

from node.drivers.float32 import to_scaled
from node.drivers.modbus_rtu import InputRegisters
from node.errors import FROZEN, MISFIT, SensorFault

_PAUSE_MS = const(250)  # it thinks for up to 150 ms, and wants 100 ms until the next request
_SAME_MAX = const(30)


class Eastron:
    """first, second: (start address, count) of its two blocks. A subclass has _values()."""

    def __init__(self, uart, address: int, baud: int, first: tuple, second: tuple):
        if not (1 <= address <= 247 and 1200 <= baud <= 115_200):
            raise SensorFault(MISFIT)
        self._blocks = [InputRegisters(uart, address, *block) for block in (first, second)]
        self._wait_ms = [block.line_ms(baud) + _PAUSE_MS for block in self._blocks]
        size = 2 * first[1], 2 * second[1]
        self._data = bytearray(size[0] + size[1])
        self._before = bytearray(size[0] + size[1])
        view = memoryview(self._data)
        self._parts = view[: size[0]], view[size[0] :]
        self._same = 0
        self._block = 0  # which answer is awaited
        self._totals = None  # import and export of the sample before

    def start(self) -> int:
        return self._ask(0)

    def _ask(self, block: int) -> int:
        self._block = block
        self._blocks[block].request()
        return self._wait_ms[block]

    def read(self):
        """The ms to wait for the second block, then the values."""
        answer = self._blocks[self._block].answer()
        self._parts[self._block][:] = memoryview(answer)[3:-3]
        if not self._block:
            return self._ask(1)
        values = self._values(*self._parts)
        self._same = self._same + 1 if self._data == self._before else 0
        if self._same >= _SAME_MAX:
            raise SensorFault(FROZEN)
        self._before[:] = self._data
        return values

    def _since(self, totals: tuple) -> tuple:
        """What each total has grown by; None for the first, and when it was set back."""
        before, self._totals = self._totals, totals
        if before is None:
            return None, None
        return tuple([b - a if b >= a else None for a, b in zip(before, totals)])


def scaled(data, register: int, scale: int) -> int:
    """The float32 in two registers from the given one of `data`, times `scale`."""
    return to_scaled(unpack_from(">I", data, 2 * register)[0], scale)
