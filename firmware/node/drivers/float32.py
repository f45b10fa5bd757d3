# SPDX-License-Identifier: MIT
"""IEEE 754 single-precision numbers as scaled integers, without a float."""

from node.errors import FRAME, SensorFault


def to_scaled(bits: int, scale: int) -> int:
    """The float32 of the word `bits`, times `scale`: exact, and halves go away from zero.

    Infinity and what is not a number are a FRAME fault.
    """
    exponent = bits >> 23 & 0xFF
    if exponent == 0xFF:
        raise SensorFault(FRAME)
    size = bits & 0x7FFFFF
    if exponent:
        size |= 0x800000
    size *= scale
    shift = max(exponent, 1) - 150  # the fraction's 23 bits, and the bias of 127
    if shift >= 0:
        size <<= shift
    else:
        size = (size + (1 << -shift - 1)) >> -shift
    return -size if bits >> 31 & 1 else size
