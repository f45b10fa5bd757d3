# SPDX-License-Identifier: MIT
"""Plantower PMS5003 (and PMS7003): particles in the air by laser scattering.

Bus: UART 9600 8N1; 5 V supply, 3.3 V signals. 0–1000 µg/m³ in steps of 1 µg/m³; stable 30 s after
its fan started. The laser lasts about 8000 h. Passive mode: it answers when asked, within 1 s.
The values are those "under atmospheric environment". Errors: SensorFault SILENT, FRAME, CHECKSUM.
Source: PMS5003 series data manual V2.3, appendices I (frame) and II (commands).

Wiring: VCC 5 V; GND; SET 3.3 V; RX tx; TX rx. With: 1 × 8-pin cable of 1.25 mm pitch.

    sensor = PMS5003(uart)
    wait_ms = sensor.start()
    ...
    values = sensor.read()  # (pm1_0_ngm3, pm2_5_ngm3, pm10_ngm3), or None
"""

from struct import unpack_from

from micropython import const

from node.errors import CHECKSUM, FRAME, SILENT, SensorFault

_PASSIVE = b"\x42\x4d\xe1\x00\x00\x01\x70"
_READ = b"\x42\x4d\xe2\x00\x00\x01\x71"
_HEAD = b"\x42\x4d\x00\x1c"  # start, and the length of what follows: 13 words and the checksum
_FRAME_BYTES = const(32)
_SUMMED_BYTES = const(30)
_ATMOSPHERIC = const(10)  # where words 4 to 6 begin
_ANSWER_MS = const(1000)


class PMS5003:
    BUS = "uart"
    INTERVAL_S = (5, 3600)
    BAUD = 9600
    RXBUF = 256
    QUANTITIES = ("pm1_0_ngm3", "pm2_5_ngm3", "pm10_ngm3")
    SETTLE_MS = 30_000

    def __init__(self, uart):
        self.uart = uart
        self.passive = False

    def start(self) -> int:
        """The first one only gives the change of mode its time."""
        self.uart.read()  # acknowledgement, or frames of the active mode it powers up in
        self.uart.write(_READ if self.passive else _PASSIVE)
        return _ANSWER_MS

    def read(self):
        """None at first, while it changes its mode."""
        if not self.passive:
            self.passive = True
            return None
        data = self.uart.read()
        if not data:
            raise SensorFault(SILENT)
        reason = FRAME
        at = data.find(_HEAD)
        while 0 <= at <= len(data) - _FRAME_BYTES:
            (checksum,) = unpack_from(">H", data, at + _SUMMED_BYTES)
            if sum(data[at : at + _SUMMED_BYTES]) == checksum:
                pm1_0, pm2_5, pm10 = unpack_from(">3H", data, at + _ATMOSPHERIC)
                return pm1_0 * 1000, pm2_5 * 1000, pm10 * 1000
            reason = CHECKSUM
            at = data.find(_HEAD, at + 1)
        raise SensorFault(reason)
