# SPDX-License-Identifier: MIT
"""The integer A-weighting of the node against the standard's formula, scipy, and the package
PyOctaveBand, which knows nothing of it."""

from array import array

import numpy as np
import pytest
from scipy import signal

from node.drivers.a_weighting import weigh
from node.drivers.ics43434 import ICS43434
from tests.second_opinion import a_weighting_design as design

RATE_HZ = 48_000
BLOCK, STATE, SUM, GAIN_MDB = 250, 19, 13, 874  # of a_weighting.py and sound_level.py
FULL_SCALE = 2**23 - 1
REFERENCE_PA = 20e-6
# IEC 61672-1:2013, table 3: nominal frequency: (A-weighting, upper and lower acceptance limit of
# class 2), in dB. There is no lower one above 8 kHz.
NO = -np.inf
TABLE_3 = {
    31.5: (-39.4, 3.0, -3.0), 40: (-34.6, 2.0, -2.0), 50: (-30.2, 2.0, -2.0),
    63: (-26.2, 2.0, -2.0), 80: (-22.5, 2.0, -2.0), 100: (-19.1, 1.5, -1.5),
    125: (-16.1, 1.5, -1.5), 160: (-13.4, 1.5, -1.5), 200: (-10.9, 1.5, -1.5),
    250: (-8.6, 1.5, -1.5), 315: (-6.6, 1.5, -1.5), 400: (-4.8, 1.5, -1.5),
    500: (-3.2, 1.5, -1.5), 630: (-1.9, 1.5, -1.5), 800: (-0.8, 1.5, -1.5),
    1000: (0.0, 1.0, -1.0), 1250: (0.6, 1.5, -1.5), 1600: (1.0, 2.0, -2.0),
    2000: (1.2, 2.0, -2.0), 2500: (1.3, 2.5, -2.5), 3150: (1.2, 2.5, -2.5),
    4000: (1.0, 3.0, -3.0), 5000: (0.5, 3.5, -3.5), 6300: (-0.1, 4.5, -4.5),
    8000: (-1.1, 5.0, -5.0), 10_000: (-2.5, 5.0, NO), 12_500: (-4.3, 5.0, NO),
    16_000: (-6.6, 5.0, NO),
}  # fmt: skip


class Recording:
    """An I2S that plays words to the driver."""

    def irq(self, handler):
        self.handler = handler

    def readinto(self, buf):
        self.buf = buf

    def play(self, words):
        for at in range(0, len(words) - BLOCK + 1, BLOCK):
            self.buf[:] = array("i", words[at : at + BLOCK].astype(np.int32).tobytes())
            self.handler(self)


def words_of(pressure_pa) -> np.ndarray:
    """What a microphone of -26 dBFS makes of a sound pressure: 1 Pa RMS has a peak of 420,426."""
    counts = np.rint(np.asarray(pressure_pa) * 420_426 / np.sqrt(2))
    return np.clip(counts, -FULL_SCALE - 1, FULL_SCALE).astype(np.int64) << 8


def tone_pa(frequency_hz, level_db, seconds):
    t = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    return np.sqrt(2) * REFERENCE_PA * 10 ** (level_db / 20) * np.sin(2 * np.pi * frequency_hz * t)


def noise_pa(level_db, seconds, seed=1):
    made = np.random.default_rng(seed).standard_normal(int(seconds * RATE_HZ))
    return REFERENCE_PA * 10 ** (level_db / 20) * made


def heard(pressure_pa, settle_s=0.5):
    """(laeq, lamax, la10, la90) in dB of what comes after `settle_s`, as the driver has them."""
    i2s = Recording()
    driver = ICS43434(i2s)
    driver.poll()
    words = words_of(pressure_pa)
    settle = int(settle_s * RATE_HZ)
    i2s.play(words[:settle])
    if settle_s > 0.5:
        driver.read()
    i2s.play(words[settle:])
    return [value / 1000 for value in driver.read()]


