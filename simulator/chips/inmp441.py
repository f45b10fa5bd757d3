# SPDX-License-Identifier: MIT
"""InvenSense INMP441 microphone, after DS-INMP441-00 rev. 1.1; see i2s_microphone.py. It is
silent for 2^18 clocks, of 64 a frame."""

from simulator.chips.i2s_microphone import Microphone


class INMP441(Microphone):
    FLOOR_MDB = 33_000
    MUTE_FRAMES = 4096
