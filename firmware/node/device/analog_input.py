# SPDX-License-Identifier: MIT
"""A voltage behind the board's divider, at an ADC; loaded when a kit has one. See hardware.py."""

import machine

_LOW_MV = 150  # an ESP32's ADC is true between them at 11 dB; beyond, it reads what it can
_HIGH_MV = 2450


class AnalogInput:
    """An ADC behind the board's divider; divider: (numerator, denominator), what the voltage at
    the terminal is of the voltage at the pin; range_mv: between what it reads truly there."""

    def __init__(self, adc, divider):
        self._adc = adc
        self._numerator, self._denominator = divider
        self.range_mv = (
            _LOW_MV * self._numerator // self._denominator,
            _HIGH_MV * self._numerator // self._denominator,
        )

    def read_mv(self) -> int:
        """The voltage at the terminal; the chip's own calibration (its eFuse) is applied."""
        return self._adc.read_uv() * self._numerator // (self._denominator * 1000)


def make(bus: dict) -> AnalogInput:
    adc = machine.ADC(machine.Pin(bus["pin"]), atten=machine.ADC.ATTN_11DB)
    return AnalogInput(adc, bus["divider"])
