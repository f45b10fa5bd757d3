# SPDX-License-Identifier: MIT
"""The city: the same however it is cut, correlated as in life, and within what chips can sense."""

import time
from itertools import pairwise

import pytest

from host_tools.errors import ToolError
from node.pipeline.quantities import QUANTITIES
from simulator.buses.signals import Signals
from simulator.world.city import MOODS, City

MONDAY_S = 1_790_553_600  # 2026-09-28T00:00:00Z
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
LEVELS = {
    "temperature_mc", "humidity_mpct", "pressure_pa", "co2_ppm", "pm1_0_ngm3", "pm2_5_ngm3",
    "pm10_ngm3", "voltage_mv", "power_mw", "power_factor_permille", "frequency_mhz",
    "pm4_0_ngm3", "voc_index_tenths", "nox_index_tenths", "voc_raw_ticks", "nox_raw_ticks",
    "pv_power_mw", "dc_voltage_mv", "dc_current_ma", "battery_mv", "solar_mv",
    "water_temperature_mc", "water_level_mm", "ph_milli", "dissolved_oxygen_ugl",
    "conductivity_nscm", "sound_mdb",
}  # fmt: skip
EVENTS = {"vehicles", "people", "door", "leaks"}
# What a chip makes a quantity of, where that is not the quantity itself.
AS = {"pv_power_mw": "net_power_mw", "sound_mdb": "laeq_mdb"}


@pytest.fixture(scope="module")
def day():
    return City(1, MONDAY_S).signals(0, 0, DAY_MS)


