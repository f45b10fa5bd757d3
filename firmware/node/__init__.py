# SPDX-License-Identifier: MIT
"""The firmware of a node: see README.md of the folder above."""

import sys


def forget(package: str, name: str):
    """Gives back the heap of the module node.<package>.<name>, which has done its work: the next
    import reads it again. Who still holds its parts keeps these."""
    full = "node." + package + "." + name
    if full in sys.modules:
        del sys.modules[full]
        delattr(sys.modules["node." + package], name)
