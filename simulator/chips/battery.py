# SPDX-License-Identifier: MIT
"""The node's battery at an analogue input: see voltage.py."""

from simulator.chips.voltage import Voltage


class Battery(Voltage):
    SENSES = ("battery_mv",)
