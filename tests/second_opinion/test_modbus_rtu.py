# SPDX-License-Identifier: MIT
"""Checksums and frames of node/drivers/modbus_rtu.py against pymodbus and minimalmodbus."""

import random

import pytest

from node.drivers.eastron import scaled
from node.drivers.modbus_rtu import InputRegisters, crc16
from simulator.buses.uart import UartLine
from simulator.chips.modbus_rtu import with_crc


def test_crc():
    minimalmodbus = pytest.importorskip("minimalmodbus", reason="extra second-opinion")
    rtu = pytest.importorskip("pymodbus.message.rtu", reason="extra second-opinion")
    chance = random.Random(1)
    for size in range(300):
        data = chance.randbytes(size)
        crc = crc16(data)
        assert crc.to_bytes(2, "little") == minimalmodbus._calculate_crc(data)
        assert crc.to_bytes(2, "big") == rtu.MessageRTU.compute_CRC(data).to_bytes(2, "little")
        assert with_crc(data) == data + minimalmodbus._calculate_crc(data)


class Server:
    """pymodbus' side of a slave: decodes the request, and answers with `registers`."""

    BAUD = 9600
    plugged = True
    wire = None

    def __init__(self, registers: dict):
        factory = pytest.importorskip("pymodbus.factory", reason="extra second-opinion")
        rtu = pytest.importorskip("pymodbus.framer.rtu_framer", reason="extra second-opinion")
        self._messages = pytest.importorskip("pymodbus.register_read_message")
        self._framer = rtu.ModbusRtuFramer(factory.ServerDecoder(), client=None)
        self._registers = registers
        self._sending = b""

    def receive(self, now_ms, data):
        self._framer.processIncomingPacket(data, self._answer, slave=0, single=True)

    def _answer(self, request):
        assert isinstance(request, self._messages.ReadInputRegistersRequest)
        words = range(request.address, request.address + request.count)
        values = [self._registers.get(word, 0) for word in words]
        response = self._messages.ReadInputRegistersResponse(values)
        response.slave_id = request.slave_id
        self._sending += self._framer.buildPacket(response)

    def transmit(self, now_ms):
        sent, self._sending = self._sending, b""
        return sent


def test_frames_that_pymodbus_writes():
    payload = pytest.importorskip("pymodbus.payload", reason="extra second-opinion")
    endian = pytest.importorskip("pymodbus.constants", reason="extra second-opinion").Endian
    builder = payload.BinaryPayloadBuilder(byteorder=endian.BIG, wordorder=endian.BIG)
    values = (230.2, 0.0, 12.375, -4551.526, 0.998, 49.98, 10_909.282, 1e-5)
    for value in values:
        builder.add_32bit_float(value)
    server = Server({0x0100 + i: word for i, word in enumerate(builder.to_registers())})
    line = UartLine(lambda: 0, server, 9600, 128)
    registers = InputRegisters(line, 17, 0x0100, 2 * len(values))
    registers.request()
    data = memoryview(registers.answer())[3:]
    for i, value in enumerate(values):
        assert scaled(data, 2 * i, 1000) == round(value * 1000)
