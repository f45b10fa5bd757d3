# SPDX-License-Identifier: MIT
"""The noise kit from sound to receipted records: the driver's machine code on 32-bit MicroPython,
and the same lines on CPython."""

import array
import sqlite3
import types

import pytest

from host_tools.errors import ToolError
from host_tools.micropython_path import micropython_path
from simulator.city_run import CityRun, Plan, choose_kits
from simulator.hal import machine
from simulator.hal.bench import Bench, bench

FOR_S = 21 * 60
HEAP = "128k"


def released(folder):
    """{quantity: values by rising window}, in mdB."""
    (store,) = folder.glob("*.sqlite")
    with sqlite3.connect(store) as db:
        rows = db.execute("SELECT quantity, value FROM value ORDER BY slot_start_s").fetchall()
    found = {}
    for quantity, value in rows:
        found.setdefault(quantity, []).append(value)
    return found


@pytest.mark.parametrize("interpreter", ["cpython", "micropython"])
def test_levels_of_a_street(interpreter, tmp_path):
    if interpreter == "micropython":
        try:
            micropython_path()
        except ToolError as err:
            pytest.skip(f"{err}: {err.hint}")
    plan = Plan(
        kits=choose_kits(["noise"], None), for_s=FOR_S, interpreter=interpreter, heap=HEAP,
        folder=tmp_path / "city", start=1_780_290_000,  # a Monday, 05:00 UTC
    )  # fmt: skip
    with CityRun(plan) as city:
        city.start()
        city.run()
        account = city.account()
    assert account["lost"] == 0
    assert all(node["faults"] == 0 for node in account["nodes"])
    levels = {name: values for name, values in released(tmp_path / "city").items()
              if name.endswith("_mdb")}  # fmt: skip
    assert {len(values) for values in levels.values()} == {3}
    for laeq, lamax, la10, la90 in zip(
        *[levels[name] for name in ("laeq_mdb", "lamax_mdb", "la10_mdb", "la90_mdb")], strict=True
    ):
        assert 40_000 < la90 < laeq < la10 <= lamax + 500 < 80_000


# the look-alike of machine.I2S


class Counting:
    """A chip whose words are their own numbers."""

    plugged = True

    def fill(self, words, frame, now_ms):
        for i in range(len(words)):
            words[i] = frame + i


@pytest.fixture
def i2s():
    before = dict(vars(bench))
    vars(bench).update(vars(Bench()))
    bench.until_ms = 10**9
    bench.wired[("i2s", 0)] = Counting()
    made = machine.I2S(
        0, sck=machine.Pin(14), ws=machine.Pin(27), sd=machine.Pin(33), mode=machine.I2S.RX,
        bits=32, format=machine.I2S.MONO, rate=48_000, ibuf=16_384,
    )  # fmt: skip
    yield made
    vars(bench).clear()
    vars(bench).update(before)


def test_reading_waits_for_the_words(i2s):
    words = array.array("i", range(480))
    assert i2s.readinto(words) == 1920
    assert (bench.now_ms, words[0], words[-1]) == (10, 0, 479)


def test_a_handler_is_called_while_the_board_sleeps(i2s):
    words, calls = array.array("i", range(480)), []

    def full(source):
        calls.append((bench.now_ms, words[0]))
        source.readinto(words)

    i2s.irq(full)
    assert i2s.readinto(words) == 1920
    assert bench.now_ms == 0 and not calls  # it returns at once
    bench.sleep_ms(35)
    assert calls == [(10, 0), (20, 480), (30, 960)] and bench.now_ms == 35
    i2s.deinit()
    bench.sleep_ms(100)
    assert len(calls) == 3


def test_what_is_not_read_in_time_is_lost(i2s):
    words = array.array("i", range(480))
    bench.sleep_ms(1000)
    i2s.readinto(words)
    assert words[0] == 48_000 - 2048  # eight pieces of 256 frames are held
    assert bench.now_ms == 1000


def test_a_handler_does_not_run_past_the_watchdog(i2s):
    words, resets = array.array("i", range(48)), []
    bench.reset = lambda *cause: resets.append((bench.now_ms, *cause))
    i2s.irq(lambda source: source.readinto(words))
    i2s.readinto(words)
    machine.WDT(timeout=50)
    bench.watchdog_bites_ms = 50
    bench._move(80)
    assert resets == [(50, "wdt", 0)]


def test_nobody_on_the_line_is_zeros(i2s):
    words = array.array("i", range(480))
    i2s._chip = None
    i2s.readinto(words)
    assert set(words) == {0}


@pytest.mark.parametrize(("option", "value", "error"), [
    ("bits", 16, ValueError), ("format", 1, ValueError),
    ("mode", 5, ValueError), ("ibuf", 2048, ValueError), ("id", 2, ValueError),
])  # fmt: skip
def test_what_it_is_not(option, value, error):
    options = {
        "id": 0, "sck": None, "ws": None, "sd": None, "mode": machine.I2S.RX, "bits": 32,
        "format": machine.I2S.MONO, "rate": 48_000, "ibuf": 16_384,
    }  # fmt: skip
    options[option] = value
    with pytest.raises(error):
        machine.I2S(options.pop("id"), **options)


def test_other_names_are_not_there():
    with pytest.raises(AttributeError):
        machine.I2S_OF_ANOTHER_PORT  # noqa: B018
    assert isinstance(machine.I2S, type) and not isinstance(machine.I2S, types.FunctionType)
