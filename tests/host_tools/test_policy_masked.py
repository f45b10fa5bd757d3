# SPDX-License-Identifier: MIT
"""Masked streams in the language of policies: what is taken and what is refused, that no sum can
wrap, how far a unit of privacy can move one, and what is told of all that."""

import itertools
import json
import math
import tomllib
from fractions import Fraction

import jsonschema
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from host_tools.controller.documents import DAYS_MAX, NODES_MAX
from host_tools.errors import ToolError
from host_tools.policy import budget, masked_noise, schema
from host_tools.policy.check import check
from host_tools.policy.compile_policy import compile_policy
from host_tools.policy.differences import differences
from host_tools.policy.dpv import measures
from host_tools.policy.load import load, read
from host_tools.policy.masked_fields import check_sums
from host_tools.policy.signed import PublishedPolicy, write_file
from host_tools.provisioning.checked import Table
from node.crypto import lms
from node.policy.rules import Policy, Stream
from tests.host_tools import reference_policy, reference_sealer
from tests.host_tools.test_policy_compile import GOOD, TODAY, complaint, line_of

NOISE = 'noise = { epsilon = "1/8", per_day = 13, contribution = 100_000 }'
CURVE = f"""
[[stream]]
number = 30
quantity = "energy_mwh"
masked = true
statistics = ["count", "sum"]
window_s = 900
resolution = 1
range = [0, 200_000]
k = 15
{NOISE}
why = "Load."
"""
SPREAD = """
[[stream]]
number = 31
quantity = "vehicles"
masked = true
statistics = ["sum_squares", "count", "histogram"]
window_s = 3600
resolution = 2
range = [0, 100]
bins = [10, 100]
k = 12
why = "Plan."
"""
DAILY = """
[[stream]]
number = 32
quantity = "energy_mwh"
statistics = ["sum"]
window_s = 86_400
resolution = 100_000
range = [0, 500_000_000]
why = "Tell the household."
"""
TEXT = GOOD + CURVE + SPREAD


def compiled(folder, text):
    (folder / "policy.toml").write_text(text)
    return compile_policy(folder / "policy.toml", today=TODAY)


def made(folder, text):
    return read(compiled(folder, text))


def stream_of(policy, number):
    return next(one for one in policy.streams if one.number == number)


def energy(statistics, **more) -> Stream:
    """Of a masked stream, as a node has it."""
    fields = {"resolution": 1, "low": 0, "high": 200_000, "noise": [1, 1, 1], "bins": [], **more}
    return Stream(reference_policy.stream(1, "energy_mwh", 900, statistics, k=15, **fields))


# what it compiles to


def test_the_rules(tmp_path):
    both = compiled(tmp_path, TEXT)
    rules = reference_sealer.dumps_back(both.rules)
    assert rules[6][2:] == [
        reference_policy.stream(30, "energy_mwh", 900, ["count", "sum"], 1, 0, 200_000, 15,
                                [100_000, 1, 8], []),
        reference_policy.stream(31, "vehicles", 3600, ["sum_squares", "count", "histogram"], 2, 0,
                                100, 12, None, [10, 100]),
    ]  # fmt: skip
    policy, terms = read(both)
    assert (terms.streams[30].per_day, terms.streams[30].contribution) == (13, 100_000)
    assert (terms.streams[31].per_day, terms.streams[31].contribution) == (None, None)
    assert stream_of(policy, 31).elements() == 1 + 1 + 3


def test_masked_false_is_as_if_it_were_not_there(tmp_path):
    plain = GOOD + DAILY
    written = plain.replace('["sum"]', '["sum"]\nmasked = false')
    assert written != plain
    assert compiled(tmp_path, written) == compiled(tmp_path, plain)


