# SPDX-License-Identifier: MIT
"""How the verbs tell from which days on mixes are in the seals of nodes."""

import dataclasses
from collections.abc import Iterable

from host_tools import console


def as_text(days: Iterable[str]) -> str:
    """ "from 2026-03-01 on", or "from 2026-03-01 to 2026-03-04 on"; "" of none"""
    first_last = sorted(set(days))[:: max(1, len(set(days)) - 1)]
    return f"from {' to '.join(first_last)} on" if first_last else ""


def as_object(far: dict) -> dict:
    return {node_id: [dataclasses.asdict(one) for one in mixes] for node_id, mixes in far.items()}


def note_far(far: dict):
    """far: what mixing.far_ahead() found."""
    from host_tools.city.mixing import FAR_DAYS

    for node_id, mixes in far.items():
        listed = ", ".join(f"{one.day} (epoch {one.epoch})" for one in mixes)
        console.note(
            f"{node_id} has mixes more than {FAR_DAYS} days ahead, as by a clock that was wrong: "
            f"{listed}; see \"A wrong clock\" in city/README.md"
        )  # fmt: skip
