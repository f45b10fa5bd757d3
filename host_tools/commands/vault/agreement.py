# SPDX-License-Identifier: MIT
"""How verbs ask before they end what cannot be had back."""

from collections.abc import Collection

from host_tools import console
from host_tools.errors import ToolError

_SHOWN = 10


def listed(names: Collection[str]) -> str:
    """ "3: a, b, c"; of many the first, and how many more"""
    first = ", ".join(sorted(names)[:_SHOWN])
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{len(names)}{': ' if names else ''}{first}{more}"


def is_agreed(question: str, lines: list[str], yes: bool) -> bool:
    """Shows what will end, and asks. ToolError off a terminal, unless `yes`."""
    if not yes and not console.can_ask():
        raise ToolError(f"{question} {'; '.join(lines)}", "look, and then give --yes", 2)
    for line in lines:
        console.note(line)
    return yes or console.ask_yes(question)
