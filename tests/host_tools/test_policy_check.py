# SPDX-License-Identifier: MIT
"""host_tools/policy/check.py, budget.py, guidance.py: the figures of a day, and each warning."""

import math
from fractions import Fraction

import pytest

from host_tools.policy import budget
from host_tools.policy.check import check
from host_tools.policy.compile_policy import compile_policy
from host_tools.policy.load import load, read
from host_tools.provisioning.kit import load_kit
from node.pipeline import envelope
from node.policy.rules import DAY_S, Policy
from tests.host_tools import reference_sealer as ref
from tests.host_tools.test_policy_compile import COUNTS, GOOD, TODAY

KITS = load_kit("air").policy_path.parents[1]


def policy_of(tmp_path, text):
    (tmp_path / "p.toml").write_text(text)
    return read(compile_policy(tmp_path / "p.toml", today=TODAY))


def report_of(tmp_path, text):
    return check(*policy_of(tmp_path, text))


def kit_report(name):
    return check(*load(KITS / name))


# figures


def test_a_day_of_the_traffic_kit():
    report = kit_report("traffic/policy.toml")
    assert report.releases == 96 + 11 * 24
    assert report.envelopes == 96  # one at each quarter of an hour, whatever closes
    assert report.epsilon_by_quantity == {"people_rightward": 1, "people_leftward": 1}
    assert report.epsilon == 2
    people = report.streams[1]
    assert (people.releases_a_day, people.epsilon, people.epsilon_a_day) == (
        24,
        Fraction(1, 24),
        1,
    )


@pytest.mark.parametrize("name", ["air", "traffic", "energy"])
def test_bytes_are_those_of_envelopes_that_leave(name):
    """A node's day, sealed by another implementation."""
    policy, _ = load(KITS / name / "policy.toml")
    compiled = compile_policy(KITS / name / "policy.toml").rules
    day = 20_600
    node = ref.ReferenceNode(bytes(32), "0123456789", day, compiled)
    sizes = {}
    for instant_s in range(day * DAY_S + 60, (day + 1) * DAY_S + 1, 60):
        if policy.closing(instant_s):
            size = len(node.seal([], instant_s))
            sizes[size] = sizes.get(size, 0) + 1
    assert kit_report(f"{name}/policy.toml").envelope_bytes == sizes


def test_bytes_of_one_envelope_a_day():
    policy, _ = load(KITS / "energy/policy-dwelling.toml")
    policy.streams, policy.windows_s = policy.streams[:1], [DAY_S]  # without the masked curve
    sealed = envelope.pack(bytes(14), 0, bytes(policy.padded_length(0) + 16))
    assert budget.envelopes_a_day(policy) == {len(sealed): 1}


@pytest.mark.parametrize(("sensitivity", "parts"), [(1, (1, 24)), (1, (3, 1)), (5000, (1, 2))])
@pytest.mark.parametrize("share", [0.5, 0.95, 0.01])
def test_how_far_noise_moves_a_value(sensitivity, parts, share):
    rules = [1, "vehicles", 900, ["sum"], 1, 0, 5000, 0, [sensitivity, *parts]]
    body = ["lp1 policy", "t", 1, "k", 0, 1, [rules], bytes(32)]
    stream = Policy(ref.dumps(body)).streams[0]
    within = budget.noise_within(stream, share)
    p = math.exp(-parts[0] / parts[1] / sensitivity)

    def mass(m):  # of -m … m, by adding the probabilities up
        return sum((1 - p) / (1 + p) * p ** abs(x) for x in range(-m, m + 1))

    assert mass(within) >= share - 1e-9
    assert within == 0 or mass(within - 1) < share


