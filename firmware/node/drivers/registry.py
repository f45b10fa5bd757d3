# SPDX-License-Identifier: MIT
"""Which parts there are. A node does not load this: its kit.json names its drivers, and a driver's
module is imported when its part is fitted."""

# part (the module's name in this folder, and in simulator/chips): its class, and what it senses
# but keeps to itself, as phrases of [never] in host_tools/policy/phrases
PARTS = {
    "bme280": ("BME280", ()),
    "scd41": ("SCD41", ()),
    "pms5003": ("PMS5003", ()),
    "sds011": ("SDS011", ()),
    "pzem004t": ("PZEM004T", ()),
    "s0_meter": ("S0Meter", ()),
    "sml": ("SML", ("meter",)),
    "ld2450": ("LD2450", ("positions",)),
    "dsmr_p1": ("DsmrP1", ("meter",)),
    "iec62056_21": ("Iec62056", ("meter",)),
    "loop_detector": ("LoopDetector", ("drives",)),
    "sdm120": ("SDM120", ()),
    "sdm630": ("SDM630", ()),
    "ina226": ("INA226", ()),
    "ina228": ("INA228", ()),
    "ds18b20": ("DS18B20", ()),
    "ezo_ph": ("EzoPH", ()),
    "ezo_do": ("EzoDO", ()),
    "ezo_ec": ("EzoEC", ()),
    "contact": ("Contact", ()),
    "leak": ("Leak", ()),
    "battery": ("Battery", ()),
    "solar": ("Solar", ()),
    "ld2451": ("LD2451", ("traffic",)),
    "ops243": ("OPS243", ("traffic",)),
    "tf_luna": ("TFLuna", ("traffic",)),
    "a02yyuw": ("A02YYUW", ()),
    "vl53l1x": ("VL53L1X", ()),
    "ble_count": ("BleCount", ("addresses",)),
    "sen66": ("SEN66", ()),
    "sen55": ("SEN55", ()),
    "sps30": ("SPS30", ()),
    "sgp41": ("SGP41", ()),
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
