# SPDX-License-Identifier: MIT
"""A policy from whatever file it is in: TOML, or a published one. Both meet the same checks: who
published a policy need not have compiled it with this program."""

import datetime
from pathlib import Path

from host_tools.errors import ToolError
from host_tools.policy.as_written import as_written
from host_tools.policy.compile_policy import Compiled, compile_fields, compile_policy
from host_tools.policy.lines import Lines
from host_tools.policy.signed import SUFFIX, PublishedPolicy, read_file, read_public_key
from host_tools.policy.terms import Terms, read_terms
from host_tools.provisioning.kit import Kit, load_kit
from node.policy.rules import Policy

_LONG_AGO = datetime.date(1970, 1, 1)


def load(
    path: Path, kit: Kit | None = None, ended: bool = False, key: Path | None = None
) -> tuple[Policy, Terms]:
    """Rules and terms of a file, checked. ended: whether it may be one that has ended; key: the
    policy.key that must have signed it."""
    path = Path(path)
    today = _LONG_AGO if ended else None
    if is_published(path):
        published = read_file(path, None if key is None else read_public_key(key))
        return _checked(path, published, kit, today)
    if key is not None:
        raise ToolError(f"{path} is not signed", "compile it with --key, and look at what comes")
    return read(compile_policy(path, kit, today))


def is_published(path: Path) -> bool:
    """Whether the file is a published policy, by its name."""
    return Path(path).suffix == SUFFIX


def _checked(path: Path, published: PublishedPolicy, kit: Kit | None, today) -> tuple:
    policy, terms = published.policy(), published.read_terms()
    compiled = compile_fields(path, as_written(policy, terms), Lines(""), kit, today)
    if (compiled.rules, compiled.terms) != (published.rules, published.terms):
        message = f"{path} is not what the language compiles to: it says something in another way"
        raise ToolError(message, "do not use it, and ask who published it")
    return policy, terms


def read(compiled: Compiled) -> tuple[Policy, Terms]:
    return Policy(compiled.rules), read_terms(compiled.terms)


def optional_kit(name_or_path: str | None) -> Kit | None:
    """The kit that an option names."""
    return None if name_or_path is None else load_kit(name_or_path)
