# SPDX-License-Identifier: MIT
"""From a reading to the value that leaves there is no float and no weak randomness: noise that
rounds is noise that leaks."""

import ast
from pathlib import Path

import pytest

FIRMWARE = Path(__file__).parents[2] / "firmware"
PATH = (
    "node/pipeline/minimise.py", "node/pipeline/protect.py", "node/pipeline/levels.py",
    "node/drivers/decibels.py", "node/policy/noise.py",
    "node/crypto/drbg.py", "node/crypto/hmac_sha256.py", "node/policy/rules.py",
    "node/policy/form.py", "node/pipeline/masked_window.py", "node/crypto/mask.py",
)  # fmt: skip
FORBIDDEN = {
    "float", "complex", "math", "cmath", "random", "decimal", "fractions", "numpy", "round",
    "struct", "array", "urandom", "truediv", "__truediv__", "__rtruediv__", "fsum",
}  # fmt: skip


def _imported(path: Path):
    """The firmware's files that this one imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            file = FIRMWARE / (name.replace(".", "/") + ".py")
            if file.exists():
                yield file


def _closure() -> list:
    """The files of PATH and all that they import."""
    found, to_see = set(), [FIRMWARE / name for name in PATH]
    while to_see:
        path = to_see.pop()
        if path not in found:
            found.add(path)
            to_see += _imported(path)
    return sorted(path.relative_to(FIRMWARE).as_posix() for path in found)


def faults(source: str) -> list:
    """(line, why) of all that is no exact integer, or might not be."""
    found = []
    for node in ast.walk(ast.parse(source)):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.Constant) and isinstance(node.value, (float, complex)):
            found.append((line, "a literal with a point"))
        elif isinstance(node, (ast.BinOp, ast.AugAssign)) and isinstance(node.op, ast.Div):
            found.append((line, "a true division"))
        elif isinstance(node, (ast.BinOp, ast.AugAssign)) and isinstance(node.op, ast.Pow):
            found.append((line, "a power, whose exponent could be negative"))
        names = []
        if isinstance(node, ast.Name):
            names = [node.id]
        elif isinstance(node, ast.Attribute):
            names = [node.attr]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module, *(alias.name for alias in node.names)]
        found += [(line, name) for name in names if FORBIDDEN & set(name.split("."))]
    return sorted(found)


def test_the_path_is_the_whole_of_it():
    """Noise comes from there, and nothing but CBOR and errors comes in from elsewhere."""
    assert FIRMWARE / "node/policy/noise.py" in _imported(FIRMWARE / "node/pipeline/minimise.py")
    assert set(_closure()) == {*PATH, "node/cbor.py", "node/errors.py"}


@pytest.mark.parametrize("name", _closure())
def test_no_float_in_the_path(name):
    assert faults((FIRMWARE / name).read_text()) == []


@pytest.mark.parametrize("line", [
    "x = 0.5", "x = 1e3", "x = 2j", "x = a / b", "x /= 2", "x = float(a)", "import math",
    "from math import exp", "import random", "x = a ** b", "x = round(a)", "x = a.__truediv__(b)",
    "from os import urandom", "import struct", "def f():\n    import numpy.random",
])  # fmt: skip
def test_the_search_finds(line):
    assert faults(line)


def test_the_search_does_not_find():
    assert faults("x = (2 * a + b) // (2 * b)  # a / b\n'''0.5'''") == []
