# SPDX-License-Identifier: MIT
"""Recorded measurements: what becomes of each column, of gaps, of the file's end, of bad files."""

from itertools import pairwise

import pytest

from host_tools.errors import ToolError
from simulator.buses.signals import Signals
from simulator.world.city import City
from simulator.world.replay import Replay

MIDNIGHT_S = 1_790_553_600  # 2026-09-28T00:00:00Z
MINUTE_MS, HOUR_MS = 60_000, 3_600_000
DAY_MS = 24 * HOUR_MS


@pytest.fixture
def make(tmp_path):
    """make(text or {name: text}, start_s=…) -> Replay"""

    def replay(files, start_s=MIDNIGHT_S, seed=1):
        for name, text in ({"a.csv": files} if isinstance(files, str) else files).items():
            (tmp_path / name).write_text(text)
        return Replay(tmp_path, start_s, seed, City(seed, start_s))

    return replay


def hours(column, cells, day=1):
    """A file with one row per hour."""
    rows = [f"2020-03-{day + h // 24:02}T{h % 24:02}:00:00Z,{c}" for h, c in enumerate(cells)]
    return "\n".join([f"time,{column}", *rows]) + "\n"


def level(replay, name, at_ms, node=0):
    pieces = replay.signals(node, at_ms, at_ms)
    return dict(map(tuple, pieces["levels"][name]))[at_ms]


@pytest.mark.parametrize(
    ("column", "cell", "name", "value"),
    [
        ("temperature_c", "-12.345", "temperature_mc", -12_345),
        ("humidity_pct", "55.5", "humidity_mpct", 55_500),
        ("pressure_hpa", "1013.25", "pressure_pa", 101_325),
        ("co2_ppm", "800", "co2_ppm", 800),
        ("pm1_0_ugm3", "3.5", "pm1_0_ngm3", 3500),
        ("pm2_5_ugm3", "78", "pm2_5_ngm3", 78_000),
        ("pm10_ugm3", "90", "pm10_ngm3", 90_000),
        ("voltage_v", "243.150", "voltage_mv", 243_150),
        ("current_a", "1.400", "current_ma", 1400),
        ("active_power_w", "326", "power_mw", 326_000),
        ("frequency_hz", "49.98", "frequency_mhz", 49_980),
        ("temperature_c", "300", "temperature_mc", 300_000),  # out of range: the node's to refuse
    ],
)
def test_columns(make, column, cell, name, value):
    assert level(make(hours(column, [cell] * 24)), name, 5 * HOUR_MS) == value


@pytest.mark.parametrize(
    ("celsius", "dew", "percent"),  # psychrometric tables
    [(20, 20, 100), (20, 9.27, 50), (25, 16.7, 60), (11, 6, 71.3), (0, -10, 46.9)],
)
def test_dew_point_becomes_humidity(make, celsius, dew, percent):
    replay = make(hours("temperature_c,dew_point_c", [f"{celsius},{dew}"] * 24))
    assert abs(level(replay, "humidity_mpct", 0) - percent * 1000) < 600


@pytest.mark.parametrize(("watt", "var", "permille"), [(3, 4, 600), (326, 128, 931), (0, 0, 0)])
def test_reactive_power_becomes_power_factor(make, watt, var, permille):
    replay = make(hours("active_power_w,reactive_power_var", [f"{watt},{var}"] * 24))
    assert level(replay, "power_factor_permille", 0) == permille


def test_pm2_5_drives_the_other_particles_unless_they_were_recorded(make):
    replay = make(hours("pm2_5_ugm3", [10] * 24))
    assert level(replay, "pm1_0_ngm3", 0) == 7000
    assert level(replay, "pm10_ngm3", 0) == 15_000
    replay = make(hours("pm2_5_ugm3,pm10_ugm3", ["10,11"] * 24))
    assert level(replay, "pm1_0_ngm3", 0) == 7000
    assert level(replay, "pm10_ngm3", 0) == 11_000


def test_straight_lines_between_rows(make):
    replay = make(hours("co2_ppm", range(400, 640, 10)))
    assert level(replay, "co2_ppm", 90 * MINUTE_MS) == 415
    assert level(replay, "co2_ppm", 90 * MINUTE_MS, node=5) == 415
    # From the last row to the first of the next round.
    assert level(replay, "co2_ppm", DAY_MS - 30 * MINUTE_MS) == 630 - 115


