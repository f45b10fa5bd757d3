# SPDX-License-Identifier: MIT
"""The P1 port of a smart meter, as the DSMR P1 companion standards 2.2, 4.2 and 5.0.2 and e-MUCS
1.7.1 (version 50217) have it, with a gas meter on channel 1 (and with 50217 water on channel 2).

A telegram each second (from 5.0 on), or each ten. The data request is taken as held high. Who does
not listen for long gets what fits into a buffer of 4 KiB, and then the telegram under way. The gas
meter burns evenly; it tells each hour, from 5.0 on each five minutes. Numbers, names and messages
are made up.

Faults: "checksum"; "short" (the second half of each telegram is missing); "range" (999.9 V at
phase 1); "frozen" (the same telegram again and again); "names" (a text message).
"""

from simulator.buses.uart import UartLine
from simulator.chips.obis import Meter, decimal

_KEPT = 5  # telegrams: more than any receive buffer holds
_MS_PER_DM3 = 20_000
_GAS_START_DM3 = 981_443


def crc16(data: bytes) -> int:
    crc = 0
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
        self._last = b""

    def power_on(self, now_ms: int):
        Meter.power_on(self, now_ms)
        self._next_ms = now_ms - now_ms % self._period_ms + self._period_ms

    def receive(self, now_ms: int, data: bytes):
        pass  # the port has no line for it

    def transmit(self, now_ms: int) -> bytes:
        if not self._powered:
            self.power_on(now_ms)
        sent = self.said(now_ms)
        for _ in range(_KEPT):
            if self._next_ms > now_ms:
                return sent
            self._begin()
            sent += self.said(now_ms)
        late = (now_ms - self._next_ms) // self._period_ms
        if late >= 0:
            self._next_ms += late * self._period_ms
            self._begin()
            self.said(now_ms)  # nobody has room for it
        return sent

    def _begin(self):
        self.say(self._next_ms, self._telegram(self._next_ms))
        self._next_ms += self._period_ms

    def _telegram(self, now_ms: int) -> bytes:
        values = self.registers(now_ms)
        if values is None:
            return b""
        if self.fault != "frozen" or not self._last:
            lines = self._old_lines if self._version < 40 else self._lines
            text = "\r\n".join(lines(now_ms, *values)) + "\r\n!"
            data = text.encode()
            if self._version >= 40:
                data += b"%04X" % (crc16(data) ^ (self.fault == "checksum"))
            self._last = data + b"\r\n"
        return self._last[: len(self._last) // 2] if self.fault == "short" else self._last

    def _energies(self, energies, width: int) -> list:
        return [
            "1-0:%d.8.%d(%s*kWh)" % (way + 1, tariff + 1, decimal(energies[way][tariff], 3, width))
            for way in (0, 1)
            for tariff in (0, 1)
        ]

    def _gas(self, now_ms: int):
        told_ms = now_ms - now_ms % (300_000 if self._version >= 50 else 3_600_000)
        return told_ms, decimal(_GAS_START_DM3 + told_ms // _MS_PER_DM3, 3, 9)

    def _old_lines(self, now_ms: int, net_mw, volts, amps, energies) -> list:
        told_ms, gas = self._gas(now_ms)
        return ["/ISk5\\2MT382-1004", "", "0-0:96.1.1(00000000000000)"] + self._energies(
            energies, 9
        ) + [
            "0-0:96.14.0(%04d)" % (self._tariff(now_ms) + 1),
            "1-0:1.7.0(%s*kW)" % decimal(max(0, net_mw) // 1000, 2, 7),
            "1-0:2.7.0(%s*kW)" % decimal(max(0, -net_mw) // 1000, 2, 7),
            "0-0:17.0.0(0999.00*kW)",
            "0-0:96.3.10(1)",
            "0-0:96.13.1(3031203631203831)",
            "0-0:96.13.0(303132333435363738)",
            "0-1:24.1.0(3)",
            "0-1:96.1.0(000000000000)",
            "0-1:24.3.0(%s)(00)(60)(1)(0-1:24.2.1)(m3)" % self.clock(told_ms),
            "(%s)" % gas,
            "0-1:24.4.0(1)",
        ]  # fmt: skip

    def _lines(self, now_ms: int, net_mw, volts, amps, energies) -> list:
        version = self._version
        belgian = version > 50_000
        told_ms, gas = self._gas(now_ms)
        clock = self.clock(now_ms) + "W"
        power = [decimal(max(0, way) // 1000, 3, 6) for way in (net_mw, -net_mw)]
        if belgian:
            lines = ["/FLU5\\253769484_A", "", "0-0:96.1.4(%d)" % version]
        else:
            lines = ["/ISk5\\2MT382-1000", "", "1-3:0.2.8(%d)" % version]
        lines += ["0-0:1.0.0(%s)" % clock, "0-0:96.1.1(4B384547303034303436333935353037)"]
        lines += self._energies(energies, 10)
        lines += ["0-0:96.14.0(%04d)" % (self._tariff(now_ms) + 1)]
        lines += ["1-0:1.7.0(%s*kW)" % power[0], "1-0:2.7.0(%s*kW)" % power[1]]
        if belgian:
            lines += [
                "1-0:1.4.0(02.351*kW)",
                "1-0:1.6.0(260101134500W)(02.589*kW)",
                "0-0:98.1.0(1)(1-0:1.6.0)(1-0:1.6.0)(260101000000W)(632525252525W)(00.000*kW)",
            ]
        else:
            lines += [
                "0-0:96.7.21(00015)",
                "0-0:96.7.9(00007)",
                "1-0:99.97.0(2)(0-0:96.7.19)(000104180320W)(0000237126*s)(000101000001W)"
                "(2147583646*s)",
                "1-0:32.32.0(00000)",
                "1-0:32.36.0(00000)",
            ]
        if self.fault == "names":
            lines += ["0-0:96.13.0(" + "303132333435363738393A3B3C3D3E3F" * 10 + ")"]
        else:
            lines += ["0-0:96.13.0()"]
        if version >= 50:
            if self.fault == "range":
                volts[0] = 999_900
            lines += [
                "1-0:%d.7.0(%s*V)" % (32 + 20 * i, decimal(volts[i], 1, 5)) for i in range(3)
            ]
        for i in range(3):
            amp = decimal(amps[i], 2, 6) if belgian else decimal(amps[i], 0, 3)
            lines += ["1-0:%d.7.0(%s*A)" % (31 + 20 * i, amp)]
        lines += ["1-0:%d.7.0(%s*kW)" % (c, decimal(0, 3, 6)) for c in (21, 41, 61, 22, 42, 62)]
        gas_lines = ["0-1:24.1.0(003)", "0-1:96.1.%d(3232323241424344)" % belgian]
        gas_lines += ["0-1:24.2.%d(%sW)(%s*m3)" % (3 if belgian else 1, self.clock(told_ms), gas)]
        if belgian:
            gas_lines += ["0-2:24.1.0(007)", "0-2:96.1.1(3853414731323334)"]
            gas_lines += ["0-2:24.2.1(%sW)(00872.234*m3)" % self.clock(told_ms)]
        return lines + gas_lines
