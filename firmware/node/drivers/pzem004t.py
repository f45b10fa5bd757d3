# SPDX-License-Identifier: MIT
"""Peacefair PZEM-004T v3 and v4: voltage, current, power, energy of one AC phase.

Bus: UART or RS-485, 9600 8N1, Modbus RTU; powered from the mains side, so that it is silent when
the mains are gone. 80–260 V, 0–100 A, 0–23 kW, 45–65 Hz; steps of 0.1 V, 1 mA, 0.1 W, 1 Wh,
0.1 Hz, 0.01. It measures once a second. Errors: SensorFault SILENT, FRAME, CHECKSUM.
Source: PZEM-004T V3.0 user manual, section 2.3. Versions 1 and 2 speak another protocol.

Wiring: 5V 3.3 V; RX tx; TX rx; GND; L mains phase; N mains neutral; CT its transformer, around the
phase. With: an electrician.

    meter = PZEM004T(uart)
    wait_ms = meter.start()
    ...
    voltage_mv, current_ma, power_mw, total_mwh, frequency_mhz, pf_permille = meter.read()
"""

from struct import unpack_from

from micropython import const

from node.drivers.modbus_rtu import InputRegisters

_GENERAL = const(0xF8)  # every meter answers to it: for a meter that is alone on its bus
_ANSWER_MS = const(100)  # 8 bytes out, its thinking time, 25 bytes back


class PZEM004T:
    BUS = "uart"
    INTERVAL_S = (1, 3600)
    BAUD = 9600
    RXBUF = 128
    SETTLE_MS = 0
    QUANTITIES = (
        "voltage_mv",
        "current_ma",
        "power_mw",
        "energy_total_mwh",
        "frequency_mhz",
        "power_factor_permille",
    )

    def __init__(self, uart, address: int = _GENERAL):
        self._registers = InputRegisters(uart, address, 0x0000, 10)

    def start(self) -> int:
        self._registers.request()
        return _ANSWER_MS

    def read(self) -> tuple:
        # 32-bit values come with their low word first; the tenth register is an alarm.
        frame = self._registers.answer()
        volt, amp, amp_h, watt, watt_h, wh, wh_h, hertz, factor = unpack_from(">9H", frame, 3)
        return (
            volt * 100,
            amp | amp_h << 16,
            (watt | watt_h << 16) * 100,
            (wh | wh_h << 16) * 1000,
            hertz * 100,
            factor * 10,
        )
