# SPDX-License-Identifier: MIT
"""What can go wrong between a computer and a board, each as an option of `lamppost sim board`.

    Faults.parse(("cable-out=50", "no-boot-mode"))

**One more fault:** a field of Faults with its words in KINDS, and the place that asks for it.
"""

import dataclasses

from host_tools.errors import ToolError

# name: (takes a number, what it does)
KINDS = {
    "wrong-chip": (False, "another chip answers than the board should have"),
    "small-flash": (False, "the flash has 1 MiB"),
    "cable-out": (True, "the connection breaks when N percent of a write have come, once"),
    "corrupt-block": (True, "block N of a write comes with a wrong bit, once"),
    "stuck-bit": (True, "a bit of byte N of the flash is worn, and stays 0"),
    "no-erase": (True, "the sector with byte N of the flash keeps what it holds at an erase"),
    "port-busy": (False, "another program has the port"),
    "no-boot-mode": (False, "GPIO0 does not reach the chip: it never waits for download"),
}


@dataclasses.dataclass
class Faults:
    """Each fault, off by default. Numbers: percent, block from 1, byte of the flash."""

    wrong_chip: bool = False
    small_flash: bool = False
    cable_out: int | None = None
    corrupt_block: int | None = None
    stuck_bit: int | None = None
    no_erase: int | None = None
    port_busy: bool = False
    no_boot_mode: bool = False

    @classmethod
    def parse(cls, words: tuple) -> "Faults":
        """Each word is NAME or NAME=NUMBER; ToolError with exit code 2 says what is wrong."""
        faults = cls()
        for word in words:
            name, _, number = word.partition("=")
            if name not in KINDS:
                raise ToolError("no such fault", f"one of {', '.join(KINDS)}", 2)
            if KINDS[name][0]:
                setattr(faults, name.replace("-", "_"), _number(name, number))
            elif number:
                raise ToolError(f"{name} takes no number", f"--fault {name}", 2)
            else:
                setattr(faults, name.replace("-", "_"), True)
        if faults.cable_out is not None and faults.cable_out > 100:
            raise ToolError("cable-out is a percentage", "--fault cable-out=50", 2)
        return faults


def _number(name: str, text: str) -> int:
    try:
        value = int(text, 0)
    except ValueError:
        value = -1
    if value < 0:
        raise ToolError(f"{name} needs a number", f"--fault {name}=50", 2)
    return value


class FaultyLine:
    """What the line does to the packets of a write on their way to the loader."""

    def __init__(self, faults: Faults):
        self._faults = faults
        self._blocks = 0  # of the present write
        self._seen = 0

    def takes(self, packet: bytes) -> bytes | None:
        """The packet as it arrives; None when the cable comes out."""
        op = packet[1] if len(packet) > 8 and packet[0] == 0 else None
        if op in (0x02, 0x10):  # BEGIN: size, blocks, …
            self._blocks, self._seen = int.from_bytes(packet[12:16], "little"), 0
        elif op in (0x03, 0x11):
            self._seen += 1
            limit = self._faults.cable_out
            if limit is not None and self._seen > self._blocks * limit // 100:
                self._faults.cable_out = None  # it is put in again
                return None
            if self._seen == self._faults.corrupt_block:
                self._faults.corrupt_block = None
                return packet[:-1] + bytes((packet[-1] ^ 1,))
        return packet
