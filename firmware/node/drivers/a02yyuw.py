# SPDX-License-Identifier: MIT
"""DYP-A02YYUW (DFRobot SEN0311): ultrasonic distance to water, and the level that follows.

Bus: UART 9600 8N1; sends a frame each 100 to 300 ms by itself, smoothed while its RX pin is high,
as an idle UART's is. 30–4500 mm in steps of 1 mm, ±1 %. mount_mm is the height of its face above
the zero of the level; where it is 0, no level is told. Below its zero the level is 0. Of the
frames of a second the median counts. Errors: SensorFault SILENT, FRAME, CHECKSUM, and RANGE (every
frame out of 30–4500 mm; 0 means that no echo came). A smoothed distance to still water stays the
same, so a frozen sensor cannot be told. Source: DFRobot wiki SEN0311, "Communication Protocol".

Wiring: VCC 3.3 V; GND; RX tx; TX rx.

    sensor = A02YYUW(uart, mount_mm=2500)
    wait_ms = sensor.start()
    ...
    distance_mm, water_level_mm = sensor.read()
"""

from micropython import const

from node.errors import CHECKSUM, FRAME, RANGE, SILENT, SensorFault

_HEAD = const(0xFF)
_SIZE = const(4)
_NEAREST_MM, _FARTHEST_MM = const(30), const(4500)
_LISTEN_MS = const(1000)
_MOST = const(64)  # bytes that are looked at


class A02YYUW:
    BUS = "uart"
    INTERVAL_S = (2, 3600)
    BAUD = 9600
    RXBUF = 256
    SETTLE_MS = 0
    QUANTITIES = ("distance_mm", "water_level_mm")

    def __init__(self, uart, mount_mm: int = 0):
        self._uart = uart
        self._mount_mm = mount_mm

    def start(self) -> int:
        self._uart.read()  # frames of before
        return _LISTEN_MS

    def read(self) -> tuple:
        data = self._uart.read(_MOST)
        if not data:
            raise SensorFault(SILENT)
        distances = []
        reason = FRAME
        at = 0
        while at + _SIZE <= len(data):
            if data[at] != _HEAD:
                at += 1
            elif (data[at] + data[at + 1] + data[at + 2]) & 0xFF == data[at + 3]:
                distance_mm = data[at + 1] << 8 | data[at + 2]
                at += _SIZE
                if _NEAREST_MM <= distance_mm <= _FARTHEST_MM:
                    distances.append(distance_mm)
                else:
                    reason = RANGE
            else:
                reason = CHECKSUM if reason == FRAME else reason
                at += 1
        if not distances:
            raise SensorFault(reason)
        distance_mm = sorted(distances)[len(distances) // 2]
        level_mm = max(0, self._mount_mm - distance_mm) if self._mount_mm else None
        return distance_mm, level_mm
