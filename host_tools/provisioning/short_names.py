# SPDX-License-Identifier: MIT
"""Gives private names two or three letters on their way to a board, which keeps every name in its
heap. What begins with one underscore is nobody's business but ours: no look-up by text knows it.
"""

import ast
import itertools
import string
from collections.abc import Iterable


def short_names(sources: Iterable[str]) -> dict[str, str]:
    """{private name: short name}, one for all `sources`, since a subclass may use its base's."""
    used, taken = set(), set()
    for source in sources:
        for node in ast.walk(ast.parse(source)):
            for name in _names(node):
                (used if _is_private(name) else taken).add(name)
    letters = itertools.chain.from_iterable(
        itertools.product(string.ascii_letters, repeat=size) for size in (1, 2)
    )
    free = (name for name in ("_" + "".join(part) for part in letters) if name not in taken)
    return {name: next(free) for name in sorted(used)}


def with_short_names(source: str, names: dict[str, str]) -> str:
    """The same module with those names."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        for field, value in ast.iter_fields(node):
            if field in ("id", "attr", "name", "arg", "asname") and value in names:
                setattr(node, field, names[value])
            elif field == "names" and isinstance(node, (ast.Global, ast.Nonlocal)):
                node.names = [names.get(name, name) for name in value]
    return ast.unparse(tree) + "\n"


def _names(node: ast.AST):
    for field in ("id", "attr", "name", "arg"):
        if isinstance(getattr(node, field, None), str):
            yield getattr(node, field)


def _is_private(name: str) -> bool:
    """Not `_` and not `__init__`, nor a constant, which costs nothing: see inline_constants."""
    return name[:1] == "_" and name[:2] != "__" and not name.isupper() and name != "_"
