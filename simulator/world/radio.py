# SPDX-License-Identifier: MIT
"""The station of one board: it joins an access point, loses it, and joins again.

As on the board, the status tells why a join failed only once no more attempts are to be made:
`reconnects` says how many follow the first, and without it they never end. A station that is
joined and gets no address stays in STAT_CONNECTING.

In the firmware's dialect: tests/portable use it on both interpreters. A node process has it at the
conductor's end, as a board has it outside of Python's heap.
"""

IDLE, CONNECTING, GOT_IP = 1000, 1001, 1010
NO_AP_FOUND, WRONG_PASSWORD, BEACON_TIMEOUT = 201, 202, 200
_ASSOC_EXPIRE = 4  # the reason by which an access point throws a station out
_JOIN_MS = 2000
_OFF, _JOINING, _JOINED, _HAS_ADDRESS = 0, 1, 2, 3


class Radio:
    """Told with each call: `air`, what there is (`ssid`, `password`, `dhcp`, `channel`, and
    `drop_s`, after which each station is thrown out), and the simulated time."""

    def __init__(self):
        self._wanted = None
        self._state = _OFF
        self._since_ms = 0  # of the join
        self._channel = 0
        self._reason = 0
        self._reconnects = -1  # for ever
        self._failed = 0

    def answer(self, air: dict, now_ms: int, verb: str, *args):
        """What the driver is asked: connect, disconnect, reconnects or status."""
        if verb == "status":
            return self.status(air, now_ms)
        if verb == "reconnects":
            self._reconnects = args[0]
        else:
            self._wanted = args if verb == "connect" else None
            self._failed = 0
            self._enter(_JOINING if verb == "connect" else _OFF, now_ms)
        return None

    def status(self, air: dict, now_ms: int) -> int:
        """One of network.STAT_…, or the reason by which the last attempt failed."""
        self._follow(air, now_ms)
        if self._state == _HAS_ADDRESS:
            return GOT_IP
        if self._state == _OFF:
            return self._reason or IDLE
        return CONNECTING

    def _enter(self, state: int, now_ms: int):
        self._state, self._since_ms = state, now_ms

    def _follow(self, air: dict, now_ms: int):
        """Does what the radio did since it was asked last."""
        elapsed_ms = now_ms - self._since_ms
        channel = air.get("channel", 6)
        if self._state == _OFF or elapsed_ms < _JOIN_MS:
            return
        here = self._wanted[0] == air["ssid"]
        welcome = here and self._wanted[1] == air["password"]
        if self._state == _JOINING:
            if not welcome:
                self._fail(WRONG_PASSWORD if here else NO_AP_FOUND, now_ms)
                return
            self._channel, self._state = channel, _JOINED
        drop_ms = air.get("drop_s", 0) * 1000 + _JOIN_MS
        if not welcome or channel != self._channel:
            self._fail(BEACON_TIMEOUT, now_ms)
        elif drop_ms > _JOIN_MS and elapsed_ms >= drop_ms:
            self._fail(_ASSOC_EXPIRE, now_ms)
        elif air.get("dhcp", True):
            self._state, self._reason = _HAS_ADDRESS, 0

    def _fail(self, reason: int, now_ms: int):
        self._reason = reason
        self._failed += 1
        again = self._reconnects < 0 or self._failed <= self._reconnects
        self._enter(_JOINING if again else _OFF, now_ms)
