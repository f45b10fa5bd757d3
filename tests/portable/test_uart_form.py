# SPDX-License-Identifier: MIT
"""simulator/buses/uart_form.py: frames of another form, and machine.UART.init()."""

import unittest

from bench_fixture import fresh_bench

from simulator.buses.uart import UartLine
from simulator.hal import machine


class Chip:
    BAUD = 9600
    plugged = True
    wire = None

    def __init__(self, form):
        self.FORM = form
        self.sending = b""
        self.heard = b""

    def receive(self, now_ms, data):
        self.heard += data

    def transmit(self, now_ms):
        sent, self.sending = self.sending, b""
        return sent


class TestUartForm(unittest.TestCase):
    def line(self, form, **options):
        bench = fresh_bench()
        self.chip = bench.uart[1] = Chip(form)
        return machine.UART(1, 9600, tx=machine.Pin(17), rx=machine.Pin(16), **options)

    def heard(self, line, text):
        self.chip.sending = text
        self.chip.heard = b""
        line.write(text)
        return line.read(), self.chip.heard

    def test_the_same_form(self):
        for form, options in (
            (None, {}),
            ((7, 0, 0), {"bits": 7, "parity": 0}),
            ((8, 1, 0), {"parity": 1}),
            ((8, None, UartLine.INV_RX), {"invert": machine.UART.INV_RX}),
        ):
            line = self.line(form, **options)
            self.assertEqual(self.heard(line, b"/ISk5 "), (b"/ISk5 ", b"/ISk5 "))

    def test_a_parity_bit_is_taken_for_a_data_bit(self):
        line = self.line((7, 0, 0))
        # 0x41 has two ones, 0x43 three: even parity sets bit 7 of the second.
        self.assertEqual(self.heard(line, b"\x41\x43")[0], b"\x41\xc3")
        line = self.line((7, 1, 0))
        self.assertEqual(self.heard(line, b"\x41\x43")[0], b"\xc1\x43")

    def test_a_data_bit_is_taken_for_a_parity_bit(self):
        line = self.line(None, bits=7, parity=0)
        self.assertEqual(self.heard(line, b"\x41\xc3"), (b"\x41\x43", b"\x41\xc3"))

    def test_inverted_by_one_only(self):
        line = self.line((8, None, UartLine.INV_RX))
        self.assertNotEqual(self.heard(line, b"AB")[0], b"AB")
        line = self.line(None, invert=UartLine.INV_RX)
        received, sent = self.heard(line, b"AB")
        self.assertNotEqual(received, b"AB")
        self.assertEqual(sent, b"AB")  # that line is upright

    def test_frames_of_another_length(self):
        line = self.line((8, 0, 0))
        self.assertNotEqual(self.heard(line, b"AB")[0], b"AB")

    def test_init_changes_what_is_given(self):
        line = self.line((7, 0, UartLine.INV_RX))
        line.init(baudrate=9600, bits=7, parity=0, stop=1, invert=line.INV_RX)
        self.assertEqual(self.heard(line, b"abc")[0], b"abc")
        line.init(baudrate=300)
        self.assertNotEqual(self.heard(line, b"abc")[0], b"abc")
        self.chip.BAUD = 300
        self.assertEqual(self.heard(line, b"abc")[0], b"abc")
        line.init(parity=None, bits=8, invert=0)
        self.chip.FORM = None
        self.assertEqual(self.heard(line, b"abc")[0], b"abc")

    def test_init_drops_what_came(self):
        line = self.line(None)
        self.chip.sending = b"before"
        line.init(baudrate=9600)
        self.assertEqual(line.read(), None)

    def test_what_init_does_not_take(self):
        line = self.line(None)
        with self.assertRaises(TypeError):
            line.init(baud=300)
        with self.assertRaises(ValueError):
            line.init(bits=9)


if __name__ == "__main__":
    unittest.main()
