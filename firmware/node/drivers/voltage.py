# SPDX-License-Identifier: MIT
"""A voltage at an analogue input: the median of some reads, as a Wi-Fi transmission pulls at the
supply, and an ESP32's ADC is noisy."""

from micropython import const

from node.errors import RANGE, SensorFault

_READS = const(7)


def median_mv(bus) -> int:
    """The voltage at the terminal. SensorFault when it is beyond what the ADC can tell."""
    reads = sorted([bus.read_mv() for _ in range(_READS)])
    if reads[_READS // 2] >= bus.range_mv[1]:
        raise SensorFault(RANGE)
    return reads[_READS // 2]
