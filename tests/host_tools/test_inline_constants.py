# SPDX-License-Identifier: MIT
"""host_tools/provisioning/inline_constants.py: what becomes a constant, and what stays."""

import pytest

from host_tools.provisioning.inline_constants import inline_constants


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("_A = 5", "_A = const(5)"),
        ("_A = 0xFF  # why", "_A = const(255)  # why"),
        ("_A = -3 * (1 << 8)", "_A = const(-768)"),
        ("_A = 5\n_B = _A * 2", "_A = const(5)\n_B = const(10)"),
        ("_A, _B = 1, 2", "_A = const(1); _B = const(2)"),
    ],
)
def test_private_integers_do(source, wanted):
    assert inline_constants(source) == wanted + "\n"


@pytest.mark.parametrize(
    "source",
    [
        "A = 5", "_a = 5", "_A = 1 << 40", "_A = 'x'", "_A = True", "_A = 1.5", "_A = B + 1",
        "_A = [1]", "_A = f(1)", "_A = _B = 1", "_A = (1,\n2)", "_A, b = 1, 2", "_A, _B = 1, c",
        "_A += 1", "_A = const(5)", "def f(\n", "_A, _B = x",
    ],
)  # fmt: skip
def test_others_stay(source):
    assert inline_constants(source).rstrip("\n") == source.rstrip("\n")