def test_sentences_carry_the_numbers(tmp_path):
    streams = {stream.number: " ".join(stream.sentences) for stream in
               report_of(tmp_path, GOOD + COUNTS).streams}  # fmt: skip
    assert "The sum of each 15 min leaves, 96 times a day." in streams[9]
    assert "from 0 to 5,000 vehicles, in steps of 1 vehicle" in streams[9]
    assert "Where the sum is below 10 vehicles, the record is withheld" in streams[9]
    assert "epsilon = 1/24 (0.0417) a release, 1 a day" in streams[10]
    assert "changes a value by 2 people at most (nobody)" in streams[10]
    assert "half of the values by 33 people or less, 95 of 100 by 144 people" in streams[10]
    assert "The mean and the highest of each 5 min leave, 288 times a day." in streams[7]
    assert "from -40 to 60 °C, in steps of 0.1 °C" in streams[7]
    assert "kept for 30 days" in streams[2]


def test_the_json_is_exact(tmp_path):
    told = report_of(tmp_path, GOOD + COUNTS).as_object()
    assert told["epsilon_a_day_by_quantity"] == {"people_leftward": "1"}
    assert told["streams"][3]["epsilon"] == "1/24"
    assert told["bytes_a_day"] > told["messages_a_day"] * 60


# warnings


def codes(report):
    return {(warning.code, warning.stream) for warning in report.warnings}


def test_kits():
    assert codes(kit_report("air/policy.toml")) == set()
    assert codes(kit_report("energy/policy-dwelling.toml")) == {("high-epsilon", None)}
    assert codes(kit_report("traffic/policy.toml")) == {("k-is-not-dp", 1)}
    feeder = kit_report("energy/policy.toml")
    assert codes(feeder) == {("fine-energy", 1), ("fine-energy", 2), ("fine-energy", 5)}
    assert "15/15 rule" in feeder.warnings[0].why
    for warning in feeder.warnings:
        assert warning.what and warning.why and warning.mend


@pytest.mark.parametrize(
    ("old", "new", "code", "stream"),
    [
        ("k = 10\nunit", "k = 9\nunit", "low-k", 9),
        ("k = 10\nunit", "unit", "unprotected-count", 9),
        ('["sum"]', '["sum", "max"]', "single-samples", 9),
        ('"1/24", per_day = 1,', '"1/23", per_day = 2,', "high-epsilon", None),
        (", contribution = 2", "", "useless-noise", 10),
        ("place_precision_m = 50", "place_precision_m = 9", "fine-place", None),
        ("retention_days = 30", "retention_days = 731", "long-retention", 2),
    ],
)
def test_each_warning(tmp_path, old, new, code, stream):
    text = GOOD + COUNTS
    assert old in text
    before = codes(report_of(tmp_path, text))
    assert codes(report_of(tmp_path, text.replace(old, new, 1))) - before == {(code, stream)}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("k = 10\nunit", "k = 11\nunit"),
        ('"1/24", per_day = 1,', '"1/25", per_day = 1,'),
        ("place_precision_m = 50", "place_precision_m = 10"),
        ("retention_days = 30", "retention_days = 730"),
        ("k = 10\nnoise", "k = 2\nnoise"),  # the noise protects
    ],
)
def test_what_is_just_right_is_not_warned_of(tmp_path, old, new):
    text = GOOD + COUNTS
    assert old in text
    before = codes(report_of(tmp_path, text))
    assert codes(report_of(tmp_path, text.replace(old, new, 1))) <= before


def test_a_k_below_the_floor(tmp_path):
    text = GOOD + COUNTS.replace("k = 10\nunit", "k = 4\nunit")
    assert any("the floor of 5" in warning.what for warning in report_of(tmp_path, text).warnings)


STREAM = """
[[stream]]
number = {}
quantity = "co2_ppm"
statistics = ["mean"]
window_s = {}
resolution = 1
range = [350, 5000]
why = "Air."
{}"""
NOISE = 'noise = { epsilon = "1/1000", per_day = 1 }'


