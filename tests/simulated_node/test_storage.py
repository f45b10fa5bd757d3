# SPDX-License-Identifier: MIT
"""A whole node whose flash was damaged or erased: what it does without, and what it says."""

import os

import pytest

from node.pipeline import envelope
from simulator.city_run import CityRun, Plan, choose_kits
from simulator.world.flash import BLOCK_BYTES

START_S = 1_780_000_000 // 3600 * 3600
HOUR_MS = 3_600_000


@pytest.fixture(params=["cpython", "micropython"])
def city(request, tmp_path):
    plan = Plan(
        kits=choose_kits(("traffic",), None), for_s=3600, folder=tmp_path / "city", start=START_S,
        interpreter=request.param,
    )  # fmt: skip
    with CityRun(plan) as city:
        city.published = []
        plan.on_publish = lambda topic, message, _: city.published.append((topic, message))
        city.start()
        city.provisioned = (city.nodes[0].folder / "nvs.img").read_bytes()
        yield city


def run(city, hours):
    assert city.conductor.run(city.conductor.now_ms + int(hours * HOUR_MS)), city.trouble()


def switch_off(city):
    node = city.nodes[0]
    node.stop()
    return node


def switch_on(city):
    node = city.nodes[0]
    node.log.clear()
    node.power_up(START_S, city.conductor.now_ms, "power", city.conductor.changed)


def damage(node, blocks=(0, 1)):
    """Random bytes over some blocks of /data: the first two are LittleFS's superblocks."""
    with open(node.folder / "data.img", "r+b") as file:
        for block in blocks:
            file.seek(block * BLOCK_BYTES)
            file.write(os.urandom(BLOCK_BYTES))


def erase_nvs(node):
    path = node.folder / "nvs.img"
    path.write_bytes(b"\xff" * path.stat().st_size)


def test_damaged_data_is_made_anew_at_the_second_start_and_the_store_hears_of_it(city):
    run(city, 2)
    before = city.account()["nodes"][0]
    damage(switch_off(city))
    switch_on(city)
    run(city, 2)
    node = city.nodes[0]
    assert node.resets == 1  # the first start gives up, and asks for another
    assert sum("made anew" in line for line in node.log) == 1
    account = city.account()["nodes"][0]
    assert account["opened"] >= before["opened"] + 6
    assert account["lost"] == 0  # all that was sealed before had a receipt
    assert city.conductor.drain(city.is_drained)
    assert node.status["waiting"] == 0
    run(city, 1)
    assert node.resets == 1
    assert len(city.services.store.logs()) == 1  # the newest outbox of one node


def test_damaged_data_is_left_alone_without_keys(city):
    run(city, 1)
    node = switch_off(city)
    damage(node)
    erase_nvs(node)
    image = (node.folder / "data.img").read_bytes()
    received = city.collector.received
    switch_on(city)
    run(city, 0.25)
    assert node.resets > 5
    assert (node.folder / "data.img").read_bytes() == image
    assert any("OSError" in line for line in node.log)
    assert city.collector.received == received


def test_without_its_keys_it_seals_nothing_sends_what_is_sealed_and_says_why(city):
    run(city, 1)
    node = city.nodes[0]
    access_point = city.services.access_point
    access_point.refuse(node.node_id)
    access_point.cut(node.node_id)
    run(city, 1)
    sealed = node.status["newest"]
    assert node.status["waiting"] >= 4
    erase_nvs(switch_off(city))
    access_point.refuse(node.node_id, False)
    switch_on(city)
    run(city, 1)
    assert any("missing" in line and "seal" in line for line in node.log)
    assert city.collector.settled[node.node_id] == sealed == node.status["newest"]
    assert node.status["unsealed"] >= 3
    assert city.account()["nodes"][0]["lost"] == 0


def test_keys_that_are_written_anew_repeat_no_nonce(city):
    """Also with the counts of boots and commands gone, a power-up draws a series of its own."""
    run(city, 1)
    node = switch_off(city)
    erase_nvs(node)
    switch_on(city)
    run(city, 1)
    switch_off(city)
    (node.folder / "nvs.img").write_bytes(city.provisioned)
    switch_on(city)
    run(city, 2)
    assert city.conductor.drain(city.is_drained)
    assert city.account()["nodes"][0]["lost"] == 0
    used = {}
    for topic, message in city.published:
        if not topic.endswith("/up"):
            continue
        kid, _, _, _, counter, _ = envelope.unpack(message)
        used.setdefault((kid[:10], counter), set()).add(message)
    assert len({kid for kid, _ in used}) == 2  # one series before, one after
    assert all(len(messages) == 1 for messages in used.values())
