# SPDX-License-Identifier: MIT
"""Methods of `network.WLAN` that a node does not use: see network.py."""

from simulator.hal.bench import bench


def ifconfig(wlan) -> tuple:
    if not wlan.isconnected():
        return ("0.0.0.0",) * 4
    return "192.168.4.2", "255.255.255.0", "192.168.4.1", "192.168.4.1"


def scan(wlan) -> list:
    if bench.air.get("ssid") is None:
        return []
    bssid = b"\x02\x00\x00\x00\x00\x01"
    return [(bench.air["ssid"].encode(), bssid, bench.air.get("channel", 6), -60, 3, False)]