@pytest.mark.parametrize(
    ("old", "new", "words", "told_at"),
    [
        ('["count", "sum"]', '["count", "mean"]', "has the statistic 'mean', but masked values can"
         " only be added | take of count, sum, sum_squares, histogram", 'statistics = ["count",'),
        ('["count", "sum"]', '["sum"]', 'nobody would know of a sensor that gave nothing | add "c',
         'statistics = ["sum"]\nwindow_s = 900\nresolution = 1\n'),
        ('["count", "sum"]', '["count", "count"]', "names a statistic twice", None),
        ("masked = true\nstatistics = [\"count\", \"sum\"]", 'statistics = ["sum_squares"]',
         "'sum_squares', which only a masked stream has | write masked = true",
         'statistics = ["sum_squares"]'),
        ("bins = [10, 100]\n", "", "has a histogram and no bins | add bins: up to 64 rising edges "
         "above 0 and up to 100", None),
        ('"count", "histogram"]', '"count"]', "has bins, but no histogram", "bins = "),
        ("[10, 100]", "[0, 100]", "bins that do not rise within its range | take up", "bins = "),
        ("[10, 100]", "[10, 101]", "bins that do not rise within its range", "bins = "),
        ("[10, 100]", "[10, 10]", "bins that do not rise within its range", "bins = "),
        ("[10, 100]", str(list(range(1, 66))), "take up to 64 rising edges", "bins = "),
        ("[10, 100]", "[true]", "each of bins is a whole number", "bins = "),
        ("window_s = 900\nresolution = 1\n", "window_s = 90\nresolution = 1\n",
         "has window_s = 90, but is masked | take a multiple of 60", "window_s = 90\n"),
        ("k = 15\n", "", "is masked and has no k | add k: the fewest nodes whose sum may open, 5",
         "masked = true"),
        ("k = 15", "k = 4", "has k = 4 | k is 5 to 10000", "k = 4"),
        ("k = 15", "k = 10_001", "has k = 10001 | k is 5 to 10000", "k = 10"),
        ("per_day = 13", 'per_day = "1/9"', "per_day = 1/9, but one sum costs 1/8 on each day | "
         'take per_day = "1/8" or more', "noise = {"),
        (", contribution = 100_000", "", "noise has no contribution | add contribution: the most",
         "noise = {"),
        ("contribution = 100_000", "contribution = 1, sensitivity = 9",
         "has a sensitivity, but that of a masked stream follows from its con", "noise = {"),
        ("contribution = 100_000", "contribution = 0", "contribution is 1 to", "noise = {"),
        ('masked = true\nstatistics = ["count', 'masked = "yes"\nstatistics = ["count',
         "has masked = 'yes' | masked is true or false", "masked ="),
        ('["count", "sum"]', '["count"]', "has noise, but a count of samples gets n", "noise = {"),
        ('"energy_mwh"\nmasked = true\nstatistics = ["count", "sum"]',
         '"laeq_mdb"\nmasked = true\nstatistics = ["count", "sum_squares"]',
         "decibels cannot be added", None),
        ('"energy_mwh"\n', '"ble_devices"\n', "[0, 200000], which is more than", "range = [0, 2"),
    ],
)  # fmt: skip
def test_each_mistake_is_told_with_its_line(tmp_path, old, new, words, told_at):
    assert TEXT.count(old) == 1
    text = TEXT.replace(old, new)
    told = complaint(compiled, tmp_path, text)
    assert words in told
    if told_at:
        assert f"policy.toml: line {line_of(text, told_at)}:" in told


def test_what_is_not_masked_has_no_bins(tmp_path):
    text = GOOD + DAILY + "bins = [1]\n"
    assert "has bins, but is not masked" in complaint(compiled, tmp_path, text)


def test_a_radio_address_counts_in_each_window(tmp_path):
    text = GOOD + CURVE.replace("energy_mwh", "ble_devices").replace("200_000", "2_000")
    assert "a sum over several windows counts an address again" in complaint(
        compiled, tmp_path, text
    )
    assert compiled(tmp_path, text.replace(NOISE, ""))


@pytest.mark.parametrize("noise", [NOISE, ""])
def test_what_is_measured_when_somebody_comes_is_not_masked(tmp_path, noise):
    """Its exact count would tell how many came."""
    text = GOOD + CURVE.replace("energy_mwh", "vehicle_speed_mmps").replace(NOISE, noise)
    text = text.replace("[0, 200_000]", "[0, 70_000]")
    assert "come when vehicles do" in complaint(compiled, tmp_path, text)


def test_levels_have_a_histogram(tmp_path):
    text = SPREAD.replace("vehicles", "laeq_mdb").replace('"sum_squares", ', "")
    text = text.replace("[0, 100]", "[30_000, 90_000]").replace("[10, 100]", "[50_000, 70_000]")
    assert compiled(tmp_path, GOOD + text)


