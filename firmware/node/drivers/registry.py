# SPDX-License-Identifier: MIT
"""Part number → driver class. A driver's module is imported when its part is fitted."""

# part (the module's name in this folder, and in simulator/chips): class
PARTS = {
    "bme280": "BME280",
    "scd41": "SCD41",
    "pms5003": "PMS5003",
    "pzem004t": "PZEM004T",
    "s0_meter": "S0Meter",
    "ld2450": "LD2450",
    "loop_detector": "LoopDetector",
}


def driver_class(part: str):
    """The driver class of a part; KeyError for a part that is not in the list."""
    name = PARTS[part]
    module = __import__("node.drivers." + part, None, None, (name,))
    return getattr(module, name)
