# SPDX-License-Identifier: MIT
"""OmniPreSense OPS243-A: 24 GHz Doppler radar; vehicles, by direction, and how fast they are.

Vehicles that pass it, since the sample before.

Bus: UART 19200 8N1, ASCII; about ten lines a second with the speed of the strongest target,
positive when it comes nearer, and its magnitude. There is no distance: a vehicle passes at a peak
of the magnitude of its direction, which is near_magnitude or more (see what a car gives at the
site), and a third of which comes before and after it. Slower than min_kmh is no vehicle. How fast
each is stays in here: what comes out is two counts, and the mean speed of the vehicles since the
mean before, once they are three or more. Sample it every 2 to 8 s.

At first it is told: JSON lines (OJ) with magnitude (OM) in m/s (UM) with two decimals (F2), no
time (Ot), and a line of zero when nothing moves (BZ), so that an empty street can be told from a
dead radar. Plain lines (magnitude, speed) are understood as well. Its serial number and board id
(?N, ?U) are never asked for. Errors: SensorFault SILENT, FRAME (lines, but none with speed and
magnitude) and FROZEN (one line of a moving target a hundred times). Lines have no checksum.

Source: UM-003-A OPS243-A user manual, pages 7, 8 and 12; AN-010 (API). That positive is nearer:
OmniPreSense's own python_processor.

Wiring: 5V 5 V; GND; TxD rx; RxD tx.

    radar = OPS243(uart, near_magnitude=20)
    wait_ms = radar.start()
    ...
    values = radar.read()  # three values, or None
"""

from micropython import const

from node.errors import FRAME, FROZEN, SILENT, SensorFault

_SET_UP = b"OJOMUMF2OtBZ"
_UNIT = b'"m-per-sec"'  # UM is answered with this
_ANSWER_MS = const(500)
_FAST_MMPS = const(100_000)
_RATIO = const(3)  # a peak stands out by this
_FORGET = const(6)  # lines
_SAME = const(100)
_TOGETHER = const(3)  # vehicles, before their mean speed is told


def _milli(text):
    """A decimal number in thousandths; None when it is none."""
    text = text.strip(b' "')
    is_negative = text[:1] == b"-"
    whole, _, part = text[1 if is_negative else 0 :].partition(b".")
    if not (whole + part).isdigit() or len(whole) > 6:
        return None
    value = int(whole or b"0") * 1000 + int((part + b"000")[:3])
    return -value if is_negative else value


class OPS243:
    BUS = "uart"
    INTERVAL_S = (2, 8)  # before its buffer is full
    BAUD = 19_200
    RXBUF = 4096
    SETTLE_MS = 0
    QUANTITIES = ("vehicles_approaching", "vehicles_receding", "vehicle_speed_mmps")

    def __init__(self, uart, near_magnitude: int = 20, min_kmh: int = 10):
        self._uart = uart
        self._near = near_magnitude * 1000
        self._slow_mmps = min_kmh * 2500 // 9
        self._is_set_up = False
        self._rest = b""  # of a line that is still to come
        self._last = b""
        self._same = 0
        # Of each direction: whether it is at a peak, the highest magnitude of that or else the
        # lowest since the one before, the highest speed, lines without it.
        self._peaks = [[False, 0, 0, _FORGET], [False, 0, 0, _FORGET]]
        self._counts = [0, 0]
        self._speeds = self._timed = 0  # sum in mm/s, and of how many

    def start(self) -> int:
        if self._is_set_up:
            return 0
        self._uart.read()  # lines of before
        self._uart.write(_SET_UP)
        return _ANSWER_MS

    def read(self):
        """None at first, while it is set up."""
        if not self._is_set_up:
            answer = self._uart.read()
            if not answer or _UNIT not in answer:
                raise SensorFault(FRAME if answer else SILENT)
            self._is_set_up = True
            return None
        heard = lines = 0
        # A line that never falls silent gets no more than the buffer holds.
        while heard < OPS243.RXBUF and (data := self._uart.read(256)):
            heard += len(data)
            parts = (self._rest + data).split(b"\n")
            self._rest = parts.pop()[-128:]  # a longer line is none
            for line in parts:
                lines += self._take(line.strip())
        if not lines:
            raise SensorFault(FRAME if heard else SILENT)
        counts, self._counts = self._counts, [0, 0]
        mean = None
        if self._timed >= _TOGETHER:
            mean = self._speeds // self._timed
            self._speeds = self._timed = 0
        return counts[0], counts[1], mean

    def _take(self, line: bytes) -> bool:
        """Follows a line; False when it is none with a speed."""
        if line[:1] == b"{":
            magnitude, speed = self._field(line, b'"magnitude"'), self._field(line, b'"speed"')
        else:
            fields = line.split(b",")
            magnitude = _milli(fields[-2]) if len(fields) > 1 else None
            speed = _milli(fields[-1])
        if speed is None or not -_FAST_MMPS < speed < _FAST_MMPS:
            return False
        if b'"outbound"' in line:  # some firmware tells the direction so
            speed = -abs(speed)
        if abs(speed) < self._slow_mmps:
            self._same = 0
            self._pass(-1, 0, 0)
            return True
        if magnitude is None or magnitude < 0:
            return False  # its settings are gone
        self._same = self._same + 1 if line == self._last else 1
        self._last = line
        if self._same >= _SAME:
            raise SensorFault(FROZEN)
        self._pass(0 if speed > 0 else 1, magnitude, abs(speed))
        return True

    def _field(self, line: bytes, name: bytes):
        _, _, rest = line.partition(name)
        _, _, rest = rest.partition(b":")
        return _milli(rest.split(b",")[0].rstrip(b"} "))

    def _pass(self, direction: int, magnitude: int, speed: int):
        for index, peak in enumerate(self._peaks):
            if index != direction:
                peak[3] += 1
                if peak[3] == _FORGET:
                    self._end(index, 0)
                continue
            peak[3] = 0
            if peak[0]:
                if magnitude * _RATIO < peak[1]:
                    self._end(index, magnitude)
            else:
                peak[1] = min(peak[1], magnitude)
                peak[0] = magnitude >= max(self._near, peak[1] * _RATIO)
                if peak[0] and index:  # who goes away was not seen before: that was another
                    peak[2] = 0
            if peak[0]:
                peak[1] = max(peak[1], magnitude)
            peak[2] = max(peak[2], speed)

    def _end(self, index: int, magnitude: int):
        """A peak is over, or what has not become one: its direction starts anew."""
        peak = self._peaks[index]
        if peak[0]:
            self._counts[index] += 1
            self._speeds += peak[2]
            self._timed += 1
        peak[0], peak[1], peak[2] = False, magnitude, 0
