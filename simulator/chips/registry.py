# SPDX-License-Identifier: MIT
"""Part number → chip model, imported when the kit has the part. The list is the drivers' own."""

from node.drivers.registry import PARTS, load_class


def chip_class(part: str):
    """The chip model of a part; KeyError for a part that is not in the list."""
    return load_class("simulator.chips", part, PARTS[part][0])
