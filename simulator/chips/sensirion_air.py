# SPDX-License-Identifier: MIT
"""What the models of SEN55 and SEN66 share beyond sensirion_pm.py: name, values, warming up."""

from simulator.chips.sensirion_pm import ParticlePart


def text(name: bytes) -> tuple:
    """A string of 32 bytes as words."""
    name = name + bytes(32 - len(name))
    return tuple([name[i] << 8 | name[i + 1] for i in range(0, 32, 2)])


class ParticleNodePart(ParticlePart):
    """SEN5x, SEN6x. Fault "chip id": it is one without gas sensors."""

    NAME = b""
    SIBLING = b""
    NOX_MS = 11_000
    CO2_MS = 6000

    def other(self, command: int):
        if command == 0xD014:
            return text(self.SIBLING if self.fault == "chip id" else self.NAME)
        if command == 0xD033:
            return text(b"0123456789ABCDEF")  # of no real part
        if command == 0xD100:
            return (0x0200,)

    def measured(self, levels: list, powered_ms: int) -> tuple:
        words = [min(max((level + 50) // 100, 0), 0xFFFE) for level in levels[:4]]
        words.append(levels[4] // 10)
        words.append((levels[5] // 5) & 0xFFFF)
        words.extend(levels[6:])
        if powered_ms < self.NOX_MS:
            words[7] = 0x7FFF
        if powered_ms < self.CO2_MS and len(words) > 8:
            words[8] = 0xFFFF
        if self.fault == "range":
            words[1] = 0xFFFF
        if self.fault == "chip id":
            words[6] = words[7] = 0x7FFF
        return tuple(words)
