# SPDX-License-Identifier: MIT
"""Decibels in integers: 10·log10, in thousandths of a decibel (mdB), by a table with straight
lines between its points, which is off by 0.003 dB at most. The way back: pipeline/levels.py.
"""

_OCTAVE = 30_103  # 10·log10(2), in 0.1 mdB as the table
# 10·log10(1 + i/16)
SIXTEENTHS = (
    0, 2633, 5115, 7463, 9691, 11_810, 13_830, 15_761, 17_609,
    19_382, 21_085, 22_724, 24_304, 25_828, 27_300, 28_724, 30_103,
)  # fmt: skip


def level_mdb(energy: int) -> int:
    """10·log10(energy), of an integer from 1 on."""
    octaves = 16
    while energy >= 1 << 25:
        energy >>= 8
        octaves += 8
    while energy >= 1 << 17:
        energy >>= 1
        octaves += 1
    while energy < 1 << 16:
        energy <<= 1
        octaves -= 1
    i, rest = (energy >> 12) - 16, energy & 4095
    tenths = SIXTEENTHS[i] + ((SIXTEENTHS[i + 1] - SIXTEENTHS[i]) * rest >> 12)
    return (octaves * _OCTAVE + tenths + 5) // 10
