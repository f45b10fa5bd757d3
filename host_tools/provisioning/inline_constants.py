# SPDX-License-Identifier: MIT
"""Makes a module's private integer constants ones that cost a board nothing.

mpy-cross puts the value of `_NAME = const(1)` where the name is used, and drops the name. As plain
`_NAME = 1`, which every interpreter reads, each costs some 30 bytes of heap.
"""

import ast

from host_tools.provisioning.python_tree import python_tree

_FITS = range(-(1 << 30), 1 << 30)  # a small integer on a 32-bit board


def inline_constants(source: str) -> str:
    """The same module with `const()` around the integers that its private names stand for."""
    try:
        body = python_tree(source).body
    except SyntaxError:
        return source  # mpy-cross says what is wrong
    lines = source.splitlines()
    known = {}
    for node in body:
        if not isinstance(node, ast.Assign) or node.lineno != node.end_lineno:
            continue
        found = _values(node, known)
        if found:
            known.update(found)
            line = lines[node.lineno - 1]
            assigned = "; ".join(f"{name} = const({value})" for name, value in found.items())
            lines[node.lineno - 1] = assigned + line[node.end_col_offset :]
    return "\n".join(lines) + "\n"


def _values(node: ast.Assign, known: dict) -> dict:
    """{name: integer} of an assignment to private names only; {} if it is another."""
    targets, values = node.targets, [node.value]
    if len(targets) != 1:
        return {}
    if isinstance(targets[0], ast.Tuple) and isinstance(node.value, ast.Tuple):
        targets, values = targets[0].elts, node.value.elts
    found = {}
    for target, value in zip(targets, values, strict=False):
        number = _number(value, known)
        if number is None or not isinstance(target, ast.Name):
            return {}
        if not (target.id.startswith("_") and target.id.isupper()):
            return {}
        found[target.id] = number
    return found if len(targets) == len(values) else {}


def _number(node: ast.expr, known: dict) -> int | None:
    """What an expression of integers and known names comes to; None if it is another."""
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            if part.id not in known:
                return None
        elif isinstance(part, ast.Constant):
            if type(part.value) is not int:
                return None
        elif not isinstance(part, (ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop, ast.Load)):
            return None
    value = eval(compile(ast.Expression(node), "", "eval"), {"__builtins__": {}}, dict(known))
    return value if isinstance(value, int) and value in _FITS else None