def test_what_is_not_recorded_comes_from_the_city(make):
    replay, city = make(hours("co2_ppm", [500] * 24)), City(1, MIDNIGHT_S)
    recorded, plain = replay.signals(0, 0, HOUR_MS), city.signals(0, 0, HOUR_MS)
    assert recorded["levels"].pop("co2_ppm") != plain["levels"].pop("co2_ppm")
    assert recorded == plain


def test_an_empty_cell_is_a_gap(make):
    cells = [500] * 24
    cells[3] = ""
    replay = make(hours("co2_ppm", cells))
    signals = Signals()
    signals.extend(DAY_MS, **replay.signals(0, 0, DAY_MS))
    answers = [signals.level("co2_ppm", ms) for ms in range(0, 6 * HOUR_MS, MINUTE_MS // 2)]
    assert answers == [500] * 360 + [None] * 120 + [500] * 240


def test_missing_rows_are_a_gap_after_one_usual_step(make):
    cells = [f"{500 + 100 * hour},60" for hour in range(24)]
    lines = hours("co2_ppm,vehicles_per_hour", cells).splitlines()
    replay = make("\n".join(lines[:4] + lines[9:]))  # 03:00 to 07:00 are missing
    answers = [level(replay, "co2_ppm", h * HOUR_MS) for h in range(10)]
    assert answers == [500, 600, 700, None, None, None, None, None, 1300, 1400]
    assert level(replay, "co2_ppm", 3 * HOUR_MS - MINUTE_MS) == 700
    found = replay.signals(0, 0, DAY_MS)["events"]["vehicles"]
    assert {e[0] // HOUR_MS for e in found} == set(range(24)) - set(range(3, 8))


def test_a_file_that_begins_and_ends_within_a_day(make):
    lines = hours("co2_ppm", range(400, 424)).splitlines()
    replay = make("\n".join([lines[0], *lines[7:19]]))  # 06:00 to 17:00
    assert level(replay, "co2_ppm", 5 * HOUR_MS) is None
    assert level(replay, "co2_ppm", 6 * HOUR_MS) == 406
    assert level(replay, "co2_ppm", 17 * HOUR_MS) == 417
    assert level(replay, "co2_ppm", 18 * HOUR_MS) is None
    assert level(replay, "co2_ppm", DAY_MS + 6 * HOUR_MS) == 406


def test_midnight_falls_on_midnight_and_the_file_repeats(make):
    text = hours("co2_ppm", range(400, 448))  # two days
    for start_s, first in ((MIDNIGHT_S, 0), (MIDNIGHT_S + 7 * 3600, 7)):
        replay = make(text, start_s)
        for hour in range(0, 120, 5):
            assert level(replay, "co2_ppm", hour * HOUR_MS) == 400 + (first + hour) % 48


def test_counts_become_as_many_events_in_their_hour(make):
    counts = [0, 1, 250, "", 7000, *[12] * 19]
    replay = make(hours("vehicles_per_hour,people_per_hour", [f"{c},{c}" for c in counts]))
    events = replay.signals(0, 0, 2 * DAY_MS)["events"]
    for name in ("vehicles", "people"):
        times = [event[0] for event in events[name]]
        assert all(type(ms) is int for ms in times)
        assert all(a < b for a, b in pairwise(times))
        for hour in range(48):
            found = sum(hour * HOUR_MS < ms <= (hour + 1) * HOUR_MS for ms in times)
            assert found == (counts[hour % 24] or 0), hour
    assert all(direction in (1, -1) for _, direction, _, _ in events["people"])
    days = [[ms % DAY_MS for ms, _, _ in events["vehicles"] if ms // DAY_MS == d] for d in (0, 1)]
    assert days[0] != days[1]


def test_a_cut_changes_nothing(make):
    text = hours("co2_ppm,vehicles_per_hour", [f"{400 + h},{h * 100}" for h in range(24)])
    whole = make(text).signals(1, 0, DAY_MS)
    cuts = [0, 1, 59_999, HOUR_MS, HOUR_MS + 1, 8 * HOUR_MS - 1, DAY_MS]
    pieces = [make(text).signals(1, *cut) for cut in pairwise(cuts)]
    assert [e for p in pieces for e in p["events"]["vehicles"]] == whole["events"]["vehicles"]
    points = {tuple(p) for piece in pieces for p in piece["levels"]["co2_ppm"]}
    assert sorted(points) == [tuple(p) for p in whole["levels"]["co2_ppm"]]


def test_nodes_and_seeds_get_their_own_events(make):
    text = hours("vehicles_per_hour", [50] * 24)
    one = make(text).signals(0, 0, DAY_MS)["events"]["vehicles"]
    assert make(text).signals(1, 0, DAY_MS)["events"]["vehicles"] != one
    assert make(text, seed=2).signals(0, 0, DAY_MS)["events"]["vehicles"] != one
    assert make(text).signals(0, 0, DAY_MS)["events"]["vehicles"] == one


def test_several_files_and_columns_that_nobody_senses(make):
    replay = make({
        "air.csv": "\ufeff" + hours("co2_ppm,wind_speed_ms", ["500,calm"] * 24),
        "road.csv": hours("vehicles_per_hour", [10] * 24, day=9),
        "notes.txt": "not a table",
    })  # fmt: skip
    pieces = replay.signals(0, 0, HOUR_MS)
    assert pieces["levels"]["co2_ppm"][0] == [0, 500]
    assert len(pieces["events"]["vehicles"]) == 10


GOOD = hours("co2_ppm", [500] * 3)


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("", "a.csv:1:", "time"),
        ("a,b\n1,2\n", "a.csv:1:", "time"),
        ("time,co2_ppm\n", "a.csv:", "no rows"),
        ("time,co2_ppm,co2_ppm\n2020-03-01,1,2\n", "a.csv:1:", "same name"),
        (GOOD.replace("T02", "T00"), "a.csv:4:", "before"),
        (GOOD.replace("T02", "T01"), "a.csv:4:", "the same time"),
        (GOOD.replace("T01:00:00Z,500", "T01:00:00Z,many"), "a.csv:3:", "'many'"),
        (GOOD.replace("T01:00:00Z,500", "T01:00:00Z,nan"), "a.csv:3:", "'nan'"),
        (GOOD.replace("T01:00:00Z,500", "T01:00:00Z,inf"), "a.csv:3:", "'inf'"),
        (GOOD.replace("T01:00:00Z,500", "T01:00:00Z"), "a.csv:3:", "1 cells"),
        (GOOD.replace("T01:00:00Z,500", "T01:00:00Z,5,6"), "a.csv:3:", "3 cells"),
        (GOOD.replace("2020-03-01T01:00:00Z", "yesterday"), "a.csv:3:", "'yesterday'"),
        (hours("vehicles_per_hour", [-1]), "a.csv:2:", "'-1'"),
        (hours("vehicles_per_hour", [1e9]), "a.csv:2:", "1000000000"),
        (hours("dew_point_c", [1]), "a.csv:1:", "temperature_c"),
        (hours("wind_speed_ms", [1]), "", "no CSV file that a sensor could replay"),
    ],
)
def test_bad_files_are_named(make, text, where, what):
    with pytest.raises(ToolError) as caught:
        make(text)
    message = caught.value.message
    assert where in message and what in message and "\n" not in message
    assert caught.value.hint


def test_bad_folders(tmp_path, make):
    for folder in (tmp_path / "missing", tmp_path):
        with pytest.raises(ToolError):
            Replay(folder, MIDNIGHT_S, 1, City(1, MIDNIGHT_S))
    (tmp_path / "a.csv").write_bytes(b"time,co2_ppm\n\xff\xfe\n")
    with pytest.raises(ToolError, match=r"a\.csv: cannot be read"):
        Replay(tmp_path, MIDNIGHT_S, 1, City(1, MIDNIGHT_S))
    (tmp_path / "a.csv").unlink()
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(ToolError, match=r"a\.csv: cannot be read"):
        Replay(tmp_path, MIDNIGHT_S, 1, City(1, MIDNIGHT_S))
    (tmp_path / "a.csv").rmdir()
    with pytest.raises(ToolError, match=r"b\.csv: co2_ppm is in a\.csv too"):
        make({"a.csv": GOOD, "b.csv": GOOD})
