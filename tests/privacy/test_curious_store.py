# SPDX-License-Identifier: MIT
"""A store that wants to know what one node measured, and may ask the controller whatever it likes:
old requests, altered ones, policies, nodes and definitions of its choice. Each attack is refused,
and works where the rule that refuses it is taken away; what no rule holds off is shown as well.
"""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from host_tools.controller import policies
from host_tools.controller.documents import Request, Token
from host_tools.controller.folder import add
from host_tools.errors import ToolError
from host_tools.provisioning.mask_roots import write_roots
from tests.host_tools.controller_fixture import (
    DAY,
    DAY0,
    START,
    STREAM,
    WINDOW,
    VaultedOffice,
    ask_for,
    make_nodes,
    masked_sum,
    opened,
    terms,
)
from tests.privacy.asked_controller import WINDOWS, K, Town, refused

SPAN, OTHER = (0, 4), (4, 8)
FAR = 1 << 40  # of 2^64: nearer than that is chance once in eight million


@pytest.fixture
def town(tmp_path):
    return Town(tmp_path, 3 * K)


def sum_of(town, nodes, span) -> list[int]:
    """Σ c, as the store has it."""
    borders = ask_for(nodes, [town.policy], span).ranges[0]
    truth = {n.node_id: [0, sum(town.values[n.node_id][slice(*span)])] for n in nodes}
    return masked_sum(nodes, borders, STREAM, truth)


def far(value: int, true: int) -> bool:
    """Whether it tells nothing of what it should: a number of 64 bits that is anywhere."""
    return FAR < (value - true) % 2**64 < 2**64 - FAR


# old and altered requests


def test_an_old_request_gives_the_old_token(tmp_path):
    """Also under another name, and when others have asked in between."""
    town = Town(tmp_path, K, noise=(1000, 1, 2))
    first = town.open(town.nodes, SPAN)
    town.open(town.nodes, OTHER, by="somebody else")
    assert town.open(town.nodes, SPAN, by="somebody else") == first


def test_a_token_opens_its_request_only(town):
    asked, other = (ask_for(town.nodes, [town.policy], span) for span in (SPAN, OTHER))
    key = town.office.keys.public().verifier()
    signed = town.office.open().answer(asked.encode(), "store")
    with pytest.raises(ToolError, match="another request"):
        Token.verify(signed, key, other)
    pads = Token.verify(signed, key, asked).pads[0]
    assert opened(sum_of(town, town.nodes, SPAN), pads)[1] == town.true(town.nodes, SPAN)[0]
    for span in (OTHER, (0, 3), (1, 4), (0, 5)):  # who does not verify has nothing of it
        value = opened(sum_of(town, town.nodes, span), pads)[1]
        assert far(value, town.true(town.nodes, span)[0])
    for few in (town.nodes[:1], town.nodes[1:]):
        assert far(opened(sum_of(town, few, SPAN), pads)[1], town.true(few, SPAN)[0])


def test_tokens_do_not_combine_to_others(town):
    """What two tokens open together is what their sums tell, and no part of it."""
    first, second = town.nodes[: 2 * K], town.nodes[2 * K :]
    pads = []
    for nodes, span in ((first, SPAN), (second, OTHER)):
        request = ask_for(nodes, [town.policy], span)
        pads.append(town.office.token(request).pads[0][1])
    for sign in (1, -1):
        together = [0, (pads[0] + sign * pads[1]) % 2**64]
        for nodes in (first, second, town.nodes, town.nodes[:1]):
            for span in (SPAN, OTHER, (0, 8)):
                value = opened(sum_of(town, nodes, span), together)[1]
                assert far(value, town.true(nodes, span)[0])


@pytest.mark.parametrize("change", ["purpose", "stream", "window"])
def test_an_altered_request(town, change):
    request = ask_for(town.nodes, [town.policy], SPAN)
    parts = {
        "purpose": {"purpose": "dpv:Marketing"},
        "stream": {"stream": STREAM + 1},
        "window": {"ranges": tuple((a + 60, b) for a, b in request.ranges)},
    }[change]
    altered = Request(**{**vars(request), **parts})
    rule = {"purpose": "purpose", "stream": "node", "window": "window"}[change]
    assert town.office.refuses(altered) == rule


def test_bytes_that_are_changed_are_another_request_or_none(town):
    encoded = ask_for(town.nodes[:K], [town.policy], SPAN).encode()
    for at in range(0, len(encoded), 3):
        altered = bytearray(encoded)
        altered[at] ^= 1
        try:
            request = Request.decode(bytes(altered))
        except ToolError:
            continue
        assert request.encode() != encoded
        assert town.office.refuses(request) != "form"


# policies of its choice


@pytest.fixture
def stricter(town):
    """The second version wants twice as many nodes, from the first day on."""
    return town.office.allow(terms(), version=2, k=2 * K, noise=None)


def ask_by_the_old_one(town):
    return town.open(town.nodes[:K], SPAN)


