# SPDX-License-Identifier: MIT
"""What of the EZO circuits our kits do not use: numbers beside the first, and their switches. What
is worked out from the first is worked out by plain factors. See ezo.py."""

from simulator.chips.ezo import decimal

_SATURATED_UGL = 9090  # at 20 °C


def answer(chip, command: list):
    """The text that answers a command; None: it is not understood."""
    if command == [b"STATUS"]:
        return b"?STATUS,P,3.30"
    on = chip.OUTPUTS[:1] if chip.enabled is None else chip.enabled
    if len(command) == (2 if command[0] == b"RT" else 1) and command[0] in (b"R", b"RT"):
        return _numbers(chip, on, chip._level(chip._done_ms))
    if command == [b"O", b"?"] and chip.OUTPUTS:
        # DO datasheet 5.3, p. 58: the other way round
        names = sorted(on) if b"%" in on else list(on)
        return b",".join([chip.LISTED] + names) if names else b"no output"
    named = [name for name in chip.OUTPUTS if [b"O", name.upper()] == command[:2]]
    if not named or command[2:] not in ([b"0"], [b"1"]):
        return None
    chip.enabled = [
        name for name in chip.OUTPUTS
        if (command[2] == b"1" if name in named else name in on)
    ]  # fmt: skip
    return b""


def _numbers(chip, names, level: int) -> bytes:
    """All that is switched on."""
    salinity = min(level * 65 // 100_000, 42_000)
    more = {
        b"%": decimal(level * 100_000 // _SATURATED_UGL, 1),
        b"TDS": decimal(level * 54 // 100, 0),
        b"S": decimal(salinity, 2),
        b"SG": decimal(1000 + salinity * 77 // 100_000, 3),
    }
    return b",".join([more.get(name) or chip.number(level) for name in names]) or b"no output"
