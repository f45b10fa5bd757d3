# SPDX-License-Identifier: MIT
"""Attacks need libraries that nothing else here needs."""

import importlib.util

from host_tools.errors import ToolError


def check_extra():
    """ToolError when a library of the extra `attack` is not installed."""
    for name in ("numpy", "scipy", "sklearn", "matplotlib"):
        if importlib.util.find_spec(name) is None:
            raise ToolError(
                f"attacks need {name}, which is not installed",
                ".venv/bin/pip install -e '.[attack]'",
            )
