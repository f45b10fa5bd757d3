# SPDX-License-Identifier: MIT
"""Look-alike of MicroPython's `network.WLAN` on an ESP32: joins the bench's access point.

As on the board, status() tells why a join failed only once no more attempts are to be made:
config(reconnects=n) says how many follow the first, and without it they never end. A station that
is joined and gets no address stays in STAT_CONNECTING. The bench's `air` says what there is:
`ssid`, `password`, `dhcp`, `channel`, and `drop_s`, after which each station is thrown out.
"""

from simulator.hal.bench import bench

STA_IF, AP_IF = 0, 1
STAT_IDLE, STAT_CONNECTING, STAT_GOT_IP = 1000, 1001, 1010
STAT_NO_AP_FOUND, STAT_WRONG_PASSWORD, STAT_BEACON_TIMEOUT = 201, 202, 200
_ASSOC_EXPIRE = 4  # the reason by which an access point throws a station out
_JOIN_MS = 2000
_OFF, _JOINING, _JOINED, _HAS_ADDRESS = 0, 1, 2, 3


class WLAN:
    """The station interface. Joining takes two seconds."""

    IF_STA, IF_AP = STA_IF, AP_IF

    def __init__(self, interface_id=STA_IF):
        self._active = False
        self._wanted = None
        self._state = _OFF
        self._since_ms = 0  # of the join
        self._channel = 0
        self._reason = 0
        self._reconnects = -1  # for ever
        self._failed = 0

    def active(self, is_active=None):
        if is_active is None:
            return self._active
        self._active = bool(is_active)
        if not is_active:
            self.disconnect()

    def connect(self, ssid=None, key=None, *, bssid=None):
        if not self._active:
            raise OSError("Wifi Not Started")
        self._wanted = (ssid, key)
        self._failed = 0
        self._enter(_JOINING)

    def disconnect(self):
        self._wanted = None
        self._enter(_OFF)

    def _enter(self, state: int):
        self._state, self._since_ms, bench.wifi_joined = state, bench.now_ms, False

    def _follow(self):
        """Does what the radio did since it was asked last."""
        air, elapsed_ms = bench.air, bench.now_ms - self._since_ms
        channel = air.get("channel", 6)
        if self._state == _OFF or elapsed_ms < _JOIN_MS:
            return
        here = self._wanted[0] == air["ssid"]
        welcome = here and self._wanted[1] == air["password"]
        if self._state == _JOINING:
            if not welcome:
                self._fail(STAT_WRONG_PASSWORD if here else STAT_NO_AP_FOUND)
                return
            self._channel, self._state = channel, _JOINED
        drop_ms = air.get("drop_s", 0) * 1000 + _JOIN_MS
        if not welcome or channel != self._channel:
            self._fail(STAT_BEACON_TIMEOUT)
        elif drop_ms > _JOIN_MS and elapsed_ms >= drop_ms:
            self._fail(_ASSOC_EXPIRE)
        elif air.get("dhcp", True):
            self._state, self._reason, bench.wifi_joined = _HAS_ADDRESS, 0, True

    def _fail(self, reason: int):
        self._reason = reason
        self._failed += 1
        again = self._reconnects < 0 or self._failed <= self._reconnects
        self._enter(_JOINING if again else _OFF)

    def status(self, param=None):
        self._follow()
        if param == "rssi":
            return -60
        if self._state == _HAS_ADDRESS:
            return STAT_GOT_IP
        if self._state == _OFF:
            return self._reason or STAT_IDLE
        return STAT_CONNECTING

    def isconnected(self) -> bool:
        self._follow()
        return self._state == _HAS_ADDRESS

    def config(self, *args, **options):
        if args == ("mac",):
            return b"\x24\x0a\xc4\x00\x00\x01"
        if "reconnects" in options:
            self._reconnects = options["reconnects"]

    def __getattr__(self, name):
        """What nodes do not use is loaded when somebody does: their heap is small."""
        from simulator.hal import network_more

        function = getattr(network_more, name)
        return lambda *args: function(self, *args)
