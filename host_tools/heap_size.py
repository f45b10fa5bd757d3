# SPDX-License-Identifier: MIT
"""The heap of a simulated node, as a person writes it."""

import re

_MIN, _MAX = 96 << 10, 512 << 20
FORM = "a heap is 96k to 512M: 128k is an ESP32's"


def is_heap(text: str) -> bool:
    """Whether MicroPython can be started with it: 128k, 1M."""
    match = re.fullmatch(r"([1-9]\d{0,9})([kKmM]?)", text)
    size = int(match[1]) << {"": 0, "k": 10, "m": 20}[match[2].lower()] if match else 0
    return _MIN <= size <= _MAX
