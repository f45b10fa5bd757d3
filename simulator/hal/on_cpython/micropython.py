# SPDX-License-Identifier: MIT
"""MicroPython's `micropython`, as far as it means something here."""


def const(value):
    return value


def native(function):
    return function


viper = native


def ptr32(buffer):
    """A word of the buffer is reached by its index: here the buffer must be an array of "i".
    Viper knows this name without an import, and so does the firmware (loader.py)."""
    return buffer


def schedule(function, argument):
    function(argument)


def opt_level(level=None):
    return 0 if level is None else None


def kbd_intr(character: int):
    """Which character interrupts a program, -1 for none: nobody types here."""
