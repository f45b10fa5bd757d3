# SPDX-License-Identifier: MIT
"""The radio: joins one access point as a station, and joins again when the link is gone.

It says on the serial port why there is no network, once for each reason, and never the names:

    wifi: no access point | wrong password | no address | refused 4 | joined

The driver is told to make one attempt only: it would look for an access point that is gone without
a pause, and would never say what is wrong.
"""

import network

from node.device.log import say

_JOIN_MS = 20_000  # a join takes 2 to 10 s; after this long it has failed
_RETRY_MS = 5000  # doubles up to the next: a scan costs as much as an hour of sleep
_RETRY_MAX_MS = 60_000
_STEADY_MS = 10_000  # who loses the network sooner than that did not really have it
_POLL_MS = 1000
_CONNECTING = 1001
_PAUSE, _JOINING, _ONLINE = 0, 1, 2
_TROUBLE = (OSError, RuntimeError)  # the latter for codes that MicroPython has no name for


class Wifi:
    """Credentials of the access point. The radio is switched on by the first step()."""

    def __init__(self, ssid: str, password: str):
        self._credentials = ssid, password
        self._wlan = None
        self._state = _PAUSE
        self._since_ms = 0  # of the state
        self._retry_ms = _RETRY_MS
        self._said = None
        self.wait_ms = _POLL_MS  # for so long step() has nothing to do while it is not online

    def step(self, now_ms: int) -> bool:
        """Whether the node is on the network; begins to join when it is not. now_ms: uptime."""
        if self._wlan is None:
            self._wlan = network.WLAN(network.STA_IF)
            self._wlan.active(True)
            self._wlan.config(reconnects=0)
            self._join(now_ms)
        state, elapsed_ms = self._state, now_ms - self._since_ms
        if self._wlan.isconnected():
            if state != _ONLINE:
                self._state, self._since_ms = _ONLINE, now_ms
                self._say("joined")
            elif elapsed_ms >= _STEADY_MS:
                self._retry_ms = _RETRY_MS
            return True
        if state == _JOINING:
            if self._wlan.status() != _CONNECTING or elapsed_ms >= _JOIN_MS:
                self._fail(now_ms)
        elif state == _ONLINE:
            if elapsed_ms >= _STEADY_MS:
                self._join(now_ms)
            else:
                self._fail(now_ms)
        elif elapsed_ms >= self._retry_ms:
            self._retry_ms = min(2 * self._retry_ms, _RETRY_MAX_MS)
            self._join(now_ms)
        else:
            self.wait_ms = self._retry_ms - elapsed_ms
        return False

    def _join(self, now_ms: int):
        self._state, self._since_ms, self.wait_ms = _JOINING, now_ms, _POLL_MS
        try:
            self._wlan.connect(*self._credentials)
        except _TROUBLE:
            pass  # the driver is still busy with the last attempt: this one will fail as well

    def _fail(self, now_ms: int):
        """Says why there is no network, and pauses."""
        self._state, self._since_ms, self.wait_ms = _PAUSE, now_ms, self._retry_ms
        status = self._wlan.status()
        # ESP-IDF's wifi_err_reason_t. Not found, not fitting, its beacons no longer heard:
        if status in (200, 201, 210, 211, 212):
            self._say("no access point")
        elif status in (202, 204, 15):  # authentication, handshake, 4-way handshake
            self._say("wrong password")
        elif status == _CONNECTING:  # joined, but it never got so far as to be online
            self._say("no address")
        else:
            self._say("refused " + str(status))
        try:
            self._wlan.disconnect()
        except _TROUBLE:
            pass  # it was not joined

    def _say(self, what: str):
        if what != self._said:
            self._said = what
            say("wifi", what)
