# SPDX-License-Identifier: MIT
"""What Bluetooth LE there is to be heard: advertisements of the devices around.

Senses `people`: who crosses x = 0 carries a device, which is in range for a minute from then on.
It has a resolvable private address (Core Specification, volume 6, part B, section 1.3.2.2) that
nobody here can resolve, and calls out every two to four seconds. Four devices live nearby: two
with a public address, two with a static random one, all further away than any passer-by. Of what
is called out, as much is heard as a radio hears that listens a quarter of the time.

Faults: "stops" (the radio stops to scan), "range" (a flood of addresses).
"""

from simulator.chips.part import Part

try:
    from cryptolib import aes
except ImportError:  # CPython, where chips run in its own world
    from simulator.hal.on_cpython.cryptolib import aes

_IN_RANGE_MS = 60_000
_PERIOD_MS = 4000
_PUBLIC, _RANDOM = 0, 1
_ADV_IND, _NONCONN = 0, 3
# Flags; then manufacturer data under the number that stands for none (0xFFFF).
_FLAGS = b"\x02\x01\x1a"
# (kind of address, address, dBm): of televisions, a lock, a bulb.
_DWELLINGS = (
    (_PUBLIC, b"\x00\x00\x5e\x00\x53\x01", -91),
    (_PUBLIC, b"\x00\x00\x5e\x00\x53\x02", -94),
    (_RANDOM, b"\xc0\x00\x5e\x00\x53\x03", -90),
    (_RANDOM, b"\xf3\x10\x5e\x00\x53\x04", -95),
)
_FLOOD = 400  # addresses a second


def resolvable_address(irk: bytes, prand: int) -> bytes:
    """prand with its top bits 01, and the hash ah(irk, prand) of it."""
    random = (prand & 0x3FFFFF | 0x400000).to_bytes(3, "big")
    return random + aes(irk, 1).encrypt(bytes(13) + random)[13:]


class BleCount(Part):
    SENSES = ("people",)

    def __init__(self, signals, min_rssi_dbm: int = -127, public: int = 0):
        # What counts is the driver's: all that is in the air is heard.
        Part.__init__(self, signals)
        self._devices = []  # (from ms, until ms, kind of address, address, dBm, phase in ms)
        self._known_ms = 0
        self._flooded = 0
        self.power_on(0)

    def power_on(self, now_ms: int):
        self._powered = True

    def advertisements(self, from_ms: int, to_ms: int) -> list:
        """Those with from_ms < time ≤ to_ms, in order."""
        self._learn()
        heard = []
        for i in range(len(_DWELLINGS)):
            kind, address, dbm = _DWELLINGS[i]
            self._call(heard, from_ms, to_ms, kind, address, dbm, i * 997)
        kept = []
        for device in self._devices:
            begin_ms, end_ms, kind, address, dbm, phase_ms = device
            if end_ms > to_ms:
                kept.append(device)
            first_ms, last_ms = max(from_ms, begin_ms), min(to_ms, end_ms)
            if first_ms < last_ms:
                self._call(heard, first_ms, last_ms, kind, address, dbm, phase_ms)
        self._devices = kept
        if self.fault == "range":
            self._flood(heard, from_ms, to_ms)
        heard.sort()
        return heard

    def _call(self, heard: list, from_ms: int, to_ms: int, kind: int, address: bytes, dbm: int,
              phase_ms: int):  # fmt: skip
        time_ms = from_ms + 1 + (phase_ms - from_ms - 1) % _PERIOD_MS
        while time_ms <= to_ms:
            # One number for all of a device: what it says is the same each time.
            payload = _FLAGS + b"\x06\xff\xff\xff\x10\x05" + address[:1]
            sway = (time_ms * 31 + phase_ms) % 7 - 3
            heard.append((time_ms, kind, address, _ADV_IND, dbm + sway, payload))
            time_ms += _PERIOD_MS

    def _flood(self, heard: list, from_ms: int, to_ms: int):
        for time_ms in range(from_ms + 1, to_ms + 1):
            if time_ms % 1000 < _FLOOD:
                self._flooded += 1
                address = resolvable_address(b"flood of devices", self._flooded)
                heard.append((time_ms, _RANDOM, address, _NONCONN, -60, _FLAGS))

    def _learn(self):
        """Takes the people whom the world has told of since."""
        known_ms, self._known_ms = self._known_ms, self._signals.known_ms
        if self._known_ms <= known_ms:
            return
        for event in self._signals.events("people", known_ms, self._known_ms):
            time_ms, direction, speed_mmps, distance_mm = event
            irk = b"".join([
                number.to_bytes(4, "big")
                for number in (time_ms & 0xFFFFFFFF, direction & 0xFF, speed_mmps, distance_mm)
            ])  # fmt: skip
            address = resolvable_address(irk, time_ms * 2_654_435 + speed_mmps)
            dbm = -52 - distance_mm // 250
            phase_ms = (time_ms * 7919 + speed_mmps) % _PERIOD_MS
            end_ms = time_ms + _IN_RANGE_MS
            self._devices.append((time_ms, end_ms, _RANDOM, address, dbm, phase_ms))