# beside others


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("", "", None),  # the daily total of a dwelling beside its masked curve
        ("window_s = 86_400", "window_s = 900", "stream number 32 would tell what number 30 "),
        ("window_s = 86_400", "window_s = 300", "let the readable window be a longer multiple"),
        ("window_s = 86_400", "window_s = 1200", "let the readable window be a longer multiple"),
        ("window_s = 86_400", "window_s = 1800", None),
        ('["sum"]', '["sum", "max"]', "has max beside stream number 30, of one quantity | take"),
        ('["sum"]', '["sum", "mean"]', None),
        ('statistics = ["sum"]', 'masked = true\nk = 15\nstatistics = ["count", "sum"]',
         "is masked beside stream number 30, of one quantity, which is masked as well"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("readable_first", [False, True])
def test_what_may_be_readable_beside_it(tmp_path, old, new, words, readable_first):
    assert old in DAILY
    daily = DAILY.replace(old, new) if old else DAILY
    if readable_first:
        daily = daily.replace("number = 32", "number = 1")
    if words is None:
        assert compiled(tmp_path, GOOD + CURVE + daily)
        return
    told = complaint(compiled, tmp_path, GOOD + CURVE + daily)
    assert "(number 30) " in told if readable_first else words in told


def test_each_masked_stream_keeps_its_own_budget(tmp_path):
    """The controller keeps it; what is readable has its own."""
    noisy = DAILY + 'noise = { epsilon = "1/100", per_day = "1/100", contribution = 1 }\n'
    policy, terms = made(tmp_path, GOOD + CURVE + noisy)
    assert budget.epsilon_by_quantity(policy, terms) == {"energy_mwh": 13 + Fraction(1, 100)}


# no sum wraps


def worst_sums(stream: Stream) -> list[int]:
    """The largest sizes that any element can reach, added up reading by reading as a node does,
    for as many readings as there can be."""
    readings = NODES_MAX * DAYS_MAX * 86_400
    ends = [stream.steps("sum", value) for value in (stream.low, stream.high)]
    found = [readings]  # a count, a bin
    if "sum" in stream.statistics:
        found += [readings * abs(step) for step in ends]
    if "sum_squares" in stream.statistics:
        found += [readings * step * step for step in ends]
    return found


def fits(stream: Stream) -> bool:
    try:
        check_sums(Table("p.toml: stream 1", {}, ()), stream)
    except ToolError:
        return False
    return True


@settings(max_examples=300)
@given(
    statistics=st.sampled_from(["sum", "sum_squares", "histogram"]),
    low=st.integers(-(10**14), 0), span=st.integers(1, 10**14), resolution=st.integers(1, 10**9),
)  # fmt: skip
@example("sum", 0, 29_168_000, 1)
@example("sum_squares", 0, 10_801, 2)
def test_what_compiles_cannot_wrap(statistics, low, span, resolution):
    assume(resolution <= span)
    bins = [low + 1] if statistics == "histogram" else []
    stream = energy(["count", statistics], low=low, high=low + span, resolution=resolution,
                    noise=None, bins=bins)  # fmt: skip
    assert fits(stream) == all(size < 2**63 for size in worst_sums(stream))


@settings(max_examples=200)
@given(
    statistic=st.sampled_from(["sum", "sum_squares"]), high=st.integers(30_000_000, 10**14),
)  # fmt: skip
def test_the_mend_of_a_sum_that_could_wrap_is_exact(statistic, high):
    def with_(resolution, high=high):
        return energy(["count", statistic], high=high, resolution=resolution, noise=None)

    with pytest.raises(ToolError) as caught:
        check_sums(Table("p.toml: stream 1", {}, ()), with_(1))
    words = caught.value.hint.split()
    resolution, most = int(words[3]), int(words[-1])
    assert fits(with_(resolution)) and not fits(with_(resolution - 1))
    assert fits(with_(1, most)) and not fits(with_(1, most + 1))


def test_a_sum_that_could_wrap_is_told(tmp_path):
    text = GOOD + CURVE.replace('"sum"]', '"sum", "sum_squares"]')
    told = complaint(compiled, tmp_path, text)
    assert "whose sum of squares can pass 2^63, with 10,000 nodes, 366 days and a reading" in told
    assert "take resolution = 38 or more, or a range of at most 5400" in told
    told = complaint(compiled, tmp_path, GOOD + CURVE.replace('"1/8"', '"1/1000000"').replace(
        "contribution = 100_000", "contribution = 1_000_000_000_000"))  # fmt: skip
    assert "has noise that can carry a sum past 2^63 | take a higher epsilon" in told


# how far a unit moves a sum


@settings(max_examples=300)
@given(data=st.data())
def test_no_unit_moves_a_sum_further_than_its_sensitivity(data):
    """A node's own rounding, with and without a unit that is spread over readings at will."""
    low = data.draw(st.integers(-1000, 0))
    high = data.draw(st.integers(1, 1000))
    resolution = data.draw(st.integers(1, high - low))
    bins = sorted(data.draw(st.sets(st.integers(low + 1, high), min_size=1, max_size=5)))
    shares = data.draw(st.lists(st.integers(1, 50), min_size=1, max_size=8))
    bases = [data.draw(st.integers(low - 50, high + 50)) for _ in shares]
    stream = energy(["count", "sum", "sum_squares", "histogram"], low=low, high=high,
                    resolution=resolution, bins=bins, noise=[sum(shares), 1, 1])  # fmt: skip
    without, with_unit = (
        elements(stream, [base + more * share for base, share in zip(bases, shares, strict=True)])
        for more in (0, 1)
    )
    moved = [abs(a - b) for a, b in zip(without, with_unit, strict=True)]
    count, one, squares, *of_bins = masked_noise.sensitivities(stream)
    assert count is None and moved[0] == 0
    assert moved[1] <= one and moved[2] <= squares
    assert len(of_bins) == len(bins) + 1 and len(set(of_bins)) == 1
    assert sum(moved[3:]) <= of_bins[0]


def elements(stream: Stream, readings: list[int]) -> list[int]:
    """As host_tools/controller/README.md says a node adds them."""
    held = [min(max(value, stream.low), stream.high) for value in readings]
    steps = [stream.steps("sum", value) for value in held]
    bins = [0] * (len(stream.bins) + 1)
    for value in held:
        bins[sum(value >= edge for edge in stream.bins)] += 1
    return [len(held), sum(steps), sum(step * step for step in steps), *bins]


def test_the_sensitivities_are_reached():
    """None could be lower: readings that each cross the middle of a step."""
    stream = energy(["sum", "histogram", "count"], resolution=10, low=0, high=10, bins=[5],
                    noise=[7, 1, 3])  # fmt: skip
    a, b = elements(stream, [4] * 7), elements(stream, [5] * 7)
    assert b[1] - a[1] == 7 == masked_noise.sensitivities(stream)[0]
    assert sum(abs(x - y) for x, y in zip(a[3:], b[3:], strict=True)) == 14
    assert masked_noise.sensitivities(stream) == [7, 14, 14, None]
    assert masked_noise.scales(stream) == [21, 42, 42, None]
    assert masked_noise.first_elements(stream) == {"sum": 0, "histogram": 1, "count": 3}


def test_what_a_token_costs():
    assert masked_noise.token_epsilon(energy(["count", "sum"], noise=[5, 1, 8])) == Fraction(1, 8)
    wide = energy(["count", "sum", "histogram"], noise=[5, 1, 8], bins=[1, 2, 3])
    assert masked_noise.token_epsilon(wide) == Fraction(1, 4)  # all bins together cost once
    bare = energy(["count", "sum"], noise=None)
    assert masked_noise.token_epsilon(bare) == 0 and masked_noise.scales(bare) == [None, None]


# what is told


def report(folder, text):
    return check(*made(folder, text))


def codes(told):
    return {(one.code, one.stream) for one in told.warnings}


def test_the_sentences(tmp_path):
    told = report(tmp_path, GOOD + CURVE + DAILY + SPREAD)
    said = {one.number: " ".join(one.sentences) for one in told.streams}
    assert "The number of samples and the sum of each 15 min leave masked, 96 times a" in said[30]
    assert "A sum opens over 15 nodes or more, with a token of the controller" in said[30]
    assert "Each reading is held to 0 to 200 Wh and rounded to steps of 0.001 Wh" in said[30]
    assert "A day of data may cost 13: room for 104 sums" in said[30]
    assert "half of the sums by 555 Wh or less, 95 of 100 by 2,400 Wh or less" in said[30]
    assert "what each node has of each day (stream 32): the mask hides when, not how" in said[30]
    assert "The histogram has 3 bins, with edges at 10 vehicles and 100 vehicles" in said[31]
    assert "Sums open exactly" in said[31]
    assert told.epsilon_by_quantity == {"energy_mwh": 13}
    assert "A day costs epsilon = energy_mwh 13 at most." in told.sentences()
    curve = next(one for one in told.as_object()["streams"] if one["number"] == 30)
    assert (curve["masked_k"], curve["epsilon"], curve["epsilon_a_day"]) == (15, "1/8", "13")
    assert curve["error_half"] == math.ceil(math.log(2) * 800_000)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("", "", {("high-epsilon", None)}),
        ("per_day = 13", "per_day = 1", set()),
        ("k = 15", "k = 14", {("low-k", 30), ("high-epsilon", None)}),
        (NOISE, "", {("k-is-not-dp", 30)}),
        ('"count", "sum"]', '"count", "histogram"]\nbins = [100]',
         {("useless-noise", 30), ("high-epsilon", None)}),
    ],
)  # fmt: skip
def test_guidance(tmp_path, old, new, expected):
    assert old in CURVE
    text = CURVE.replace(old, new) if old else CURVE
    told = report(tmp_path, GOOD + text)
    assert codes(told) == expected
    assert all(one.what and one.why and one.mend for one in told.warnings)


