# SPDX-License-Identifier: MIT
"""P1 port of smart meters: energy and gas, and power, voltage and current of each phase.

DSMR 2.2 to 5, e-MUCS of Belgium, Luxembourg without encryption.

Bus: UART that only receives, 115200 8N1 (before 4.0: 9600 7E1), inverted by the peripheral. A
telegram comes each second (5.0, e-MUCS) or each ten. It is taken apart as it comes: numbers of the
meter and its equipment, names and text messages never leave that (obis.py).

From 4.0 on a telegram ends with a CRC. Before, two in a row must agree. Energies and gas since the
sample before are None in the first; gas is told each hour or five minutes. None also: what this
meter does not tell. Errors: SensorFault SILENT, FRAME, CHECKSUM, RANGE (a register went back: a
new meter), FROZEN (its clock stands still; meters before 4.0 tell no time).

Options: version (22, 30, 40, 42, 50, 50217 for e-MUCS …), inverted 0 where the circuit inverts.
The push telegrams of IEC 62056-21 mode D are read with version 22, inverted 0 and their baud.
Source: DSMR P1 companion standard 5.0.2 sections 4 to 6, 2.2 and 3.0 section 3; e-MUCS P1 1.7.1.

Wiring: 2 request 5 V; 3 data ground GND; 5 data rx; 6 power ground GND. With: 1 × RJ12 cable;
1 × resistor 1 kΩ (data to 3.3 V).

    meter = DsmrP1(uart)
    wait_ms = meter.start()
    ...
    values = meter.read()  # an integer: read again after so many ms
"""

from micropython import const

from node.drivers.obis import Registers, drain
from node.errors import CHECKSUM, FRAME, FROZEN, SILENT, SensorFault

_POLL_MS = const(200)  # less than fills the receive buffer
_LIMIT_MS = const(36_000)  # three telegrams, ten seconds apart, and their 1000 bytes at 9600 baud
_WITHIN_MWH = const(1_000_000)  # more than two telegrams can lie apart: 360 kW for 10 s

# A telegram: not begun, its first line, its lines, its checksum.
_NONE, _NAME, _LINES, _CHECKSUM = const(0), const(1), const(2), const(3)
# CRC-16, polynomial 0x8005 reflected, start 0, four bits at a time
_CRC = (
    0x0000, 0xCC01, 0xD801, 0x1400, 0xF001, 0x3C00, 0x2800, 0xE401,
    0xA001, 0x6C00, 0x7800, 0xB401, 0x5000, 0x9C01, 0x8801, 0x4400,
)  # fmt: skip


class DsmrP1:
    BUS = "uart"
    INTERVAL_S = (30, 3600)
    BAUD = 115_200
    RXBUF = 2048
    SETTLE_MS = 0
    QUANTITIES = (
        "energy_import_total_mwh",
        "energy_export_total_mwh",
        "energy_mwh",
        "energy_export_mwh",
        "net_power_mw",
        "voltage_l1_mv",
        "voltage_l2_mv",
        "voltage_l3_mv",
        "current_l1_ma",
        "current_l2_ma",
        "current_l3_ma",
        "gas_dm3",
    )

    def __init__(self, uart, version: int = 50, inverted: int = 1, baud: int = 0):
        rate, bits, parity = (9600, 7, 0) if version < 40 else (self.BAUD, 8, None)
        invert = uart.INV_RX if inverted else 0
        uart.init(baudrate=baud or rate, bits=bits, parity=parity, invert=invert)
        self._uart = uart
        self._piece = bytearray(64)
        self._registers = Registers()
        self._time = None  # in the telegram of the sample before

    def start(self) -> int:
        drain(self._uart, self._piece)  # what came since is old, and cut where the buffer was full
        self._state = _NONE
        self._waited_ms = 0
        self._heard = False
        self._wrong = None  # why a telegram was none
        self._before = None  # size and import of the telegram before, where there is no checksum
        return _POLL_MS

    def read(self):
        piece = self._piece
        for _ in range(DsmrP1.RXBUF // len(piece)):  # the line may never fall silent
            size = self._uart.readinto(piece)
            if not size:
                break
            self._heard = True
            for i in range(size):
                if self._take(piece[i]):
                    drain(self._uart, piece)
                    return self._reading()
        self._waited_ms += _POLL_MS
        if self._waited_ms < _LIMIT_MS:
            return _POLL_MS
        raise SensorFault(FRAME if self._heard else SILENT)

    def _reading(self) -> tuple:
        time = self._registers.time
        if time is not None and time == self._time:
            raise SensorFault(FROZEN)
        self._time = time
        return self._registers.reading()

    def _take(self, byte: int) -> bool:
        """True at the end of a telegram that is whole."""
        if byte == 0x2F:  # / is nowhere else
            self._state = _NAME
            self._crc = self._size = 0
            self._registers.clear()
        state = self._state
        if state == _NONE:
            return False
        if state == _CHECKSUM:
            if byte not in (0, 10, 13):  # some end it with a zero
                self._told.append(byte)
                if len(self._told) > 4:
                    self._state = _NONE
                return False
            self._state = _NONE
            return self._is_whole()
        self._size += 1
        crc = self._crc ^ byte
        crc = crc >> 4 ^ _CRC[crc & 15]
        self._crc = crc >> 4 ^ _CRC[crc & 15]
        if byte == 0x21:  # !
            self._state = _CHECKSUM
            self._told = bytearray()
        elif state == _LINES:
            self._registers.take(byte)
        elif byte == 10:
            self._state = _LINES
        return False

    def _is_whole(self) -> bool:
        registers = self._registers
        wrong = FRAME
        if self._told:
            if b"%04X" % self._crc == bytes(self._told).upper():
                return True
            wrong = CHECKSUM
        elif registers.time is None and not registers.torn:  # before 4.0: no time, no checksum
            before, self._before = self._before, (self._size, registers.total() or 0)
            if before is None or before[0] != self._size:
                return False
            return 0 <= self._before[1] - before[1] <= _WITHIN_MWH
        # The beginning of one may have been lost before the node came to look.
        if self._wrong:
            raise SensorFault(wrong)
        self._wrong = wrong
        return False
