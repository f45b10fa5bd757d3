# SPDX-License-Identifier: MIT
"""The value that flows: one quantity, measured once, as an integer of a fixed scale.

A reading is `(quantity, value)`. The scale is part of the quantity's name (`temperature_mc` is
milli-degrees Celsius). A value outside its physical range is a sensor fault, not a reading.
quantities.py lists them.
"""

from node.pipeline.health import HEALTH, HEALTH_INTERVAL_S


def intervals_s(kit: dict) -> dict:
    """{quantity: how often it is measured} of what is in kit.json, and of the node's health."""
    found = {quantity: HEALTH_INTERVAL_S for quantity in HEALTH}
    for entry in kit["sensors"]:
        found.update({quantity: entry["interval_s"] for quantity in entry["quantities"]})
    return found
