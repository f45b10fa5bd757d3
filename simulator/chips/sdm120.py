# SPDX-License-Identifier: MIT
"""Eastron SDM120: a meter of one AC phase, in and out. Signals and faults: eastron.py.

Powered from 161 V on. Not modelled: demand, phase angle, holding registers, what pulses it gives.
"""

from simulator.chips.eastron import Eastron, current


class SDM120(Eastron):
    BAUD = 2400
    SUPPLY_MIN_MV = 161_000
    REGISTERS = 0x0160

    def __init__(self, signals, address: int = 1, baud: int = BAUD):
        Eastron.__init__(self, signals, address, baud)

    def _registers(self, voltage_mv, net_mw, factor, frequency_mhz, current_ma) -> dict:
        if current_ma < 0:
            current_ma = current(net_mw, voltage_mv, factor)
        apparent = voltage_mv * current_ma
        energy_in, energy_out = self.energy()
        return {
            0x00: (voltage_mv, 1000),
            0x06: (current_ma, 1000),
            0x0C: (net_mw, 1000),
            0x12: (apparent, 1_000_000),
            0x1E: (-factor if net_mw < 0 else factor, 1000),  # its sign is the direction
            0x46: (frequency_mhz, 1000),
            0x48: energy_in,
            0x4A: energy_out,
            0x0156: (energy_in[0] + energy_out[0], 1000),
        }
