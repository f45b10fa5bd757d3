# SPDX-License-Identifier: MIT
"""A controller without envelopes: what it is asked, what it answers and what it notes are the same
bytes in two cities that have nothing in common but their nodes."""

import dataclasses
import random
import sqlite3

import pytest

from host_tools.attacks.recording import Household
from host_tools.errors import ToolError
from tests.host_tools.controller_fixture import DAY, Office
from tests.privacy.masked_street import Street, kit_policy, let, quarters, request_of

COUNT, HOURS = 16, 24
BROKEN = (2, 11)


@pytest.fixture(scope="module")
def cities(tmp_path_factory):
    """{kind: (its street, its store)}, and their policy"""
    folder = tmp_path_factory.mktemp("cities")
    published = kit_policy(folder)
    chance = random.Random(7)
    empty = [Household([0.0] * 60 * HOURS, {})] * COUNT
    busy = [
        Household([chance.uniform(0, 9000) for _ in range(60 * HOURS)], {}) for _ in range(COUNT)
    ]
    first = Street(published.policy(), empty, 1)
    tickets = [one.ticket for one in first.dwellings]
    streets = {
        "empty": first,
        "busy": Street(published.policy(), busy, 2, tickets),
        "broken": Street(published.policy(), busy, 3, tickets, BROKEN),
    }
    found = {
        kind: (home, home.store(folder / f"{kind}.sqlite", published))
        for kind, home in streets.items()
    }
    return found, published


def request(city):
    home, store = city
    return request_of(store, home.nodes(), quarters(home.start_s, home.end_s))


def ledger_dump(office: Office) -> list[str]:
    with sqlite3.connect(office.ledger.path) as db:
        return list(db.iterdump())


def test_the_cities_did_differ(cities):
    truths = [home.true_sums() for home, _ in cities[0].values()]
    assert not any(truths[0]) and all(truths[1]) and truths[1] != truths[2]


def test_what_is_asked_is_the_same(cities):
    encoded = {request(city).encode() for city in cities[0].values()}
    assert len(encoded) == 1


def test_what_is_answered_and_noted_is_the_same(cities, tmp_path):
    """Two controllers with the same keys at the same time, each asked by one of the cities."""
    found, published = cities
    answers, dumps, keys = set(), [], None
    for kind, city in found.items():
        (tmp_path / kind).mkdir()
        office = city[0].office(tmp_path / kind)
        keys = keys or office.keys
        office.keys = dataclasses.replace(keys)
        let(office, published)
        answers.add(office.open().answer(request(city).encode(), "store"))
        dumps.append(ledger_dump(office))
    assert len(answers) == 1
    assert dumps[0] == dumps[1] == dumps[2]


def test_a_node_that_says_nothing_of_a_broken_meter_would_tell(cities, tmp_path):
    """Nodes mask zeros then. If they left a gap, requests would name who has none."""
    home, _ = cities[0]["broken"]
    number = home.stream.number
    for at in BROKEN:
        one = home.dwellings[at]
        instants = [
            (at_s, [[*r[:2], None, None] if r[0] == number else r for r in records])
            for at_s, records in one.instants
        ]
        home.dwellings[at] = one._replace(instants=instants)
    store = home.store(tmp_path / "gaps.sqlite", cities[1])
    spans = quarters(home.start_s, home.start_s + DAY)
    with pytest.raises(ToolError, match="14 nodes"):
        request_of(store, home.nodes(), spans)
