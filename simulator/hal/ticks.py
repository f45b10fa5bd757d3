# SPDX-License-Identifier: MIT
"""The functions of MicroPython's `time`, on simulated time. An ESP32 counts from 2000-01-01."""

from simulator.hal.bench import EPOCH_S, bench

_PERIOD = 1 << 30


def sleep_ms(ms):
    bench.sleep_ms(ms)


def sleep(seconds):
    bench.sleep_ms(int(seconds * 1000))


def sleep_us(us):
    bench.sleep_ms(us // 1000)


def ticks_ms() -> int:
    return (bench.now_ms - bench.booted_ms) % _PERIOD


def ticks_us() -> int:
    return (bench.now_ms - bench.booted_ms) * 1000 % _PERIOD


ticks_cpu = ticks_us


def ticks_add(ticks, delta) -> int:
    return (ticks + delta) % _PERIOD


def ticks_diff(end, start) -> int:
    return (end - start + _PERIOD // 2) % _PERIOD - _PERIOD // 2


def set_rtc(seconds: int):
    bench.rtc = (seconds, bench.now_ms)


def time() -> int:
    """Seconds since 2000: from power-up on, until the RTC is set."""
    seconds, at_ms = bench.rtc or (0, bench.booted_ms)
    return seconds + (bench.now_ms - at_ms) // 1000


def time_ns() -> int:
    return time() * 1_000_000_000


def gmtime(secs=None) -> tuple:
    """(year, month, mday, hour, minute, second, weekday, yearday), as MicroPython has it."""
    secs = time() if secs is None else int(secs)
    days, rest = divmod(secs + EPOCH_S, 86_400)
    year, month, day = _civil(days)
    yearday = days - _days(year, 1, 1) + 1
    return year, month, day, rest // 3600, rest // 60 % 60, rest % 60, (days + 3) % 7, yearday


localtime = gmtime


def mktime(fields) -> int:
    year, month, day, hour, minute, second = fields[:6]
    return _days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - EPOCH_S


def _days(year: int, month: int, day: int) -> int:
    """Days from 1970-01-01 in the proleptic Gregorian calendar."""
    year -= month <= 2
    era = year // 400
    of_era = year - era * 400
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


def _civil(days: int) -> tuple:
    days += 719_468
    era = days // 146_097
    of_era = days - era * 146_097
    year_of_era = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month = (5 * of_year + 2) // 153
    day = of_year - (153 * month + 2) // 5 + 1
    month = month + 3 if month < 10 else month - 9
    return year_of_era + era * 400 + (month <= 2), month, day
