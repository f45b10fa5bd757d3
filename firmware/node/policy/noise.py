# SPDX-License-Identifier: MIT
"""Noise for values that leave: the discrete Laplace of scale t, P(x) ∝ exp(−|x| / t) for every
integer x, exactly, from uniform integers alone (Canonne, Kamath, Steinke 2020, arXiv 2004.00010,
algorithms 1 and 2). Nothing is rounded, so there is no gap in it through which a value could leak.

The time that a draw takes depends on what is drawn. So noise is drawn ahead, with the first
reading of a window (pipeline/protect.py), never when a record is due.
"""

from node.crypto.drbg import Drbg

_CHUNK = 32  # bytes drawn from the generator at once: a draw needs about ten


def discrete_laplace(below, numerator: int, denominator: int) -> int:
    """One draw of scale numerator / denominator, both positive (ValueError otherwise).

    below(n): a uniform integer from 0 to n − 1, independent each time.
    """
    if numerator <= 0 or denominator <= 0:
        raise ValueError("a scale is above 0")
    divisor, rest = numerator, denominator
    while rest:
        divisor, rest = rest, divisor % rest
    t, s = numerator // divisor, denominator // divisor
    while True:
        low = below(t)
        if not _exp_minus(below, low, t):
            continue
        high = 0
        while _exp_minus(below, 1, 1):
            high += 1
        size = (low + t * high) // s
        if not below(2):
            return size
        if size:  # −0 is drawn again, or 0 would come twice as often
            return -size


def _exp_minus(below, n: int, d: int) -> bool:
    """True with probability exp(−n / d), for 0 ≤ n ≤ d: the parity of the first k at which a
    chain of Bernoulli(n / dk) breaks (von Neumann's way, algorithm 1)."""
    k = 1
    while below(d * k) < n:
        k += 1
    return k % 2 == 1


class Noise:
    """A source of noise. seed: 32 random bytes drawn while the radio was on, used for nothing
    else (ValueError when there are fewer)."""

    def __init__(self, seed: bytes):
        self._drbg = Drbg(seed)
        self._chunk = b""
        self._at = 0

    def draw(self, numerator: int, denominator: int) -> int:
        """One discrete Laplace of scale numerator / denominator. How long it takes tells
        something of what is drawn."""
        return discrete_laplace(self.below, numerator, denominator)

    def below(self, n: int) -> int:
        """A uniform integer from 0 to n − 1: as many bits as n − 1 has, drawn until they fit."""
        mask = 0
        while mask < n - 1:
            mask = mask << 1 | 1
        if not mask:
            return 0
        size, ceiling = 1, 256
        while ceiling <= mask:
            size, ceiling = size + 1, ceiling << 8
        while True:
            value = int.from_bytes(self._bytes(size), "big") & mask
            if value < n:
                return value

    def _bytes(self, size: int) -> bytes:
        """Random bytes that nobody had before."""
        while len(self._chunk) - self._at < size:
            self._chunk = self._chunk[self._at :] + self._drbg.generate(_CHUNK)
            self._at = 0
        data = self._chunk[self._at : self._at + size]
        self._at += size
        return data
