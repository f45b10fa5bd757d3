# SPDX-License-Identifier: MIT
"""What every chip can do to its bus, loaded when one does: `Part.wire`.

I2C: "stretch" (it holds SCL low for longer than the peripheral waits: OSError(116), ETIMEDOUT);
"stuck" (it holds SDA low, so that nobody on the bus can talk, until it has seen nine clocks).
UART: "loses" (each seventh byte of what it sends is lost); "brown-out" (what it sends breaks off
half way, and it starts anew). 1-Wire: "stuck" (it holds the line low); "brown-out".
"""

from simulator.hal.bench import bench

_ETIMEDOUT = 116
_CLOCKS = 9
_EACH = 7
_SLOTS_UNTIL_BROWN_OUT = 52  # of 16 for commands and 72 for an answer


class _Held:
    """SDA, held low by a chip. Stands in bench.wired for SDA, in bench.pins for SCL."""

    plugged = True
    _trigger = 3

    def __init__(self, chip, pins):
        self.chip = chip
        self._pins = pins
        self._edges = 0

    def level(self, now_ms: int) -> int:
        return 0 if self.chip.plugged and self.chip.wire == "stuck" else 1

    def _handler(self, _):
        self._edges += 1  # falling and rising
        if self._edges >= 2 * _CLOCKS - 1:
            self.chip.wire = None
            del bench.wired["input", self._pins[1]], bench.pins[self._pins[0]]


def check(bus, chip, is_asked: bool):
    """Before a transfer: raises what the peripheral then gives."""
    if chip.wire == "stuck" and chip.plugged:
        place = "input", bus.pins[1]
        if place not in bench.wired:
            bench.wired[place] = bench.pins[bus.pins[0]] = _Held(chip, bus.pins)
        raise OSError(_ETIMEDOUT)
    if chip.wire == "stretch" and is_asked:
        raise OSError(_ETIMEDOUT)


def damage(chip, sent: bytes) -> bytes:
    """What of the bytes that a UART chip sent arrives."""
    if chip.wire == "loses":
        return bytes([sent[i] for i in range(len(sent)) if i % _EACH != _EACH // 2])
    chip.plugged = False
    chip.plugged = True
    return sent[: len(sent) // 2]


def pull(bus, chip, answer):
    """What a 1-Wire chip does in a slot, or at a reset, instead of its answer."""
    if chip.wire == "stuck":
        return 0 if bus.slots else True  # low
    if bus.slots == _SLOTS_UNTIL_BROWN_OUT:
        chip.plugged = False
        chip.plugged = True
    return answer
