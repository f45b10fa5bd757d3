# SPDX-License-Identifier: MIT
"""What of the EZO circuits our kits do not use: numbers beside the first, and their switches. What
is worked out from the first is worked out by plain factors. See ezo.py."""

from simulator.chips.ezo import decimal

_SATURATED_UGL = 9090  # at 20 °C


def answer(chip, command: list):
    """The text that answers a command; None: it is not understood."""
    if command == [b"STATUS"]:
        return b"?STATUS,P,3.30"
    if len(command) == (2 if command[0] == b"RT" else 1) and command[0] in (b"R", b"RT"):
        return _numbers(chip, chip._level(chip._done_ms))
    if command == [b"O", b"?"] and chip.OUTPUTS:
        on = [name for name in chip.OUTPUTS if name in chip.enabled]
        if b"%" in on:
            on = sorted(on)  # DO datasheet 5.3, p. 58: the other way round
        return b",".join([chip.LISTED] + on) if on else b"no output"
    named = [name for name in chip.OUTPUTS if [b"O", name.upper()] == command[:2]]
    if not named or command[2:] not in ([b"0"], [b"1"]):
        return None
    enabled = (
        set(chip.enabled) | set(named) if command[2] == b"1" else set(chip.enabled) - set(named)
    )
    chip.enabled = tuple([name for name in chip.OUTPUTS if name in enabled])
    return b""


def _numbers(chip, level: int) -> bytes:
    """All that is switched on."""
    salinity = min(level * 65 // 100_000, 42_000)
    more = {
        b"%": decimal(level * 100_000 // _SATURATED_UGL, 1),
        b"TDS": decimal(level * 54 // 100, 0),
        b"S": decimal(salinity, 2),
        b"SG": decimal(1000 + salinity * 77 // 100_000, 3),
    }
    on = [more.get(name) or chip.number(level) for name in chip.enabled]
    return b",".join(on) or b"no output"
