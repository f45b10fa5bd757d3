# SPDX-License-Identifier: MIT
"""host_tools/collector/coverage.py, sums.py, sum_figures.py: which nodes a request names, what a
token opens, and what the numbers mean. Masks and tokens come from reference_masks.py."""

import contextlib
import sqlite3
import statistics
from decimal import Decimal
from fractions import Fraction

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from host_tools.collector.coverage import MaskedReader
from host_tools.collector.masked import Masked, MaskedRecord
from host_tools.collector.store_file import _MASKED, _SCHEMA
from host_tools.collector.sum_figures import by_noise, figures, noise_bound
from host_tools.collector.sums import open_sums, plan, ranges_of
from host_tools.controller.documents import Token
from host_tools.errors import ToolError
from node.policy.rules import Policy
from tests.host_tools.reference_masks import Masks, give_token
from tests.host_tools.reference_policy import PURPOSE, masked, policy

ROOT = bytes(range(32))
DAY0, DAY_S, QUARTER_S = 20_500, 86_400, 900
START_S = DAY0 * DAY_S
NODES = ["000000000a", "000000000b", "000000000c", "000000000d"]
KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
ENERGY = masked(7, "energy_mwh", QUARTER_S, ["count", "sum"], 1000, 0, 1_000_000, k=3)
POLICY, TERMS = policy(ENERGY)
WIDER, WIDER_TERMS = policy([*ENERGY[:6], 2_000_000, *ENERGY[7:]], id="wider")
RENAMED, RENAMED_TERMS = policy([*ENERGY[:7], 4, *ENERGY[8:]], id="renamed", version=2)
AGAIN, AGAIN_TERMS = policy(ENERGY, id="again", version=3)
SAME_VERSION, SAME_TERMS = policy(ENERGY, id="same")
POLICIES = (
    (POLICY, TERMS), (WIDER, WIDER_TERMS), (RENAMED, RENAMED_TERMS), (AGAIN, AGAIN_TERMS),
    (SAME_VERSION, SAME_TERMS),
)  # fmt: skip


class Street:
    """A store of some nodes: what each measured in a slot is in `measured`."""

    def __init__(self):
        self.db = sqlite3.connect(":memory:")
        self.db.executescript(_SCHEMA + _MASKED)
        for rules, terms in POLICIES:
            self.db.execute(
                "INSERT INTO policy (digest, rules, terms) VALUES (?, ?, ?)",
                (Policy(rules).digest, rules, terms),
            )
        self.table = Masked(self.db)
        self.masks = {node: Masks(ROOT, node, 7, DAY0, 2) for node in NODES}
        self.measured = {}

    def send(self, node, slot, numbers, first=None, policy=1):
        span = at(slot if first is None else first), at(slot + 1)
        c = self.masks[node].mask(list(numbers), *span)
        stream = Policy(POLICIES[policy - 1][0]).streams[0]
        self.table.add(node, stream, MaskedRecord(*span, c), policy)
        self.db.execute(
            "INSERT OR IGNORE INTO log VALUES (?, ?, 1, '[]', 1, 1, 0, 0)", (node, b"LOG0")
        )
        self.measured[node, slot] = numbers

    def fill(self, nodes=NODES, slots=range(8)):
        for index, node in enumerate(nodes):
            for slot in slots:
                self.send(node, slot, (15, 1000 * index + slot))

    def expected(self, nodes, first, after):
        rows = [self.measured.get((n, s), (0, 0)) for n in nodes for s in range(first, after)]
        return tuple(map(sum, zip(*rows, strict=True)))

    def open(self, plan, **options):
        signed = give_token(plan.request, self.masks, KEY, **options)
        token = Token.verify(signed, KEY.public_key(), plan.request)
        return open_sums(self.reader(), plan.request, token)

    def reader(self):
        return MaskedReader(self.db, 7)


@pytest.fixture
def street():
    street = Street()
    with contextlib.closing(street.db):
        yield street


def at(slot):
    return START_S + QUARTER_S * slot


