# SPDX-License-Identifier: MIT
"""Sensirion SEN55: see sensirion_pm.py and sensirion_air.py. Not modelled: its weekly cleaning."""

from simulator.chips.sensirion_air import ParticleNodePart


class SEN55(ParticleNodePart):
    SENSES = (
        "pm1_0_ngm3", "pm2_5_ngm3", "pm4_0_ngm3", "pm10_ngm3", "humidity_mpct", "temperature_mc",
        "voc_index_tenths", "nox_index_tenths",
    )  # fmt: skip
    ADDRESS = 0x69
    READ = 0x03C4
    UNKNOWN = (0xFFFF,) * 4 + (0x7FFF,) * 4
    NAME = b"SEN55"
    SIBLING = b"SEN50"
