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
        self._since_ms = 0  # of that state
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
        self._state, self._since_ms = state, bench.now_ms
        bench.wifi_joined = state == _HAS_ADDRESS

    def _follow(self):
        """Does what the radio did since it was asked last."""
        air, elapsed_ms = bench.air, bench.now_ms - self._since_ms
        here = air["ssid"] is not None and self._wanted and self._wanted[0] == air["ssid"]
        welcome = here and self._wanted[1] == air["password"]
        channel = air.get("channel", 6)
        if self._state == _JOINING and elapsed_ms >= _JOIN_MS:
            if not welcome:
                self._fail(STAT_WRONG_PASSWORD if here else STAT_NO_AP_FOUND)
            else:
                self._channel = channel
                self._enter(_JOINED)
        elif self._state >= _JOINED:
            drop_s = air.get("drop_s")
            if not welcome or channel != self._channel:
                self._fail(STAT_BEACON_TIMEOUT)
            elif drop_s and elapsed_ms >= drop_s * 1000:
                self._fail(_ASSOC_EXPIRE)
        if self._state == _JOINED and air.get("dhcp", True):
            since_ms = self._since_ms
            self._enter(_HAS_ADDRESS)
            self._since_ms = since_ms
            self._reason = 0

    def _fail(self, reason: int):
        self._reason = reason
        self._failed += 1
        again = self._reconnects < 0 or self._failed <= self._reconnects
        self._enter(_JOINING if again else _OFF)

    def status(self, param=None):
        self._follow()
        if param == "rssi":
            if self._state < _JOINED:
                raise OSError("Wifi Not Connected")
            return -60
        if self._state == _HAS_ADDRESS:
            return STAT_GOT_IP
        if self._state == _OFF:
            return self._reason or STAT_IDLE
        return STAT_CONNECTING

    def isconnected(self) -> bool:
        self._follow()
        return self._state == _HAS_ADDRESS

    def ifconfig(self) -> tuple:
        if not self.isconnected():
            return ("0.0.0.0",) * 4
        return "192.168.4.2", "255.255.255.0", "192.168.4.1", "192.168.4.1"

    def scan(self) -> list:
        if bench.air["ssid"] is None:
            return []
        bssid, channel = b"\x02\x00\x00\x00\x00\x01", bench.air.get("channel", 6)
        return [(bench.air["ssid"].encode(), bssid, channel, -60, 3, False)]

    def config(self, *args, **options):
        if args == ("mac",):
            return b"\x24\x0a\xc4\x00\x00\x01"
        if "reconnects" in options:
            self._reconnects = options["reconnects"]
