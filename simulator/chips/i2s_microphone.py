# SPDX-License-Identifier: MIT
"""A digital MEMS microphone with I2S output, 24 bits in 32: what the chip models of a kind share.

It hears sound_mdb (A-weighted, in mdB) as a tone of 1 kHz that goes up and down each 125 ms, with
that mean energy, and adds its own noise and an offset; a gap is a microphone that gives zeros.
`tone`: (frequency in mHz, level in mdB unweighted), played instead when it is set. `fault`:
"frozen" (the same word again and again), "range" (beyond full scale).
"""

from array import array

from simulator.chips.part import Part

FULL_SCALE_MDB = 120_000  # of a sine: -26 dBFS is 94 dB SPL
PEAK = (1 << 23) - 1
_CYCLE = 480  # frames of the tone and the noise, which repeat: 10 ms
_MOMENT = 6000  # frames: 125 ms
_OFFSET = 3000  # what it gives in silence, of PEAK
# 10^(i/20), in millionths
_STEPS = (
    1_000_000, 1_122_018, 1_258_925, 1_412_538, 1_584_893, 1_778_279, 1_995_262, 2_238_721,
    2_511_886, 2_818_383, 3_162_278, 3_548_134, 3_981_072, 4_466_836, 5_011_872, 5_623_413,
    6_309_573, 7_079_458, 7_943_282, 8_912_509, 10_000_000,
)  # fmt: skip
# mdB of a moment: the mean energy of the seven is that of 0 dB
_UPS_AND_DOWNS = (-2000, -6000, 1000, -3000, 3000, -1000, 1953)
_TURN = 1_768_559_438_007_110  # 2 pi · 2^48
_RATE_MHZ = 48_000_000
_NOISE = 1 << 15  # the highest number of the noise
_NOISE_LOSS_MDB = 4634  # how far white noise with that peak is, A-weighted, below such a sine


def amplitude(level_mdb: int) -> int:
    """The peak of a sine of that level, of PEAK at full scale."""
    below_mdb = FULL_SCALE_MDB - level_mdb
    tens = max(0, -(-below_mdb // 20_000))
    rest = 20_000 * tens - below_mdb
    i = min(rest // 1000, 19)
    factor = _STEPS[i] * 1000 + (_STEPS[i + 1] - _STEPS[i]) * (rest - 1000 * i)
    return PEAK * factor // (10 ** (9 + tens))


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


class Microphone(Part):
    """FLOOR_MDB: its own noise, A-weighted; MUTE_FRAMES: zeros after its start; offset_mdb: by how
    much it is less sensitive; listen_ms: of the driver."""

    SENSES = ("sound_mdb",)

    def __init__(self, signals, offset_mdb: int = 0, listen_ms: int = 0):
        Part.__init__(self, signals)
        self.tone = None
        self._offset_mdb = offset_mdb
        self._began = None  # the frame at which it was powered up
        self._wave = self._noise = None  # made when they are needed
        self._cycle = array("i", bytes(4 * _CYCLE))
        self._peak = None  # of the tone in the cycle
        self._sine = self._sine_of = None

    def power_on(self, now_ms: int):
        self._powered = True
        self._began = None

    def fill(self, words, frame: int, now_ms: int):
        """Gives the words from `frame` on; now_ms: when the last of them is there."""
        if not self._powered:
            self.power_on(now_ms)
        if self._began is None:
            self._began = frame
        level_mdb = self._signals.level("sound_mdb", now_ms, 0)
        if self.fault == "frozen":
            _repeat(words, 0x123400 << 8)
        elif level_mdb is None or frame < self._began + self.MUTE_FRAMES:
            _repeat(words, 0)
        elif self.fault == "range":
            self._play(words, (1_000_000, FULL_SCALE_MDB + 20_000))
        elif self.tone is not None:
            self._play(words, self.tone)
        else:
            self._hear(words, frame, level_mdb)

    def _hear(self, words, frame: int, level_mdb: int):
        done = 0
        while done < len(words):
            moment = (frame + done) // _MOMENT
            self._fit_cycle(level_mdb + _UPS_AND_DOWNS[moment % len(_UPS_AND_DOWNS)], moment)
            at = (frame + done) % _CYCLE
            count = min(len(words) - done, _CYCLE - at)
            memoryview(words)[done : done + count] = memoryview(self._cycle)[at : at + count]
            done += count

    def _fit_cycle(self, level_mdb: int, moment: int):
        """Makes the cycle anew, once in a moment."""
        if self._peak == moment:
            return
        self._peak = moment
        if self._wave is None:
            self._make_tables()
        wave, noise, cycle = self._wave, self._noise, self._cycle
        peak = amplitude(level_mdb - self._offset_mdb)
        for i in range(_CYCLE):
            word = (wave[i % 48] * peak >> 15) + noise[i]
            cycle[i] = min(max(word, -PEAK - 1), PEAK) << 8

    def _make_tables(self):
        sine = Sine(1_000_000)
        self._wave = array("i", [(sine.next() + (1 << 32)) >> 33 for _ in range(48)])
        self._noise = array("i", bytes(4 * _CYCLE))
        peak = amplitude(self.FLOOR_MDB + _NOISE_LOSS_MDB - self._offset_mdb)
        seed = 1
        for i in range(_CYCLE):
            seed = (seed * 25_173 + 13_849) & 0xFFFF
            self._noise[i] = (seed - _NOISE) * peak // _NOISE + _OFFSET

    def _play(self, words, tone):
        frequency_mhz, level_mdb = tone
        if self._sine_of != frequency_mhz:
            self._sine, self._sine_of = Sine(frequency_mhz), frequency_mhz
        peak, sine = amplitude(level_mdb - self._offset_mdb), self._sine
        for i in range(len(words)):
            word = (sine.next() * peak >> 48) + _OFFSET
            words[i] = min(max(word, -PEAK - 1), PEAK) << 8


def _repeat(words, word: int):
    for i in range(len(words)):
        words[i] = word
