# SPDX-License-Identifier: MIT
"""A broker learns a rhythm and sizes that depend on the policy alone, and no reading."""

import contextlib
import sqlite3

import pytest

from node import cbor
from simulator.city_run import USUAL_KITS, CityRun, Plan, choose_kits

START_S = 1_780_000_000 // 3600 * 3600
HOURS = 3


def seen(mood, folder, kits=()):
    """Runs a city; returns ({kit: [(topic's last level, length, Unix s), …]}, payloads, store)."""
    messages = []
    plan = Plan(
        kits=choose_kits(kits, None),
        for_s=HOURS * 3600,
        mood=mood,
        folder=folder,
        start=START_S,
        on_publish=lambda *message: messages.append(message),
    )
    with CityRun(plan) as city:
        city.start()
        assert city.run()
        account = city.account()
        assert city.complete(account)
    by_kit = {}
    for node in account["nodes"]:
        mine = [m for m in messages if m[0].split("/")[1] == node["node"]]
        by_kit[node["kit"]] = [(topic.split("/")[2], len(body), at) for topic, body, at in mine]
    return by_kit, [body for _, body, _ in messages], account["store"]


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cities")
    return {mood: seen(mood, folder / mood) for mood in ("quiet", "busy")}


def values(store):
    with contextlib.closing(sqlite3.connect(store)) as db:
        return db.execute("SELECT quantity, stream, slot_start_s, value FROM value").fetchall()


def test_the_two_cities_did_differ(both):
    for quantity in ("vehicles", "power_mw", "pm2_5_ngm3"):  # of people, noise may hide it
        quiet, busy = (
            {v for q, _, _, v in values(both[mood][2]) if q == quantity} for mood in both
        )
        assert quiet != busy, quantity
    assert {v for q, _, _, v in values(both["quiet"][2]) if q == "vehicles"} == {None}  # below k


def test_a_quiet_city_and_a_busy_one_look_alike(both):
    quiet, busy = both["quiet"][0], both["busy"][0]
    assert set(quiet) == set(USUAL_KITS)
    for kit in quiet:
        assert quiet[kit] == busy[kit]
        assert len(quiet[kit]) > 2 * HOURS * 3


def test_a_node_that_masks_looks_alike_as_well(tmp_path):
    """Each quarter of an hour, from the first that was watched whole: an envelope, as long."""
    quiet, busy = (seen(mood, tmp_path / mood, ("energy-p1",)) for mood in ("quiet", "busy"))
    assert quiet[0] == busy[0]
    greeting, *ups = [length for level, length, _ in busy[0]["energy-p1"] if level == "up"]
    assert len(ups) == 4 * HOURS - 1 and set(ups) != {greeting} and len(set(ups)) == 1
    for _, _, store in (quiet, busy):
        with contextlib.closing(sqlite3.connect(store)) as db:
            assert db.execute("SELECT count(*) FROM masked").fetchone() == (len(ups),)


def test_lengths_follow_from_the_policy_alone(both):
    ups = [entry for entry in both["busy"][0]["air"] if entry[0] == "up"]
    by_minute = {}
    for _, length, at in ups[1:]:  # the first greets, without records
        by_minute.setdefault(at % 3600, set()).add(length)
    assert all(len(lengths) == 1 for lengths in by_minute.values())
    assert by_minute[0] != by_minute[300] == by_minute[600]


def test_no_reading_in_clear(both):
    """No message holds the encoding of a record, nor a node's position in the outbox."""
    _, payloads, store = both["busy"]
    everything = b"".join(payloads)
    records = {}
    for _, stream, start_s, value in values(store):
        records.setdefault((stream, start_s), []).append(value)
    assert len(records) > 100
    for (stream, start_s), _ in records.items():
        for window_s in (300, 900):
            head = cbor.encode(stream) + cbor.encode(start_s // window_s)
            assert head not in everything
    # what is not sealed is the same for every message of a node, but for the counter
    assert all(body[:10] == bytes.fromhex("d08344a101181fa2044e") or body[:10] ==
               bytes.fromhex("d08344a101181fa20441") for body in payloads)  # fmt: skip


def test_ciphertexts_look_random(both):
    """Bits of what is sealed: a bias would show a pattern of the padding."""
    sealed = b"".join(body[40:] for body in both["quiet"][1])
    ones = sum(bin(byte).count("1") for byte in sealed)
    bits = 8 * len(sealed)
    assert bits > 40_000
    assert abs(ones - bits / 2) < 5 * (bits**0.5) / 2  # five standard deviations
