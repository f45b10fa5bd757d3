# SPDX-License-Identifier: MIT
"""An electricity meter with an optical port, as IEC 62056-21:2002 says: modes A, B and C.

`identification` decides on the mode by its fifth character: 0 to 6 is C, A to F is B, another one
A. It listens at 300 baud, answers `reaction_ms` after a message (200 to 1500), and waits 2 s
for an acknowledgement; without one it tells its data at 300 baud. It cannot be programmed.

Faults: "checksum" (of the block); "short" (the data message is cut); "range" (99 MW).
Harmless: "echo" (the optical head gives back what it is sent).
"""

from simulator.chips.obis import Meter, decimal

_PATIENCE_MS = 2000
_IDLE, _NAMING, _READOUT = 0, 1, 2
_RATES_C, _RATES_B = b"0123456", b"ABCDEF"


def block_check(data: bytes) -> int:
    check = 0
    for byte in data:
        check ^= byte
    return check


class Iec62056(Meter):
    BAUD = 300
    FORM = (7, 0, 0)
    reaction_ms = 250  # from a message to its answer
    identification = b"/ISK5MT174-0001\r\n"

    def __init__(self, signals):
        Meter.__init__(self, signals)
        self.power_on(0)

    def power_on(self, now_ms: int):
        Meter.power_on(self, now_ms)
        self._rest()

    def _rest(self):
        self.BAUD = Iec62056.BAUD
        self._state = _IDLE
        self._heard = self._echo = b""
        self._named_ms = 0  # when the identification has left

    def transmit(self, now_ms: int) -> bytes:
        if not self._powered:
            self.power_on(now_ms)
        if self._is_over:
            if self._state == _READOUT:
                self._rest()
            elif self._state == _NAMING:
                self._go_on(now_ms)
        echo, self._echo = self._echo, b""
        return echo + self.said(now_ms)

    def receive(self, now_ms: int, data: bytes):
        if not self._powered:
            self.power_on(now_ms)
        if self.fault == "echo":
            self._echo += data
        self._heard = (self._heard + data)[-32:]
        end_ms = now_ms + len(data) * 10_000 // self.BAUD
        if self._heard.endswith(b"!\r\n") and self._heard.find(b"/?") >= 0:
            self._heard = b""
            if self.registers(now_ms) is not None:
                self._state = _NAMING
                self.say(end_ms + self.reaction_ms, (self.identification,))
                named_bits = len(self.identification) * 10_000
                self._named_ms = end_ms + self.reaction_ms + named_bits // self.BAUD
        elif self._state == _NAMING and self._heard.endswith(b"\r\n"):
            self._obey(end_ms, self._heard[-6:])

    def _obey(self, now_ms: int, heard: bytes):
        """An acknowledgement: of what was offered, or to stay at 300 baud."""
        rate = heard[2:3]
        offer = self.identification[4:5]
        if rate in (offer, b"0") and heard == b"\x060" + rate + b"0\r\n":
            self._readout(now_ms + self.reaction_ms, _RATES_C.find(rate))
        else:
            self._rest()

    def _go_on(self, now_ms: int):
        """After the identification: modes A and B wait for nothing, mode C not for ever."""
        offer = self.identification[4:5]
        if offer not in _RATES_C:
            self._readout(self._named_ms + self.reaction_ms, 1 + _RATES_B.find(offer))
        elif now_ms - self._named_ms > _PATIENCE_MS:
            self._readout(self._named_ms + _PATIENCE_MS, 0)

    def _readout(self, begin_ms: int, rate: int):
        values = self.registers(begin_ms)
        self._state = _READOUT
        self._heard = b""
        self.BAUD = Iec62056.BAUD << rate
        self.say(begin_ms, () if values is None else (self._message(begin_ms, *values),))

    def _message(self, now_ms: int, net_mw, volts, amps, energies) -> bytes:
        clock = self.clock(now_ms)
        lines = ["F.F(00000000)", "0.0.0(50871031)", "0.9.1(%s)" % clock[6:]]
        for way in (0, 1):
            told = (sum(energies[way]),) + tuple(energies[way])
            for tariff in range(3):
                wh = decimal(told[tariff], 3, 10)
                lines.append("1-0:%d.8.%d*255(%s*kWh)" % (way + 1, tariff, wh))
                lines.append("1-0:%d.8.%d*01(000123.456*kWh)" % (way + 1, tariff))
        watts = 99_000_000 if self.fault == "range" else net_mw // 1000
        lines.append("1-0:16.7.0*255(%s%s*kW)" % ("-" * (watts < 0), decimal(abs(watts), 3, 6)))
        for i in range(3):
            lines.append("%d.7.0(%s*V)" % (32 + 20 * i, decimal(volts[i], 1, 5)))
            lines.append("%d.7.0(%s*A)" % (31 + 20 * i, decimal(amps[i], 2, 6)))
        lines += ["1.6.1(00.641*kW)(2601091845)", "C.5.0(L1-L2-L3)", "C.1.0(53965555)"]
        body = ("\r\n".join(lines) + "\r\n!\r\n\x03").encode()
        check = block_check(body) ^ (self.fault == "checksum")
        message = b"\x02" + body + bytes((check,))
        return message[: len(message) // 2] if self.fault == "short" else message
