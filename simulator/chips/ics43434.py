# SPDX-License-Identifier: MIT
"""InvenSense ICS-43434 microphone, after DS-000069 rev. 1.2; see i2s_microphone.py. Its start is
that of the ICS-43432, which it replaces (DS-000038): 4462 clocks of 64 a frame."""

from simulator.chips.i2s_microphone import Microphone


class ICS43434(Microphone):
    FLOOR_MDB = 29_000
    MUTE_FRAMES = 70
