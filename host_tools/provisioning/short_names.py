# SPDX-License-Identifier: MIT
"""Gives private names two or three letters on their way to a board, which keeps every name in its
heap. What begins with one underscore is nobody's business but ours: no look-up by text knows it.
So it is with parameters and variables of functions, when nobody calls by them and nothing else has
their name; but those of `__init__` keep theirs, since a kit's options are given to it by name.

A name that only one module has shares its letters with the names of other modules, as a board
keeps each spelling once. Modules whose classes are of one family share none: an object has the
names of all its classes.
"""

import ast
import builtins
import collections
import itertools
import string
from collections.abc import Iterable, Mapping


def short_names(sources: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """{module: {private name: short name}} for the modules in `sources`, {module: text}."""
    trees = {module: ast.parse(text) for module, text in sources.items()}
    private, taken, found_in = {}, set(), collections.Counter()
    inner = _inner_names(trees.values())
    for module, tree in trees.items():
        names = {name for node in ast.walk(tree) for name in _names(node)}
        private[module] = {name for name in names if _is_private(name) or name in inner}
        taken |= names - private[module]
        found_in.update(private[module])
    letters = itertools.chain.from_iterable(
        itertools.product(string.ascii_letters, repeat=size) for size in (1, 2)
    )
    free = [name for name in ("_" + "".join(part) for part in letters) if name not in taken]
    common = {name: free.pop(0) for name in sorted(found_in) if found_in[name] > 1}
    short = {}
    for family in _families(trees):
        own = sorted({name for module in family for name in private[module]} - common.keys())
        names = {**common, **dict(zip(own, free, strict=False))}
        for module in family:
            short[module] = {name: names[name] for name in private[module]}
    return short


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


def _families(trees: dict[str, ast.Module]) -> list[set[str]]:
    """The modules, those together whose classes may have each other as bases."""
    made_in = collections.defaultdict(set)
    classes = [
        (module, node)
        for module, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    ]
    for module, node in classes:
        made_in[node.name].add(module)
    family = {module: {module} for module in trees}
    for module, node in classes:
        for base in node.bases:
            name = base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", None)
            for other in made_in[name]:
                joined = family[module] | family[other]
                family.update(dict.fromkeys(joined, joined))
    return list({id(modules): modules for modules in family.values()}.values())


def _inner_names(trees: Iterable[ast.Module]) -> set[str]:
    """The parameters whose names no call, object, module or text knows."""
    inner, known = set(), {*dir(builtins), "self"}
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, (ast.FunctionDef, ast.Lambda)):
            given = {arg.arg for arg in ast.walk(node.args) if isinstance(arg, ast.arg)}
            keeps = getattr(node, "name", "") == "__init__"
            (known if keeps else inner).update(given)
        if isinstance(node, (ast.Module, ast.ClassDef)):
            known |= {name for part in node.body for name in _assigned(part)}
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            known.add(node.value)
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            known.add(node.name)
        elif isinstance(node, ast.Attribute):
            known.add(node.attr)
        elif isinstance(node, ast.keyword):
            known.add(node.arg)
        elif isinstance(node, ast.alias):
            known |= {*node.name.split("."), node.asname}
        elif isinstance(node, (ast.Global, ast.Nonlocal)):
            known.update(node.names)
    return inner - known


def _assigned(statement: ast.stmt) -> set[str]:
    """The names that a statement of a module or class gives a value to, and so makes known."""
    if isinstance(statement, ast.FunctionDef):
        return set()
    return {
        node.id for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }  # fmt: skip


def _names(node: ast.AST):
    for field in ("id", "attr", "name", "arg"):
        if isinstance(getattr(node, field, None), str):
            yield getattr(node, field)


def _is_private(name: str) -> bool:
    """Not `_` and not `__init__`, nor a constant, which costs nothing: see inline_constants."""
    return name[:1] == "_" and name[:2] != "__" and not name.isupper() and name != "_"
