# SPDX-License-Identifier: MIT
"""Which parts there are. A node does not load this: its kit.json names its drivers, and a driver's
module is imported when its part is fitted."""

# part (the module's name in this folder, and in simulator/chips): its class, and what it senses
# but keeps to itself, as phrases of [never] in host_tools/policy/phrases
PARTS = {
    "bme280": ("BME280", ()),
    "scd41": ("SCD41", ()),
    "pms5003": ("PMS5003", ()),
    "pzem004t": ("PZEM004T", ()),
    "s0_meter": ("S0Meter", ()),
    "ld2450": ("LD2450", ("positions",)),
    "loop_detector": ("LoopDetector", ("drives",)),
    "ics43434": ("ICS43434", ("sound",)),
    "inmp441": ("INMP441", ("sound",)),
}


def load_class(package: str, part: str, name: str):
    """The class `name` of the module of `part` in `package`."""
    module = __import__(package + "." + part, None, None, (name,))
    return getattr(module, name)


def driver_class(part: str):
    """The driver class of a part; KeyError for a part that is not in the list."""
    return load_class("node.drivers", part, PARTS[part][0])
