# SPDX-License-Identifier: MIT
"""InvenSense INMP441 microphone: A-weighted sound levels of a street, in mdB.

Bus: I2S at 48 kHz, 24 bits in 32; L/R on ground (left). Sensitivity -26 dBFS ± 3 dB at 94 dB SPL
and 1 kHz: calibrate it. Overload at a peak of 120 dB SPL, own noise 33 dB(A), zeros in the first
85 ms. All else as ics43434.py. Source: InvenSense DS-INMP441-00 rev. 1.1, table 1 and page 10.

Wiring: VDD 3.3 V; GND; SCK sck; WS ws; SD sd; L/R GND. With: 1 × capacitor 100 nF (VDD to GND).

    microphone = INMP441(i2s, offset_mdb=-1200)
    again_ms = microphone.poll()
    ...
    laeq_mdb, lamax_mdb, la10_mdb, la90_mdb = microphone.read()
"""

from node.drivers.sound_level import SoundLevel


class INMP441(SoundLevel):
    BUS = "i2s"
    NATIVE = True
    RATE_HZ = 48_000
    BITS = 32
    IBUF = 16_384  # of DMA, whose frames have 8 bytes: 43 ms
    INTERVAL_S = (10, 3600)
    SETTLE_MS = 0
    QUANTITIES = ("laeq_mdb", "lamax_mdb", "la10_mdb", "la90_mdb")

    def __init__(self, i2s, offset_mdb: int = 0, listen_ms: int = 0):
        SoundLevel.__init__(self, i2s, 120_000 + offset_mdb, listen_ms)

    def poll(self) -> int:
        return SoundLevel.poll(self)
