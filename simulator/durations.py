# SPDX-License-Identifier: MIT
"""Spans of simulated time as scenarios write them and reports show them: 90s, 2h30m, 3d."""

import re

from host_tools.provisioning.checked import Table

_UNITS_MS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000}
_FORM = re.compile("".join(rf"(?:(\d{{1,6}}){unit})?" for unit in _UNITS_MS))


def parse_duration(table: Table, key: str, text: str) -> int:
    """The milliseconds of `text`; ToolError names the table's place and the key."""
    match = _FORM.fullmatch(text)
    if not match or not any(match.groups()):
        mend = "a time is numbers with d, h, m, s: 90s, 2h30m, 3d"
        raise table.wrong(f"has {key} = {text!r}", mend)
    return sum(
        int(count) * unit_ms
        for count, unit_ms in zip(match.groups("0"), _UNITS_MS.values(), strict=True)
    )


def shown(duration_ms: int) -> str:
    """2d 4h, 3h 5m, 4m 10s: the two largest units that count, whole seconds."""
    seconds, parts = duration_ms // 1000, []
    for unit, unit_ms in _UNITS_MS.items():
        count, seconds = divmod(seconds, unit_ms // 1000)
        if count or parts:
            parts.append((count, unit))
    return " ".join(f"{count}{unit}" for count, unit in parts[:2] if count) or "0s"
