# SPDX-License-Identifier: MIT
"""IEEE 754 single-precision numbers, as parts send them, into integers: a board's own floats would
round a second time. Source: IEEE 754-2008, section 3.4 (binary32)."""

from node.errors import FRAME, SensorFault


def to_scaled(bits: int, scale: int) -> int:
    """The number whose 32 bits are `bits`, times `scale`, rounded half away from zero.

    Raises SensorFault FRAME for what is not a number, and for infinity.
    """
    exponent = bits >> 23 & 0xFF
    value = bits & 0x7FFFFF
    if exponent == 0xFF:
        raise SensorFault(FRAME)
    if exponent:
        value |= 0x800000
    else:
        exponent = 1  # subnormal
    value *= scale
    if exponent >= 150:
        value <<= exponent - 150
    else:
        value = (value + (1 << 149 - exponent)) >> 150 - exponent
    return -value if bits >> 31 else value
