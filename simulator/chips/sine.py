# SPDX-License-Identifier: MIT
"""A pure tone of any frequency, sampled at 48 kHz, for the tests of microphones."""

_TURN = 1_768_559_438_007_110  # 2 pi · 2^48
_RATE_MHZ = 48_000_000


class Sine:
    """next(): the next value of a sine of 48 kHz sampling, of 2^48 at its peak."""

    def __init__(self, frequency_mhz: int):
        w = _TURN * frequency_mhz // _RATE_MHZ
        square = w * w >> 48
        term, cosine, sine, i = 1 << 48, 0, 0, 0
        while term:  # Taylor's series
            cosine += term
            sine += w * term // ((i + 1) << 48)
            i += 2
            term = -(term * square >> 48) // (i * (i - 1))
            if term == -1:
                break
        self._twice = 2 * cosine
        self._before, self._value = -sine, 0

    def next(self) -> int:
        value = self._value
        self._value = (self._twice * value >> 48) - self._before
        self._before = value
        return value
