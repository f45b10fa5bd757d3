# SPDX-License-Identifier: MIT
"""What utility meters have in common: registers, and lines of OBIS in ASCII.

Senses power_mw, pv_power_mw (what the sun gives at the same connection; 0 where the world has
none) and voltage_mv of phase 1. The load is spread evenly over three phases, whose voltages lie a
little apart. Two tariffs: the second from 07:00 to 23:00 of the meter's clock, whose months have
28 days. Without mains, and in a gap, it is silent; its registers survive that.
"""

from simulator.chips.part import Part

_SUPPLY_MIN_MV = 80_000
_STEP_MS = 5000
_MWMS_PER_WH = 3_600_000_000  # mW·ms
_DAY_S = 86_400
_PHASES_MV = (0, 600, -400)

START_WH = ((1_581_123, 1_435_706), (4_426, 2_399))  # import and export: tariff 1, tariff 2


def decimal(value: int, decimals: int, width: int) -> str:
    """`value` in thousandths with so many decimals, padded to `width` characters."""
    value //= 10 ** (3 - decimals)
    digits = "%0*d" % (width - (decimals > 0), value)
    if not decimals:
        return digits
    return digits[:-decimals] + "." + digits[-decimals:]


class Meter(Part):
    SENSES = ("power_mw", "pv_power_mw", "voltage_mv")

    def __init__(self, signals):
        Part.__init__(self, signals)
        self._mwms = [[0, 0], [0, 0]]  # import and export: tariff 1, tariff 2
        self._counted_ms = 0
        self.clear()

    def clear(self):
        """Forgets what is being sent."""
        self.say(0, ())

    def power_on(self, now_ms: int):
        self.clear()
        self._counted_ms = now_ms
        self._powered = True

    # the line

    def say(self, begin_ms: int, pieces):
        """pieces: bytes, made when their time has come, as heaps are small."""
        self._sending = b""
        self._sending_ms = begin_ms
        self._pieces = iter(pieces)
        self._is_over = False

    def said(self, now_ms: int) -> bytes:
        """What was sent up to `now_ms`; both forms have frames of ten bits."""
        size = (now_ms - self._sending_ms) * self.BAUD // 10_000
        if size <= 0:
            return b""
        sending = bytearray(self._sending)
        if len(sending) <= size:
            for piece in self._pieces:
                sending += piece
                if len(sending) > size:
                    break
            self._is_over = len(sending) <= size
        self._sending = bytes(sending[size:])
        sent = bytes(sending[:size])
        self._sending_ms += len(sent) * 10_000 // self.BAUD
        return sent

    # the registers

    def clock(self, now_ms: int) -> str:
        """YYMMDDhhmmss"""
        days, second = divmod(now_ms // 1000, _DAY_S)
        months = days // 28
        fields = (26 + months // 12, months % 12 + 1, days % 28 + 1,
                  second // 3600, second // 60 % 60, second % 60)  # fmt: skip
        return "%02d%02d%02d%02d%02d%02d" % fields

    def tariff(self, now_ms: int) -> int:
        return 1 if 7 <= now_ms // 3_600_000 % 24 < 23 else 0

    def net_mw(self, now_ms: int):
        power_mw = self._signals.level("power_mw", now_ms, 0)
        sun_mw = self._signals.level("pv_power_mw", now_ms, 0)
        return None if power_mw is None or sun_mw is None else power_mw - sun_mw

    def count(self, now_ms: int):
        """Counts what has passed since."""
        now_ms = min(now_ms, self._signals.until_ms)
        at_ms = self._counted_ms
        while at_ms < now_ms:
            end_ms = min(at_ms - at_ms % _STEP_MS + _STEP_MS, now_ms)
            net_mw = self.net_mw(at_ms)
            if net_mw:
                self._mwms[net_mw < 0][self.tariff(at_ms)] += abs(net_mw) * (end_ms - at_ms)
            at_ms = end_ms
        self._counted_ms = max(now_ms, self._counted_ms)

    def registers(self, now_ms: int):
        """(net mW, phases mV, phases mA, Wh of import and export, each of tariff 1 and 2); None
        while it is silent."""
        self.count(now_ms)
        now_ms = min(now_ms, self._signals.until_ms)
        net_mw = self.net_mw(now_ms)
        volts = self._signals.level("voltage_mv", now_ms, 230_000)
        if net_mw is None or volts is None or volts < _SUPPLY_MIN_MV:
            return None
        volts = [volts + apart for apart in _PHASES_MV]
        amps = [abs(net_mw) * 1000 // (3 * volt) for volt in volts]
        energies = [
            [start + mwms // _MWMS_PER_WH for start, mwms in zip(*pair)]
            for pair in zip(START_WH, self._mwms)
        ]
        return net_mw, volts, amps, energies
