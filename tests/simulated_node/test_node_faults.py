# SPDX-License-Identifier: MIT
"""A whole node when something fails: the others go on, nothing wrong leaves, it comes back."""

import contextlib
import copy
import dataclasses
import sqlite3

import pytest

from simulator.city_run import CityRun, Plan, choose_kits
from simulator.hal.bench import bench
from simulator.hal.esp32 import Partition
from simulator.hal.on_cpython import os as flash_os
from simulator.hal.on_cpython import vfs
from simulator.world.flash import Flash

START_S = 1_780_000_000 // 3600 * 3600
HOUR_MS = 3_600_000
BME280, SCD41, PMS5003 = 0, 1, 2


def run_air(folder, hours, changes):
    """Runs the air kit; changes: {ms: {chip: {attribute: value}}}. Returns (account, values)."""
    plan = Plan(kits=choose_kits(("air",), None), for_s=hours * 3600, folder=folder, start=START_S)
    pending = dict(changes)
    with CityRun(plan) as city:
        city.start()

        def play():
            for at_ms in sorted(pending):
                if at_ms <= city.conductor.now_ms:
                    city.nodes[0].pending_chips = pending.pop(at_ms)

        assert city.run(play), city.trouble()
        account = city.account()
        assert city.complete(account)
    with contextlib.closing(sqlite3.connect(account["store"])) as db:
        rows = db.execute(
            "SELECT quantity, statistic, slot_start_s, value FROM value WHERE window_s = 300"
        ).fetchall()
    values = {}
    for quantity, statistic, start_s, value in rows:
        values.setdefault((quantity, statistic), {})[start_s - START_S] = value
    return account["nodes"][0], values


