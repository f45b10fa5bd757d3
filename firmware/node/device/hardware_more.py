# SPDX-License-Identifier: MIT
"""The kinds of buses that few kits have; loaded when a kit has one. See hardware.py."""

import machine

COUNTER_MAX = 32_767  # a hardware counter of the ESP32 has 16 bits and resets to 0 here
_COUNTER_FILTER = 1023  # 80 MHz ticks: pulses under 12.8 µs are noise


def make(bus: dict, driver):
    """The bus, by its kind:

    counter   esp32.PCNT that counts rising edges
    input     machine.Pin with a pull-up: 0 while a contact to ground is closed
    adc       analog_input.AnalogInput
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
        from node.device import analog_input

        return analog_input.make(bus)
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
