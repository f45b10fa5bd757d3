# SPDX-License-Identifier: MIT
"""An electricity meter's optical head: an SML telegram each 2 s, as when its PIN was entered.

Senses power_mw (the load) and pv_power_mw (what a roof feeds in); silent in a gap of the load. Its
registers count in steps of 0.1 Wh and outlive a power cut. A telegram has the three messages of a
moderne Messeinrichtung, and the id of no meter that exists. Nobody talks to it.

Faults: "checksum"; "short" (telegrams are cut); "frozen" (the same telegram again and again);
"range" (a register of 10^17 mWh); "no_pin" (whole kWh and no power: not a fault of the meter's).
"""

from struct import pack

from simulator.chips.part import Part
from simulator.chips.sending import Sending

_PERIOD_MS = 2000
_STEP_MS = 10_000  # of the integral: the world's levels change by the minute
_MWMS_PER_STEP = 360_000_000  # 0.1 Wh in mW·ms
_MOST_TELEGRAMS = 4  # more than the receive buffer holds
_SERVER_ID = b"\x0a\x01SIM\x00\x12\x34\x56\x78"
_ESCAPE = b"\x1b\x1b\x1b\x1b"
_ENERGY_STATUS = b"\x65\x00\x1c\x01\x04"


def crc_x25(data: bytes) -> int:
    """CRC-16/X.25, bit by bit."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x8408 if crc & 1 else 0)
    return crc ^ 0xFFFF


def octets(data: bytes) -> bytes:
    """An octet string; of the longer ones the length takes two bytes."""
    if len(data) < 15:
        return bytes((len(data) + 1,)) + data
    size = len(data) + 2
    return bytes((0x80 | size >> 4, size & 15)) + data


def begin_list(count: int) -> bytes:
    return bytes((0x70 | count,)) if count < 16 else bytes((0xF0 | count >> 4, count & 15))


def unsigned(value: int, size: int) -> bytes:
    return bytes((0x61 + size,)) + pack(">Q", value)[8 - size :]


def signed(value: int, size: int) -> bytes:
    return bytes((0x51 + size,)) + pack(">q", value)[8 - size :]


def message(number: int, tag: int, body: bytes) -> bytes:
    """transactionId, groupNo, abortOnError, the choice of a body, its checksum, and the end."""
    data = b"\x76" + octets(pack(">I", number)) + b"\x62\x00\x62\x00\x72" + unsigned(tag, 2) + body
    return data + b"\x63" + pack("<H", crc_x25(data)) + b"\x00"


def telegram(messages: bytes) -> bytes:
    """In transport protocol 1: start, escaped data, fill bytes, end."""
    fill = -len(messages) % 4
    data = messages.replace(_ESCAPE, _ESCAPE + _ESCAPE) + bytes(fill)
    data = _ESCAPE + b"\x01\x01\x01\x01" + data + _ESCAPE + bytes((0x1A, fill))
    return data + pack("<H", crc_x25(data))


def entry(code: bytes, unit: int, scaler: int, value: bytes, status: bytes = b"\x01") -> bytes:
    """objName, status, valTime, unit, scaler, value, valueSignature"""
    head = b"\x77" + octets(b"\x01\x00" + code + b"\xff") + status + b"\x01"
    return head + unsigned(unit, 1) + signed(scaler, 1) + value + b"\x01"


class SML(Part):
    SENSES = ("power_mw", "pv_power_mw")
    BAUD = 9600

    def __init__(self, signals, baud: int = 9600, power_unsigned: int = 0):
        # That old DZG meters send power in their own way is the driver's; these do not.
        Part.__init__(self, signals)
        self.BAUD = baud
        self._sending = Sending(baud)
        self._registers = [0, 0]  # mW·ms taken, and fed in
        self._counted_ms = 0
        self.power_on(0)

    def power_on(self, now_ms: int):
        self._powered = True
        self._booted_ms = self._counted_ms = now_ms
        self._next_ms = now_ms + _PERIOD_MS
        self._number = 0
        self._sending.clear()
        self._last = b""

    def receive(self, now_ms: int, data: bytes):
        """An optical head only listens."""

    def transmit(self, now_ms: int) -> bytes:
        if not self._powered:
            self.power_on(now_ms)
        self._speak(min(now_ms, self._signals.until_ms))
        return self._sending.sent(now_ms)

    def _speak(self, now_ms: int):
        late = (now_ms - self._next_ms) // _PERIOD_MS - _MOST_TELEGRAMS
        if late > 0:  # nobody has listened: what it said would have been lost
            self._next_ms += late * _PERIOD_MS
        while self._next_ms <= now_ms:
            at_ms, self._next_ms = self._next_ms, self._next_ms + _PERIOD_MS
            self._count(at_ms)
            load = self._signals.level("power_mw", at_ms)
            if load is None:
                continue
            if self.fault != "frozen" or not self._last:
                self._last = self._telegram(at_ms, load)
            self._sending.add(at_ms, self._damage(self._last))

    def _damage(self, data: bytes) -> bytes:
        if self.fault == "checksum":
            return data[:-1] + bytes((data[-1] ^ 0x01,))
        return data[: len(data) // 2] if self.fault == "short" else data

    def _net_mw(self, at_ms: int, load_mw: int) -> int:
        return load_mw - (self._signals.level("pv_power_mw", at_ms, 0) or 0)

    def _count(self, now_ms: int):
        while self._counted_ms < now_ms:
            begun_ms = self._counted_ms
            self._counted_ms = min(begun_ms - begun_ms % _STEP_MS + _STEP_MS, now_ms)
            load = self._signals.level("power_mw", begun_ms)
            if load is not None:
                energy = self._net_mw(begun_ms, load) * (self._counted_ms - begun_ms)
                self._registers[energy < 0] += abs(energy)

    def _telegram(self, at_ms: int, load_mw: int) -> bytes:
        server = octets(_SERVER_ID)
        seconds = b"\x72\x62\x01" + unsigned((at_ms - self._booted_ms) // 1000, 4)
        number, self._number = self._number, self._number + 3
        steps = [energy // _MWMS_PER_STEP for energy in self._registers]
        if self.fault == "range":
            steps[0] = 10**15
        scaler = -1
        if self.fault == "no_pin":
            steps, scaler = [n // 10_000 for n in steps], 3
        listed = [
            b"\x77" + octets(b"\x01\x00\x60\x32\x01\x01") + b"\x01\x01\x01\x01" + octets(b"SIM")
            + b"\x01",
            b"\x77" + octets(b"\x01\x00\x60\x01\x00\xff") + b"\x01\x01\x01\x01" + server + b"\x01",
            entry(b"\x01\x08\x00", 30, scaler, unsigned(steps[0], 8), _ENERGY_STATUS),
            entry(b"\x02\x08\x00", 30, scaler, unsigned(steps[1], 8)),
        ]  # fmt: skip
        if self.fault != "no_pin":
            watts = signed((self._net_mw(at_ms, load_mw) + 500) // 1000, 4)
            listed.append(entry(b"\x10\x07\x00", 27, 0, watts))
        values = b"\x77\x01" + server + octets(b"\x01\x00\x62\x0a\xff\xff") + seconds
        values += begin_list(len(listed)) + b"".join(listed) + b"\x01\x01"
        opened = b"\x76\x01\x01" + octets(pack(">I", number)) + server + seconds + b"\x01"
        return telegram(
            message(number, 0x0101, opened)
            + message(number + 1, 0x0701, values)
            + message(number + 2, 0x0201, b"\x71\x01")
        )
