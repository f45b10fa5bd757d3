# SPDX-License-Identifier: MIT
"""Where the coefficients of firmware/node/drivers/a_weighting.py come from: prints them.

    python -m tests.second_opinion.a_weighting_design

The four high-pass poles keep their places (exp(-2 pi f / 48,000)), as fractions of a power of two
that keep 32-bit products small. Pole and zero of the low-pass are those that come nearest to the
analogue response, from 10 Hz to 20 kHz.
"""

import itertools

import numpy as np
from scipy import signal

RATE_HZ = 48_000
# IEC 61672-1:2013, annex E: the exact poles of the analogue A-weighting
F1, F2, F3, F4 = 20.598997, 107.65265, 737.86223, 12194.217
HIGH_PASS = ((94, 10), (115, 13), (88, 15), (88, 15))  # c, n: the pole is 1 - c/2^n
LOW_PASS = (208, 8)
ZERO = (5, 4)


def analogue_db(frequencies) -> np.ndarray:
    """A-weighting as the standard defines it, 0 dB at 1 kHz."""

    def magnitude(f):
        poles = (f**2 + F1**2) * np.sqrt((f**2 + F2**2) * (f**2 + F3**2)) * (f**2 + F4**2)
        return F4**2 * f**4 / poles

    return 20 * np.log10(magnitude(np.asarray(frequencies, float)) / magnitude(1000.0))


def high_pass_coefficients() -> list[tuple[float, tuple[int, int]]]:
    """(frequency of the pole, what it is in the firmware)"""
    exact = [1 - np.exp(-2 * np.pi * f / RATE_HZ) for f in (F3, F2, F1, F1)]
    return [(c / 2**n / e - 1, (c, n)) for e, (c, n) in zip(exact, HIGH_PASS, strict=True)]


def sections(low_pass: float = LOW_PASS[0] / 256, zero: float = ZERO[0] / 16) -> np.ndarray:
    """The filter as second-order sections of floats."""
    a, b, c, d = [1 - c / 2**n for c, n in HIGH_PASS]
    high = [[1, -2, 1, 1, -(p + q), p * q] for p, q in ((a, b), (c, d))]
    pole = 1 - low_pass
    return np.array([*high, [low_pass**2, low_pass**2 * zero, 0, 1, -2 * pole, pole**2]])


def response_db(sos, frequencies) -> np.ndarray:
    _, response = signal.sosfreqz(sos, worN=np.asarray(frequencies, float), fs=RATE_HZ)
    return 20 * np.log10(np.abs(response))


def off_db(low_pass: int, zero: int) -> float:
    """By how much these are off at most, of 0 dB at 1 kHz."""
    grid = np.geomspace(10, 20_000, 400)
    sos = sections(low_pass / 256, zero / 16)
    off = response_db(sos, grid) - response_db(sos, [1000.0]) - analogue_db(grid)
    return float(np.abs(off).max())


def fit() -> tuple[int, int]:
    """The low-pass coefficient (of 2^8) and the zero (of 2^4) that fit best."""
    return min(itertools.product(range(195, 221), range(9)), key=lambda pair: off_db(*pair))


def main():
    for off, (c, n) in high_pass_coefficients():
        print(f"high-pass: {c} / 2^{n}, {off:+.2%}")
    low_pass, zero = fit()
    print(f"low-pass: {low_pass} / 2^8, zero: {zero} / 2^4: {off_db(low_pass, zero):.2f} dB off")
    print(f"gain at 1 kHz: {response_db(sections(), [1000.0])[0]:.4f} dB")


if __name__ == "__main__":
    main()