def test_guidance_of_what_is_counted(tmp_path):
    assert codes(report(tmp_path, GOOD + SPREAD)) == {("k-is-not-dp", 31)}
    few = SPREAD.replace("k = 12", "k = 9")
    assert codes(report(tmp_path, GOOD + few)) == {("k-is-not-dp", 31), ("low-k", 31)}


def test_what_is_readable_and_nearly_tells_it(tmp_path):
    power = DAILY.replace('energy_mwh"\nstatistics = ["sum"]', 'power_mw"\nstatistics = ["mean"]')
    power = power.replace("500_000_000", "5_000_000")
    day = report(tmp_path, GOOD + CURVE + power)
    assert ("related", 32) not in codes(day)
    fine = report(tmp_path, GOOD + CURVE + power.replace("86_400", "900"))
    assert ("related", 32) in codes(fine)


def test_measures_of_dpv(tmp_path):
    policy, _ = made(tmp_path, TEXT)
    assert measures(stream_of(policy, 30)) == [
        "dpv:HomomorphicEncryption", "dpv:DifferentialPrivacy",
    ]  # fmt: skip
    assert measures(stream_of(policy, 31)) == ["dpv:HomomorphicEncryption"]
    assert measures(stream_of(policy, 7)) == []


# what a new version lets out


