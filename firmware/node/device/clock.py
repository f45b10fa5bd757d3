# SPDX-License-Identifier: MIT
"""The node's clock, and what its time may be used for. The only file that imports `time`.

A board wakes up without knowing the time. Three degrees of knowing:

- none: no TLS byte is sent and no window closes
- time from SNTP: good for TLS when it is not before the earliest time that it can be, and for
  closing windows up to 7 days after that; anyone on the network can forge it
- confirmed time, from receipts alone: a lower bound of the true time; it raises the floor, which
  is kept on flash, and runs on with the board's quartz until the next one

A receipt for an envelope of this power-up was made after that envelope, and so bounds the time
from above as well. It sets a clock that is wrong by more than 10 minutes, and then holds it: SNTP
may only correct it within these, so that a forged answer moves no clock that a receipt has seen.

All instants are Unix time (since 1970), also on boards that count from 2000.
"""

import time

import machine

from node.device import flash_file
from node.device.log import say

DAY_S = 86_400
SNTP_TRUST_S = 7 * DAY_S
HOLD_MS = 600_000  # how far SNTP may be from a held clock, and a store's clock from the truth
_AHEAD_S = 20 * 365 * DAY_S  # no answer that far ahead is taken: a board's calendar ends in 2068
_STEP_MS = 1000
_SLEW_MS = 5000
_PART_MS = 900
_START_MS = 1 << 30  # a number from there on takes heap: as much on the first day as on the last
_FLOOR_FILE = flash_file.DATA + "floor"
_2000_S = 946_684_800  # 2000-01-01 in Unix time, where an ESP32 counts from


def _drift_ms(elapsed_ms: int) -> int:
    """At most so far is a quartz off after `elapsed_ms`: 1000 ppm is far more than any has."""
    return elapsed_ms // 1000


class Clock:
    """floor_s: Unix time before which it cannot be (build time); flash may hold a later one."""

    def __init__(self, floor_s: int):
        kept = flash_file.read(_FLOOR_FILE) or b""
        self._kept_s = int.from_bytes(kept, "big")
        self.floor_s = max(floor_s, self._kept_s)
        self._built_s = floor_s
        self.confirmed_s = None
        self.steps = 0  # how often the time was set: what was measured across a step is void
        self._ticks = time.ticks_ms()
        self._uptime_ms = _START_MS
        self._utc_at_start_ms = None
        self._confirmed_ms = 0  # uptime at the last receipt that raised confirmed_s
        self._held_ms = None  # uptime at the last receipt that bounded the time from above,
        self._held_utc_ms = 0  # and the time that it told

    def uptime_ms(self) -> int:
        """Milliseconds, counted from 2^30 at the start. Call it at least once in 2^29 ms (6
        days): ticks wrap."""
        ticks = time.ticks_ms()
        self._uptime_ms += time.ticks_diff(ticks, self._ticks)
        self._ticks = ticks
        return self._uptime_ms

    def utc_ms(self):
        """Unix time in milliseconds; None until it is known."""
        if self._utc_at_start_ms is None:
            return None
        return self._utc_at_start_ms + self.uptime_ms()

    def offset_ms(self) -> int:
        """What to add to the uptime to have Unix time, as long as windows may close; else 0."""
        return self._utc_at_start_ms if self.may_close_windows() else 0

    def earliest_ms(self) -> int:
        """Before this (Unix ms) it cannot be."""
        if self.confirmed_s is None:
            return self.floor_s * 1000
        elapsed_ms = self.uptime_ms() - self._confirmed_ms
        return self.confirmed_s * 1000 + elapsed_ms - _drift_ms(elapsed_ms)

    def set_utc_ms(self, utc_ms: int) -> bool:
        """Takes a time that is not authenticated; False if it should be asked for again soon.

        One that cannot be is not believed, nor one too far ahead by a clock that knows better. A
        difference under a second is left alone: windows do not need better, and a step would
        disturb the measurements under way. A held clock that is off by a few is moved in parts
        that small.
        """
        earliest_ms = self.earliest_ms()
        if not earliest_ms <= utc_ms < earliest_ms + _AHEAD_S * 1000:
            return False
        if self._held_ms is not None:
            elapsed_ms = self.uptime_ms() - self._held_ms
            error_ms = abs(utc_ms - self._held_utc_ms - elapsed_ms)
            if error_ms > HOLD_MS + _drift_ms(elapsed_ms):
                return False
        now_ms = self.utc_ms()
        if not self._is_trusted(utc_ms) and self.may_close_windows():
            return False
        error_ms = 0 if now_ms is None else utc_ms - now_ms
        if self._held_ms is not None and _STEP_MS <= abs(error_ms) <= _SLEW_MS:
            self._utc_at_start_ms += _PART_MS if error_ms > 0 else -_PART_MS
            return False
        if now_ms is None or abs(error_ms) >= _STEP_MS:
            self._step_to(utc_ms)
        return self._is_trusted(utc_ms)

    def confirm(self, utc_s: int, age_ms=None):
        """Takes the store's time out of a receipt: it was sent then, so it is at least that; and
        at most `age_ms` ago, where that is known."""
        uptime_ms = self.uptime_ms()
        if utc_s * 1000 >= self.earliest_ms():
            self.confirmed_s, self._confirmed_ms = utc_s, uptime_ms
        now_ms = self.utc_ms()
        if now_ms is None or utc_s * 1000 - now_ms >= _STEP_MS:
            self._step_to(utc_s * 1000)
        elif age_ms is not None and now_ms - utc_s * 1000 - age_ms > HOLD_MS:
            self._step_to(utc_s * 1000 + age_ms)
        if age_ms is not None and age_ms <= HOLD_MS:
            self._held_ms, self._held_utc_ms = uptime_ms, utc_s * 1000 + age_ms
        self.floor_s = max(self.floor_s, utc_s)
        if self.floor_s // DAY_S > self._kept_s // DAY_S:  # one write a day spares the flash
            try:
                flash_file.replace(_FLOOR_FILE, self.floor_s.to_bytes(5, "big"))
                self._kept_s = self.floor_s
            except OSError as err:  # the next receipt tries again
                say("clock", err)

    def kept_s(self) -> int:
        """Before this (Unix s) it cannot be, also after a power cut."""
        return max(self._built_s, self._kept_s)

    def is_held(self) -> bool:
        """Whether a receipt of this power-up bounds the time from above. Until then nothing but
        SNTP tells a true time from a forged one: ask it often."""
        return self._held_ms is not None

    def may_close_windows(self) -> bool:
        """Whether the time is known, and not so far ahead that it is likely a forgery."""
        now_ms = self.utc_ms()
        return now_ms is not None and self._is_trusted(now_ms)

    def _is_trusted(self, utc_ms: int) -> bool:
        return utc_ms <= self.earliest_ms() + SNTP_TRUST_S * 1000

    def _step_to(self, utc_ms: int):
        self._utc_at_start_ms = utc_ms - self.uptime_ms()
        self.steps += 1
        # TLS checks certificates by the board's own clock.
        board_s = utc_ms // 1000 - (_2000_S if time.gmtime(0)[0] == 2000 else 0)
        year, month, day, hour, minute, second, weekday = time.gmtime(board_s)[:7]
        machine.RTC().datetime((year, month, day, weekday, hour, minute, second, 0))

    @staticmethod
    def sleep_ms(duration_ms: int):
        time.sleep_ms(duration_ms)
