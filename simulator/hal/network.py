# SPDX-License-Identifier: MIT
"""Look-alike of MicroPython's `network.WLAN` on an ESP32: joins the bench's access point."""

from simulator.hal.bench import bench

STA_IF, AP_IF = 0, 1
STAT_IDLE, STAT_CONNECTING, STAT_GOT_IP = 1000, 1001, 1010
STAT_NO_AP_FOUND, STAT_WRONG_PASSWORD = 201, 202
_JOIN_MS = 2000


class WLAN:
    """The station interface. Joining takes two seconds."""

    IF_STA, IF_AP = STA_IF, AP_IF

    def __init__(self, interface_id=STA_IF):
        self._active = False
        self._wanted = None
        self._joined_ms = 0

    def active(self, is_active=None):
        if is_active is None:
            return self._active
        self._active = bool(is_active)
        if not is_active:
            self._wanted = None

    def connect(self, ssid=None, key=None, *, bssid=None):
        if not self._active:
            raise OSError("Wifi Not Started")
        self._wanted = (ssid, key)
        self._joined_ms = bench.now_ms + _JOIN_MS

    def disconnect(self):
        self._wanted = None
        bench.wifi_joined = False

    def status(self, param=None):
        if param == "rssi":
            return -60
        if self._wanted is None:
            return STAT_IDLE
        if bench.now_ms < self._joined_ms:
            return STAT_CONNECTING
        if self._wanted[0] != bench.air["ssid"]:
            return STAT_NO_AP_FOUND
        if self._wanted[1] != bench.air["password"]:
            return STAT_WRONG_PASSWORD
        return STAT_GOT_IP

    def isconnected(self) -> bool:
        bench.wifi_joined = self.status() == STAT_GOT_IP
        return bench.wifi_joined

    def ifconfig(self) -> tuple:
        if not self.isconnected():
            return ("0.0.0.0",) * 4
        return "192.168.4.2", "255.255.255.0", "192.168.4.1", "192.168.4.1"

    def scan(self) -> list:
        if bench.air["ssid"] is None:
            return []
        return [(bench.air["ssid"].encode(), b"\x02\x00\x00\x00\x00\x01", 6, -60, 3, False)]

    def config(self, *args, **options):
        if args == ("mac",):
            return b"\x24\x0a\xc4\x00\x00\x01"