def exactly_weighted(pressure_pa) -> np.ndarray:
    """By the standard's formula, frequency by frequency."""
    spectrum = np.fft.rfft(pressure_pa)
    frequencies = np.fft.rfftfreq(len(pressure_pa), 1 / RATE_HZ)[1:]
    spectrum[0] = 0
    spectrum[1:] *= 10 ** (design.analogue_db(frequencies) / 20)
    return np.fft.irfft(spectrum)


def mean_db(weighted_pa) -> float:
    return 10 * np.log10(np.mean(weighted_pa**2) / REFERENCE_PA**2)


@pytest.fixture(scope="module")
def meter():
    return pytest.importorskip("pyoctaveband", reason="pip install PyOctaveBand")


def test_the_coefficients_are_those_of_the_design():
    for off, _ in design.high_pass_coefficients():
        assert abs(off) < 0.005
    assert design.fit() == (design.LOW_PASS[0], design.ZERO[0])
    gain = design.response_db(design.sections(), [1000.0])[0]
    assert round(1000 * gain) == GAIN_MDB


@pytest.mark.parametrize("nominal_hz", TABLE_3)
def test_class_2_limits(nominal_hz):
    """At the exact frequency of each third octave, through the integer filter."""
    goal, upper, lower = TABLE_3[nominal_hz]
    exact_hz = 1000 * 10 ** (round(10 * np.log10(nominal_hz / 1000)) / 10)
    off = heard(tone_pa(exact_hz, 94, 1.5))[0] - 94 - goal
    assert lower < off < upper
    assert abs(off) < 0.3  # and far better than that


def test_table_3_has_the_standards_formula():
    exact = [1000 * 10 ** (round(10 * np.log10(f / 1000)) / 10) for f in TABLE_3]
    goals = [row[0] for row in TABLE_3.values()]
    assert np.abs(design.analogue_db(exact) - goals).max() < 0.06


