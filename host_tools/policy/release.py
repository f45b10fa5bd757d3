# SPDX-License-Identifier: MIT
"""Writes what was compiled: signed, to publish, and never an older version over a newer."""

from pathlib import Path

from host_tools.errors import ToolError
from host_tools.policy.compile_policy import Compiled
from host_tools.policy.signed import SUFFIX, load_key, publish, read_file, write_file
from host_tools.public_file import write_public
from node.policy.rules import Policy


def release(target: Path, compiled: Compiled, key_folder: Path) -> int:
    """Signs, and writes the published policy; returns how many signatures the key has left.
    Nothing is spent when the target is that policy already. ToolError when it is a newer one."""
    target = Path(target)
    if target.suffix != SUFFIX:
        raise ToolError(f"{target} is no name of a published policy", f"let it end in {SUFFIX}")
    signer = load_key(key_folder)
    if target.exists() and _is_there(target, compiled, signer.public_key):
        return signer.remaining()
    write_file(target, publish(signer, compiled.rules, compiled.terms))
    return signer.remaining()


def write_rules(target: Path, compiled: Compiled):
    """Writes the rules alone, unsigned."""
    target = Path(target)
    if target.suffix == SUFFIX:
        raise ToolError(f"{target} would not be signed", "give --key, or another name")
    write_public(target, compiled.rules)


def _is_there(target: Path, compiled: Compiled, public_key: bytes) -> bool:
    """Whether the target is this policy, signed by this key. ToolError when it is a newer one."""
    there = read_file(target)
    if there.rules == compiled.rules:  # the terms are then the same: their digest is in the rules
        try:
            read_file(target, public_key)
        except ToolError:
            return False
        return True
    old, new = there.policy(), Policy(compiled.rules)
    if new.version <= old.version:
        message = f"{target} has version {old.version}, and this is version {new.version}"
        raise ToolError(message, f"write version = {old.version + 1}: no node goes back")
    return False
