# SPDX-License-Identifier: MIT
"""The policies that come with Lamppost."""

from pathlib import Path

import boards
from host_tools.policy.load import load


def built_in() -> dict:
    """{kit, and which of its policies: Policy} of all that come with Lamppost."""
    kits = sorted((Path(boards.__path__[0]) / "kits").glob("*/policy*.toml"))
    return {path.parent.name + path.stem.removeprefix("policy"): load(path)[0] for path in kits}
