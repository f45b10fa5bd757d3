# SPDX-License-Identifier: MIT
"""Look-alike of MicroPython's `network.WLAN` on an ESP32, whose radio is simulator/world/radio.py.
"""

from simulator.hal.bench import bench

STA_IF, AP_IF = 0, 1
STAT_IDLE, STAT_CONNECTING, STAT_GOT_IP = 1000, 1001, 1010
STAT_NO_AP_FOUND, STAT_WRONG_PASSWORD, STAT_BEACON_TIMEOUT = 201, 202, 200


class WLAN:
    """The station interface. Joining takes two seconds."""

    IF_STA, IF_AP = STA_IF, AP_IF

    def __init__(self, interface_id=STA_IF):
        self._active = False

    def active(self, is_active=None):
        if is_active is None:
            return self._active
        self._active = bool(is_active)
        if not is_active:
            self.disconnect()

    def connect(self, ssid=None, key=None, *, bssid=None):
        if not self._active:
            raise OSError("Wifi Not Started")
        bench.wifi_joined = False
        bench.radio("connect", ssid, key)

    def disconnect(self):
        bench.wifi_joined = False
        bench.radio("disconnect")

    def status(self, param=None):
        if param == "rssi":
            return -60
        status = bench.radio("status")
        bench.wifi_joined = status == STAT_GOT_IP
        return status

    def isconnected(self) -> bool:
        return self.status() == STAT_GOT_IP

    def config(self, *args, **options):
        if args == ("mac",):
            return b"\x24\x0a\xc4\x00\x00\x01"
        if "reconnects" in options:
            bench.radio("reconnects", options["reconnects"])

    def __getattr__(self, name):
        """What nodes do not use is loaded when somebody does: their heap is small."""
        from simulator.hal import network_more

        function = getattr(network_more, name)
        return lambda *args: function(self, *args)
