# SPDX-License-Identifier: MIT
"""Replaces MicroPython's `time` by path: the same functions on simulated time."""

from simulator.hal.ticks import *  # noqa: F403
