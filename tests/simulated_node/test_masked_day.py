# SPDX-License-Identifier: MIT
"""The energy kit for a day under a policy that masks: from the meter's pulses to what the broker
passes on, and what is left on the flash once the day's keys have gone.

Each envelope is opened here, with `cryptography` and the roots of the ticket; what a store makes
of masked records is for its own tests.
"""

import dataclasses

import pytest

from host_tools.errors import ToolError
from host_tools.micropython_path import micropython_path
from host_tools.provisioning.ticket import make_ticket
from node.device.clock import DAY_S
from node.policy.rules import Policy
from simulator import city_folder, city_run
from simulator.city_run import CityRun, Plan, choose_kits
from simulator.world.nvs import NvsPartition
from tests.host_tools import reference_sealer as ref
from tests.simulated_node.nvs_cuts import flash_of
from tests.soak import masked_world as world

START_S = 1_780_000_000 // DAY_S * DAY_S + 3600
FOR_S = 24 * 3600
ROOT = bytes(range(32))
HEAP = "192k"
STREAMS = [
    [1, "energy_mwh", 900, ["count", "sum"], 1000, 0, 25_000_000, 0, None, []],
    [2, "power_mw", 3600, ["count", "sum", "sum_squares", "histogram"], 10_000, 0, 23_000_000, 5,
     None, [500_000, 2_000_000, 5_000_000]],
    [3, "energy_mwh", 900, ["sum"], 1000, 0, 25_000_000, 0, None],
    [4, "power_mw", 3600, ["mean", "max"], 10_000, 0, 23_000_000, 0, None],
]  # fmt: skip


HEAD = """
id = "energy-masked"
version = 1
kit = "energy"
valid_from = 2026-01-01
valid_until = 2030-12-31
place_precision_m = 100
languages = ["en"]
title = "Load of the street"
controller = { name = "City of Example", contact = "privacy@city.example" }
[every_stream]
purpose = "dpv:PublicBenefit"
legal_basis = "eu-gdpr:A6-1-e"
recipients = ["Grid operator"]
retention_days = 30
unit = "one of fifteen or more premises"
why = "Know the load of the street."
"""
STREAM = """
[[stream]]
number = {}
quantity = "{}"
window_s = 900
statistics = ["mean"]
resolution = 1
range = {}
"""
# What the terms are made for: they tell nothing of the streams but their numbers.
QUANTITIES = {
    "power_mw": [0, 1000], "voltage_mv": [200_000, 240_000], "frequency_mhz": [49_000, 51_000],
    "power_factor_permille": [0, 1000],
}  # fmt: skip


@pytest.fixture
def compiled(monkeypatch, tmp_path):
    """The rules and terms of these streams, with a root that is known."""
    path = tmp_path / "policy.toml"
    lines = [STREAM.format(n, *each) for n, each in enumerate(QUANTITIES.items(), 1)]
    path.write_text("# SPDX-License-Identifier: MIT\n" + HEAD + "".join(lines))
    in_the_open = city_run.compile_policy(path, choose_kits(["energy"], None)[0])
    fields = ref.dumps_back(in_the_open.rules)
    rules = ref.dumps([*fields[:6], STREAMS, fields[7]])
    made = dataclasses.replace(in_the_open, rules=rules)
    monkeypatch.setattr(city_run, "compile_policy", lambda path, kit: made)
    monkeypatch.setattr(city_folder, "new_root", lambda: ROOT)
    return made


def values(records: list, number: int) -> dict:
    """{slot: rest of the record}"""
    return {record[1]: record[2:] for record in records if record[0] == number}


@pytest.mark.parametrize("interpreter", ["cpython", "micropython"])
def test_a_day(interpreter, compiled, tmp_path):
    if interpreter == "micropython":
        try:
            micropython_path()
        except ToolError as err:
            pytest.skip(f"{err}: {err.hint}")
    sent = {}
    plan = Plan(
        kits=choose_kits(["energy"], None), for_s=FOR_S, interpreter=interpreter, heap=HEAP,
        folder=tmp_path / "city", start=START_S,
        on_publish=lambda topic, payload, _: sent.setdefault(payload, topic),
    )  # fmt: skip
    with CityRun(plan) as city:
        city.start()
        assert city.run(), city.trouble()
        (node,) = city.nodes
        status = node.status
        heap = node.heap_peak
    assert status["unsealed"] == 0 and status["old_seals"] == 0
    policy = compiled.rules
    ticket = make_ticket(ROOT, node.node_id, START_S // DAY_S, (1, 2))
    records = []
    for payload, topic in sent.items():
        if topic.endswith("/up"):
            records += world.opened(payload, [policy], ticket)[1][3]
    check(policy, records, ticket)
    image = (tmp_path / "city" / "nodes" / node.node_id / "nvs.img").read_bytes()
    check_thief(image, ticket)
    print(f"{interpreter}: heap {heap}")


def check(policy: bytes, records: list, ticket):
    """The masked sums hold what is told in the open, and their chain has no hole."""
    in_the_open, of_hours = values(records, 3), values(records, 4)
    for number, window_s, count in ((1, 900, 60), (2, 3600, 240)):
        chain = sorted(record for record in records if record[0] == number)
        assert len(chain) >= (FOR_S - 3600) // window_s
        total, told = [0, 0], 0
        for before, record in zip([None, *chain], chain, strict=False):
            assert before is None or record[2] == before[1] + 1
            m = world.unmasked(number, window_s, record, ticket)
            assert m[0] in (0, count)
            total = [total[0] + m[0], total[1] + m[1]]
            if number == 1:
                assert [m[1]] == in_the_open[record[1]] or m[0] == 0
                told += in_the_open[record[1]][0] or 0
            elif m[0]:
                assert sum(m[3:]) == m[0] and m[2] >= m[1] ** 2 // m[0]
                assert abs(m[1] / m[0] - of_hours[record[1]][0]) <= 1
        assert total[1] > 0 and (number == 2 or total[1] == told)
        first, last = chain[0], chain[-1]
        summed = sum(int.from_bytes(record[3][8:16], "big") for record in chain)
        plus = world.pads(number, first[2] * window_s, 2, ticket)[1]
        minus = world.pads(number, (last[1] + 1) * window_s, 2, ticket)[1]
        assert (summed - plus + minus) % 2**64 == total[1]  # of all, with the outer pads alone
        assert {len(record[3]) for record in chain} == {8 * elements(policy, number)}


def elements(policy: bytes, number: int) -> int:
    return next(s.elements() for s in Policy(policy).streams if s.number == number)


def check_thief(image: bytes, ticket):
    """Every byte of NVS has no seed on the way to a leaf of the day before."""
    midnight = -(-START_S // DAY_S) * DAY_S
    day = (midnight - ticket.day0 * DAY_S) // 60
    for stream in (1, 2):
        for leaf in (0, 60, day // 2, day - 61):
            seed = ticket.masks[stream]
            for bit in f"{leaf:024b}":
                assert image.count(seed[:8]) + image.count(seed[8:]) == 0
                seed = world._blocks(seed, 2)[int(bit)]
    nvs = NvsPartition(flash_of(image))
    names = nvs.keys("lamppost")
    for stream in (1, 2):
        (name,) = [name for name in names if name in (f"mask{stream:03}", f"mask{stream:03}2")]
        blob = nvs.get("lamppost", name, "blob")
        assert int.from_bytes(blob[:4], "big") == 1
        assert day - 60 <= int.from_bytes(blob[4:8], "big") <= day
