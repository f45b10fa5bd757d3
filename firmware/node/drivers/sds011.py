# SPDX-License-Identifier: MIT
"""Nova Fitness SDS011: particles in the air by laser scattering.

Bus: UART 9600 8N1; 5 V supply, 3.3 V signals. PM2.5 and PM10, 0–999.9 µg/m³ in steps of 0.1;
stable 30 s after its fan started. The laser lasts about 8000 h. Query mode: it answers when asked.
Every frame carries the unit's id, which is passed over. Errors: SensorFault SILENT, FRAME,
CHECKSUM, RANGE, FROZEN (30 times the same two values: its noise is larger than its step).
Source: Laser Dust Sensor Control Protocol V1.3, sections 1 (packets), 3.1, 3.2 and 3.4 (commands);
SDS011 data sheet V1.3, Specification.

Wiring: 5V 5 V; GND; RXD tx; TXD rx. With: 1 × cable of 2.54 mm pitch.

    sensor = SDS011(uart)
    wait_ms = sensor.start()
    ...
    values = sensor.read()  # (pm2_5_ngm3, pm10_ngm3), or the ms to wait for them
"""

from struct import unpack_from

from micropython import const

from node.errors import CHECKSUM, FRAME, FROZEN, RANGE, SILENT, SensorFault

# To all ids (0xFFFF): work, report when asked, report
_WORK = b"\xaa\xb4\x06\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x06\xab"
_PASSIVE = b"\xaa\xb4\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x02\xab"
_QUERY = b"\xaa\xb4\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x02\xab"
_HEAD = b"\xaa\xc0"
_FRAME_BYTES = const(10)
_TAIL = const(0xAB)
_HIGHEST = const(9999)
_SAME = const(30)
_ANSWER_MS = const(1000)


class SDS011:
    BUS = "uart"
    INTERVAL_S = (5, 3600)
    BAUD = 9600
    RXBUF = 256
    QUANTITIES = ("pm2_5_ngm3", "pm10_ngm3")
    SETTLE_MS = 30_000

    def __init__(self, uart):
        self.uart = uart
        self.passive = False  # whether it was told to report when asked
        self._before = None
        self._same = 0
        uart.write(_WORK)  # its state outlives a power cut

    def start(self) -> int:
        self.uart.read()  # acknowledgements, and frames of the active mode
        self.uart.write(_QUERY if self.passive else _PASSIVE)
        return _ANSWER_MS

    def read(self):
        if not self.passive:
            self.passive = True
            return self.start()
        data = self.uart.read()
        if not data:
            raise SensorFault(SILENT)
        reason = FRAME
        at = data.find(_HEAD)
        while 0 <= at <= len(data) - _FRAME_BYTES:
            if data[at + 9] == _TAIL:
                if sum(data[at + 2 : at + 8]) & 0xFF == data[at + 8]:
                    return self._values(unpack_from("<HH", data, at + 2))
                reason = CHECKSUM
            at = data.find(_HEAD, at + 1)
        raise SensorFault(reason)

    def _values(self, values: tuple) -> tuple:
        if max(values) > _HIGHEST:
            raise SensorFault(RANGE)
        self._same = self._same + 1 if values == self._before else 0
        self._before = values
        if self._same >= _SAME:
            raise SensorFault(FROZEN)
        return values[0] * 100, values[1] * 100
