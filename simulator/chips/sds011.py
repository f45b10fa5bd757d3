# SPDX-License-Identifier: MIT
"""Nova Fitness SDS011: frames, commands and states of its control protocol V1.3.

Senses pm2_5_ngm3 and pm10_ngm3; silent in a gap of either. Whether it reports by itself (each
second) or when asked, its working period and its sleep outlive a power cut. Asleep, it hears only
the command to work. Until its fan has run for 30 s it tells too little; what it tells sways by
a step. Not modelled: another id.

Faults: "checksum"; "short" (frames end after 6 bytes); "range" (0xFFFF); "frozen" (the same two
values again and again).
"""

from struct import pack

from simulator.chips.part import Part
from simulator.chips.sending import Sending

_COMMAND_BYTES = 19
_HEAD, _TAIL = 0xAA, 0xAB
_COMMAND, _DATA, _REPLY = 0xB4, 0xC0, 0xC5
_MODE, _QUERY, _SLEEP, _FIRMWARE, _PERIOD = 2, 4, 6, 7, 8
_ID = b"\xa1\x60"  # the one of the protocol's examples
_ANY_ID = b"\xff\xff"
_DATE = b"\x0f\x07\x0a"  # firmware of 2015-07-10
_REPORT_MS = 1000
_THINK_MS = 20
_FAN_MS = 30_000
_HIGHEST = 9999
_MOST_FRAMES = 64  # more than any receive buffer holds


def packet(kind: int, data: bytes) -> bytes:
    return bytes((_HEAD, kind)) + data + bytes((sum(data) & 0xFF, _TAIL))


class SDS011(Part):
    SENSES = ("pm2_5_ngm3", "pm10_ngm3")
    BAUD = 9600

    def __init__(self, signals):
        Part.__init__(self, signals)
        self._sending = Sending(self.BAUD)
        self._active = self._awake = True
        self._period = 0  # minutes; 0: always at work
        self._sway = 1
        self._frozen = None
        self.power_on(0)

    def power_on(self, now_ms: int):
        self._powered = True
        self._fan_ms = now_ms
        self._next_ms = now_ms + _REPORT_MS
        self._heard = b""
        self._sending.clear()

    # what it hears

    def receive(self, now_ms: int, data: bytes):
        self._speak(now_ms)
        if self._levels(now_ms) is None:
            return
        self._heard += data
        while True:
            start = self._heard.find(bytes((_HEAD, _COMMAND)))
            self._heard = self._heard[start:] if start >= 0 else self._heard[-1:]
            if start < 0 or len(self._heard) < _COMMAND_BYTES:
                return
            command = self._heard[:_COMMAND_BYTES]
            if packet(_COMMAND, command[2:17]) == command:
                self._heard = self._heard[_COMMAND_BYTES:]
                if command[15:17] in (_ID, _ANY_ID):
                    self._obey(now_ms, command[2], command[3] == 1, command[4])
            else:
                self._heard = self._heard[1:]

    def _obey(self, now_ms: int, command: int, sets: bool, value: int):
        at_ms = now_ms + _THINK_MS
        if not self._awake and not (command == _SLEEP and sets and value):
            return
        if command == _QUERY:
            self._say(at_ms, None)
        elif command == _FIRMWARE:
            self._reply(at_ms, bytes((command,)) + _DATE)
        elif command == _MODE:
            if sets:
                self._active = value == 0
            self._reply(at_ms, bytes((command, sets, 0 if self._active else 1, 0)))
        elif command == _SLEEP:
            if sets and not self._awake:
                self._fan_ms = now_ms
            if sets:
                self._awake = value != 0
            self._reply(at_ms, bytes((command, sets, 1 if self._awake else 0, 0)))
        elif command == _PERIOD and value <= 30:
            if sets:
                self._period = value
            self._reply(at_ms, bytes((command, sets, self._period, 0)))
        if sets:
            self._next_ms = now_ms + _REPORT_MS

    # what it says

    def transmit(self, now_ms: int) -> bytes:
        self._speak(now_ms)
        return self._sending.sent(now_ms)

    def _speak(self, now_ms: int):
        """Queues the frames of the active mode up to now."""
        if not self._powered:
            self.power_on(now_ms)
        if not self._active or not self._awake:
            return
        every_ms = self._period * 60_000 or _REPORT_MS
        for _ in range(_MOST_FRAMES):
            if self._next_ms > now_ms:
                return
            self._say(self._next_ms, None)
            self._next_ms += every_ms
        self._next_ms = now_ms + every_ms

    def _reply(self, at_ms: int, data: bytes):
        self._say(at_ms, packet(_REPLY, data + _ID))

    def _say(self, at_ms: int, data):
        """Queues a reply, or (None) a frame of what there is at that moment."""
        at_ms = self._sending.free_ms(at_ms)
        data = self._frame(at_ms) if data is None else data
        if data:
            self._sending.add(at_ms, data)

    def _levels(self, now_ms: int):
        level, at = self._signals.level, min(now_ms, self._signals.until_ms)
        levels = [level(name, at) for name in self.SENSES]
        return None if None in levels else levels

    def _noise(self) -> int:
        """-1, 0 or 1 step, by chance (a linear congruence)."""
        self._sway = (self._sway * 1_103_515_245 + 12_345) & 0x3FFFFFFF
        return (self._sway >> 16) % 3 - 1

    def _frame(self, at_ms: int) -> bytes:
        levels = self._levels(at_ms)
        if levels is None:
            return b""
        fan_ms = min(at_ms - self._fan_ms, _FAN_MS)
        steps = [(v * fan_ms // _FAN_MS + 50) // 100 for v in levels]
        steps = [min(max(n + self._noise(), 0), _HIGHEST) for n in steps]
        if self.fault != "frozen":
            self._frozen = None
        elif self._frozen is None:
            self._frozen = steps
        else:
            steps = self._frozen
        if self.fault == "range":
            steps = [0xFFFF] * 2
        data = packet(_DATA, pack("<HH", *steps) + _ID)
        if self.fault == "checksum":
            data = data[:8] + bytes((data[8] ^ 0x01,)) + data[9:]
        return data[:6] if self.fault == "short" else data
