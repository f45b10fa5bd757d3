# SPDX-License-Identifier: MIT
"""node/drivers/float32.py, and the chips' own encoder, against struct and exact fractions."""

import math
import random
import struct
from fractions import Fraction

import pytest

from node.drivers.float32 import to_scaled
from node.errors import FRAME, SensorFault
from simulator.chips.eastron import to_float32


def exact(bits: int, scale: int) -> int:
    """By struct, and rounded half away from zero without a float."""
    value = Fraction(struct.unpack(">f", bits.to_bytes(4, "big"))[0]) * scale
    rounded = math.floor(abs(value) + Fraction(1, 2))
    return -rounded if value < 0 else rounded


@pytest.mark.parametrize("scale", [1, 10, 1000, 1_000_000])
def test_every_exponent(scale):
    chance = random.Random(scale)
    for exponent in range(256):
        for _ in range(40):
            bits = chance.getrandbits(1) << 31 | exponent << 23 | chance.getrandbits(23)
            if exponent == 255:
                with pytest.raises(SensorFault) as caught:
                    to_scaled(bits, scale)
                assert caught.value.args == (FRAME,)
            else:
                assert to_scaled(bits, scale) == exact(bits, scale)


def test_halves_and_their_neighbours():
    for whole in (0, 1, 2, 3, 1000, 99_999, 2**22 - 1):
        for sign in (1, -1):
            bits = int.from_bytes(struct.pack(">f", sign * (whole + 0.5)), "big")
            for near in (bits - 1, bits, bits + 1):
                assert to_scaled(near, 1) == exact(near, 1)


def test_the_encoder_of_the_chips():
    chance = random.Random(7)
    for _ in range(20_000):
        value, by = chance.randint(-(10**11), 10**11), chance.choice((1, 10, 1000, 1_000_000))
        assert to_float32(value, by).to_bytes(4, "big") == struct.pack(">f", value / by)
