# SPDX-License-Identifier: MIT
"""What the models of SEN55 and SEN66 share beyond sensirion_pm.py: name, values, warming up."""

from simulator.chips.sensirion_pm import ParticlePart

_NOX_MS, _CO2_MS = 11_000, 6000


class ParticleNodePart(ParticlePart):
    """Fault "chip id": it is one without gas sensors."""

    NAME = b""
    SIBLING = b""

    def other(self, command: int):
        if command == 0xD014:
            name = self.SIBLING if self.fault == "chip id" else self.NAME
            name = name + bytes(32 - len(name))
            return [name[i] << 8 | name[i + 1] for i in range(0, 32, 2)]

    def measured(self, levels: list, powered_ms: int) -> tuple:
        words = [min(max((level + 50) // 100, 0), 0xFFFE) for level in levels[:4]]
        words.append(levels[4] // 10)
        words.append((levels[5] // 5) & 0xFFFF)
        words.extend(levels[6:])
        if powered_ms < _NOX_MS:
            words[7] = 0x7FFF
        if powered_ms < _CO2_MS and len(words) > 8:
            words[8] = 0xFFFF
        if self.fault == "range":
            words[1] = 0xFFFF
        if self.fault == "chip id":
            words[6] = words[7] = 0x7FFF
        return tuple(words)
