# SPDX-License-Identifier: MIT
"""The only maker of Pin, I2C, UART and PCNT: from a board's description to its buses."""

import esp32
import machine

COUNTER_MAX = 32_767  # a hardware counter of the ESP32 has 16 bits and resets to 0 here
_COUNTER_FILTER = 1023  # 80 MHz ticks: pulses under 12.8 µs are noise


class Hardware:
    """board: the content of board.json, whose `buses` name pins and peripheral numbers; names: of
    the buses that are used. KeyError when the board lacks one."""

    def __init__(self, board: dict, names):
        self._buses = {name: board["buses"][name] for name in names}
        self._made = {}

    def bus(self, name: str, driver):
        """The bus `name` as the driver class needs it, made once. KeyError: no such bus."""
        made = self._made.get(name)
        if made is None:
            made = self._made[name] = self._make(self._buses[name], driver)
        return made

    def _make(self, bus: dict, driver):
        if bus["kind"] == "i2c":
            scl, sda = machine.Pin(bus["scl"]), machine.Pin(bus["sda"])
            return machine.I2C(bus["id"], scl=scl, sda=sda, freq=bus["frequency_hz"])
        if bus["kind"] == "uart":
            return machine.UART(
                bus["id"], baudrate=driver.BAUD, tx=bus["tx"], rx=bus["rx"], rxbuf=driver.RXBUF
            )
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
