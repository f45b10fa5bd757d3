# SPDX-License-Identifier: MIT
"""The radio: joins one access point as a station, and joins again when the link is gone."""

import network

_RETRY_MS = 20_000  # a join takes 2 to 10 s; after this long it is begun anew


class Wifi:
    """Credentials of the access point. The radio is switched on by the first step()."""

    def __init__(self, ssid: str, password: str):
        self._ssid = ssid
        self._password = password
        self._wlan = None
        self._began_ms = 0

    def step(self, now_ms: int) -> bool:
        """Whether the node is on the network; begins to join when it is not. now_ms: uptime."""
        if self._wlan is None:
            self._wlan = network.WLAN(network.STA_IF)
            self._wlan.active(True)
            self._join(now_ms)
        if self._wlan.isconnected():
            return True
        if now_ms - self._began_ms >= _RETRY_MS:
            self._wlan.disconnect()
            self._join(now_ms)
        return False

    def _join(self, now_ms: int):
        self._began_ms = now_ms
        try:
            self._wlan.connect(self._ssid, self._password)
        except OSError:
            pass  # a join is under way; it is begun anew after _RETRY_MS
