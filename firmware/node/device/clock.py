# SPDX-License-Identifier: MIT
"""The node's clock, and what its time may be used for. The only file that imports `time`.

A board wakes up without knowing the time. Three degrees of knowing:

- none: no TLS byte is sent and no window closes
- time from SNTP: good for TLS when it is not before the floor, and for closing windows up to
  7 days above the floor; anyone on the network can forge it, so it never moves floor or epoch
- confirmed time, from receipts alone: a lower bound of the true time; it raises the floor

All instants are Unix time (since 1970), also on boards that count from 2000.
"""

import time

import machine

from node.device import flash_file

DAY_S = 86_400
SNTP_TRUST_S = 7 * DAY_S
_STEP_MS = 1000
_FLOOR_FILE = "floor"
_2000_S = 946_684_800  # 2000-01-01 in Unix time, where an ESP32 counts from


class Clock:
    """floor_s: Unix time before which it cannot be (build time); flash may hold a later one."""

    def __init__(self, floor_s: int):
        kept = flash_file.read(_FLOOR_FILE) or b""
        self.floor_s = max(floor_s, int.from_bytes(kept, "big"))
        self.confirmed_s = None
        self.steps = 0  # how often the time was set: what was measured across a step is void
        self._ticks = time.ticks_ms()
        self._uptime_ms = 0
        self._utc_at_start_ms = None

    def uptime_ms(self) -> int:
        """Milliseconds since start. Call it at least once in 2^29 ms (6 days): ticks wrap."""
        ticks = time.ticks_ms()
        self._uptime_ms += time.ticks_diff(ticks, self._ticks)
        self._ticks = ticks
        return self._uptime_ms

    def utc_ms(self):
        """Unix time in milliseconds; None until it is known."""
        if self._utc_at_start_ms is None:
            return None
        return self._utc_at_start_ms + self.uptime_ms()

    def set_utc_ms(self, utc_ms: int) -> bool:
        """Takes a time that is not authenticated; False if it should be asked for again soon.

        One before the floor is not believed, nor one too far ahead by a clock that knows better.
        A difference under a second is left alone: windows do not need better, and a step would
        disturb the measurements under way.
        """
        if utc_ms < self.floor_s * 1000:
            return False
        if not self._is_trusted(utc_ms) and self.may_close_windows():
            return False
        now_ms = self.utc_ms()
        if now_ms is None or abs(utc_ms - now_ms) >= _STEP_MS:
            self._step_to(utc_ms)
        return self._is_trusted(utc_ms)

    def confirm(self, utc_s: int):
        """Takes the store's time out of a receipt: it was sent then, so it is at least that."""
        if self.confirmed_s is None or utc_s > self.confirmed_s:
            self.confirmed_s = utc_s
        now_ms = self.utc_ms()
        if now_ms is None or utc_s * 1000 - now_ms >= _STEP_MS:
            self._step_to(utc_s * 1000)
        if utc_s > self.floor_s:
            before_s, self.floor_s = self.floor_s, utc_s
            if utc_s // DAY_S > before_s // DAY_S:  # one write a day spares the flash
                flash_file.replace(_FLOOR_FILE, utc_s.to_bytes(5, "big"))

    def may_close_windows(self) -> bool:
        """Whether the time is known, and not so far ahead that it is likely a forgery."""
        now_ms = self.utc_ms()
        return now_ms is not None and self._is_trusted(now_ms)

    def _is_trusted(self, utc_ms: int) -> bool:
        return utc_ms <= (self.floor_s + SNTP_TRUST_S) * 1000

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