def test_as_scipy_with_floats():
    """The same sections in floating point: integers lose nothing that matters."""
    for level_db in (30, 60, 100):
        pressure = noise_pa(level_db, 1.5)
        weighted = signal.sosfilt(design.sections(), pressure)[RATE_HZ // 2 :]
        wanted = 10 * np.log10(np.mean(weighted**2) / REFERENCE_PA**2) - GAIN_MDB / 1000
        assert abs(heard(pressure)[0] - wanted) < 0.05


def test_no_input_makes_a_number_of_more_than_31_bits():
    """The sum of the magnitudes of the impulse response after each step bounds what it can be."""
    full_scale, signal_ = 1 << 20, np.zeros(200_000)
    signal_[0] = 1
    for c, n in design.HIGH_PASS:
        signal_ = signal.lfilter([1, -1], [1, -(1 - c / 2**n)], signal_)
        assert np.abs(signal_).sum() * full_scale * c + 2**n < 2**31
    signal_ = signal.lfilter([1, design.ZERO[0] / 16], [1], signal_)
    for _ in range(2):
        before = np.abs(signal_).sum()
        k = design.LOW_PASS[0] / 256
        signal_ = signal.lfilter([k], [1, k - 1], signal_)
        after = np.abs(signal_).sum()
        assert (before + after) * full_scale * 208 + 128 < 2**31
    highest = after * full_scale
    assert BLOCK * (highest / 1024) ** 2 < 2**31  # `upper`
    assert BLOCK * highest**2 / 2**24 * 21 < 2**31  # `(high - FAST) * 21`


def test_a_noise_as_pyoctaveband_hears_it(meter):
    """Up to 15 kHz: it resamples, which takes away what is near half the sampling rate."""
    low = signal.butter(8, 15_000, fs=RATE_HZ, output="sos")
    for level_db in (45, 75, 105):
        pressure = signal.sosfilt(low, noise_pa(level_db, 3.5))
        laeq = heard(pressure)[0]
        assert abs(laeq - mean_db(exactly_weighted(pressure[RATE_HZ // 2 :]))) < 0.06
        weighted = meter.weighting_filter(pressure, RATE_HZ, "A")[RATE_HZ // 2 :]
        assert abs(laeq - mean_db(weighted)) < 0.2


def test_fast_as_pyoctaveband_has_it(meter):
    """The highest level with the time weighting F, of bursts."""
    for burst_ms in (500, 200, 50):
        pressure = np.concatenate([
            tone_pa(4000, 40, 1.0), tone_pa(4000, 90, burst_ms / 1000), tone_pa(4000, 40, 0.5)
        ])  # fmt: skip
        weighted = meter.weighting_filter(pressure, RATE_HZ, "A")
        squares = meter.time_weighting(weighted, RATE_HZ, "fast")[RATE_HZ:]
        wanted = 10 * np.log10(squares.max() / REFERENCE_PA**2)
        assert abs(heard(pressure, 1.0)[1] - wanted) < 0.15


def test_a_stepped_five_minutes():
    """The energy mean, not the mean of decibels; the chain from words to the level."""
    parts = ((50, 270), (80, 30))
    energies = [seconds * 10 ** (level / 10) for level, seconds in parts]
    wanted = 10 * np.log10(sum(energies) / 300)
    assert abs(wanted - 70.04) < 0.01 and sum(s * lv for lv, s in parts) / 300 == 53
    i2s = Recording()
    driver = ICS43434(i2s)
    driver.poll()
    i2s.play(words_of(tone_pa(1000, 50, 0.5)))
    seconds = {level: words_of(tone_pa(1000, level, 0.125)) for level, _ in parts}
    for level, duration_s in parts:
        for _ in range(duration_s // 10):  # every tenth of it: it sounds the same all the time
            for _ in range(8):
                i2s.play(seconds[level])
    laeq, lamax, _, la90 = driver.read()
    assert abs(laeq / 1000 - wanted) < 0.05
    assert abs(lamax / 1000 - 80) < 0.05
    assert abs(la90 / 1000 - 50) <= 0.25


def test_tenths_as_numpy_has_them():
    """L10 and L90 of levels that wander, against numpy's percentiles of the same 125 ms."""
    levels = 60 + 12 * np.sin(np.arange(80) / 9)
    pressure = np.concatenate([tone_pa(1000, 60, 0.5), *[tone_pa(1000, x, 0.125) for x in levels]])
    laeq, _, la10, la90 = heard(pressure)
    assert abs(la10 - np.percentile(levels, 90)) < 0.4
    assert abs(la90 - np.percentile(levels, 10)) < 0.4
    assert abs(laeq - 10 * np.log10(np.mean(10 ** (levels / 10)))) < 0.1


def test_the_chip_model_as_scipy_hears_it():
    """What the simulated microphone makes of the city's level, through the standard's response."""
    from simulator.buses.signals import Signals
    from simulator.chips.ics43434 import ICS43434 as Chip

    signals = Signals()
    signals.extend(1 << 40, {"sound_mdb": [[0, 65_000]]}, {})
    chip, words = Chip(signals), array("i", range(7 * 6000))
    chip.fill(array("i", range(BLOCK)), 0, 5)
    chip.fill(words, 70_000 // 6000 * 6000 + 42_000, 2000)
    counts = np.array(words) / 256
    spectrum = np.fft.rfft(counts - counts.mean()) / len(counts)
    frequencies = np.fft.rfftfreq(len(counts), 1 / RATE_HZ)[1:]
    power = 2 * np.abs(spectrum[1:]) ** 2 * 10 ** (design.analogue_db(frequencies) / 10)
    level = 10 * np.log10(power.sum() / (420_426**2 / 2)) + 94
    assert abs(level - 65) < 0.1


def test_a_zero_stays_a_zero():
    state, block = array("i", bytes(4 * STATE)), array("i", bytes(4 * BLOCK))
    for _ in range(100):
        weigh(block, state)
    assert state[SUM] == state[SUM + 1] == 0
