# SPDX-License-Identifier: MIT
"""The checksum of Espressif's loaders and images: XOR of all bytes and 0xef."""

SEED = 0xEF


def checksum(data: bytes, seed: int = SEED) -> int:
    """Halves are folded onto each other, which is quick for a large block."""
    number, bits = int.from_bytes(data, "little"), 8
    while bits < len(data) * 8:
        bits *= 2
    while bits > 8:
        bits //= 2
        number = (number >> bits) ^ (number & ((1 << bits) - 1))
    return number ^ seed
