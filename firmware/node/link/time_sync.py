# SPDX-License-Identifier: MIT
"""Asks one SNTP server for the time (RFC 4330), without waiting but for the look-up of its name.
lwIP ends that after 7 s (DNS_MAX_RETRIES, DNS_TMR_INTERVAL) for each of its two DNS servers, and
remembers the answer: 14 s at most, which with those of mqtt.py stay far below the watchdog's time.

The answer is not authenticated: anyone on the way can forge it. What it may be used for is decided
in device/clock.py. A random transmit timestamp, echoed by the server, keeps out those who cannot
see the request.
"""

import os
import socket

_PORT = 123
_TO_UNIX_S = 2_208_988_800  # from 1900, where NTP counts from, to 1970
_ANSWER_WITHIN_MS = 1000  # half of it is the worst error of the clock
_RETRY_MS = 10_000  # doubles up to the next while no answer comes that is believed
_RETRY_MAX_MS = 320_000
_AGAIN_MS = 6 * 3_600_000  # a quartz of 20 ppm drifts by half a second in this time


class TimeSync:
    """host: name or address of the SNTP server."""

    def __init__(self, host: str):
        self._host = host
        self._socket = None
        self._cookie = b""
        self._sent_ms = 0
        self._next_ms = 0
        self._retry_ms = _RETRY_MS

    def step(self, now_ms: int):
        """The server's Unix time in ms when an answer has come, else None. now_ms: uptime."""
        try:
            if self._socket is not None:
                return self._take(now_ms)
            if now_ms >= self._next_ms:
                self._ask(now_ms)
        except OSError:
            self._fail(now_ms)
        return None

    def ask_soon(self, now_ms: int):
        """The last answer was not believed, or nothing vouches for it."""
        self._next_ms = now_ms + self._retry_ms
        self._retry_ms = min(2 * self._retry_ms, _RETRY_MAX_MS)

    def waiting(self) -> bool:
        """Whether an answer is under way."""
        return self._socket is not None

    def _ask(self, now_ms: int):
        if now_ms - self._sent_ms >= _AGAIN_MS:  # all was well since
            self._retry_ms = _RETRY_MS
        address = socket.getaddrinfo(self._host, _PORT, 0, socket.SOCK_DGRAM)[0][-1]
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._cookie = os.urandom(8)
        self._sent_ms = now_ms
        self._socket.sendto(b"\x23" + bytes(39) + self._cookie, address)  # version 4, client

    def _take(self, now_ms: int):
        if now_ms - self._sent_ms >= _ANSWER_WITHIN_MS:
            # Also when one has come: it may have lain here, and its age is not known.
            self._fail(now_ms)
            return None
        try:
            answer = self._socket.recv(48)
        except OSError:  # nothing yet
            return None
        if answer is None:
            return None
        if len(answer) < 48 or answer[24:32] != self._cookie:
            return None
        if answer[0] >> 6 == 3 or answer[0] & 7 != 4 or not 0 < answer[1] < 16:
            self._fail(now_ms)  # unsynchronised, no server, or a kiss of death
            return None
        if answer[40:48] == bytes(8):  # no time at all, which would be in 2036
            self._fail(now_ms)
            return None
        self._close(now_ms + _AGAIN_MS)
        seconds = int.from_bytes(answer[40:44], "big")
        if seconds < 0x80000000:  # after February 2036 (RFC 4330 §3)
            seconds += 1 << 32
        sent_utc_ms = (seconds - _TO_UNIX_S) * 1000
        sent_utc_ms += int.from_bytes(answer[44:48], "big") * 1000 >> 32
        return sent_utc_ms + (now_ms - self._sent_ms) // 2  # the way back took half of the time

    def _fail(self, now_ms: int):
        self._close(now_ms)
        self.ask_soon(now_ms)

    def _close(self, next_ms: int):
        self._next_ms = next_ms
        if self._socket is not None:
            self._socket.close()
            self._socket = None
