# SPDX-License-Identifier: MIT
"""An electricity meter with SML on its optical head (eHZ and "moderne Messeinrichtung").

Bus: UART 9600 8N1, an infrared head on the meter; the meter talks by itself, a telegram each 1 to
4 s. Two registers (1.8.0 and 2.8.0, in mWh), what was added to them since the sample before (None
at first), and the net power (16.7.0, in mW, negative when it feeds in). What the meter does not
tell is None: many tell no power, and whole kWh only, until the owner has entered the PIN.
Meter ids stay in the telegram. Errors: SensorFault SILENT, FRAME (no whole telegram in 12 s, or
none with these registers), CHECKSUM (all damaged), FROZEN (20 telegrams that are the same: each
has a number or a time of its own).
Source: BSI TR-03109-1, annex IV-b (SML 1.04); what meters do: sml_telegram.py.

Wiring: VCC 3.3 V; GND; RX of the head tx; TX of the head rx. With: 1 × infrared optical head for
meters, 3.3 V UART, with magnet.

    meter = SML(uart)
    wait_ms = meter.start()
    ...
    values = meter.read()  # a tuple in the order of QUANTITIES, or the ms to wait for it
"""

from micropython import const

from node.drivers.sml_telegram import Telegrams
from node.errors import CHECKSUM, FRAME, FROZEN, SILENT, SensorFault

_WAIT_MS = const(500)  # less than the buffer holds
_WAITS = const(24)
_CHUNK = const(64)
_SAME = const(20)
_NOTHING = bytes(_CHUNK)


class SML:
    BUS = "uart"
    INTERVAL_S = (15, 3600)
    BAUD = 9600
    RXBUF = 1024
    SETTLE_MS = 0
    QUANTITIES = (
        "energy_import_total_mwh",
        "energy_export_total_mwh",
        "energy_mwh",
        "energy_export_mwh",
        "net_power_mw",
    )

    def __init__(self, uart, baud: int = 9600, power_unsigned: int = 0):
        self._uart = uart
        self._telegrams = Telegrams(power_unsigned != 0)
        self._chunk = bytearray(_CHUNK)
        self._before = [None, None]  # the registers at the sample before
        self._crc = None
        self._same = 0

    def start(self) -> int:
        for _ in range(SML.RXBUF // _CHUNK):  # what has waited since is old, and names the meter
            if not self._uart.readinto(self._chunk):
                break
        self._chunk[:] = _NOTHING
        self._telegrams.restart()
        self._waits = self._heard = 0
        return _WAIT_MS

    def read(self):
        telegrams = self._telegrams
        good = 0
        for _ in range(SML.RXBUF // _CHUNK):
            size = self._uart.readinto(self._chunk)
            if not size:
                break
            self._heard = 1
            good += telegrams.feed(self._chunk, size)
        self._chunk[:] = _NOTHING  # the meter's id may have come last
        if good:
            return self._values(telegrams)
        self._waits += 1
        if self._waits < _WAITS:
            return _WAIT_MS
        if telegrams.bad_sums:
            raise SensorFault(CHECKSUM)
        raise SensorFault(FRAME if self._heard else SILENT)

    def _values(self, telegrams) -> tuple:
        self._same = self._same + 1 if telegrams.crc == self._crc else 0
        self._crc = telegrams.crc
        if self._same >= _SAME:
            raise SensorFault(FROZEN)
        added = [None, None]
        for i in range(2):
            total = telegrams.told[i]
            if total is not None:
                if self._before[i] is not None:
                    added[i] = total - self._before[i]
                self._before[i] = total
        return tuple(telegrams.told[:2] + added + telegrams.told[2:])
