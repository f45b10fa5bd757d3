# SPDX-License-Identifier: MIT
"""How verbs tell what was refused while the rest was done: the first of them, and how many."""

import itertools

from host_tools import console
from host_tools.errors import ToolError

SHOWN = 20


def first_of(refused: dict[str, str]) -> dict[str, str]:
    return dict(itertools.islice(refused.items(), SHOWN))


def complain_of(what: str, refused: dict[str, str], hint: str):
    """refused: {which `what`: why}"""
    for name, why in first_of(refused).items():
        console.complain(ToolError(f"{what} {name}: {why}", hint))
    if len(refused) > SHOWN:
        console.note(f"and {len(refused) - SHOWN} more: {len(refused)} in all")