def hourly(day, name):
    """Mean of a level, or number of events, in each hour."""
    if name in day["events"]:
        return [sum(e[0] // HOUR_MS == h for e in day["events"][name]) for h in range(24)]
    values = [value for _, value in day["levels"][name]]
    return [sum(values[h * 60 : h * 60 + 60]) // 60 for h in range(24)]


def alike(day, one, other):
    """Pearson's correlation of two signals over the hours of the day."""
    a, b = hourly(day, one), hourly(day, other)
    a, b = [x - sum(a) / 24 for x in a], [x - sum(b) / 24 for x in b]
    product = sum(x * y for x, y in zip(a, b, strict=True))
    return product / (sum(x * x for x in a) * sum(y * y for y in b)) ** 0.5


def test_names_and_integers(day):
    assert set(day["levels"]) == LEVELS
    assert set(day["events"]) == EVENTS
    for points in day["levels"].values():
        assert [at for at, _ in points] == list(range(0, DAY_MS + 1, 60_000))
        assert all(type(value) is int for _, value in points)
    for events in day["events"].values():
        assert all(type(part) is int for event in events for part in event)


@pytest.mark.parametrize("mood", MOODS)
def test_levels_stay_within_what_a_sensor_may_say(mood):
    for seed in range(5):
        day = City(seed, MONDAY_S, mood).signals(seed, 0, DAY_MS)
        for name, points in day["levels"].items():
            _, _, low, high = QUANTITIES[AS.get(name, name)]
            assert low <= min(v for _, v in points) and max(v for _, v in points) <= high, name


@pytest.mark.parametrize("start_s", [MONDAY_S, MONDAY_S + 12_345])
@pytest.mark.parametrize("cuts", [[HOUR_MS], [15_000 * i for i in range(1, 200)], [1, 61_234]])
def test_a_cut_changes_nothing(cuts, start_s):
    city, end_ms = City(7, start_s), 2 * HOUR_MS
    whole = city.signals(2, 0, end_ms)
    levels, events = {}, {}
    for from_ms, to_ms in zip([0, *cuts], [*cuts, end_ms], strict=True):
        piece = City(7, start_s).signals(2, from_ms, to_ms)
        for name, points in piece["levels"].items():
            assert points[0][0] <= from_ms and points[-1][0] >= to_ms
            levels.setdefault(name, {}).update(map(tuple, points))
        for name, found in piece["events"].items():
            assert all(from_ms < event[0] <= to_ms for event in found)
            events.setdefault(name, []).extend(found)
    assert events == whole["events"]
    for name, points in whole["levels"].items():
        assert sorted(levels[name].items()) == [tuple(p) for p in points]


def test_an_event_at_a_cut_belongs_to_the_piece_that_ends_there(day):
    at_ms = day["events"]["vehicles"][5][0]
    pieces = [City(1, MONDAY_S).signals(0, *cut)["events"]["vehicles"] for cut in
              ((at_ms - 1, at_ms), (at_ms, at_ms + 1))]  # fmt: skip
    assert pieces == [[day["events"]["vehicles"][5]], []]


def test_chips_see_the_same_in_pieces_of_minutes():
    city, whole, pieced = City(3, MONDAY_S), Signals(), Signals()
    whole.extend(HOUR_MS, **city.signals(0, 0, HOUR_MS))
    seen = 0
    for from_ms in range(0, HOUR_MS, 300_000):
        to_ms = from_ms + 300_000
        pieced.extend(to_ms, **city.signals(0, from_ms, to_ms))
        for now_ms in range(from_ms, to_ms, 7_000):
            assert pieced.level("power_mw", now_ms) == whole.level("power_mw", now_ms)
        seen += len(pieced.events("vehicles", from_ms, to_ms))
    assert seen == len(whole.events("vehicles", 0, HOUR_MS)) > 0


def test_seed_node_and_start_make_the_difference(day):
    assert City(1, MONDAY_S).signals(0, 0, DAY_MS) == day
    assert City(2, MONDAY_S).signals(0, 0, HOUR_MS)["levels"] != day["levels"]
    other = City(1, MONDAY_S).signals(1, 0, DAY_MS)
    assert other["events"] != day["events"]
    # Neighbours have the same weather.
    apart = [
        abs(a[1] - b[1])
        for a, b in zip(
            day["levels"]["temperature_mc"], other["levels"]["temperature_mc"], strict=True
        )
    ]
    assert 0 < max(apart) < 2000
    # The same moment is the same, whenever the simulation began.
    later = City(1, MONDAY_S + 3600).signals(0, 0, HOUR_MS)
    shifted = [[at - HOUR_MS, v] for at, v in day["levels"]["co2_ppm"][60:121]]
    assert later["levels"]["co2_ppm"] == shifted


def test_rush_hours(day):
    vehicles = hourly(day, "vehicles")
    assert 400 < max(vehicles[7:9]) < 800 and 400 < max(vehicles[16:19]) < 800
    assert max(vehicles[0:5]) < 100 < min(vehicles[7:19])
    people = hourly(day, "people")
    assert 150 < max(people[7:9]) < 400 and max(people[0:5]) < 60
    sunday = City(1, MONDAY_S - 86_400).signals(0, 0, DAY_MS)
    assert hourly(sunday, "vehicles")[8] < vehicles[8] / 2


def test_signals_go_together_as_in_life():
    days = [City(seed, MONDAY_S).signals(0, 0, DAY_MS) for seed in range(8)]

    def usual(one, other):
        return sorted(alike(day, one, other) for day in days)[3]

    assert usual("vehicles", "people") > 0.9
    assert usual("vehicles", "pm2_5_ngm3") > 0.3
    assert usual("vehicles", "co2_ppm") > 0.3
    assert usual("pm1_0_ngm3", "pm2_5_ngm3") > 0.99
    assert usual("temperature_mc", "humidity_mpct") < -0.7
    assert usual("power_mw", "voltage_mv") < -0.7


def test_load_of_a_feeder(day):
    power = [value for _, value in day["levels"]["power_mw"]]
    assert 2_500_000 < min(power) < 6_000_000 and 8_000_000 < max(power) <= 15_100_000
    volts = [value for _, value in day["levels"]["voltage_mv"]]
    assert min(volts) > 220_000 and max(volts) - min(volts) > 3000
    hertz = [value for _, value in day["levels"]["frequency_mhz"]]
    assert abs(sum(hertz) // len(hertz) - 50_000) < 10 and len(set(hertz)) > 20


def test_events_are_strictly_rising_and_plausible(day):
    for events in day["events"].values():
        times = [event[0] for event in events]
        assert all(a < b for a, b in pairwise(times))
    cars = [event[0] for event in day["events"]["vehicles"]]
    assert min(b - a for a, b in pairwise(cars)) >= 1000
    minutes = [tuple(t % 60_000 for t in cars if t // 60_000 == m) for m in range(480, 600)]
    minutes = [minute for minute in minutes if len(minute) > 1]
    assert len(set(minutes)) == len(minutes) > 50
    people = day["events"]["people"]
    assert {direction for _, direction, _, _ in people} == {1, -1}
    assert all(600 <= speed <= 2000 for _, _, speed, _ in people)
    assert all(1000 <= distance <= 5000 for _, _, _, distance in people)


def test_moods(day):
    quiet = City(1, MONDAY_S, "quiet").signals(0, 0, DAY_MS)
    assert quiet["events"] == {name: [] for name in EVENTS}
    assert all(len({v for _, v in points}) == 1 for points in quiet["levels"].values())
    busy = City(1, MONDAY_S, "busy").signals(0, 0, DAY_MS)
    assert len(busy["events"]["vehicles"]) > 1.4 * len(day["events"]["vehicles"])
    with pytest.raises(ToolError):
        City(1, MONDAY_S, "angry")


def test_a_day_is_cheap():
    """Three days cost at most 15 times a bare count of their tenths of a second."""
    began = time.process_time()
    for node_index in range(3):
        City(1, MONDAY_S).signals(node_index, 0, DAY_MS)
    days = time.process_time()
    sum(step * step % 7 for step in range(3 * DAY_MS // 100))
    assert days - began < 15 * (time.process_time() - days)
