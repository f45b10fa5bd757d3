# SPDX-License-Identifier: MIT
"""A day of a city that nobody recorded: weather, air, load and traffic, from a seed.

Every number is a function of (seed, node, signal, minute), so it does not matter into which pieces
a day is cut. What belongs together in life does here: rush hours drive vehicles, people, particles
and CO2; wind clears the air; the load pulls the voltage down; humidity falls as it gets warm.
Minutes and hours are UTC.
"""

import math
from hashlib import blake2b
from random import Random

from host_tools.errors import ToolError

MINUTE_MS = 60_000
# mood: how lively the streets are. "quiet": nothing happens, and levels stay where they are.
MOODS = {"quiet": 0.0, "normal": 1.0, "busy": 2.5}
_PEAK_VEHICLES_PER_HOUR = 700
_PEAK_PEOPLE_PER_HOUR = 300
_PEAK_DOOR_PER_HOUR = 120
_PEAK_LEAKS_PER_HOUR = 0.2
_QUIET_DAY_S = 12 * 3600
_MIN_GAP_MS = 1000


def spread(random: Random, count: int, span_ms: int) -> list[int]:
    """`count` strictly rising moments in (0, span_ms], a second apart where they have room."""
    gap_ms = min(_MIN_GAP_MS, span_ms // (2 * count)) if count else 0
    free = sorted(random.sample(range(1, span_ms - count * gap_ms + 1), count))
    return [ms + i * gap_ms for i, ms in enumerate(free)]


def vehicle(time_ms: int, random: Random) -> list[int]:
    """One vehicle that crosses the loop at `time_ms`: [ms, direction, mm/s]; direction 1 comes
    nearer to a radar, −1 goes away from it."""
    return [time_ms, random.choice((1, -1)), random.randint(6000, 17_000)]


def person(time_ms: int, random: Random) -> list[int]:
    """One person who crosses x = 0 at `time_ms`: [ms, direction, mm/s, mm from the radar]."""
    direction = random.choice((1, -1))
    return [time_ms, direction, random.randint(600, 2000), random.randint(1000, 5000)]


def door(time_ms: int, random: Random) -> list[int]:
    """One person who goes through a door: [ms, 1 in or −1 out, how long it stays open in ms]."""
    return [time_ms, random.choice((1, -1)), random.randint(2000, 9000)]


def leak(time_ms: int, random: Random) -> list[int]:
    """Water where it should be dry: [ms, for how long in ms]."""
    return [time_ms, random.randint(300_000, 3_600_000)]


def _hump(hour: float, peak: float, width: float) -> float:
    """A bell around `peak` o'clock, 1 at its top; the clock is round."""
    apart = (hour - peak + 12) % 24 - 12
    return math.exp(-((apart / width) ** 2))


def _bustle(second: int) -> float:
    """How much of its peak the street does: 0 to 1, with rush hours at 08:00 and 17:30."""
    hour = second % 86_400 / 3600
    weekend = (second // 86_400 + 3) % 7 >= 5
    rush = max(_hump(hour, 8, 1.1), 0.95 * _hump(hour, 17.5, 1.5)) * (0.4 if weekend else 1)
    day = 0.45 * _hump(hour, 14, 5)
    return min(1.0, 0.03 + 0.97 * max(rush, day))


def _poisson(random: Random, mean: float) -> int:
    """A Poisson draw (Knuth's method, for small means)."""
    limit, product, count = math.exp(-mean), random.random(), 0
    while product > limit:
        product *= random.random()
        count += 1
    return count


class City:
    """seed: any int or text; start_s: Unix time of millisecond 0; mood: one of MOODS."""

    def __init__(self, seed, start_s: int, mood: str = "normal"):
        if mood not in MOODS:
            raise ToolError(f"there is no mood {mood!r}", "choose one of: " + ", ".join(MOODS))
        self._seed = str(seed)
        self._start_ms = start_s * 1000
        self._liveliness = MOODS[mood]

    def signals(self, node_index: int, from_ms: int, to_ms: int) -> dict:
        """What the chips of one node sense from `from_ms` to `to_ms`, in ms since the start.

        Levels have a point at each whole minute, from the one at or before `from_ms` to the one at
        or after `to_ms`; events are those with from_ms < time ≤ to_ms.
        """
        first = (self._start_ms + from_ms) // MINUTE_MS
        last = -(-(self._start_ms + to_ms) // MINUTE_MS)
        levels: dict[str, list] = {}
        events: dict[str, list] = {"vehicles": [], "people": [], "door": [], "leaks": []}
        for minute in range(first, last + 1):
            at_ms = minute * MINUTE_MS - self._start_ms
            for name, value in self._levels(node_index, minute).items():
                levels.setdefault(name, []).append([at_ms, value])
            if minute < last:
                for name, made in self._events(node_index, minute).items():
                    within = [e for e in made if from_ms < at_ms + e[0] <= to_ms]
                    events[name] += [[at_ms + e[0], *e[1:]] for e in within]
        return {"levels": levels, "events": events}

    # chance

    def _noise(self, *what) -> tuple[float, ...]:
        """Eight numbers from -1 to 1 that belong to `what`."""
        digest = blake2b(repr((self._seed, *what)).encode(), digest_size=32).digest()
        words = (int.from_bytes(digest[i : i + 4], "big") for i in range(0, 32, 4))
        return tuple(word / 0x7FFFFFFF - 1 for word in words)

    def _drift(self, name: str, second: int, period_s: int) -> float:
        """Smooth noise from -1 to 1: a new value each `period_s`, and a soft way in between."""
        knot, part = divmod(second, period_s)
        before, after = self._noise(name, knot)[0], self._noise(name, knot + 1)[0]
        return before + (after - before) * (1 - math.cos(math.pi * part / period_s)) / 2

    # the model

    def _levels(self, node_index: int, minute: int) -> dict[str, int]:
        if not self._liveliness:
            return self._model(node_index, _QUIET_DAY_S, 0.3, (0.0,) * 8)
        second = minute * 60
        bustle = min(1.0, self._liveliness * _bustle(second - 900))  # the air lags behind
        return self._model(node_index, second, bustle, self._noise("minute", node_index, minute))

    def _model(self, node_index: int, second: int, bustle: float, jitter: tuple) -> dict[str, int]:
        hour = second % 86_400 / 3600
        place = self._noise("place", node_index)
        wind = (1 + self._drift("wind", second, 4 * 3600)) / 2  # 0 calm, 1 windy
        season = -math.cos(2 * math.pi * (second / 86_400 - 15) / 365.25)
        swing = math.cos(2 * math.pi * (hour - 15) / 24) * 4.5 + jitter[0] * 0.05
        front = self._drift("front", second, 9 * 3600)
        temperature = 11 + 9 * season + swing + 2.5 * front + place[0] * 0.5
        humidity = 66 - 3.2 * swing - 8 * front + 6 * self._drift("damp", second, 5 * 3600)
        pressure = 1013.2 + 9 * self._drift("pressure", second, 30 * 3600) + 0.02 * jitter[1]
        traffic_air = bustle * (1.15 - wind) * (1 + 0.2 * place[1])
        pm2_5 = 5 + 4 * (1 - wind) + 16 * traffic_air + 0.6 * jitter[2]
        pm10 = pm2_5 * 1.45 + 9 * bustle * wind + 0.8 * jitter[3]
        night = _hump(hour, 4, 3) * (1 - wind)
        co2 = 424 + 75 * traffic_air + 25 * night + 2 * jitter[4]
        power = self._power_kw(node_index, second, hour) + 0.04 * jitter[5]
        grid = self._drift("grid", second, 1200)
        voltage = 234.5 - 0.55 * power + 1.2 * grid + 0.15 * jitter[6]
        frequency = 50_000 + 18 * self._drift("frequency", second, 300) + 6 * jitter[7]
        factor = 965 - 4 * power + 6 * self._drift(f"factor{node_index}", second, 900)
        return {
            "temperature_mc": round(temperature * 1000),
            "humidity_mpct": round(min(98.0, max(15.0, humidity)) * 1000),
            "pressure_pa": round(pressure * 100),
            "co2_ppm": round(co2),
            "pm1_0_ngm3": round(pm2_5 * 0.68 * 1000),
            "pm2_5_ngm3": round(pm2_5 * 1000),
            "pm10_ngm3": round(pm10 * 1000),
            "voltage_mv": round(voltage * 1000),
            "power_mw": round(power * 1e6),
            "power_factor_permille": round(factor),
            "frequency_mhz": round(frequency),
            **self._more(node_index, second, hour, bustle, jitter, pm2_5),
        }

    def _more(self, node_index: int, second: int, hour: float, bustle: float, jitter: tuple,
              pm2_5: float) -> dict[str, int]:  # fmt: skip
        """What few kits measure: gases, the sun, street lights, water, noise."""
        sun = max(0.0, math.cos(2 * math.pi * (hour - 12) / 24)) ** 1.3
        sun *= 0.6 + 0.4 * self._drift("cloud", second, 1800)
        slow = self._drift("water", second, 6 * 3600)
        lit = 1.0 if hour < 6 or hour > 18 else 0.0
        dc_current = 4000 * lit + 6 * jitter[2]
        return {
            "pm4_0_ngm3": round(pm2_5 * 1.2 * 1000),
            "voc_index_tenths": round(1000 + 900 * bustle + 20 * jitter[3]),
            "nox_index_tenths": round(10 + 900 * bustle + 5 * abs(jitter[4])),
            "voc_raw_ticks": round(30_000 - 1800 * bustle + 10 * jitter[3]),
            "nox_raw_ticks": round(16_000 + 900 * bustle + 10 * jitter[4]),
            "pv_power_mw": round(6e6 * sun),
            "dc_voltage_mv": round(24_000 + 900 * sun - 300 * lit + 10 * jitter[1]),
            "dc_current_ma": round(dc_current - 2500 * sun),
            "battery_mv": round(12_600 + 700 * sun - 400 * lit + 5 * jitter[1]),
            "solar_mv": round(21_000 * min(1.0, 3 * sun) + 50 * abs(jitter[2])),
            "water_temperature_mc": round(1000 * (12 + 3 * slow) + 30 * jitter[5]),
            "water_level_mm": round(1200 + 350 * slow + 2 * jitter[6]),
            "ph_milli": round(7600 + 300 * slow + 10 * jitter[7]),
            "dissolved_oxygen_ugl": round(9300 - 900 * slow + 30 * jitter[0]),
            "conductivity_nscm": round(420_000 + 60_000 * slow + 1500 * jitter[1]),
            "sound_mdb": round(44_000 + 24_000 * bustle + 1500 * jitter[2]),
        }

    def _power_kw(self, node_index: int, second: int, hour: float) -> float:
        """The load of a feeder with homes and an office, 3 to 15 kW."""
        homes = 2.2 * _hump(hour, 7.3, 1.2) + 6.5 * _hump(hour, 19.3, 2.4)
        office = 3.2 * _hump(hour, 12.5, 4)
        slow = 0.6 * self._drift(f"load{node_index}", second, 2400)
        # A kettle, a hob, a lift: something that runs for a few minutes.
        kettle = 1.8 if self._noise("kettle", node_index, second // 240)[0] > 0.75 else 0.0
        if not self._liveliness:
            slow = kettle = 0.0
        return min(15.0, 3.8 + homes + office + slow + kettle)

    def _events(self, node_index: int, minute: int) -> dict[str, list]:
        """The events of one minute, times in (0, 60 000] from its start."""
        if not self._liveliness:
            return {}
        bustle = min(1.0, self._liveliness * _bustle(minute * 60))
        made = {}
        for name, per_hour, make in (
            ("vehicles", _PEAK_VEHICLES_PER_HOUR, vehicle),
            ("people", _PEAK_PEOPLE_PER_HOUR, person),
            ("door", _PEAK_DOOR_PER_HOUR, door),
            ("leaks", _PEAK_LEAKS_PER_HOUR, leak),
        ):
            random = Random(f"{self._seed} {node_index} {name} {minute}")
            count = min(40, _poisson(random, per_hour * bustle / 60))
            made[name] = [make(ms, random) for ms in spread(random, count, MINUTE_MS)]
        return made
