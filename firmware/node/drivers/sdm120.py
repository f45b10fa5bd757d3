# SPDX-License-Identifier: MIT
"""Eastron SDM120 and SDM230: voltage, current, power and energy of one AC phase, in and out.

Bus: RS-485 (a transceiver that finds its direction by itself), Modbus RTU, 8N1 at 2400 baud as it
comes from the factory; the mains power it, so that it is silent when they are gone. 161–300 V, 45
A (SDM230: 100 A), 45–65 Hz; energy in steps of 1 Wh. Net power is negative when it flows into the
grid; the power factor is told without its sign. Energy since the sample before is None in the
first sample, and when the meter was exchanged or set back. Errors: SensorFault SILENT, FRAME,
CHECKSUM, FROZEN (eastron.py), MISFIT (address or baud).
Source: Eastron SDM120/SDM230-Modbus protocol, "input registers".

Wiring: RO rx; DI tx; VCC 3.3 V; GND; A terminal A of the meter; B terminal B of the meter. With: 1
× RS-485 transceiver with automatic direction, 3.3 V (its pins are the ones above); 1 × resistor
120 Ω (A to B at the far end of a long line); an electrician.

    meter = SDM120(uart, address=1)
    wait_ms = meter.start()
    ...
    values = meter.read()  # or how many ms more it needs
"""

from node.drivers.eastron import Eastron, scaled

_FIRST = (0x0000, 32)  # voltage to power factor
_SECOND = (0x0046, 6)  # frequency, energy in, energy out


class SDM120(Eastron):
    BUS = "uart"
    INTERVAL_S = (2, 3600)
    BAUD = 2400
    RXBUF = 128
    SETTLE_MS = 0
    QUANTITIES = (
        "voltage_mv",
        "current_ma",
        "net_power_mw",
        "power_factor_permille",
        "frequency_mhz",
        "energy_import_total_mwh",
        "energy_export_total_mwh",
        "energy_mwh",
        "energy_export_mwh",
    )

    def __init__(self, uart, address: int = 1, baud: int = 2400):
        Eastron.__init__(self, uart, address, baud, _FIRST, _SECOND)

    def _values(self, first, second) -> tuple:
        totals = scaled(second, 2, 1_000_000), scaled(second, 4, 1_000_000)  # kWh
        return (
            scaled(first, 0x00, 1000),
            scaled(first, 0x06, 1000),
            scaled(first, 0x0C, 1000),
            abs(scaled(first, 0x1E, 1000)),
            scaled(second, 0, 1000),
        ) + totals + self._since(totals)  # fmt: skip
