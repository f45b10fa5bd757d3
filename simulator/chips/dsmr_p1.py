# SPDX-License-Identifier: MIT
"""The P1 port of a smart meter, as the DSMR P1 companion standards 2.2, 4.2 and 5.0.2 and e-MUCS
1.7.1 (version 50217) have it, with a gas meter on channel 1 (and with 50217 water on channel 2).

A telegram each second (from 5.0 on), or each ten. The data request is taken as held high. Who does
not listen for long gets the first telegram of that time, and the rest of the one under way. The
gas meter burns evenly; it tells each hour, from 5.0 on each five minutes. Numbers, names and
messages are made up.

Faults: "checksum"; "short" (a telegram ends after twelve lines); "range" (999.9 V at
phase 1); "frozen" (the same telegram again and again).
Harmless: "names" (a text message).
"""

from simulator.buses.uart import UartLine
from simulator.chips.obis import Meter, decimal

_MS_PER_DM3 = 20_000
_GAS_START_DM3 = 981_443


def crc16(data: bytes, crc: int = 0) -> int:
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return crc


class DsmrP1(Meter):
    BAUD = 115_200

    def __init__(self, signals, version: int = 50, inverted: int = 1, baud: int = 0):
        Meter.__init__(self, signals)
        self._version = version
        old = version < 40
        self.BAUD = baud or (9600 if old else DsmrP1.BAUD)
        self._period_ms = 1000 if version >= 50 else 10_000
        form = (7, 0) if old else (8, None)
        self.FORM = form + (UartLine.INV_RX if inverted else 0,)
        if self.FORM == (8, None, 0):
            self.FORM = None
        self._next_ms = 0
        self._last = None

    def power_on(self, now_ms: int):
        Meter.power_on(self, now_ms)
        self._next_ms = now_ms - now_ms % self._period_ms + self._period_ms

    def receive(self, now_ms: int, data: bytes):
        pass  # the port has no line for it

    def transmit(self, now_ms: int) -> bytes:
        if not self._powered:
            self.power_on(now_ms)
        sent = self.said(now_ms)
        if self._next_ms > now_ms:
            return sent
        self._begin()
        sent += self.said(now_ms)
        late = (now_ms - self._next_ms) // self._period_ms
        if late >= 0:
            self._next_ms += late * self._period_ms
            self._begin()
            self.said(now_ms)
        return sent

    def _begin(self):
        self.say(self._next_ms, self._telegram(self._next_ms))
        self._next_ms += self._period_ms

    def _telegram(self, now_ms: int):
        """Its pieces."""
        told = now_ms, self.registers(now_ms)
        if self.fault == "frozen":
            told = self._last or told
        self._last = told
        if told[1] is None:
            return
        crc = 0
        for number, line in enumerate(self._lines(told[0], *told[1])):
            if number == 12 and self.fault == "short":
                return
            line = (line + ("\r\n" if line != "!" else "")).encode()
            crc = crc16(line, crc)
            yield line
        yield b"\r\n" if self._version < 40 else b"%04X\r\n" % (crc ^ (self.fault == "checksum"))

    def _lines(self, now_ms: int, net_mw, volts, amps, energies):
        version = self._version
        if version < 40:
            from simulator.chips import dsmr_p1_more

            yield from dsmr_p1_more.old_lines(self, now_ms, net_mw, energies)
            return
        belgian = version > 50_000
        yield "/FLU5\\253769484_A" if belgian else "/ISk5\\2MT382-1000"
        yield ""
        yield "0-0:96.1.4(%d)" % version if belgian else "1-3:0.2.8(%d)" % version
        yield "0-0:1.0.0(%sW)" % self.clock(now_ms)
        yield "0-0:96.1.1(4B384547303034303436333935353037)"
        yield from self.energies(energies, 10)
        yield "0-0:96.14.0(%04d)" % (self.tariff(now_ms) + 1)
        yield "1-0:1.7.0(%s*kW)" % decimal(max(0, net_mw) // 1000, 3, 6)
        yield "1-0:2.7.0(%s*kW)" % decimal(max(0, -net_mw) // 1000, 3, 6)
        if belgian:
            yield "1-0:1.4.0(02.351*kW)"
            yield "1-0:1.6.0(260101134500W)(02.589*kW)"
            yield "0-0:98.1.0(1)(1-0:1.6.0)(1-0:1.6.0)(260101000000W)(632525252525W)(00.000*kW)"
        else:
            yield "0-0:96.7.21(00015)"
            yield "1-0:99.97.0(1)(0-0:96.7.19)(000104180320W)(0000237126*s)"
            yield "1-0:32.32.0(00000)"
        yield "0-0:96.13.0(%s)" % ("30313233343536373839" * 16 if self.fault == "names" else "")
        for i in range(3):
            if version >= 50:
                volt = 999_900 if self.fault == "range" else volts[i]
                yield "1-0:%d.7.0(%s*V)" % (32 + 20 * i, decimal(volt, 1, 5))
        for i in range(3):
            amp = decimal(amps[i], 2, 6) if belgian else decimal(amps[i], 0, 3)
            yield "1-0:%d.7.0(%s*A)" % (31 + 20 * i, amp)
        for i in range(3):
            yield "1-0:%d.7.0(00.000*kW)" % (21 + 20 * i)
        told_ms, gas = self.gas(now_ms)
        yield "0-1:24.1.0(003)"
        yield "0-1:96.1.%d(3232323241424344)" % belgian
        yield "0-1:24.2.%d(%sW)(%s*m3)" % (3 if belgian else 1, self.clock(told_ms), gas)
        if belgian:
            yield "0-2:24.1.0(007)"
            yield "0-2:24.2.1(%sW)(00872.234*m3)" % self.clock(told_ms)
        yield "!"

    def energies(self, energies, width: int):
        for way in (0, 1):
            for tariff in (0, 1):
                wh = decimal(energies[way][tariff], 3, width)
                yield "1-0:%d.8.%d(%s*kWh)" % (way + 1, tariff + 1, wh)

    def gas(self, now_ms: int):
        told_ms = now_ms - now_ms % (300_000 if self._version >= 50 else 3_600_000)
        return told_ms, decimal(_GAS_START_DM3 + told_ms // _MS_PER_DM3, 3, 9)
