# SPDX-License-Identifier: MIT
"""The registers of a chip as a loader reads and writes them: those of chips.py, the divider of its
UART, and the SPI controller, which passes a command on to the flash. All others hold what was
written to them, or 0."""

from simulator.serial_board.chips import Chip
from simulator.serial_board.flash_chip import FlashChip

_START = 1 << 18  # SPI_CMD_REG: send the command that stands in the other registers
_ADDRESS = 0x04
_ALL = 0xFFFF_FFFF


class Registers:
    """baud: function that gives the present baud rate."""

    def __init__(self, chip: Chip, flash: FlashChip, baud):
        self._chip = chip
        self._flash = flash
        self._baud = baud
        self._values = dict(chip.registers)

    def read(self, address: int) -> int:
        if address == self._chip.uart_divider:
            return self._chip.divider(self._baud())
        return self._values.get(address, 0)

    def write(self, address: int, value: int, mask: int = _ALL):
        """Changes the bits of `mask`."""
        self._values[address] = self.read(address) & ~mask & _ALL | value & mask
        if address == self._chip.spi_base and self._values[address] & _START:
            self._send()

    def _send(self):
        chip, base = self._chip, self._chip.spi_base
        opcode = self.read(base + chip.spi_usr2) & 0xFF
        address = self.read(base + _ADDRESS) >> chip.spi_address_shift
        answer = self._flash.command(opcode, address)
        self._values[base + chip.spi_w0] = int.from_bytes(answer, "little")
        self._values[base] &= ~_START  # it is done