def test_an_old_lax_policy(town, stricter, monkeypatch):
    assert refused(ask_by_the_old_one, town) == "population"
    both = [town.policy, stricter]
    assert refused(town.open, town.nodes[:K], SPAN, policies=both) == "population"
    monkeypatch.setattr(policies.Policies, "later", lambda *_: [])
    assert ask_by_the_old_one(town) == town.true(town.nodes[:K], SPAN)


def test_a_new_lax_policy_for_what_was_measured_before_it(town, monkeypatch):
    """A looser version with the same days, made later: it opens what comes after it was given to
    the office, and nothing of before."""
    few = town.nodes[: K - 1]
    town.office.now += DAY
    lax = town.office.allow(terms(), version=2, k=K - 1, noise=None)
    town.office.now += 3 * DAY
    assert refused(town.open, few, SPAN, policies=[lax]) == "population"
    given = (town.office.now - 3 * DAY - START) // WINDOW
    assert refused(town.open, few, (given - 1, given + 4), policies=[lax]) == "population"
    town.office.token(ask_for(few, [lax], (given, given + 4)))
    monkeypatch.setattr(policies.Policies, "earlier", lambda *_: [])
    assert town.open(few, SPAN, policies=[lax]) == town.true(few, SPAN)


def test_a_policy_of_other_nodes(town):
    lax = town.office.allow(terms(), identity="lax", k=1, noise=None)
    assert refused(town.open, town.nodes[:1], SPAN, policies=[lax]) == "policy"
    assert refused(town.open, town.nodes[:1], SPAN, policies=[lax, town.policy]) == "policy"


def test_another_definition_of_the_stream(town):
    """Within a range, and for a part of the nodes."""
    other = town.office.allow(terms(), version=2, k=K, noise=None, window_s=1800,
                              first=DAY0 + 1)  # fmt: skip
    across = (92, 100)
    request = ask_for(town.nodes, [town.policy, other], across)
    assert town.office.refuses(request) == "masked"
    request = ask_for(town.nodes, [town.policy], across)
    assert town.office.refuses(request) == "masked"


# nodes of its choice


def test_a_silent_node_hides_the_others(town):
    """It has nothing of one node, and names it to have k: its mask stays on the sum."""
    *held, silent = town.nodes[: K + 1]
    request = ask_for([*held, silent], [town.policy], SPAN)
    pads = town.office.token(request).pads[0]
    value = opened(sum_of(town, held, SPAN), pads)[1]
    assert far(value, town.true(held, SPAN)[0])
    assert far(value, town.true([*held, silent], SPAN)[0])


def test_one_node_among_silent_ones(town):
    """It names k nodes, and has something of one of them only."""
    one, *silent = town.nodes[:K]
    pads = town.office.token(ask_for([one, *silent], [town.policy], SPAN)).pads[0]
    assert far(opened(sum_of(town, [one], SPAN), pads)[1], town.true([one], SPAN)[0])


def shams(town):
    """Nodes that the store made, of which it knows all."""
    made = make_nodes(K - 1, town.policy)
    town.values.update({node.node_id: [0] * WINDOWS for node in made})
    return made


def test_nodes_that_it_made_itself(town):
    one = town.nodes[0]
    assert refused(town.open, [one, *shams(town)], SPAN) == "node"


def test_nodes_that_it_made_itself_and_the_office_added(town):
    """Not held off: the office must know whose nodes it adds. Then the sum of k is that of one."""
    one, made = town.nodes[0], shams(town)
    town.office.keys.nodes.update({node.node_id: node for node in made})
    assert town.open([one, *made], SPAN) == town.true([one], SPAN)


def test_a_file_of_roots_says_who_wrote_it(town, tmp_path):
    """Everybody has the public key it is sealed to: so it is signed as well."""
    office = VaultedOffice(tmp_path)
    made = tmp_path / "sham.roots"
    write_roots(made, shams(town), office.public, Ed25519PrivateKey.generate())
    with pytest.raises(ToolError, match="not signed by the office"):
        add(office.path, *office.factors, made)
    write_roots(made, shams(town), office.public, office.vault)
    assert add(office.path, *office.factors, made) == (K - 1, K - 1)


def test_nodes_that_measure_nothing(town):
    """Not held off by k: k − 1 dwellings that are empty, or whose meters the store knows to be
    broken, hide nobody. Noise does, as much as it says."""
    one, *empty = town.nodes[:K]
    town.values.update({node.node_id: [0] * WINDOWS for node in empty})
    assert town.open([one, *empty], SPAN) == town.true([one], SPAN)


def test_noise_hides_one_among_nodes_that_measure_nothing(tmp_path):
    """In nineteen of twenty windows it is off by more than a twentieth of its scale."""
    town = Town(tmp_path, K, noise=(100_000, 1, 8))
    one, *empty = town.nodes
    town.values.update({node.node_id: [0] * WINDOWS for node in empty})
    spans = [(at, at + 1) for at in range(WINDOWS)]
    true = town.true([one], *spans)
    errors = [a - b for a, b in zip(town.open(town.nodes, *spans), true, strict=True)]
    assert sum(abs(error) > 800_000 // 20 for error in errors) > WINDOWS // 4
