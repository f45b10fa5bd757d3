# SPDX-License-Identifier: MIT
"""Reads a TOML file that a person wrote."""

import tomllib
from pathlib import Path

from host_tools.errors import ToolError


def read_toml(path: Path, what: str, parse_float=float) -> tuple[dict, str]:
    """(its table, its text); ToolError when it cannot be read. what: "a policy", for example."""
    try:
        text = path.read_bytes().decode()
        return tomllib.loads(text, parse_float=parse_float), text
    except OSError as err:
        raise ToolError(f"{path}: {err.strerror}", "check the path") from err
    except UnicodeDecodeError as err:
        raise ToolError(f"{path} is not UTF-8 text", f"{what} is TOML") from err
    except RecursionError as err:
        raise ToolError(f"{path} is nested too deep", "see https://toml.io") from err
    except tomllib.TOMLDecodeError as err:
        raise ToolError(f"{path}: {err}", "it must be TOML: see https://toml.io") from err