@pytest.mark.parametrize(
    ("old", "new", "expected", "words"),
    [
        ("k = 15", "k = 14", ("more", 30, "k"), "sums open from 14 nodes on, it was: sums op"),
        ("per_day = 13", "per_day = 14", ("more", 30, "per_day"), "a day may cost epsilon = 14"),
        ("1/8", "1/7", ("more", 30, "epsilon"), "an opened sum costs epsilon = 1/7"),
        ("contribution = 100_000", "contribution = 99_999", ("more", 30, "sensitivity"), "hides"),
        (NOISE, "", ("more", 30, "noise"), "sums open without noise"),
        ("bins = [10, 100]", "bins = [10, 50, 100]", ("more", 31, "bins"), "edge at 50 vehicles"),
        ('["count", "sum"]', '["count", "sum", "histogram"]\nbins = [9]',
         ("more", 30, "statistics"), "the histogram of energy_mwh leaves, too"),
    ],
)  # fmt: skip
def test_more_and_the_other_way_round_less(tmp_path, old, new, expected, words):
    assert TEXT.count(old) == 1
    newer = TEXT.replace(old, new).replace("version = 3", "version = 4")
    again = TEXT.replace("version = 3", "version = 5")
    found = differences(made(tmp_path, TEXT), made(tmp_path, newer))
    assert [(one.kind, one.stream, one.field) for one in found] == [expected]
    assert words in found[0].text
    found = differences(made(tmp_path, newer), made(tmp_path, again))
    assert [(one.kind, one.stream, one.field) for one in found] == [("less", *expected[1:])]


