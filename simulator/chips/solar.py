# SPDX-License-Identifier: MIT
"""A solar panel at an analogue input: see voltage.py."""

from simulator.chips.voltage import Voltage


class Solar(Voltage):
    SENSES = ("solar_mv",)
