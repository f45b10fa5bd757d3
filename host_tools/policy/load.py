# SPDX-License-Identifier: MIT
"""A policy from whatever file it is in: TOML, or a published one."""

import datetime
from pathlib import Path

from host_tools.errors import ToolError
from host_tools.policy.compile_policy import Compiled, compile_policy
from host_tools.policy.signed import SUFFIX, read_file, read_public_key
from host_tools.policy.terms import Terms, read_terms
from host_tools.provisioning.kit import Kit, load_kit
from node.policy.rules import Policy

_LONG_AGO = datetime.date(1970, 1, 1)


def load(path: Path, kit: Kit | None = None, ended: bool = False) -> tuple[Policy, Terms]:
    """Rules and terms of a file, checked. ended: whether it may be one that has ended."""
    path = Path(path)
    if path.suffix == SUFFIX:
        published = read_file(path)
        return published.policy(), published.read_terms()
    compiled = compile_policy(path, kit, _LONG_AGO if ended else None)
    return read(compiled)


def check_signed(path: Path, key_path: Path):
    """ToolError unless the file is a published policy that this policy.key signed."""
    path = Path(path)
    if path.suffix != SUFFIX:
        raise ToolError(f"{path} is not signed", "compile it with --key, and look at what comes")
    read_file(path, read_public_key(key_path))


def read(compiled: Compiled) -> tuple[Policy, Terms]:
    return Policy(compiled.rules), read_terms(compiled.terms)


def optional_kit(name_or_path: str | None) -> Kit | None:
    """The kit that an option names."""
    return None if name_or_path is None else load_kit(name_or_path)
