# SPDX-License-Identifier: MIT
"""Decibels of energies, and back, in integers: 10·log10, in thousandths of a decibel (mdB).

A table with straight lines between its points: off by 0.003 dB at most, and level_mdb() and
energy() are each other's inverse.
"""

_OCTAVE = 30_103  # 10·log10(2), in 0.1 mdB as the table
_ONE_MDB = 48_165  # level_mdb(1 << 16)
# 10·log10(1 + i/16)
_SIXTEENTHS = (
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
    tenths = _SIXTEENTHS[i] + ((_SIXTEENTHS[i + 1] - _SIXTEENTHS[i]) * rest >> 12)
    return (octaves * _OCTAVE + tenths + 5) // 10


def energy(mdb: int) -> int:
    """65536 · 10^(mdb / 10,000), of a level from 0 on."""
    octaves, tenths = divmod(mdb * 10, _OCTAVE)
    i = 0
    while tenths >= _SIXTEENTHS[i + 1]:
        i += 1
    low, high = _SIXTEENTHS[i], _SIXTEENTHS[i + 1]
    return (((16 + i) << 12) + ((tenths - low) << 12) // (high - low)) << octaves


def mean_mdb(total: int, count: int) -> int:
    """The level of the mean of `count` energies with that total."""
    return level_mdb(max(1, total // count)) - _ONE_MDB
