# SPDX-License-Identifier: MIT
"""node/drivers/modbus_rtu.py and the slave's side, simulator/chips/modbus_rtu.py."""

import unittest
from binascii import unhexlify

from driver_fixture import Random, Waiting, mutated

from node.drivers.modbus_rtu import InputRegisters, crc16
from node.errors import CHECKSUM, FRAME, SILENT, SensorFault
from simulator.chips.modbus_rtu import Slave, with_crc

# Whole frames with their CRC. The first is the check value that catalogues of CRCs give.
FRAMES = (
    "313233343536373839" + "374b",
    "f8040000000a" + "6464",
    "01040000000a" + "700d",
    "02040000000a" + "703e",  # as logged by ESPHome, issue 6820
    # Answers of real meters: Tasmota issue 9687 (90.950 A), and a published reading at 225.9 V.
    "01041404d0634600" + "0190fc00001dea0002025800210000" + "d4bb",
    "f8041408d3002300000005000000020000" + "01f500060000" + "f8be",
    # Eastron SDM320Y user manual, page 42: asked for a voltage, and its answer
    "010400000002" + "71cb",
    "01040443663334" + "1b38",
    # A real SDM630, as logged in solaredge_meterproxy issue 16
    "050460"
    + "00" * 16
    + "44a37614"
    + "44916e76"
    + "440979ba"
    + "43d21a3d"
    + "43a8ca9f"
    + "00" * 12
    + "440979ba"
    + "43d21a3d"
    + "43a8ca9f"
    + "3c343958"
    + "3c8b4395"
    + "00000000"
    + "4403772b"
    + "4310b8d4"
    + "43f66b85"
    + "440377df"
    + "4310bd2f"
    + "43f66b85"
    + "52ce",
)


def reason_of(function):
    try:
        function()
    except SensorFault as err:
        return err.args[0]
    return None


class Wire(Waiting):
    """A UART with `waiting` to be read; what is written is kept, and `answer` comes back."""

    def __init__(self, answer=b""):
        Waiting.__init__(self)
        self.written = b""
        self.answer = answer

    def write(self, data):
        self.written += bytes(data)
        self.waiting += self.answer


def fuzz(count, seed):
    """Bytes by chance, and answers that are mutated, cut, doubled and summed anew; returns how
    many."""
    random = Random(seed)
    good = unhexlify(FRAMES[5])
    for _ in range(count):
        data = mutated(random, good)
        if random.below(2):
            data = with_crc(mutated(random, good[:-2]))
        registers = InputRegisters(Wire(data), 0xF8, 0, 10)
        registers.request()
        try:
            answer = registers.answer()
        except SensorFault:
            continue
        if bytes(answer[:-1]) != data or data[:3] != good[:3]:
            raise AssertionError("not an answer")
    return count


class TestCrc(unittest.TestCase):
    def test_known_frames(self):
        for text in FRAMES:
            frame = unhexlify(text)
            self.assertEqual(crc16(frame[:-2]), frame[-2] | frame[-1] << 8)
            self.assertEqual(with_crc(frame[:-2]), frame)

    def test_a_frame_with_its_crc_leaves_nothing(self):
        state = 1
        for size in range(0, 60, 7):
            data = b""
            for _ in range(size):
                state = (state * 1_103_515_245 + 12_345) & 0x7FFFFFFF
                data += bytes((state >> 16 & 0xFF,))
            self.assertEqual(crc16(with_crc(data)), 0)


