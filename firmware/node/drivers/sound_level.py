# SPDX-License-Identifier: MIT
"""Levels of a digital MEMS microphone on I2S: what its drivers share. See a_weighting.py.

Audio is one block of 5 ms at most. The block is turned into energies and overwritten in one go,
before the next is asked for; energies become a level each 125 ms, and levels become a histogram.

What it gives, in mdB, of the time since the sample before:

laeq_mdb    level of the mean energy
lamax_mdb   highest level with the time weighting F (125 ms)
la10_mdb    exceeded by a tenth of the levels of 125 ms: the loud moments
la90_mdb    exceeded by nine tenths of them: the background

Sound beyond full scale is at least as loud as it reads: then laeq_mdb and lamax_mdb are None.
Faults: SILENT when nothing comes, or zeros only; FROZEN when 125 ms are all the same word, which
no microphone does, since it has noise of its own. Audio that is lost while the board is busy
cannot be told.

listen_ms: 0 to hear everything; else 125 … 875 ms of each second, in steps of 125, are measured,
and the rest is skipped. Such a sample is good for laeq, la10 and la90; lamax_mdb is then the
highest of what was heard.
"""

from array import array

from node.drivers.a_weighting import weigh
from node.drivers.decibels import level_mdb
from node.errors import FROZEN, SILENT, SensorFault

_BLOCK = 250  # samples
# Of a_weighting.py: places in its state, full scale, gain at 1 kHz.
_LOWEST, _HIGHEST, _SUM, _FAST, _FAST_MAX, _STATE = 11, 12, 13, 15, 17, 19
_FULL_SCALE = 1 << 20
_GAIN_MDB = 874
_BLOCKS = 24  # in 125 ms
_SETTLE_BLOCKS = 12  # the filter forgets what was before a break: 70 dB down
_WAKE_BLOCKS = 96  # and the microphone's own start
_BIN_MDB, _LOWEST_MDB, _BINS = 250, 25_000, 400
_SINE_MDB = 117_402  # level_mdb() of the mean square of a sine of full scale
_LOOK_MS = 60_000


_drivers = {}  # id of the I2S: the driver that was made last for it


class SoundLevel:
    """full_scale_mdb: the level of a sine of full scale; listen_ms: see above."""

    def __init__(self, i2s, full_scale_mdb: int, listen_ms: int):
        self._i2s = i2s
        self._zero_mdb = full_scale_mdb - _SINE_MDB - _GAIN_MDB
        self._listen = max(1, listen_ms // 125) * _BLOCKS if listen_ms else 0
        self._state = array("i", bytes(4 * _STATE))
        self._settle = _WAKE_BLOCKS  # to come, whose energy is not used
        self._left = 0  # blocks to come, until it listens no more; -1: without end
        self._heard = 0  # blocks of the 125 ms under way
        self._is_first = True  # of what is listened to without a break
        self._is_new = True
        # The one before may have a block under way: what that needs must stay until it is full.
        self._before = before = _drivers.get(id(i2s))
        if before is None:  # of any numbers: zeros would be made twice
            self._block, self._bins = array("i", range(_BLOCK)), array("H", range(_BINS))
        else:
            before.stop()
            before._before = None
            self._block, self._bins = before._block, before._bins
        _drivers[id(i2s)] = self
        self._clear()
        self._handler = self._on_block
        i2s.irq(self._handler)

    def _clear(self):
        self._energy = self._levels = self._overloads = 0
        self._constant = None  # what 125 ms were, all the same
        self._state[_FAST_MAX] = self._state[_FAST_MAX + 1] = 0
        for i in range(_BINS):
            self._bins[i] = 0

    def start(self) -> int:
        return 0

    def stop(self):
        """Asks for no more blocks."""
        self._left = 0

    def poll(self) -> int:
        """Begins to listen, where that is due; returns the ms until it is due again."""
        if not self._left:
            if self._listen:
                self._settle = max(self._settle, _SETTLE_BLOCKS)
            self._left = self._settle + self._listen if self._listen else -1
            self._heard, self._is_first = 0, True
            self._i2s.readinto(self._block)
        return 1000 if self._listen else _LOOK_MS

    def read(self):
        if self._constant is not None:
            raise SensorFault(SILENT if self._constant in (0, -1) else FROZEN)
        levels, is_new = self._levels, self._is_new
        self._is_new = False
        if not levels:
            if is_new:  # it has not listened yet
                return None
            raise SensorFault(SILENT)
        loudest = max(1, self._state[_FAST_MAX] << 24 | self._state[_FAST_MAX + 1])
        laeq, lamax = (
            self._level(self._energy, levels * _BLOCKS * _BLOCK),
            self._level(loudest, _BLOCK),
        )
        if self._overloads:
            laeq = lamax = None
        found = laeq, lamax, self._exceeded(levels, 10), self._exceeded(levels, 90)
        # A level that ends just now may be lost here: on a board blocks come at any time.
        self._clear()
        return found

    def _level(self, energy: int, samples: int) -> int:
        return self._zero_mdb + level_mdb(max(1, energy)) - level_mdb(samples)

    def _exceeded(self, levels: int, percent: int) -> int:
        """The level that so many of 100 levels exceed."""
        below = levels * (100 - percent)  # hundredths of a level
        i = 0
        while below > 100 * self._bins[i]:
            below -= 100 * self._bins[i]
            i += 1
        return _LOWEST_MDB + _BIN_MDB * i + _BIN_MDB * below // (100 * self._bins[i] or 1)

    def _on_block(self, i2s):
        """Called each time when a block is full; on a board between any two steps of others."""
        weigh(self._block, self._state)
        self._before = None
        if self._left > 0:
            self._left -= 1
        if self._left:
            i2s.readinto(self._block)
        if self._settle:
            self._settle -= 1
            if not self._settle:
                self._take()
            return
        self._heard += 1
        if self._heard == _BLOCKS:
            self._heard = 0
            self._end_level()

    def _take(self):
        """(energy, lowest, highest) since it was last taken."""
        state = self._state
        taken = state[_SUM] << 24 | state[_SUM + 1], state[_LOWEST], state[_HIGHEST]
        state[_SUM] = state[_SUM + 1] = 0
        state[_LOWEST], state[_HIGHEST] = _FULL_SCALE, -_FULL_SCALE - 1
        return taken

    def _end_level(self):
        """125 ms are over."""
        energy, lowest, highest = self._take()
        if lowest == highest:
            self._constant = lowest
        if lowest <= -_FULL_SCALE or highest >= _FULL_SCALE - 1:
            self._overloads += 1
        if self._is_first:  # F has had no time: the mean is what it would be, had this gone on
            self._is_first = False
            self._begin_fast(energy // _BLOCKS)
        self._energy += energy
        self._levels += 1
        at = (self._level(energy, _BLOCKS * _BLOCK) - _LOWEST_MDB) // _BIN_MDB
        self._bins[min(max(at, 0), _BINS - 1)] += 1

    def _begin_fast(self, energy: int):
        state = self._state
        before = state[_FAST_MAX] << 24 | state[_FAST_MAX + 1]
        state[_FAST], state[_FAST + 1] = energy >> 24, energy & 0xFFFFFF
        energy = max(energy, before)
        state[_FAST_MAX], state[_FAST_MAX + 1] = energy >> 24, energy & 0xFFFFFF