def span(first, after):
    return [(at(first), at(after))]


def curve(first, after):
    return [(at(slot), at(slot + 1)) for slot in range(first, after)]


# opening


def test_a_sum_and_a_curve(street):
    street.fill()
    for ranges in (span(0, 8), span(2, 5), curve(0, 8), curve(3, 4)):
        asked = plan(street.reader(), ranges, NODES)
        assert asked.request.nodes == tuple(NODES) and asked.left_out == []
        assert (asked.request.purpose, asked.k) == (PURPOSE, 3)
        assert asked.request.policies == (Policy(POLICY).digest,)
        slots = [((a - START_S) // QUARTER_S, (b - START_S) // QUARTER_S) for a, b in ranges]
        assert street.open(asked) == [street.expected(NODES, *one) for one in slots]


def test_noise_is_in_the_sum_and_a_sum_below_zero_is_one(street):
    street.fill(slots=range(1))
    asked = plan(street.reader(), span(0, 1), NODES)
    count, total = street.expected(NODES, 0, 1)
    assert street.open(asked, noise=-10_000) == [(count - 10_000, total - 10_000)]


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.tuples(st.integers(0, 2**30), st.integers(-(2**40), 2**40)), min_size=4),
    st.data(),
)
def test_any_numbers(numbers, data):
    street = Street()
    with contextlib.closing(street.db):
        cells = [(node, slot) for slot in range(len(numbers) // 4) for node in NODES]
        order = data.draw(st.permutations(list(zip(cells, numbers, strict=False))))
        for (node, slot), values in order:
            street.send(node, slot, values)
        after = len(numbers) // 4
        first = data.draw(st.integers(0, after - 1))
        asked = plan(street.reader(), span(first, after), NODES)
        assert street.open(asked) == [street.expected(NODES, first, after)]


# who is in it


def test_who_does_not_cover_the_time_is_left_out_and_told_why(street):
    street.fill(NODES[:3])
    last = NODES[3]
    for slot in (0, 1, 4, 5, 7):
        street.send(last, slot, (1, 1), first=3 if slot == 4 else None)
    for ranges, reason, gap in (
        (span(0, 8), "gap", (2, 3)), (span(2, 3), "gap", (2, 3)), (span(5, 8), "gap", (6, 7)),
        (span(4, 6), "across", (3, 5)), (span(3, 4), "across", (3, 5)),
        (curve(3, 6), "across", (3, 5)), (curve(5, 8), "gap", (6, 7)), (span(7, 8), None, None),
        (span(3, 6), None, None), (curve(0, 2), None, None),
    ):  # fmt: skip
        asked = plan(street.reader(), ranges, NODES)
        if reason is None:
            assert asked.left_out == [] and len(asked.request.nodes) == 4
        else:
            (left,) = asked.left_out
            assert (left.node_id, left.reason) == (last, reason)
            assert (left.from_s, left.to_s) == (at(gap[0]), at(gap[1]))
            assert asked.request.nodes == tuple(NODES[:3])
        first, after = ((one - START_S) // QUARTER_S for one in (ranges[0][0], ranges[-1][1]))
        nodes = asked.request.nodes
        sums = [sum(column) for column in zip(*street.open(asked), strict=True)]
        assert tuple(sums) == street.expected(nodes, first, after)


def test_fewer_than_the_policy_asks_for_are_told_before_anybody_is_asked(street):
    street.fill(NODES[:2])
    with pytest.raises(ToolError, match="covered by 2 nodes, and the policy asks for 3"):
        plan(street.reader(), span(0, 8), NODES[:2])
    with pytest.raises(ToolError) as caught:
        plan(street.reader(), span(0, 8), NODES)
    assert NODES[2] in caught.value.hint and "nothing came" in caught.value.hint
    with pytest.raises(ToolError, match="covered by 0 nodes, and the policy asks for 4"):
        plan(street.reader(), span(8, 9), NODES)


def test_k_is_the_largest_of_the_policies_and_all_are_named(street):
    street.fill(slots=range(4))
    for slot in range(4, 8):
        for index, node in enumerate(NODES):
            street.send(node, slot, (15, index), policy=3 if index < 2 else 1)
    both = tuple(sorted((Policy(POLICY).digest, Policy(RENAMED).digest)))
    for ranges in (span(0, 8), span(3, 5), curve(0, 8)):
        asked = plan(street.reader(), ranges, NODES)
        assert (asked.k, asked.request.policies) == (4, both)
        assert asked.policy.version == 2
    asked = plan(street.reader(), span(0, 4), NODES)
    assert (asked.k, asked.request.policies) == (3, both[:1] if POLICY_FIRST else both[1:])
    with pytest.raises(ToolError, match="covered by 3 nodes, and the policy asks for 4"):
        plan(street.reader(), span(0, 8), NODES[:3])


POLICY_FIRST = Policy(POLICY).digest < Policy(RENAMED).digest


@pytest.mark.parametrize("middle", range(1, 8))
def test_a_policy_in_the_middle_is_found(street, middle):
    """At the ends are others, wherever it lies."""
    for slot in range(9):
        for node in NODES:
            id = 3 if slot == middle else 1 if slot < middle else 4
            street.send(node, slot, (1, slot), policy=id)
    for ranges in (span(0, 9), curve(0, 9), span(middle - 1, middle + 2)):
        asked = plan(street.reader(), ranges, NODES)
        assert len(asked.request.policies) == 3 and asked.k == 4
        first, after = ((one - START_S) // QUARTER_S for one in (ranges[0][0], ranges[-1][1]))
        sums = [sum(column) for column in zip(*street.open(asked), strict=True)]
        assert tuple(sums) == street.expected(NODES, first, after)


@pytest.mark.parametrize("order", [range(3), (2, 1, 0), (0, 2, 1)])
def test_where_a_version_does_not_rise_a_segment_ends(street, order):
    """Else the ends of a range could agree, and another policy between them be overlooked."""
    for slot in order:
        for node in NODES:
            street.send(node, slot, (1, slot), policy=(1, 5, 1)[slot])
    with pytest.raises(ToolError, match="covered by 0 nodes") as caught:
        plan(street.reader(), span(0, 3), NODES)
    assert "another policy" in caught.value.hint
    for ranges in (span(0, 1), span(1, 2), curve(0, 3)):
        asked = plan(street.reader(), ranges, NODES)
        assert len(asked.request.policies) == (2 if len(ranges) > 1 else 1)


def test_who_defines_the_stream_otherwise_is_left_out(street):
    street.fill(NODES[:3])
    for slot in range(8):
        street.send(NODES[3], slot, (1, 1), policy=2)
    asked = plan(street.reader(), span(0, 8), NODES)
    (left,) = asked.left_out
    assert (left.node_id, left.reason) == (NODES[3], "other")
    assert street.open(asked) == [street.expected(NODES[:3], 0, 8)]


def test_a_time_between_windows(street):
    street.fill()
    with pytest.raises(ToolError, match="no window of stream 7 begins at") as caught:
        plan(street.reader(), [(at(0), at(1) + 60)], NODES)
    assert "15 min each" in caught.value.hint


def test_ranges():
    assert ranges_of(0, 3600) == [(0, 3600)]
    assert ranges_of(0, 2700, 900) == [(0, 900), (900, 1800), (1800, 2700)]
    for wrong, words in (
        ((5, 5), "is not after"), ((0, 1000, 900), "not a multiple of --every 15 min"),
        ((0, 367 * DAY_S), "at most 366 days"), ((0, 90 * DAY_S, 900), "more than 3000 values"),
    ):  # fmt: skip
        with pytest.raises(ToolError, match=words):
            ranges_of(*wrong)


# what a token does not open


def test_a_token_for_something_else(street):
    street.fill()
    asked = plan(street.reader(), span(0, 4), NODES)
    signed = give_token(asked.request, street.masks, KEY)
    public = KEY.public_key()
    others = [
        plan(street.reader(), span(0, 5), NODES), plan(street.reader(), span(0, 4), NODES[:3]),
        plan(street.reader(), curve(0, 4), NODES),
        plan(street.reader(), span(0, 4), NODES, "dpv:Verification"),
    ]  # fmt: skip
    for other in others:
        with pytest.raises(ToolError, match="the token is for another request"):
            Token.verify(signed, public, other.request)
    with pytest.raises(ToolError, match="not signed by this controller"):
        Token.verify(signed, Ed25519PrivateKey.generate().public_key(), asked.request)
    for at_byte in range(0, len(signed), 7):
        forged = bytearray(signed)
        forged[at_byte] ^= 1
        with pytest.raises(ToolError):
            Token.verify(bytes(forged), public, asked.request)
    for end in (0, 10, 63, 64, 65, len(signed) - 1):
        with pytest.raises(ToolError):
            Token.verify(signed[:end], public, asked.request)


def test_a_token_with_more_elements_than_the_stream(street):
    street.fill()
    asked = plan(street.reader(), span(0, 4), NODES)
    masks = {node: Masks(ROOT, node, 7, DAY0, 3) for node in NODES}
    token = Token.verify(give_token(asked.request, masks, KEY), KEY.public_key(), asked.request)
    with pytest.raises(ToolError, match="other statistics"):
        open_sums(street.reader(), asked.request, token)


def test_a_node_that_no_longer_covers_it(street):
    street.fill()
    asked = plan(street.reader(), span(0, 4), NODES)
    street.db.execute("DELETE FROM masked WHERE node = ? AND from_s = ?", (NODES[0], at(0)))
    with pytest.raises(ToolError, match="1 of the nodes no longer cover"):
        street.open(asked)


def test_a_store_that_does_not_know_the_policy(street):
    street.fill()
    asked = plan(street.reader(), span(0, 4), NODES)
    with contextlib.closing(Street().db) as other:
        other.execute("DELETE FROM policy WHERE id = 1")
        token = Token.verify(
            give_token(asked.request, street.masks, KEY), KEY.public_key(), asked.request
        )
        with pytest.raises(ToolError, match="a policy that this store does not know"):
            open_sums(MaskedReader(other, 7), asked.request, token)


# what the numbers mean

BINS = [500, 1000, 5000]
LINE = masked(
    8, "vehicle_speed_mmps", 900, ["count", "sum", "sum_squares", "histogram"], 10, 0, 70_000,
    bins=BINS,
)  # fmt: skip
SPEED = Policy(policy(LINE)[0]).streams[0]


@given(st.lists(st.integers(0, 7000), min_size=1, max_size=50))
def test_mean_and_variance_are_those_of_the_readings(steps):
    readings = [step * 10 for step in steps]
    bins = [0] * 4
    for reading in readings:
        bins[sum(reading >= edge for edge in BINS)] += 1
    elements = (len(steps), sum(steps), sum(s * s for s in steps), *bins)
    found = {one.statistic: one for one in figures(SPEED, elements, [None] * 7)}
    assert found["count"].value == str(len(readings))
    assert Fraction(found["sum"].value) == Fraction(sum(readings), 1000)
    assert float(found["mean"].value) == pytest.approx(statistics.mean(readings) / 1000, abs=6e-4)
    spread = statistics.pvariance(map(float, readings)) / 10**6
    assert float(found["variance"].value) == pytest.approx(spread, abs=1e-3)
    assert [found[f"bin_{n}"].value for n in range(4)] == list(map(str, bins))
    for percent in (10, 50, 85):
        ordered = sorted(readings)
        reading = ordered[-(-percent * len(ordered) // 100) - 1]
        one = found[f"p{percent}"]
        low, high = float(one.low) * 1000, float(one.high) * 1000
        assert low <= reading <= high


def test_units_and_limits():
    found = {
        one.statistic: one for one in figures(SPEED, (4, 400, 50_000, 1, 2, 1, 0), [None] * 7)
    }
    assert (found["sum"].unit, found["sum"].value) == ("m/s", "4.00")
    assert (found["sum_squares"].unit, found["sum_squares"].value) == ("(m/s)²", "5.0000")
    assert (found["bin_0"].low, found["bin_0"].high) == ("0.000", "0.500")
    assert (found["bin_3"].low, found["bin_3"].high) == ("5.000", "70.000")
    assert (found["p50"].low, found["p50"].high) == ("0.500", "1.000")
    assert found["p85"].unit == "m/s" and not any(one.noise for one in found.values())


def test_what_noise_has_made_impossible_is_empty():
    scales = [(10, 1)] * 7
    found = {one.statistic: one for one in figures(SPEED, (-3, 400, 5, -1, -2, 0, 0), scales)}
    assert (found["mean"].value, found["variance"].value) == ("", "")
    assert (found["p50"].low, found["bin_1"].value, found["bin_1"].noise) == ("", "-2", "30")
    assert (found["count"].value, found["sum"].noise) == ("-3", "0.30")
    found = {one.statistic: one for one in figures(SPEED, (2, 400, 5, 1, 1, 0, 0), scales)}
    assert (found["mean"].value, found["variance"].value) == ("2.000", "")
    assert found["mean"].noise == ""  # the count has noise as well
    without = [None, *scales[1:]]
    found = {one.statistic: one for one in figures(SPEED, (2, 400, 5, 1, 1, 0, 0), without)}
    assert found["mean"].noise == "0.150"


@given(st.integers(1, 5000), st.integers(1, 50))
def test_noise_is_within_its_bound_in_19_of_20_cases(numerator, denominator):
    """Added up from the distribution itself: P(noise = n) is proportional to q^|n|."""
    bound = noise_bound(numerator, denominator)
    q = 2.718281828459045 ** (-denominator / numerator)

    def outside(t):
        return 2 * q ** (t + 1) / (1 + q)

    assert outside(bound) <= 0.05 + 1e-9
    assert bound == 0 or outside(bound - 1) > 0.05 - 1e-9
    total = (1 - q) / (1 + q) * (1 + 2 * sum(q**n for n in range(1, bound + 1)))
    assert total == pytest.approx(1 - outside(bound), abs=1e-6)


@pytest.mark.parametrize(("value", "noise", "shown"), [
    ("124521.462", "3025.690", ("124500", "3100")),
    ("79.061", "1.921", ("79.1", "2.0")),
    ("-3", "300", ("0", "300")),
    ("5", "0", ("5", "0")),
    ("79.061", "0.004", ("79.061", "0.004")),
])  # fmt: skip
def test_digits_that_noise_has_made_meaningless_are_not_shown(value, noise, shown):
    assert by_noise(value, noise) == shown


@given(st.integers(-(10**40), 10**40), st.integers(0, 10**30), st.integers(0, 6))
def test_what_is_shown_is_near_and_its_noise_no_smaller(value, noise, digits):
    value, noise = Decimal(value).scaleb(-digits), Decimal(noise).scaleb(-digits)
    near, bound = map(Fraction, by_noise(f"{value:f}", f"{noise:f}"))
    assert Fraction(noise) <= bound <= Fraction(noise) * Fraction(11, 10)
    assert abs(near - Fraction(value)) <= Fraction(noise) / 20


def test_the_time_for_which_all_nodes_have_sent(street):
    assert street.reader().common_span() is None
    for node, first, end in ((NODES[0], 0, 6), (NODES[1], 2, 8), (NODES[2], 1, 7)):
        for slot in range(first, end):
            street.send(node, slot, [1, 1])
    assert street.reader().common_span() == (at(2), at(6))
    for slot in (9, 10):  # after a gap
        street.send(NODES[1], slot, [1, 1])
    assert street.reader().common_span() is None
    for node in (NODES[0], NODES[2]):
        for slot in range(8, 11):
            street.send(node, slot, [1, 1])
    assert street.reader().common_span() == (at(9), at(11))
