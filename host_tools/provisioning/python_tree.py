# SPDX-License-Identifier: MIT
"""The syntax tree of a Python file, for threads as well."""

import ast
import threading

_ONE = threading.Lock()


def python_tree(source: str | bytes) -> ast.Module:
    """As ast.parse(); SyntaxError when it is no Python. One at a time: CPython before 3.12 counts
    the depth of all threads' trees as one, and raises SystemError (gh-106905)."""
    with _ONE:
        return ast.parse(source)
