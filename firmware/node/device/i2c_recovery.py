# SPDX-License-Identifier: MIT
"""Frees an I2C bus whose SDA a chip holds low, because a reset came within its answer.

Source: UM10204 (I2C-bus specification) rev. 7, section 3.1.16: nine clocks, after which the chip
has given all its bits and sees no acknowledge; then a STOP condition.
"""

from machine import Pin

_CLOCKS = 9  # at the pace of the interpreter, below 100 kHz


def free(scl_pin: int, sda_pin: int):
    """Both pins are plain open-drain outputs afterwards: the I2C is to be made again."""
    sda = Pin(sda_pin, Pin.OPEN_DRAIN, value=1)
    scl = Pin(scl_pin, Pin.OPEN_DRAIN, value=1)
    for _ in range(_CLOCKS):
        if sda.value():
            break
        scl.value(0)
        scl.value(1)
    scl.value(0)
    sda.value(0)
    scl.value(1)
    sda.value(1)  # SDA rises while SCL is high: STOP
