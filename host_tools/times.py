# SPDX-License-Identifier: MIT
"""Times as people write them, and as they are shown: ISO 8601, UTC unless said otherwise."""

import datetime
import re

from host_tools.errors import ToolError

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def parse_instant(text: str, name: str) -> int:
    """Unix seconds of an ISO 8601 date or time. `name` is the option that it was given to."""
    try:
        instant = datetime.datetime.fromisoformat(text)
        if instant.tzinfo is None:
            instant = instant.replace(tzinfo=datetime.UTC)
        return int(instant.timestamp())
    except (ValueError, OverflowError):
        raise ToolError(
            f"{name}: {text!r} is not a time", "for instance 2026-03-01 or 2026-03-01T08:30Z", 2
        ) from None


def parse_duration(text: str) -> int | None:
    """Seconds of 90s, 30m, 2h, 1d; None for what is no such time."""
    match = re.fullmatch(r"([0-9]{1,9})([smhd])", text)
    return int(match[1]) * _UNITS_S[match[2]] if match else None


def parse_since(text: str, newest_s: int, name: str) -> int:
    """As parse_instant, or 30m, 2h, 1d: that long before `newest_s`."""
    duration_s = parse_duration(text)
    if duration_s is not None:
        return newest_s - duration_s
    try:
        return parse_instant(text, name)
    except ToolError as err:
        err.hint = "a time such as 2026-03-01T08:30Z, or 30m, 2h, 1d before the newest entry"
        raise


def parse_span(text: str, name: str) -> int:
    """Seconds of 30m, 2h, 30d."""
    match = re.fullmatch(r"([0-9]{1,9})([smhd])", text)
    if not match or not int(match[1]):
        raise ToolError(f"{name}: {text!r} is not a span of time", "for instance 30d or 12h", 2)
    return int(match[1]) * _UNITS_S[match[2]]


def iso(instant_s: int) -> str:
    """2026-03-01T08:30:00Z"""
    return datetime.datetime.fromtimestamp(instant_s, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def short(instant_s: int) -> str:
    """2026-03-01 08:30, in UTC"""
    return iso(instant_s)[:16].replace("T", " ")
