# SPDX-License-Identifier: MIT
"""Plantower PMS5003: frames, commands and timing of its data manual V2.3.

Senses pm1_0_ngm3, pm2_5_ngm3 and pm10_ngm3 when a frame begins; silent in a gap of any of them.
Powers up in active mode (a frame each 2.3 s). Until its fan has run for 30 s it tells too little.
In passive mode an answer comes as late as the manual allows. Not modelled: the faster pace of the
active mode when values change.

Faults: "checksum"; "short" (frames end after 20 bytes); "range" (concentrations of 0xFFFF).
"""

from struct import pack

from simulator.chips.part import Part
from simulator.chips.sending import Sending

_START = b"\x42\x4d"
_MODE, _READ, _SLEEP = 0xE1, 0xE2, 0xE4
_COMMAND_BYTES = 7
_ACTIVE_MS = 2300
_THINK_MS = {_MODE: 20, _READ: 960, _SLEEP: 20}
_FAN_MS = 30_000
_MOST_FRAMES = 64  # more than any receive buffer holds


def _summed(data: bytes) -> bytes:
    return data + pack(">H", sum(data) & 0xFFFF)


class PMS5003(Part):
    SENSES = ("pm1_0_ngm3", "pm2_5_ngm3", "pm10_ngm3")
    BAUD = 9600

    def __init__(self, signals):
        Part.__init__(self, signals)
        self._sending = Sending(self.BAUD)
        self.power_on(0)

    def power_on(self, now_ms: int):
        self._powered = self._awake = self._active = True
        self._fan_ms = now_ms
        self._next_ms = now_ms + _ACTIVE_MS
        self._heard = b""
        self._sending.clear()

    def receive(self, now_ms: int, data: bytes):
        self._speak(now_ms)
        if self._levels(now_ms) is None:
            return
        self._heard += data
        while True:
            start = self._heard.find(_START)
            self._heard = self._heard[start:] if start >= 0 else self._heard[-1:]
            if start < 0 or len(self._heard) < _COMMAND_BYTES:
                return
            command = self._heard[:_COMMAND_BYTES]
            if _summed(command[:-2]) == command:
                self._heard = self._heard[_COMMAND_BYTES:]
                self._obey(now_ms, command[2], command[4])
            else:
                self._heard = self._heard[1:]

    def transmit(self, now_ms: int) -> bytes:
        self._speak(now_ms)
        return self._sending.sent(now_ms)

    def _obey(self, now_ms: int, command: int, value: int):
        if command == _READ:
            if self._awake and not self._active:
                self._say(now_ms + _THINK_MS[_READ], None)
            return
        if command == _MODE:
            self._active = value != 0
        elif command == _SLEEP:
            if value and not self._awake:
                self._fan_ms = now_ms
            self._awake = value != 0
        else:
            return
        self._next_ms = now_ms + _ACTIVE_MS
        self._say(now_ms + _THINK_MS[command], _summed(_START + bytes((0, 4, command, value))))

    def _speak(self, now_ms: int):
        """Queues the frames of the active mode up to now."""
        if not self._powered:
            self.power_on(now_ms)
        if self._active and self._awake and self._next_ms <= now_ms:
            for _ in range(_MOST_FRAMES):
                self._say(self._next_ms, None)
                self._next_ms += _ACTIVE_MS
                if self._next_ms > now_ms:
                    return
            self._next_ms = now_ms + _ACTIVE_MS

    def _say(self, at_ms: int, data):
        """Queues an acknowledgement, or (None) a frame of what there is at that moment."""
        at_ms = self._sending.free_ms(at_ms)
        data = self._frame(at_ms) if data is None else data
        if data:
            self._sending.add(at_ms, data)

    def _levels(self, now_ms: int):
        level, at = self._signals.level, min(now_ms, self._signals.until_ms)
        levels = [level(name, at) for name in ("pm1_0_ngm3", "pm2_5_ngm3", "pm10_ngm3")]
        return None if None in levels else levels

    def _frame(self, at_ms: int) -> bytes:
        levels = self._levels(at_ms)
        if levels is None:
            return b""
        fan_ms = min(at_ms - self._fan_ms, _FAN_MS)
        air = [min((v * fan_ms // _FAN_MS + 500) // 1000, 0xFFFF) for v in levels]
        if self.fault == "range":
            air = [0xFFFF] * 3
        # In factory air (CF=1) the same particles count for more above 30 µg/m³.
        factory = [min(v + max(0, v - 30) // 2, 0xFFFF) for v in air]
        counts = [min(air[1] * share, 0xFFFF) for share in (180, 52, 9, 1)] + [0, 0]
        words = factory + air + counts + [0x9700]
        data = _summed(_START + pack(">14H", 28, *words))
        if self.fault == "checksum":
            data = data[:-1] + bytes((data[-1] ^ 0x01,))
        return data[:20] if self.fault == "short" else data
