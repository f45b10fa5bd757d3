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
_CYCLE = 144  # frames of the tone and the noise, which repeat: 3 ms
_MOMENT = 6000  # frames: 125 ms
_OFFSET = 3000  # what it gives in silence, of PEAK
# 10^(i/20), in millionths
_STEPS = (
    1_000_000, 1_122_018, 1_258_925, 1_412_538, 1_584_893, 1_778_279, 1_995_262, 2_238_721,
    2_511_886, 2_818_383, 3_162_278, 3_548_134, 3_981_072, 4_466_836, 5_011_872, 5_623_413,
    6_309_573, 7_079_458, 7_943_282, 8_912_509, 10_000_000,
)  # fmt: skip
# sin(i/24 pi), of 2^15
_QUARTER = (0, 4277, 8481, 12540, 16384, 19948, 23170, 25997, 28378, 30274, 31651, 32488, 32768)
# mdB of a moment: the mean energy of the seven is that of 0 dB
_UPS_AND_DOWNS = (-2000, -6000, 1000, -3000, 3000, -1000, 1953)
_NOISE = 1 << 15  # the highest number of the noise
_NOISE_LOSS_MDB = 4570  # by which its A-weighted level is below that of a sine of that peak


def amplitude(level_mdb: int) -> int:
    """The peak of a sine of that level, of PEAK at full scale."""
    below_mdb = FULL_SCALE_MDB - level_mdb
    tens = max(0, -(-below_mdb // 20_000))
    rest = 20_000 * tens - below_mdb
    i = min(rest // 1000, 19)
    factor = _STEPS[i] * 1000 + (_STEPS[i + 1] - _STEPS[i]) * (rest - 1000 * i)
    return PEAK * factor // (10 ** (9 + tens))


class Microphone(Part):
    """FLOOR_MDB: its own noise, A-weighted; MUTE_FRAMES: zeros after its start; offset_mdb: by how
    much it is less sensitive; listen_ms: of the driver."""

    SENSES = ("sound_mdb",)

    def __init__(self, signals, offset_mdb: int = 0, listen_ms: int = 0):
        Part.__init__(self, signals)
        self.tone = None
        self._offset_mdb = offset_mdb
        self._began = None  # the frame at which it was powered up
        self._wave = None  # a turn of the tone
        self._cycle = self._moment = None  # what it gives, and when or why
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
            self._play(words, (1_000_000, FULL_SCALE_MDB + 20_000), frame)
        elif self.tone is not None:
            self._play(words, self.tone, frame)
        else:
            self._hear(words, frame, level_mdb)

    def _hear(self, words, frame: int, level_mdb: int):
        done = 0
        while done < len(words):
            moment = (frame + done) // _MOMENT
            if self._moment != moment:
                self._moment = moment
                up_mdb = _UPS_AND_DOWNS[moment % len(_UPS_AND_DOWNS)]
                self._make_cycle(level_mdb + up_mdb, self.FLOOR_MDB + _NOISE_LOSS_MDB)
            done += self._copy_cycle(words, done, frame + done)

    def _copy_cycle(self, words, done: int, frame: int) -> int:
        at = frame % _CYCLE
        count = min(len(words) - done, _CYCLE - at)
        memoryview(words)[done : done + count] = memoryview(self._cycle)[at : at + count]
        return count

    def _make_cycle(self, level_mdb: int, noise_mdb):
        if self._wave is None:
            self._wave = _turn()
            self._cycle = array("i", range(_CYCLE))
        wave, cycle, noise = self._wave, self._cycle, 1
        peak = amplitude(level_mdb - self._offset_mdb)
        noise_peak = amplitude(noise_mdb - self._offset_mdb) if noise_mdb else 0
        for i in range(_CYCLE):
            noise = (noise * 25_173 + 13_849) & 0xFFFF
            word = (wave[i % 48] * peak >> 15) + (noise - _NOISE) * noise_peak // _NOISE + _OFFSET
            cycle[i] = min(max(word, -PEAK - 1), PEAK) << 8

    def _play(self, words, tone, frame: int):
        frequency_mhz, level_mdb = tone
        if frequency_mhz == 1_000_000:
            if self._moment != tone:
                self._moment = tone
                self._make_cycle(level_mdb, None)
            done = 0
            while done < len(words):
                done += self._copy_cycle(words, done, frame + done)
            return
        if self._sine_of != frequency_mhz:
            from simulator.chips.sine import Sine  # for tests

            self._sine, self._sine_of = Sine(frequency_mhz), frequency_mhz
        peak, sine = amplitude(level_mdb - self._offset_mdb), self._sine
        for i in range(len(words)):
            word = (sine.next() * peak >> 48) + _OFFSET
            words[i] = min(max(word, -PEAK - 1), PEAK) << 8


def _turn():
    """A tone of 1 kHz: 48 frames, of 2^15 at the peak."""
    half = _QUARTER + tuple([_QUARTER[12 - i] for i in range(1, 12)])
    return array("i", list(half) + [-value for value in half])


def _repeat(words, word: int):
    for i in range(len(words)):
        words[i] = word