@pytest.mark.parametrize(
    ("chip", "quantity", "others"),
    [
        (BME280, "temperature_mc", ("co2_ppm", "pm2_5_ngm3")),
        (SCD41, "co2_ppm", ("temperature_mc", "pm2_5_ngm3")),
        (PMS5003, "pm2_5_ngm3", ("temperature_mc", "co2_ppm")),
    ],
)
def test_a_sensor_pulled_out_and_put_back(tmp_path, chip, quantity, others):
    changes = {HOUR_MS // 2: {chip: {"plugged": False}}, HOUR_MS: {chip: {"plugged": True}}}
    node, values = run_air(tmp_path / "city", 2, changes)
    # 60 sampling times in half an hour; the PMS5003 is silent at first after each new start
    assert 25 <= node["faults"] <= 65
    mean = values[quantity, "mean"]
    assert all(mean[at] is not None for at in range(300, 1800, 300))
    assert all(mean[at] is None for at in range(1800, 3600, 300))
    assert all(mean[at] is not None for at in range(3900, 7200, 300))
    for other in others:
        assert all(values[other, "mean"][at] is not None for at in range(300, 7200, 300))


@pytest.mark.parametrize("fault", ["checksum", "short", "range"])
def test_a_sensor_that_answers_wrongly(tmp_path, fault):
    """Counted as faults, and null: never a wrong reading."""
    changes = {HOUR_MS // 2: {PMS5003: {"fault": fault}}, HOUR_MS: {PMS5003: {"fault": None}}}
    node, values = run_air(tmp_path / "city", 2, changes)
    assert node["faults"] >= 20
    mean = values["pm2_5_ngm3", "mean"]
    assert all(mean[at] is None for at in range(2100, 3600, 300))
    good = [mean[at] for at in range(300, 1800, 300)] + [mean[at] for at in range(3900, 7200, 300)]
    assert all(value is not None and value < 200_000 for value in good)


def test_a_wrong_chip_at_the_address(tmp_path):
    changes = {
        HOUR_MS // 2: {BME280: {"plugged": False}},
        HOUR_MS // 2 + 300_000: {BME280: {"plugged": True, "fault": "chip_id"}},
    }
    node, values = run_air(tmp_path / "city", 2, changes)
    assert node["faults"] > 100
    mean = values["temperature_mc", "mean"]
    assert all(mean[at] is None for at in range(2100, 7200, 300))
    assert all(values["co2_ppm", "mean"][at] is not None for at in range(300, 7200, 300))


def with_damaged(folder, name, check):
    """Ten minutes of a city whose node finds a file of its flash empty, and ten with half of it;
    check(node) after each. It must not have sent one envelope."""
    plan = Plan(kits=choose_kits(("air",), None), for_s=1200, folder=folder)
    with CityRun(plan) as city:
        city.start()
        node = city.nodes[0]
        bench.partitions["vfs"] = Flash(str(node.folder / "flash.img"))
        vfs.mounted["/lp"] = vfs.VfsLfs2(Partition("vfs"))
        with flash_os.open(f"/lp/{name}", "rb") as file:
            whole = file.read()
        node.stop()  # the board is off while its flash is changed
        for content in (b"", whole[: len(whole) // 2]):
            with flash_os.open(f"/lp/{name}", "wb") as file:
                file.write(content)
            node.power_up(city.conductor.start_s, city.conductor.now_ms, "power",
                          city.conductor.changed)  # fmt: skip
            assert city.conductor.run(city.conductor.now_ms + 600_000)
            check(node)
            node.stop()
            node.resets = 0
            node.log.clear()
        assert city.account()["nodes"][0]["envelopes"] == 0
        assert city.collector.received == 0


@pytest.mark.parametrize("name", ["node.key.der", "kit.json", "config.json"])
def test_without_an_identity_nothing_leaves(tmp_path, name):
    """It says why, starts again each minute, and sends not one envelope."""

    def check(node):
        assert node.resets >= 3
        assert any("cannot go on" in line for line in node.log)

    with_damaged(tmp_path / "city", name, check)


@pytest.mark.parametrize("name", ["policy", "policy.key"])
def test_without_a_policy_nothing_leaves(tmp_path, name):
    """It says why, measures nothing, and waits for one: it does not start again and again."""

    def check(node):
        assert node.resets == 0 and node.total("samples") == 0
        assert any("policy: (2, " in line for line in node.log)
        assert any("nothing leaves" in line for line in node.log)

    with_damaged(tmp_path / "city", name, check)


def test_what_does_not_fit_is_a_fault_that_is_reported(tmp_path):
    """A kit that nobody checked: an unknown part, a bus that the board lacks, two chips at one
    address, a rate that the part cannot do. The others measure on."""
    (kit,) = choose_kits(("air",), None)
    data = copy.deepcopy(kit.data)
    data["sensors"] += [
        {"part": "scd14", "bus": "i2c0", "interval_s": 30, "quantities": ["voc_raw_ticks"]},
        {"part": "pms5003", "bus": "uart9", "interval_s": 30, "quantities": ["pm2_5_ngm3"]},
        {"part": "scd41", "bus": "i2c0", "interval_s": 30, "quantities": ["humidity_mpct"]},
        {"part": "ld2450", "bus": "uart2", "interval_s": 300, "quantities": ["people_leftward"]},
        {"part": "bme280", "bus": "uart2", "interval_s": 30, "quantities": ["pressure_pa"]},
    ]
    plan = Plan(
        kits=[dataclasses.replace(kit, data=data)], for_s=1800, folder=tmp_path / "city",
        start=START_S,
    )  # fmt: skip
    with CityRun(plan) as city:
        city.start()
        lines = []
        city.nodes[0].on_line = lines.append
        assert city.run(), city.trouble()
        (node,) = city.account()["nodes"]
    assert node["faults"] >= 4 * 55 and node["opened"] == node["envelopes"] > 0
    said = {line.partition(": ")[0] for line in lines if "misfit" in line or "KeyError" in line}
    assert {"scd14", "pms5003", "scd41", "ld2450", "bme280"} == said, said
    assert not any("cannot go on" in line for line in lines)


def test_a_bus_that_a_chip_holds_is_freed(tmp_path):
    """SDA held low: every chip on it fails, and nine clocks bring all of them back."""
    changes = {HOUR_MS // 2: {SCD41: {"wire": "stuck"}}}
    node, values = run_air(tmp_path / "city", 1, changes)
    assert 1 <= node["faults"] <= 4
    for quantity in ("co2_ppm", "temperature_mc", "pm2_5_ngm3"):
        mean = values[quantity, "mean"]
        missing = [at for at in range(300, 3600, 300) if mean[at] is None]
        # The SCD41 measures for half a minute after it was started anew.
        assert missing == ([1800] if quantity == "co2_ppm" else []), quantity
