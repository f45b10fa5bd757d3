# SPDX-License-Identifier: MIT
"""InvenSense ICS-43434 microphone: A-weighted sound levels of a street, in mdB.

Bus: I2S at 48 kHz, 24 bits in 32; L/R on ground (left). Sensitivity -26 dBFS ± 1 dB at 94 dB SPL
and 1 kHz, so that a sine of full scale, whose RMS is 3.01 dB below its peak, is 120 dB. Overload
at 120 dB SPL, own noise 29 dB(A) (SNR 65 dB). offset_mdb: what a calibrator says more than it
reads. Errors and listen_ms: see sound_level.py. Needs native code (a_weighting.py). Source:
InvenSense DS-000069 rev. 1.2, page 1.

Wiring: VDD 3.3 V; GND; SCK sck; WS ws; SD sd; LR GND. With: 1 × capacitor 100 nF (VDD to GND).

    microphone = ICS43434(i2s, offset_mdb=0)
    again_ms = microphone.poll()
    ...
    laeq_mdb, lamax_mdb, la10_mdb, la90_mdb = microphone.read()
"""

from node.drivers.sound_level import SoundLevel


class ICS43434(SoundLevel):
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
