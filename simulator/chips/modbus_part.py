# SPDX-License-Identifier: MIT
"""What the models of meters on Modbus RTU share: a plug, a line, and answers that are damaged."""

from simulator.chips.modbus_rtu import Slave
from simulator.chips.part import Part

ILLEGAL_FUNCTION, ILLEGAL_ADDRESS, SLAVE_ERROR = 1, 2, 4


class ModbusPart(Part):
    """A subclass has BAUD and _answer(), as modbus_rtu.Slave calls it. Faults: "checksum", and
    "short" (the answer is cut)."""

    def __init__(self, signals, address: int, delay_ms: int):
        Part.__init__(self, signals)
        self._address = address
        self._line = Slave(self.BAUD, delay_ms, self._answer)
        self._counted_ms = 0

    def power_on(self, now_ms: int):
        self._line.clear()
        self._counted_ms = now_ms
        self._powered = True

    def receive(self, now_ms: int, data: bytes):
        if not self._powered:
            self.power_on(now_ms)
        self._line.receive(now_ms, data, self._damage)

    def transmit(self, now_ms: int) -> bytes:
        if not self._powered:
            self.power_on(now_ms)
        return self._line.transmit(now_ms)

    def _damage(self, answer: bytes) -> bytes:
        if self.fault == "checksum":
            return answer[:-1] + bytes((answer[-1] ^ 0x01,))
        return answer[: len(answer) // 2] if self.fault == "short" else answer

    def _refuse(self, head: bytes, code: int) -> bytes:
        return bytes((head[0], head[1] | 0x80, code))
