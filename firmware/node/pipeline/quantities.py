# SPDX-License-Identifier: MIT
"""All that can be measured, with its unit, scale and physical range. A quantity's scale is the end
of its name: `temperature_mc` is milli-degrees Celsius.

A node does not load this: its kit.json has the ranges of what it measures.
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
    "pm4_0_ngm3": ("µg/m³", 1000, 0, 1_000_000),
    "voc_index_tenths": ("", 10, 0, 5000),
    "nox_index_tenths": ("", 10, 0, 5000),
    "voc_raw_ticks": ("ticks", 1, 0, 65_535),
    "nox_raw_ticks": ("ticks", 1, 0, 65_535),
    # energy and supply
    "voltage_mv": ("V", 1000, 80_000, 260_000),
    "current_ma": ("A", 1000, 0, 100_000),
    "power_mw": ("W", 1000, 0, 23_000_000),
    "energy_total_mwh": ("Wh", 1000, 0, 9_999_990_000),  # a meter's register since its reset
    "frequency_mhz": ("Hz", 1000, 45_000, 65_000),
    "power_factor_permille": ("", 1000, 0, 1000),
    "energy_mwh": ("Wh", 1000, 0, 1_000_000_000),  # since the sample before
    "energy_export_mwh": ("Wh", 1000, 0, 1_000_000_000),  # since the sample before
    "energy_import_total_mwh": ("Wh", 1000, 0, 10**14),  # a utility's registers
    "energy_export_total_mwh": ("Wh", 1000, 0, 10**14),
    "net_power_mw": ("W", 1000, -100_000_000, 100_000_000),  # negative: fed into the grid
    "voltage_l1_mv": ("V", 1000, 80_000, 300_000),
    "voltage_l2_mv": ("V", 1000, 80_000, 300_000),
    "voltage_l3_mv": ("V", 1000, 80_000, 300_000),
    "current_l1_ma": ("A", 1000, 0, 120_000),
    "current_l2_ma": ("A", 1000, 0, 120_000),
    "current_l3_ma": ("A", 1000, 0, 120_000),
    "gas_dm3": ("m³", 1000, 0, 1_000_000),  # since the sample before
    "dc_voltage_mv": ("V", 1000, 0, 85_000),
    "dc_current_ma": ("A", 1000, -50_000, 50_000),
    "dc_power_mw": ("W", 1000, -4_000_000, 4_000_000),
    "dc_energy_mwh": ("Wh", 1000, 0, 100_000_000),  # since the sample before
    # traffic: counts since the sample before
    "vehicles": ("vehicles", 1, 0, 10_000),
    "people_rightward": ("people", 1, 0, 10_000),
    "people_leftward": ("people", 1, 0, 10_000),
    "vehicles_approaching": ("vehicles", 1, 0, 10_000),
    "vehicles_receding": ("vehicles", 1, 0, 10_000),
    "vehicle_speed_mmps": ("m/s", 1000, 0, 70_000),
    "occupancy_permille": ("%", 10, 0, 1000),
    "people_in": ("people", 1, 0, 10_000),
    "people_out": ("people", 1, 0, 10_000),
    "ble_devices": ("devices", 1, 0, 10_000),
    # water
    "water_temperature_mc": ("°C", 1000, -10_000, 85_000),
    "water_level_mm": ("m", 1000, 0, 10_000),
    "distance_mm": ("m", 1000, 0, 10_000),
    "ph_milli": ("pH", 1000, 0, 14_000),
    "dissolved_oxygen_ugl": ("mg/l", 1000, 0, 100_000),
    "conductivity_nscm": ("µS/cm", 1000, 0, 500_000_000),
    # noise: levels in milli-decibels, A-weighted, of the time since the sample before
    "laeq_mdb": ("dB(A)", 1000, 15_000, 140_000),
    "lamax_mdb": ("dB(A)", 1000, 15_000, 140_000),
    "la10_mdb": ("dB(A)", 1000, 15_000, 140_000),
    "la90_mdb": ("dB(A)", 1000, 15_000, 140_000),
    # contacts, leaks, and the node's own supply
    "contact_closed": ("", 1, 0, 1),
    "contact_closures": ("closings", 1, 0, 10_000),  # since the sample before
    "leak_present": ("", 1, 0, 1),
    "battery_mv": ("V", 1000, 0, 60_000),
    "solar_mv": ("V", 1000, 0, 100_000),
    # health of the node itself: since it was provisioned, and the last five since its power-up
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
    "mix_refused": ("", 1, 0, 99),  # the same of a mix: README.md of firmware/
    "certificate": ("", 1, 0, 65_535),  # its serial at the latest receipt; 0: the first
}


def in_range(quantity: str, value: int) -> bool:
    """Whether `value` can physically be a reading of `quantity`."""
    _, _, low, high = QUANTITIES[quantity]
    return low <= value <= high
