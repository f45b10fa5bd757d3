# SPDX-License-Identifier: MIT
"""The value that flows: one quantity, measured once, as an integer of a fixed scale.

A reading is `(quantity, value)`. The scale is part of the quantity's name (`temperature_mc` is
milli-degrees Celsius). A value outside its physical range is a sensor fault, not a reading.

A node takes what its kit needs from this file at its start, and gives the rest of the heap back.
"""

from node.pipeline.health import HEALTH, HEALTH_INTERVAL_S

# quantity: (unit shown to people, integer steps per unit, lowest, highest)
QUANTITIES = {
    # air
    "temperature_mc": ("°C", 1000, -40_000, 85_000),
    "humidity_mpct": ("%", 1000, 0, 100_000),
    "pressure_pa": ("hPa", 100, 30_000, 110_000),
    "co2_ppm": ("ppm", 1, 350, 40_000),
    "pm1_0_ngm3": ("µg/m³", 1000, 0, 1_000_000),
    "pm2_5_ngm3": ("µg/m³", 1000, 0, 1_000_000),
    "pm10_ngm3": ("µg/m³", 1000, 0, 1_000_000),
    # energy
    "voltage_mv": ("V", 1000, 80_000, 260_000),
    "current_ma": ("A", 1000, 0, 100_000),
    "power_mw": ("W", 1000, 0, 23_000_000),
    "energy_total_mwh": ("Wh", 1000, 0, 9_999_990_000),  # a meter's register since its reset
    "frequency_mhz": ("Hz", 1000, 45_000, 65_000),
    "power_factor_permille": ("", 1000, 0, 1000),
    "energy_mwh": ("Wh", 1000, 0, 1_000_000_000),  # since the sample before
    # traffic: counts since the sample before
    "vehicles": ("vehicles", 1, 0, 10_000),
    "people_rightward": ("people", 1, 0, 10_000),
    "people_leftward": ("people", 1, 0, 10_000),
    # health of the node itself: since it was provisioned, and the last three since its power-up
    "resets_power": ("", 1, 0, 65_535),
    "resets_watchdog": ("", 1, 0, 65_535),
    "resets_other": ("", 1, 0, 65_535),
    "boots_unreached": ("", 1, 0, 65_535),  # in a row that did not reach a receipt
    "flash_formats": ("", 1, 0, 65_535),  # after damage; what was held then is lost
    "old_seals": ("", 1, 0, 1000),  # that can still be read from its flash
    "sensor_faults": ("", 1, 0, 1_000_000),
    "windows_unsealed": ("", 1, 0, 1_000_000),
    "clock_steps": ("", 1, 0, 1_000_000),
    "policy_refused": ("", 1, 0, 99),  # why one was refused last: policy/README.md; 0 for none
}
def in_range(quantity: str, value: int) -> bool:
    """Whether `value` can physically be a reading of `quantity`."""
    _, _, low, high = QUANTITIES[quantity]
    return low <= value <= high


def intervals_s(kit: dict) -> dict:
    """{quantity: how often it is measured} of what is in kit.json, and of the node's health."""
    found = {quantity: HEALTH_INTERVAL_S for quantity in HEALTH}
    for entry in kit["sensors"]:
        found.update({quantity: entry["interval_s"] for quantity in entry["quantities"]})
    return found


def ranges(quantities: list) -> dict:
    """{quantity: (lowest, highest)} that can physically be read."""
    return {quantity: QUANTITIES[quantity][2:] for quantity in quantities}
