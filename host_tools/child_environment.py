# SPDX-License-Identifier: MIT
"""What other programs see of our environment: a password in it is none of their business."""

import os

_OURS = "LAMPPOST_"


def child_environment(**more: str) -> dict[str, str]:
    """The environment for a child process, without our own variables, and with these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    return {**kept, **more}
