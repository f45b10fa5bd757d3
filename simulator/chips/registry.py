# SPDX-License-Identifier: MIT
"""Part number → chip model, imported when the kit has the part. The list is the drivers' own."""

from node.drivers.registry import PARTS


def chip_class(part: str):
    """The chip model of a part; KeyError for a part that is not in the list."""
    name = PARTS[part]
    module = __import__("simulator.chips." + part, None, None, (name,))
    return getattr(module, name)