def test_what_is_masked_no_more(tmp_path):
    masked = GOOD + CURVE.replace(NOISE, "")
    readable = masked.replace("masked = true\n", "").replace("k = 15\n", "")
    readable = readable.replace("version = 3", "version = 4")
    found = differences(made(tmp_path, masked), made(tmp_path, readable))
    assert [(one.kind, one.field) for one in found] == [("more", "masked")]
    assert found[0].text == "energy_mwh leaves readable, it was masked"
    masked = masked.replace("version = 3", "version = 5")
    found = differences(made(tmp_path, readable), made(tmp_path, masked))
    assert [(one.kind, one.field) for one in found] == [("less", "masked")]
    found = differences(made(tmp_path, GOOD), made(tmp_path, GOOD + CURVE))
    assert "masked; sums open from 15 nodes on; noise of epsilon" in found[-1].text


# published, and in an editor


def test_a_published_policy_meets_the_same_checks(tmp_path):
    both = compiled(tmp_path, TEXT.replace("2026-12-31", "2099-12-31"))
    write_file(tmp_path / "p.policy", PublishedPolicy(
        both.rules, both.terms, bytes(lms.SIGNATURE_LENGTH)))  # fmt: skip
    policy, terms = load(tmp_path / "p.policy")
    assert policy.digest == Policy(both.rules).digest and terms.streams[30].per_day == 13
    rules = reference_sealer.dumps_back(both.rules)
    rules[6][2][7] = 4  # k
    write_file(tmp_path / "q.policy", PublishedPolicy(
        reference_sealer.dumps(rules), both.terms, bytes(lms.SIGNATURE_LENGTH)))  # fmt: skip
    assert "k is 5 to 10000" in complaint(load, tmp_path / "q.policy")


BAD = [
    ('["count", "sum"]', '["count", "mean"]'), ('["count", "sum"]', '["sum"]'),
    ("bins = [10, 100]\n", ""), ('"count", "histogram"]', '"count"]'), ("[10, 100]", "[true]"),
    ("window_s = 900\nresolution = 1\n", "window_s = 90\nresolution = 1\n"), ("k = 15\n", ""),
    ("k = 15", "k = 4"), ("k = 15", "k = 10_001"), (", contribution = 100_000", ""),
    ("contribution = 100_000", "contribution = 1, sensitivity = 9"),
    ("masked = true\nstatistics = [\"count\", \"sum\"]", 'statistics = ["sum_squares"]'),
    ("masked = true\nstatistics = [\"count\", \"sum\"]", 'statistics = ["sum"]'),  # k of energy
    ("masked = true\nstatistics = [\"sum_sq", "statistics = [\"sum_sq"),
]  # fmt: skip


def by_schema(text) -> bool:
    data = json.loads(json.dumps(tomllib.loads(text), default=str))
    return jsonschema.Draft202012Validator(json.loads(schema.PATH.read_text())).is_valid(data)


def test_the_schema_takes_what_compiles():
    assert by_schema(TEXT) and by_schema(GOOD + CURVE + DAILY)


@pytest.mark.parametrize(("old", "new"), BAD)
def test_the_schema_refuses_what_does_not(tmp_path, old, new):
    assert TEXT.count(old) == 1
    text = TEXT.replace(old, new)
    complaint(compiled, tmp_path, text)
    assert not by_schema(text)


def test_no_field_of_a_masked_stream_stays_behind(tmp_path):
    """What is written again from a published policy compiles to the same, whatever there is."""
    noisy = SPREAD + NOISE.replace("100_000", "1") + "\n"
    for curve, spread in itertools.product((CURVE, CURVE.replace(NOISE, "")), (SPREAD, noisy)):
        both = compiled(tmp_path, (GOOD + curve + spread).replace("2026-12-31", "2099-12-31"))
        write_file(tmp_path / "p.policy", PublishedPolicy(
            both.rules, both.terms, bytes(lms.SIGNATURE_LENGTH)))  # fmt: skip
        assert load(tmp_path / "p.policy")[0].digest == Policy(both.rules).digest
