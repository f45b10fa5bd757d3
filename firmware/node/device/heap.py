# SPDX-License-Identifier: MIT
"""Gives back the heap of a module that has done its work: the next import reads it again."""

import sys


def forget(package: str, name: str):
    """Forgets the module node.<package>.<name>; who still holds its parts keeps these."""
    full = "node." + package + "." + name
    if full in sys.modules:
        del sys.modules[full]
        delattr(sys.modules["node." + package], name)
