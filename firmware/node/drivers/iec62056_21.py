# SPDX-License-Identifier: MIT
"""IEC 62056-21 (formerly IEC 1107) through an optical head: registers of an electricity meter.

Bus: UART, 7E1. Each sample is one readout: request at 300 baud, identification, and in mode C an
acknowledgement, after which both change to the rate that the meter offers (mode B: without one;
mode A: none), then a data message with a block check character. It takes from one second to half a
minute. The identification and the meter's numbers are dropped as they come (obis.py).

Energies since the sample before are None in the first; None also: what this meter does not tell.
Errors: SensorFault SILENT, FRAME, CHECKSUM, RANGE (a register went back: it is a new meter). A
frozen meter cannot be told: registers that stand still are those of no load.
Meters that push (mode D) are read by dsmr_p1.py.
Source: IEC 62056-21:2002 sections 5 (characters), 6.3 (messages), 6.4 (modes and their times).

Wiring: VCC 3.3 V; GND; RX of the head tx; TX of the head rx. With: 1 × infrared optical head for
meters, 3.3 V UART, with magnet.

    meter = Iec62056(uart)
    wait_ms = meter.start()
    ...
    values = meter.read()  # an integer: read again after so many ms
"""

from micropython import const

from node.drivers.obis import Registers, drain
from node.errors import CHECKSUM, FRAME, SILENT, SensorFault

_REQUEST = b"/?!\r\n"
_RATES_C, _RATES_B = b"0123456", b"ABCDEF"  # 300, 600, 1200 …; B begins with 600
_REACTION_MS = const(250)  # 200 to 1500 ms lie between a message and its answer
_ACKNOWLEDGING_MS = const(200)  # six characters at 300 baud; init() waits for what is still left
_POLL_MS = const(100)  # less than a meter of mode B takes to change its rate
_QUIET_MS = const(3000)  # the longest answer time, and the first characters
_LIMIT_MS = const(100_000)
_STX, _ETX = const(2), const(3)

# The identification; it is complete; the acknowledgement is on its way; data to come; data; BCC.
_NAME, _NAMED, _ACKNOWLEDGED, _QUIET, _DATA, _CHECK = (
    const(0), const(1), const(2), const(3), const(4), const(5),
)  # fmt: skip


class Iec62056:
    BUS = "uart"
    INTERVAL_S = (60, 3600)
    BAUD = 300
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
    )

    def __init__(self, uart):
        self._uart = uart
        self._piece = bytearray(64)
        self._registers = Registers()

    def _set(self, baud: int):
        self._uart.init(baudrate=baud, bits=7, parity=0)

    def start(self) -> int:
        self._set(self.BAUD)
        drain(self._uart, self._piece)
        self._registers.clear()
        self._state = _NAME
        self._at = -1  # of the character in the identification; -1: not begun
        self._offer = 0  # its fifth character
        self._waited_ms = self._quiet_ms = 0
        self._heard = 0  # bytes
        self._ended = False
        self._uart.write(_REQUEST)
        return _POLL_MS

    def read(self):
        if self._state == _NAMED:
            self._uart.write(b"\x060%c0\r\n" % self._offer)
            self._state = _ACKNOWLEDGED
            return _ACKNOWLEDGING_MS
        if self._state == _ACKNOWLEDGED:
            self._state = _QUIET
            self._set(300 << _RATES_C.find(bytes((self._offer,))))
            return _POLL_MS
        piece = self._piece
        self._quiet_ms += _POLL_MS
        for _ in range(Iec62056.RXBUF // len(piece)):  # the line may never fall silent
            size = self._uart.readinto(piece)
            if not size:
                break
            self._heard += size
            self._quiet_ms = 0
            for i in range(size):
                if self._take(piece[i]):
                    drain(self._uart, piece)
                    return self._registers.reading()[: len(self.QUANTITIES)]
        if self._state == _NAMED:
            return self._named()
        self._waited_ms += _POLL_MS
        if self._quiet_ms > _QUIET_MS or self._waited_ms > _LIMIT_MS:
            # The head may give back our own request.
            raise SensorFault(FRAME if self._heard > len(_REQUEST) else SILENT)
        return _POLL_MS

    def _named(self) -> int:
        """After the identification: to the rate of the data message."""
        rate = _RATES_B.find(bytes((self._offer,)))
        if rate < 0:
            return _REACTION_MS
        self._state = _QUIET
        self._set(600 << rate)
        return _POLL_MS

    def _take(self, byte: int) -> bool:
        """True at the end of a data message that is whole."""
        state = self._state
        if state == _NAME:
            if byte == 0x2F:
                self._at = 0
            elif self._at >= 0:
                self._at += 1
                if self._at == 4:
                    self._offer = byte
                if byte == 0x3F:  # ?: the head gives back our own request
                    self._at = -1
                elif byte == 10:
                    if self._at < 5:
                        raise SensorFault(FRAME)
                    rates = _RATES_C + _RATES_B
                    self._state = _NAMED if self._offer in rates else _QUIET
        elif state == _QUIET:
            if byte == _STX:
                self._state = _DATA
                self._check = 0
        elif state == _CHECK:
            if byte != self._check:
                raise SensorFault(CHECKSUM)
            return True
        elif state == _DATA:
            self._check ^= byte
            if byte == _ETX:
                self._state = _CHECK
            elif byte == 0x21:  # !
                self._ended = True
            elif not self._ended:
                self._registers.take(byte)
        return False
