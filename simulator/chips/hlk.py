# SPDX-License-Identifier: MIT
"""What Hi-Link's radars HLK-LD2450 and HLK-LD2451 have in common: ten frames a second, commands
and acknowledgements, after the serial protocols V1.03 of both.

In configuration mode it sends acknowledgements and no frames. A subclass has BAUD, _ENABLED (what
the acknowledgement of "enable" says), _frames(first_ms, count) and, for commands of its own,
_set(command, value), which returns the value of the acknowledgement.
"""

from simulator.chips.part import Part

PERIOD_MS = 100
_BOOT_MS = 1000
_KEPT_FRAMES = 150  # more than any receive buffer: later ones would be lost anyway

_HEAD, _TAIL = b"\xfd\xfc\xfb\xfa", b"\x04\x03\x02\x01"
_ENABLE, _END, _RESTART, _BLUETOOTH = 0xFF, 0xFE, 0xA3, 0xA4
DONE, REFUSED = b"\x00\x00", b"\x01\x00"


class HLKRadar(Part):
    _ENABLED = b"\x00\x00\x01\x00\x40\x00"  # version 1, buffer of 64

    def __init__(self, signals):
        Part.__init__(self, signals)
        self._bluetooth_setting = True

    def power_on(self, now_ms: int):
        self._next_ms = now_ms + _BOOT_MS
        self._heard = self._answers = b""
        self._configuring = False
        self._powered = True
        self.bluetooth = self._bluetooth_setting

    def transmit(self, now_ms: int) -> bytes:
        """All bytes sent since the last call, up to `now_ms`."""
        if not self._powered:
            self.power_on(now_ms)
        answers, self._answers = self._answers, b""
        now_ms = min(now_ms, self._signals.until_ms)
        if now_ms < self._next_ms:
            return answers
        first_ms = self._next_ms
        count = (now_ms - first_ms) // PERIOD_MS + 1
        self._next_ms += count * PERIOD_MS
        if self._configuring:
            return answers
        return answers + self._frames(first_ms, min(count, _KEPT_FRAMES))

    def receive(self, now_ms: int, data: bytes):
        """Commands: head, length of what follows (2 bytes), command (2 bytes), value, tail."""
        if not self._powered:
            self.power_on(now_ms)
        self._heard += data
        while True:
            begin = self._heard.find(_HEAD)
            if begin < 0 or len(self._heard) < begin + 8:
                return
            size = self._heard[begin + 4]
            command = self._heard[begin + 6 : begin + 6 + size]
            if len(self._heard) < begin + 10 + size:
                return
            self._heard = self._heard[begin + 10 + size :]
            self._obey(now_ms, command[0], command[2:])

    def _obey(self, now_ms: int, command: int, value: bytes):
        if command == _ENABLE:
            self._configuring = True
            self._acknowledge(command, self._ENABLED)
        elif not self._configuring:
            return  # anything before "enable" is invalid
        elif command == _END:
            self._configuring = False
            self._acknowledge(command, DONE)
        elif command == _RESTART:
            self.power_on(now_ms)
            self._acknowledge(command, DONE)  # sent before it restarts
        else:
            self._acknowledge(command, self._set(command, value))

    def _set(self, command: int, value: bytes) -> bytes:
        if command != _BLUETOOTH:
            return REFUSED
        self._bluetooth_setting = value[0] != 0
        return DONE

    def _acknowledge(self, command: int, value: bytes):
        size = bytes((len(value) + 2, 0))
        self._answers += _HEAD + size + bytes((command, 0x01)) + value + _TAIL
