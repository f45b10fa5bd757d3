# SPDX-License-Identifier: MIT
"""Why no record of a node was opened, as told to a technician, with the next step."""

from host_tools.collector.open_envelope import FORGOTTEN, NO_LONGER_OPENS, NOT_MIXED
from host_tools.errors import ToolError

SILENT = (
    "is it powered, and does it reach the broker? It says so at its serial port: "
    "lamppost verify NODE --port PORT"
)
_LET_IN = (
    "does the broker let it in (lamppost vault broker, with --with-issued before its receipt is "
    "accepted)? What it says itself: lamppost verify NODE --port PORT"
)
_GRANT = "have it granted to this store: lamppost vault grant, then lamppost keyring take"
# Why an envelope is refused or kept (open_envelope.py): what to do.
HINTS = {
    "unknown node": f"its keys are not there: {_GRANT}",
    "unknown policy": f"the policy that it has is not there: {_GRANT}; or flash the present one",
    NOT_MIXED: "it has not taken the vault's mix: lamppost vault commands, then lamppost send",
    NO_LONGER_OPENS: "the keys here are of before a mix: lamppost keyring take",
    FORGOTTEN: "its day has no key any more: its clock is behind, or it was set back",
    "does not open": "the board has other keys than these: is it this node, and flashed with "
    "its present ticket?",
    "epoch in the future": "set the clock of this machine; else that of the node is wrong",
    "slot in the future": "set the clock of this machine; else that of the node is wrong",
    "outside the days of its policy": "its policy has not begun, or has ended: flash a later one",
}


def nothing(where: str, limit_s: float) -> ToolError:
    """Not one envelope."""
    return ToolError(f"{where}: nothing came at all within {limit_s:.0f} s", _LET_IN)


def no_records(where: str) -> ToolError:
    """What came opens, and held no record."""
    hint = "its first window has not ended, or its policy has: wait longer (--within)"
    return ToolError(f"{where}: its envelopes open, and none had a record yet", hint)


def refused(where: str, reason: str) -> ToolError:
    hint = HINTS.get(reason, "is it this version of Lamppost? See lamppost read --refused")
    return ToolError(f"{where}: an envelope came and was refused: {reason}", hint)


def unopened(where: str, reason: str) -> ToolError:
    """It may yet open, when a key or a policy comes."""
    return ToolError(f"{where}: an envelope came and does not open: {reason}", HINTS[reason])
