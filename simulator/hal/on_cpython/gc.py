# SPDX-License-Identifier: MIT
"""MicroPython's `gc`, as far as it means something here: CPython has no heap to pack."""

from gc import collect, disable, enable, isenabled  # noqa: F401


def threshold(amount=None):
    return -1 if amount is None else None
