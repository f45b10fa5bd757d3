# SPDX-License-Identifier: MIT
"""Writes what was compiled: signed, to publish, and never an older version over a newer."""

from pathlib import Path

from host_tools.errors import ToolError
from host_tools.policy.compile_policy import Compiled
from host_tools.policy.signed import SUFFIX, load_key, publish, read_file, write_file
from host_tools.public_file import check_room, check_target, write_public
from node.crypto import lms
from node.policy.rules import Policy

UNSIGNED_SUFFIX = ".cbor"
_AROUND = 64  # bytes that a published policy has beside rules, terms and signature


def check_output(target: Path, path: Path, is_signed: bool):
    """ToolError for a target that this must not be written to: the policy in `path`, or what ends
    otherwise."""
    target = Path(target)
    if target.suffix == SUFFIX and not is_signed:
        raise ToolError(f"{target} would not be signed", "give --key, or another name", 2)
    check_target(target, SUFFIX if is_signed else UNSIGNED_SUFFIX, {path: "the policy"})


def release(target: Path, compiled: Compiled, key_folder: Path) -> int:
    """Signs, and writes the published policy; returns how many signatures the key has left.
    Nothing is spent when the target is that policy already. ToolError when it is a newer one."""
    target = Path(target)
    signer = load_key(key_folder)
    if target.exists() and _is_there(target, compiled, signer.public_key):
        return signer.remaining()
    size = len(compiled.rules) + len(compiled.terms) + lms.SIGNATURE_LENGTH + _AROUND
    check_room(target, size)  # before a signature is spent
    write_file(target, publish(signer, compiled.rules, compiled.terms))
    return signer.remaining()


def write_rules(target: Path, compiled: Compiled):
    """Writes the rules alone, unsigned."""
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
    if new.id != old.id:
        message = f"{target} is the policy {old.id!r}, and this is {new.id!r}"
        raise ToolError(message, "give another name with -o")
    if new.version <= old.version:
        message = f"{target} has version {old.version}, and this is version {new.version}"
        raise ToolError(message, f"write version = {old.version + 1}: no node goes back")
    return False
