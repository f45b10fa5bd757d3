# SPDX-License-Identifier: MIT
"""Benewake TF-Luna: a lidar above a lane, frames and commands of the manual SJ-PM-TF-Luna A05.

Senses `vehicles`: each, 4.5 m long, is under the beam around its time, in whatever direction. The
beam goes down 1 m beyond far_mm to the road, and 1 m less than near_mm to a roof; strength and
distance waver. Commands: output format (9 bytes in cm or mm only), frequency; what it obeys it
repeats. Settings end with the power (they are not saved). A checksum of 0 is taken as well, as the
manual's examples have it.

Faults: "checksum"; "short" (frames end after 5 bytes); "range" (nothing to hit: strength 20);
"bright" (strength 65535); "frozen".
"""

from simulator.chips.part import Part

_LENGTH_MM = 4500
_BOOT_MS = 300
_MOST_FRAMES = 600  # more than any receive buffer holds
_VARIANTS = 16
_TEMPERATURE = (25 + 256) * 8
_STEP_HZ = 500  # frequencies are 500 / n
_FORMAT, _FREQUENCY = 0x05, 0x03
_IN_CM, _IN_MM = 0x01, 0x06


class TFLuna(Part):
    SENSES = ("vehicles",)
    BAUD = 115_200

    def __init__(self, signals, near_mm: int = 4500, far_mm: int = 5000, rate_hz: int = 100):
        # The rate is the driver's: the chip is told by a command.
        Part.__init__(self, signals)
        self._roof_mm, self._road_mm = near_mm - 1000, far_mm + 1000
        self.power_on(0)

    def power_on(self, now_ms: int):
        self._powered = True
        self._next_us = (now_ms + _BOOT_MS) * 1000
        self._heard = self._answers = b""
        self._rate_hz = 100
        self._format = _IN_CM
        self._draw()

    def _draw(self):
        """The frames there are: of the road and of a roof, each in a number of variants."""
        self._road = [self._frame(self._road_mm, 900, i) for i in range(_VARIANTS)]
        self._roof = [self._frame(self._roof_mm, 2400, i) for i in range(_VARIANTS)]

    def _frame(self, distance_mm: int, strength: int, variant: int) -> bytes:
        noise = variant * 7 % _VARIANTS - _VARIANTS // 2
        distance_mm += noise * 3
        distance = (distance_mm + 5) // 10 if self._format == _IN_CM else distance_mm
        strength += noise * 5
        if self.fault == "range":
            strength = 20
        if self.fault == "bright":
            strength = 65_535
        words = (distance, strength, _TEMPERATURE)
        data = b"\x59\x59" + b"".join([bytes((word & 0xFF, word >> 8)) for word in words])
        total = sum(data) & 0xFF
        if self.fault == "checksum":
            total ^= 0x01
        data += bytes((total,))
        return data[:5] if self.fault == "short" else data

    def transmit(self, now_ms: int) -> bytes:
        if not self._powered:
            self.power_on(now_ms)
        answers, self._answers = self._answers, b""
        now_us = min(now_ms, self._signals.until_ms) * 1000
        if now_us < self._next_us or not self._rate_hz:
            return answers
        period_us = 1_000_000 // self._rate_hz
        first_us = self._next_us
        count = (now_us - first_us) // period_us + 1
        self._next_us += count * period_us
        count = min(count, _MOST_FRAMES)
        if self.fault:
            self._draw()
        if self.fault == "frozen":
            return answers + self._road[0] * count
        number = first_us // period_us
        frames = [self._road[(number + i) % _VARIANTS] for i in range(count)]
        last_ms = (first_us + count * period_us) // 1000
        for event in self._signals.events("vehicles", first_us // 1000 - 5000, last_ms + 5000):
            time_ms, _, speed_mmps = event
            half_us = _LENGTH_MM * 500_000 // speed_mmps
            begin = -(-(time_ms * 1000 - half_us - first_us) // period_us)
            end = (time_ms * 1000 + half_us - first_us) // period_us
            for i in range(max(0, begin), min(count, end + 1)):
                frames[i] = self._roof[(number + i) % _VARIANTS]
        sent = answers + b"".join(frames)
        if self.fault:
            fault, self.fault = self.fault, None
            self._draw()  # for when it is over
            self.fault = fault
        return sent

    def receive(self, now_ms: int, data: bytes):
        """Commands: 0x5A, length of all, identity, payload, sum."""
        if not self._powered:
            self.power_on(now_ms)
        self._answers += self.transmit(now_ms)
        self._heard += data
        while True:
            begin = self._heard.find(b"\x5a")
            self._heard = self._heard[begin:] if begin >= 0 else b""
            if len(self._heard) < 2 or len(self._heard) < max(4, self._heard[1]):
                return
            frame = self._heard[: max(4, self._heard[1])]
            if frame[-1] in (0, sum(frame[:-1]) & 0xFF):
                self._heard = self._heard[len(frame) :]
                self._obey(now_ms, frame[2], frame[3:-1], frame)
            else:
                self._heard = self._heard[1:]

    def _obey(self, now_ms: int, identity: int, payload: bytes, frame: bytes):
        if identity == _FREQUENCY and len(payload) == 2:
            rate_hz = payload[0] | payload[1] << 8
            if rate_hz > 250 or (rate_hz and _STEP_HZ // rate_hz < 2):
                return
            self._rate_hz = rate_hz
            self._next_us = now_ms * 1000
        elif identity == _FORMAT and payload in (bytes((_IN_CM,)), bytes((_IN_MM,))):
            self._format = payload[0]
            self._draw()
        else:
            return
        self._answers += frame[:-1] + bytes((sum(frame[:-1]) & 0xFF,))
