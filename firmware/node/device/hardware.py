# SPDX-License-Identifier: MIT
"""The only maker of Pin, I2C, UART and PCNT: from a board's description to its buses. Kinds of
buses that few kits have are in hardware_more.py."""

import machine

from node import forget


class Hardware:
    """board: the content of board.json, whose `buses` name pins and peripheral numbers; names: of
    the buses that are used."""

    def __init__(self, board: dict, names):
        buses = board["buses"]
        self._buses = {name: buses[name] for name in names if name in buses}
        self._made = {}

    def bus(self, name: str, driver, options: dict):
        """The bus `name` as the driver class needs it, made once. KeyError: no such bus."""
        bus, made = self._buses[name], self._made.get(name)
        if made is None:
            made = self._made[name] = self._make(bus, driver, options)
        elif bus["kind"] == "i2c" and not machine.Pin(bus["sda"]).value():
            from node.device import i2c_recovery

            i2c_recovery.free(bus["scl"], bus["sda"])
            self._make(bus, driver, options)  # the peripheral of that number, set up again
        return made

    def _make(self, bus: dict, driver, options: dict):
        if bus["kind"] == "i2c":
            scl, sda = machine.Pin(bus["scl"]), machine.Pin(bus["sda"])
            return machine.I2C(bus["id"], scl=scl, sda=sda, freq=bus["frequency_hz"])
        if bus["kind"] == "uart":
            baud = options.get("baud", driver.BAUD)
            return machine.UART(
                bus["id"], baudrate=baud, tx=bus["tx"], rx=bus["rx"], rxbuf=driver.RXBUF
            )
        from node.device import hardware_more

        made = hardware_more.make(bus, driver)
        forget("device", "hardware_more")
        return made
