# SPDX-License-Identifier: MIT
"""Eastron SDM630: a meter of three AC phases, in and out. Signals and faults: eastron.py.

The world has one phase: L2 is 0.7 V below it and L3 0.5 V above, and of the power 40 % flow in L1,
35 % in L2, 25 % in L3. Powered from 100 V on. Not modelled: demand, angles, harmonics, holding
registers.
"""

from simulator.chips.eastron import Eastron, current

_OFFSET_MV = (0, -700, 500)
_SHARE_PERCENT = (40, 35, 25)


class SDM630(Eastron):
    BAUD = 9600
    SUPPLY_MIN_MV = 100_000
    REGISTERS = 0x0180

    def __init__(self, signals, address: int = 1, baud: int = BAUD):
        Eastron.__init__(self, signals, address, baud)

    def _registers(self, voltage_mv, net_mw, factor, frequency_mhz, current_ma) -> dict:
        shown = {}
        total_ma = 0
        for phase in range(3):
            phase_mv = voltage_mv + _OFFSET_MV[phase]
            phase_mw = net_mw * _SHARE_PERCENT[phase] // 100
            if current_ma < 0:
                phase_ma = current(phase_mw, phase_mv, factor)
            else:
                phase_ma = current_ma * _SHARE_PERCENT[phase] // 100
            total_ma += phase_ma
            shown[0x00 + 2 * phase] = (phase_mv, 1000)
            shown[0x06 + 2 * phase] = (phase_ma, 1000)
            shown[0x0C + 2 * phase] = (phase_mw, 1000)
            shown[0x1E + 2 * phase] = (-factor if net_mw < 0 else factor, 1000)
        energy_in, energy_out = self.energy()
        shown[0x30] = (total_ma, 1000)
        shown[0x34] = (net_mw, 1000)
        shown[0x3E] = (-factor if net_mw < 0 else factor, 1000)
        shown[0x46] = (frequency_mhz, 1000)
        shown[0x48] = energy_in
        shown[0x4A] = energy_out
        shown[0x0156] = (energy_in[0] + energy_out[0], 1000)
        return shown
