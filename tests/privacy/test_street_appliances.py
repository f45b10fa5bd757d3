# SPDX-License-Identifier: MIT
"""Which appliances run in one dwelling, for who has everything that the store has of it, and the
curve of its street: no better told than by habit. From what the dwelling masks, it would be."""

import contextlib

import pytest

from host_tools.attacks import energy, street
from host_tools.collector.read_store import open_to_read
from tests.privacy.masked_street import QUARTER_S, open_curve, quarters

GROUP = "heating"  # of laundry raw minutes tell no more than habit does
ATTACKED = (0, 7)


def held(path, node_id: str) -> list[list[float]]:
    """All that a store has of a node, as series over its minutes."""
    of_node = " WHERE node = ? ORDER BY "
    with contextlib.closing(open_to_read(path)) as db:
        masked = db.execute("SELECT c FROM masked" + of_node + "from_s", (node_id,)).fetchall()
        daily = db.execute(
            "SELECT value FROM value" + of_node + "slot_start_s", (node_id,)
        ).fetchall()
    assert len(masked) == 96 * len(daily) > 0
    elements = zip(*(street.numbers(c) for (c,) in masked), strict=True)
    series = [street.spread(values, QUARTER_S) for values in elements]
    return [*series, street.spread([value for (value,) in daily], 86_400)]


@pytest.fixture(scope="module")
def curve(recorded, tmp_path_factory):
    """{whether with noise: what the store opens of the street, as a series over the minutes}"""
    home, found = recorded.street, {}
    spans = quarters(home.start_s, home.end_s)
    for noisy in (True, False):
        published, store = (
            (recorded.noisy, recorded.noisy_store) if noisy
            else (recorded.exact, recorded.exact_store)
        )  # fmt: skip
        office = home.office(tmp_path_factory.mktemp("office"), published)
        opened, _ = open_curve(store, office, home.nodes(), spans)
        found[noisy] = street.spread([total for _, total in opened], QUARTER_S)
    return found


@pytest.mark.parametrize("attacked", ATTACKED)
def test_one_dwelling_of_the_street(recorded, curve, attacked):
    one = recorded.street.dwellings[attacked]
    house = one.house._replace(on={GROUP: one.house.on[GROUP]})
    f1 = lambda series: energy.guesses(house, series)[GROUP].f1  # noqa: E731
    habit = f1([])
    unmasked = street.spread([total for _, (_, total) in sorted(one.truth.items())], QUARTER_S)
    assert f1([unmasked]) > habit + 0.1  # the attack is one
    stored = held(recorded.noisy_store, one.ticket.node_id)
    views = stored, [*stored, curve[True]], [stored[-1], curve[True]], [*stored, curve[False]]
    for series in views:
        assert f1(series) <= habit + energy.MARGIN


def test_the_attack_of_the_command_line(recorded, recordings):
    """`lamppost policy attack` asks the same of a policy."""
    (result,) = street.attack_street("dwelling", recorded.noisy.policy(), recordings, 1)
    assert result.met and "15 dwellings" in result.question
    assert result.details["raw"][GROUP] > result.details["habit"][GROUP] + 0.1
    assert result.details["policy"][GROUP] <= result.details["habit"][GROUP] + energy.MARGIN


def test_a_node_that_does_not_mask_is_found_out(recorded):
    """The same observer, of a firmware that forgets to mask."""
    one = recorded.street.dwellings[0]
    house = one.house._replace(on={GROUP: one.house.on[GROUP]})
    bare = [values for _, values in sorted(one.truth.items())]
    stored = [street.spread(column, QUARTER_S) for column in zip(*bare, strict=True)]
    plain, nothing = stored[1], [0.0] * len(stored[1])
    stream = street.masked_stream(recorded.noisy.policy())
    assert not street.street_result("broken", stream, house, plain, stored, nothing).met
