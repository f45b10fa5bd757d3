# SPDX-License-Identifier: MIT
"""What SEN5x and SEN6x share beyond sensirion_pm.py: a name, and their values as integers."""

from micropython import const

from node.drivers.sensirion_pm import ParticleSensor
from node.errors import CHIP_ID, RANGE, SensorFault

_WARM_UP = const(2)  # samples: NOx is told 10..11 s after power-up, CO2 after 5..6 s


def _signed(word: int) -> int:
    return word - 0x10000 if word & 0x8000 else word


class ParticleNode(ParticleSensor):
    """Particles, humidity, temperature, gas indices and perhaps CO2."""

    NAME = ()  # its first letters, as words

    def __init__(self, i2c, address: int, clean_each_samples: int = 0):
        ParticleSensor.__init__(self, i2c, address, clean_each_samples)
        self._warm_up = _WARM_UP

    def _check(self, name: list):
        # Some tell no name. Only the first letters are read, and no serial number ever.
        if name[0] and tuple(name) != self.NAME:
            raise SensorFault(CHIP_ID)

    def _values(self, found: list) -> tuple:
        if 0xFFFF in found[:4] or 0x7FFF in found[4:6]:  # unknown
            raise SensorFault(RANGE)
        values = [found[i] * 100 for i in range(4)]
        values.append(_signed(found[4]) * 10)
        values.append(_signed(found[5]) * 5)
        for i in range(6, len(found)):
            value = found[i] if i == 8 else _signed(found[i])
            if found[i] == (0xFFFF if i == 8 else 0x7FFF):  # CO2 has no sign
                if not self._warm_up:
                    raise SensorFault(RANGE)
                value = None
            values.append(value)
        self._warm_up = max(self._warm_up - 1, 0)
        return tuple(values)
