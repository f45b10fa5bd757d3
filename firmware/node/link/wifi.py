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
# Reasons by ESP-IDF's wifi_err_reason_t; MicroPython's STAT_… are the first of each kind.
_NO_ACCESS_POINT = (201, 200, 210, 211, 212)  # not found, beacon timeout, found but not fitting
_WRONG_PASSWORD = (202, 15, 204)  # authentication, 4-way handshake, handshake
_CONNECTING, _IDLE = 1001, 1000
_POLL_MS = 1000
_TROUBLE = (OSError, RuntimeError)  # the driver's codes that MicroPython has no name for


class Wifi:
    """Credentials of the access point. The radio is switched on by the first step()."""

    def __init__(self, ssid: str, password: str):
        self._ssid = ssid
        self._password = password
        self._wlan = None
        self._joining = False  # whether an attempt is under way
        self._since_ms = 0  # of the attempt, of the network that there is, or of the pause
        self._online = False
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
        if self._wlan.isconnected():
            if not self._online:
                self._online, self._joining, self._since_ms = True, False, now_ms
                self._say("joined")
            elif now_ms - self._since_ms >= _STEADY_MS:
                self._retry_ms = _RETRY_MS
            return True
        if self._online:
            self._online = False
            if now_ms - self._since_ms >= _STEADY_MS:
                self._join(now_ms)
            else:
                self._fail(now_ms)
        elif self._joining:
            status = self._wlan.status()
            if (status != _CONNECTING and status != _IDLE) or now_ms - self._since_ms >= _JOIN_MS:
                self._fail(now_ms)
        else:
            self.wait_ms = self._since_ms + self._retry_ms - now_ms
            if self.wait_ms <= 0:
                self._retry_ms = min(2 * self._retry_ms, _RETRY_MAX_MS)
                self._join(now_ms)
        return False

    def _join(self, now_ms: int):
        self._joining, self._since_ms, self.wait_ms = True, now_ms, _POLL_MS
        try:
            self._wlan.connect(self._ssid, self._password)
        except _TROUBLE:
            pass  # the driver is still busy with the last attempt: this one will fail as well

    def _fail(self, now_ms: int):
        """Says why there is no network, and pauses."""
        self._say(self._why())
        self._joining, self._since_ms, self.wait_ms = False, now_ms, self._retry_ms
        try:
            self._wlan.disconnect()
        except _TROUBLE:
            pass  # it was not joined

    def _why(self) -> str:
        status = self._wlan.status()
        if status in _NO_ACCESS_POINT:
            return "no access point"
        if status in _WRONG_PASSWORD:
            return "wrong password"
        if status not in (_CONNECTING, _IDLE):
            return "refused " + str(status)
        try:
            self._wlan.status("rssi")  # only a station that is joined knows it
        except _TROUBLE:
            return "no answer"
        return "no address"

    def _say(self, what: str):
        if what != self._said:
            self._said = what
            say("wifi", what)
