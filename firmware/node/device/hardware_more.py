# SPDX-License-Identifier: MIT
"""The kinds of buses that few kits have; loaded when a kit has one. See hardware.py."""

import machine

COUNTER_MAX = 32_767  # a hardware counter of the ESP32 has 16 bits and resets to 0 here
_COUNTER_FILTER = 1023  # 80 MHz ticks: pulses under 12.8 µs are noise
_ADC_MV = (150, 2450)  # where an ESP32's ADC is true at 11 dB; its ends read as far as they go


class AnalogInput:
    """An ADC behind the board's divider; divider: (numerator, denominator), what the voltage at
    the terminal is of the voltage at the pin; range_mv: between what it reads truly there."""

    def __init__(self, adc, divider):
        self._adc = adc
        self._numerator, self._denominator = divider
        low, high = _ADC_MV
        self.range_mv = (
            low * self._numerator // self._denominator,
            high * self._numerator // self._denominator,
        )

    def read_mv(self) -> int:
        """The voltage at the terminal; the chip's own calibration (its eFuse) is applied."""
        return self._adc.read_uv() * self._numerator // (self._denominator * 1000)


def make(bus: dict, driver):
    """The bus, by its kind:

    counter   esp32.PCNT that counts rising edges
    input     machine.Pin with a pull-up: 0 while a contact to ground is closed
    adc       AnalogInput
    onewire   onewire.OneWire
    i2s       machine.I2S that receives, in the driver's RATE_HZ, BITS and IBUF
    ble       bluetooth.BLE, switched on
    """
    kind = bus["kind"]
    if kind == "counter":
        return _make_counter(bus)
    if kind == "input":
        return machine.Pin(bus["pin"], machine.Pin.IN, machine.Pin.PULL_UP)
    if kind == "adc":
        adc = machine.ADC(machine.Pin(bus["pin"]), atten=machine.ADC.ATTN_11DB)
        return AnalogInput(adc, bus["divider"])
    if kind == "onewire":
        from onewire import OneWire  # frozen in every stock build

        return OneWire(machine.Pin(bus["pin"]))
    if kind == "i2s":
        return machine.I2S(
            bus["id"],
            sck=machine.Pin(bus["sck"]), ws=machine.Pin(bus["ws"]), sd=machine.Pin(bus["sd"]),
            mode=machine.I2S.RX, bits=driver.BITS, format=machine.I2S.MONO, rate=driver.RATE_HZ,
            ibuf=driver.IBUF,
        )  # fmt: skip
    if kind == "ble":
        from bluetooth import BLE

        radio = BLE()
        radio.active(True)
        return radio
    raise ValueError("kind of bus")


def _make_counter(bus: dict):
    import esp32

    counter = esp32.PCNT(
        bus["id"],
        pin=machine.Pin(bus["pin"], machine.Pin.IN),
        rising=esp32.PCNT.INCREMENT,
        falling=esp32.PCNT.IGNORE,
        filter=_COUNTER_FILTER,
        min=0,
        max=COUNTER_MAX,
    )
    counter.start()
    return counter
