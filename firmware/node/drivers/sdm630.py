# SPDX-License-Identifier: MIT
"""Eastron SDM630: voltage and current of three phases, their power and energy, in and out.

Bus: RS-485 (a transceiver that finds its direction by itself), Modbus RTU, 8N1 at 9600 baud as it
comes from the factory; the mains power it, so that it is silent when they are gone. 100–289 V to
neutral, 100 A, 45–65 Hz; energy in steps of 1 Wh. Net power is negative when it flows into the
grid. Energy since the sample before is None in the first sample, and when the meter was exchanged
or set back. Errors: SensorFault SILENT, FRAME, CHECKSUM, FROZEN (eastron.py), MISFIT (address or
baud). Source: Eastron SDM630-Modbus V2 user manual, "input registers".

Wiring: RO rx; DI tx; VCC 3.3 V; GND; A terminal A of the meter; B terminal B of the meter. With: 1
× RS-485 transceiver with automatic direction, 3.3 V (its pins are the ones above); 1 × resistor
120 Ω (A to B at the far end of a long line); an electrician.

    meter = SDM630(uart, address=1)
    wait_ms = meter.start()
    ...
    values = meter.read()  # or how many ms more it needs
"""

from node.drivers.eastron import Eastron, scaled

_FIRST = (0x0000, 12)  # three voltages to neutral, three currents
_SECOND = (0x0034, 24)  # power of the system, to energy out


class SDM630(Eastron):
    BUS = "uart"
    INTERVAL_S = (2, 3600)
    BAUD = 9600
    RXBUF = 128
    SETTLE_MS = 0
    QUANTITIES = (
        "voltage_l1_mv",
        "voltage_l2_mv",
        "voltage_l3_mv",
        "current_l1_ma",
        "current_l2_ma",
        "current_l3_ma",
        "net_power_mw",
        "frequency_mhz",
        "energy_import_total_mwh",
        "energy_export_total_mwh",
        "energy_mwh",
        "energy_export_mwh",
    )

    def __init__(self, uart, address: int = 1, baud: int = 9600):
        Eastron.__init__(self, uart, address, baud, _FIRST, _SECOND)

    def _values(self, first, second) -> tuple:
        totals = scaled(second, 0x14, 1_000_000), scaled(second, 0x16, 1_000_000)  # kWh
        phases = tuple([scaled(first, register, 1000) for register in range(0, 12, 2)])
        power, frequency = scaled(second, 0, 1000), scaled(second, 0x12, 1000)
        return phases + (power, frequency) + totals + self._since(totals)
