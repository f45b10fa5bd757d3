# SPDX-License-Identifier: MIT
"""The value that flows: one quantity, measured once, as an integer of a fixed scale.

A reading is `(quantity, value)`. The scale is part of the quantity's name (`temperature_mc` is
milli-degrees Celsius). A value outside its physical range is a sensor fault, not a reading.
"""

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
}


def in_range(quantity: str, value: int) -> bool:
    """Whether `value` can physically be a reading of `quantity`."""
    _, _, low, high = QUANTITIES[quantity]
    return low <= value <= high