@pytest.mark.parametrize(
    ("windows", "more", "expected"),
    [
        ((900, 1200), "", {("overlap", 12)}),
        ((900, 3600), "", set()),
        ((900, 1200), NOISE, {("useless-noise", 11), ("useless-noise", 12)}),
    ],
)
def test_windows_that_overlap(tmp_path, windows, more, expected):
    text = GOOD + "".join(STREAM.format(n, w, more) for n, w in enumerate(windows, 11))
    assert codes(report_of(tmp_path, text)) == expected


def test_noise_beside_a_quantity_that_tells_the_same(tmp_path):
    noise = "noise = { epsilon = 1, per_day = 1 }"
    power = STREAM.replace("co2_ppm", "power_mw").format(11, 86_400, "")
    energy = STREAM.replace("co2_ppm", "energy_mwh").format(12, 86_400, noise)
    assert ("related", 11) in codes(report_of(tmp_path, GOOD + power + energy))
    power = STREAM.replace("co2_ppm", "power_mw").format(11, 86_400, noise)
    assert ("related", 11) not in codes(report_of(tmp_path, GOOD + power + energy))


@pytest.mark.parametrize("kit", ["energy-p1", "energy-sml", "energy-iec62056"])
def test_of_a_dwelling_nothing_readable_leaves_more_than_once_a_day(kit):
    report = kit_report(f"{kit}/policy.toml")
    assert codes(report) == {("high-epsilon", None)}  # what the README of the kit weighs
    streams = load(KITS / f"{kit}/policy.toml")[0].streams
    assert {one.window_s for one in streams if one.bins is None} == {86_400}
    (curve,) = [one for one in streams if one.bins is not None]
    assert (curve.quantity, curve.window_s, curve.k) == ("energy_mwh", 900, 15)
    assert curve.statistics == ("count", "sum") and curve.noise


def test_how_full_a_lane_is_tells_its_noisy_vehicles(tmp_path):
    assert codes(kit_report("lane/policy.toml")) == set()
    text = (KITS / "lane/policy.toml").read_text()
    occupancy = STREAM.replace("co2_ppm", "occupancy_permille").replace("[350, 5000]", "[0, 1000]")
    report = report_of(tmp_path, text + occupancy.format(2, 3600, ""))
    assert codes(report) == {("related", 2)}


@pytest.mark.parametrize(
    ("quantity", "just_right_s"),
    [("occupancy_permille", 3600), ("vehicle_speed_mmps", 3600), ("contact_closed", 21_600),
     ("contact_closures", 86_400)],
)  # fmt: skip
def test_what_somebody_did_just_then(tmp_path, quantity, just_right_s):
    stream = STREAM.replace("co2_ppm", quantity).replace("[350, 5000]", "[0, 1]")
    report = report_of(tmp_path, GOOD + stream.format(11, just_right_s // 2, ""))
    assert codes(report) == {("fine-doings", 11)}
    assert codes(report_of(tmp_path, GOOD + stream.format(11, just_right_s, ""))) == set()


def test_energy_of_a_day_is_not_warned_of(tmp_path):
    text = STREAM.replace("co2_ppm", "energy_mwh").format(11, 86_400, "")
    assert codes(report_of(tmp_path, GOOD + text)) == set()
    text = STREAM.replace("co2_ppm", "energy_mwh").format(11, 43_200, "")
    assert codes(report_of(tmp_path, GOOD + text)) == {("fine-energy", 11)}


def test_epsilon_adds_up_over_the_streams_of_a_quantity(tmp_path):
    second = COUNTS[COUNTS.rindex("\n[[stream]]") :].replace("number = 10", "number = 11")
    second = second.replace("3600", "7200")
    text = (GOOD + COUNTS + second).replace("per_day = 1", "per_day = 2")
    report = report_of(tmp_path, text)
    assert report.epsilon_by_quantity == {"people_leftward": Fraction(3, 2)}
    assert ("high-epsilon", None) in codes(report)
