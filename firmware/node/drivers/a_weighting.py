# SPDX-License-Identifier: MIT
"""A-weighting (IEC 61672-1) at 48 kHz in 32-bit integers, and the energy of what comes out.

Three second-order sections, each as two of first order with a real pole. Two are high-pass, with
poles at 737.9, 107.7 and twice 20.6 Hz; the zeros at 0 Hz also take away the microphone's offset:

    y += x - x1 - c·y / 2^n

What the division leaves over is carried into the next sample (`ra` … `rd`): rounded away, it would
let a pole at 20.6 Hz pass a small constant or slow signal. The third is low-pass, a double pole at
12.2 kHz with a zero that makes up for the sampling. All together is 0.15 dB off at most, up to
20 kHz, and has a gain of 0.874 dB at 1 kHz.

Samples have 21 of the 24 bits, which is 1 dB(SPL) of rounding noise. No sample of them makes a
number of more than 31 bits: the sum of the magnitudes of the impulse response is 2.71 at most.
Coefficients: tests/second_opinion/a_weighting_design.py.
"""

import micropython


@micropython.viper
def weigh(block: ptr32, s: ptr32):  # noqa: F821 (known to viper)
    """Takes a block of 250 samples (5.2 ms), left-justified in 32 bits, into the state `s`, and
    overwrites them. `s` has 19 numbers, of which others may use these; an energy is a sum of
    squares, as high · 2^24 + low:

    11, 12  lowest and highest sample, of 2^20 at full scale: get only lower and higher
    13, 14  energy: gets that of the block
    15, 16  energy of a block with the time weighting F (125 ms)
    17, 18  its highest
    """
    x1 = s[0]  # one by one: several at once would be a tuple
    ya = s[1]
    ra = s[2]
    yb = s[3]
    rb = s[4]
    yc = s[5]
    rc = s[6]
    yd = s[7]
    rd = s[8]
    e = s[9]
    f = s[10]
    lowest = s[11]
    highest = s[12]
    upper = middle = lower = 0
    i = 0
    while i < 250:
        x = block[i] >> 11
        block[i] = 0
        i += 1
        if x < lowest:
            lowest = x
        if x > highest:
            highest = x

        t = ya * 94 + ra  # 737.9 Hz
        ra = t & 1023
        y1 = ya
        ya += x - x1 - (t >> 10)
        x1 = x
        t = yb * 115 + rb  # 107.7 Hz
        rb = t & 8191
        y2 = yb
        yb += ya - y1 - (t >> 13)
        t = yc * 88 + rc  # 20.6 Hz
        rc = t & 32767
        y1 = yc
        yc += yb - y2 - (t >> 15)
        t = yd * 88 + rd  # 20.6 Hz
        rd = t & 32767
        y2 = yd
        yd += yc - y1 - (t >> 15)

        t = yd + ((5 * y2 + 8) >> 4)
        e += ((t - e) * 208 + 128) >> 8  # 12.2 kHz
        f += ((e - f) * 208 + 128) >> 8  # 12.2 kHz

        t = f >> 10  # f² without a product of more than 31 bits
        y1 = f & 1023
        upper += t * t
        middle += t * y1
        lower += y1 * y1

    t = lower + ((upper & 15) << 20) + ((middle & 8191) << 11)
    high = (upper >> 4) + (middle >> 13) + (t >> 24)
    low = t & 0xFFFFFF
    t = s[14] + low
    s[13] += high + (t >> 24)
    s[14] = t & 0xFFFFFF
    t = (high - s[15]) * 21  # 21/512 is 1 - exp(-250/48,000 / 0.125)
    low = s[16] + ((t & 511) << 15) + (((low - s[16]) * 21) >> 9)
    high = s[15] + (t >> 9) + (low >> 24)
    low = low & 0xFFFFFF
    s[15] = high
    s[16] = low
    if high > s[17]:
        s[17] = high
        s[18] = low
    elif high == s[17] and low > s[18]:
        s[18] = low
    s[0] = x1
    s[1] = ya
    s[2] = ra
    s[3] = yb
    s[4] = rb
    s[5] = yc
    s[6] = rc
    s[7] = yd
    s[8] = rd
    s[9] = e
    s[10] = f
    s[11] = lowest
    s[12] = highest
