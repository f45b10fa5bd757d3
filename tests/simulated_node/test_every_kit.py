# SPDX-License-Identifier: MIT
"""A city in which every kit hangs once: nothing is lost, no sensor is at fault, and each stream
that its policy names has values."""

import contextlib
import sqlite3

import pytest

from host_tools.errors import ToolError
from host_tools.micropython_path import micropython_path
from host_tools.policy.compile_policy import compile_policy
from host_tools.provisioning.kit import kit_names
from node.policy.rules import Policy
from simulator.city_run import CityRun, Plan, choose_kits

START_S = 1_790_578_500  # a Monday, 06:55 UTC
FOR_S = 4500  # the hour from 07:00 is whole
HEALTH = 240  # streams from this number on tell of the node itself


def closing(kit) -> set:
    """The streams whose windows end within the run."""
    policy = Policy(compile_policy(kit.policy_path, kit).rules)
    return {s for s in policy.streams if s.window_s <= 3600 and s.number < HEALTH}


@pytest.mark.parametrize("interpreter", ["cpython", "micropython"])
def test_every_kit_in_one_city(tmp_path, interpreter):
    if interpreter == "micropython":
        try:
            micropython_path()
        except ToolError as err:
            pytest.skip(str(err))
    # CPython takes a second for a second of sound: test_noise_node.py listens there for less long.
    names = [n for n in kit_names() if interpreter == "micropython" or not n.startswith("noise")]
    kits = choose_kits(tuple(names), None)
    plan = Plan(
        kits=kits, for_s=FOR_S, folder=tmp_path / "city", start=START_S,
        interpreter=interpreter, heap="192k",
    )  # fmt: skip
    with CityRun(plan) as city:
        city.start()
        kit_of = {node.node_id: kit for node, kit in zip(city.nodes, kits, strict=True)}
        assert city.run(), city.trouble()
        account = city.account()
        logs = {kit_of[node.node_id].name: list(node.log) for node in city.nodes}
    assert account["lost"] == 0
    for node in account["nodes"]:
        assert node["faults"] == 0, (node["kit"], logs[node["kit"]])
        assert node["opened"] == node["receipted"] == node["envelopes"], node["kit"]
    with contextlib.closing(sqlite3.connect(account["store"])) as db:
        seen = set(db.execute("SELECT DISTINCT node, stream FROM value WHERE value IS NOT NULL"))
        seen |= set(db.execute("SELECT DISTINCT node, stream FROM masked"))
    for node, kit in kit_of.items():
        for stream in closing(kit):
            # What is counted may be withheld; all else is told.
            is_counted = stream.quantity.startswith(("vehicle", "people", "ble"))
            assert is_counted or (node, stream.number) in seen, (kit.name, stream.quantity)