class TestInputRegisters(unittest.TestCase):
    GOOD = with_crc(b"\x11\x04\x04\x12\x34\x56\x78")

    def ask(self, answer):
        registers = InputRegisters(Wire(answer), 0x11, 0x0108, 2)
        registers.request()
        return registers.answer()

    def test_request(self):
        wire = Wire()
        InputRegisters(wire, 0x11, 0x0108, 2).request()
        self.assertEqual(wire.written, with_crc(b"\x11\x04\x01\x08\x00\x02"))
        wire = Wire()
        InputRegisters(wire, 0xF8, 0, 10).request()
        self.assertEqual(wire.written, unhexlify("f8040000000a" + "6464"))

    def test_time_on_the_line(self):
        registers = InputRegisters(Wire(), 0x11, 0x0108, 2)  # 8 bytes, and 9 back
        self.assertTrue(71 <= registers.line_ms(2400) <= 76)
        self.assertTrue(18 <= registers.line_ms(9600) <= 20)

    def test_answer(self):
        self.assertEqual(self.ask(self.GOOD)[3:7], b"\x12\x34\x56\x78")

    def test_what_was_waiting_is_dropped(self):
        wire = Wire(self.GOOD)
        wire.waiting = bytes(100)
        registers = InputRegisters(wire, 0x11, 0x0108, 2)
        registers.request()
        self.assertEqual(registers.answer()[3:7], b"\x12\x34\x56\x78")

    def test_fuzz(self):
        self.assertEqual(fuzz(1000, 1), 1000)

    def test_silent(self):
        self.assertEqual(reason_of(lambda: self.ask(b"")), SILENT)

    def test_cut_or_too_long(self):
        for size in range(1, len(self.GOOD)):
            self.assertEqual(reason_of(lambda: self.ask(self.GOOD[:size])), FRAME)  # noqa: B023
        self.assertEqual(reason_of(lambda: self.ask(self.GOOD + b"\x00")), FRAME)
        self.assertEqual(reason_of(lambda: self.ask(self.GOOD * 2)), FRAME)

    def test_every_wrong_bit(self):
        for index in range(len(self.GOOD)):
            for bit in range(8):
                bad = bytearray(self.GOOD)
                bad[index] ^= 1 << bit
                self.assertEqual(reason_of(lambda: self.ask(bytes(bad))), CHECKSUM)  # noqa: B023

    def test_another_slave_function_or_size(self):
        for head in (b"\x12\x04\x04", b"\x11\x03\x04", b"\x11\x04\x05"):
            answer = with_crc(head + b"\x12\x34\x56\x78")
            self.assertEqual(reason_of(lambda: self.ask(answer)), FRAME)  # noqa: B023

    def test_refused(self):
        self.assertEqual(reason_of(lambda: self.ask(with_crc(b"\x11\x84\x02"))), FRAME)


class TestSlave(unittest.TestCase):
    def setUp(self):
        self.heard = []
        self.slave = Slave(9600, 30, self.answer)

    def answer(self, now_ms, address, function, data):
        self.heard.append((address, function, data))
        return b"\x01\x04\x02\x00\x07"

    REQUEST = with_crc(b"\x01\x04\x00\x00\x00\x01")

    def test_the_answer_comes_at_its_time_byte_by_byte(self):
        self.slave.receive(100, self.REQUEST)
        self.assertEqual(self.heard, [(1, 4, b"\x00\x00\x00\x01")])
        self.assertEqual(self.slave.transmit(138), b"")  # 8 bytes take 8 ms, then 30 ms
        got, sizes = b"", []
        for now_ms in range(139, 160):
            sent = self.slave.transmit(now_ms)
            got += sent
            sizes.append(len(sent))
        self.assertEqual(got, with_crc(b"\x01\x04\x02\x00\x07"))
        self.assertTrue(max(sizes) <= 2)
        self.assertEqual(self.slave.transmit(1000), b"")

    def test_a_request_may_come_in_pieces_but_not_with_a_pause(self):
        for baud, pause_ms, heard in ((9600, 4, 1), (9600, 5, 0), (2400, 15, 1), (2400, 16, 0)):
            self.heard = []
            self.slave = Slave(baud, 30, self.answer)
            self.slave.receive(100, self.REQUEST[:3])
            self.slave.receive(100 + pause_ms, self.REQUEST[3:])
            self.assertEqual(len(self.heard), heard)

    def test_a_wrong_crc_is_not_answered(self):
        self.slave.receive(100, self.REQUEST[:-1] + b"\x00")
        self.assertEqual(self.slave.transmit(1000), b"")
        self.slave.receive(1100, self.REQUEST)
        self.assertEqual(len(self.heard), 1)


if __name__ == "__main__":
    unittest.main()
