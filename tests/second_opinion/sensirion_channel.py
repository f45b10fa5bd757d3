# SPDX-License-Identifier: MIT
"""Our simulated I2C bus as what Sensirion's own drivers talk through: an I2cTransceiver of
sensirion-i2c-driver, and the channel of sensirion-driver-adapters around it."""


class Transceiver:
    """bus: simulator.buses.i2c.I2CBus; wait: function that lets so many seconds go by."""

    API_VERSION = 1
    STATUS_OK, STATUS_CHANNEL_DISABLED, STATUS_NACK, STATUS_TIMEOUT = range(4)
    description = "simulated"
    channel_count = None

    def __init__(self, bus, wait):
        self._bus = bus
        self._wait = wait

    def transceive(self, slave_address, tx_data, rx_length, read_delay, timeout):
        received = b""
        try:
            if tx_data is not None:
                self._bus.writeto(slave_address, tx_data)
            self._wait(read_delay)
            if rx_length:
                received = self._bus.readfrom(slave_address, rx_length)
        except OSError as err:
            return self.STATUS_NACK, err, b""
        return self.STATUS_OK, None, received


def connection(bus, wait):
    from sensirion_i2c_driver import I2cConnection

    return I2cConnection(Transceiver(bus, wait))


def channel(bus, wait, address: int):
    from sensirion_driver_adapters.i2c_adapter.i2c_channel import I2cChannel
    from sensirion_i2c_driver.crc_calculator import CrcCalculator

    return I2cChannel(
        connection(bus, wait), slave_address=address, crc=CrcCalculator(8, 0x31, 0xFF, 0x0)
    )
