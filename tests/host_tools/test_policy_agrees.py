# SPDX-License-Identifier: MIT
"""Page, data chain and node agree. The node's own minimiser runs under each kit's policy; what
comes out is compared with what the page and the chain say to people, read back from both. So a
change of any one of the three fails here."""

import bisect
import copy
import dataclasses
import datetime
import itertools
import math
import random
import re
from fractions import Fraction

import pytest

from host_tools.policy.datachain import datachain
from host_tools.policy.notice import notice
from node.pipeline.minimise import Minimiser
from node.pipeline.quantities import QUANTITIES
from node.policy.rules import Policy
from tests.host_tools.notice_fixture import POLICIES, found, inputs, made, parse, stream, text_of

DAY_S = 86_400
DAYS = 3
# What the English and the German page call a thing: written a second time, on purpose.
UNITS_S = {
    "second": 1, "minute": 60, "hour": 3600, "day": DAY_S,
    "Sekunde": 1, "Minute": 60, "Stunde": 3600, "Tag": DAY_S,
}  # fmt: skip
STATISTICS = {
    "the number of readings": "count", "the total": "sum", "the average": "mean",
    "the lowest value": "min", "the highest value": "max", "the last value": "last",
    "die Anzahl der Messungen": "count", "die Summe": "sum", "der Durchschnitt": "mean",
    "the total of the squares": "sum_squares", "how the readings are spread": "histogram",
    "die Summe der Quadrate": "sum_squares", "die Verteilung der Messungen": "histogram",
    "der niedrigste Wert": "min", "der höchste Wert": "max", "der letzte Wert": "last",
}  # fmt: skip
PATTERNS = {
    "en": {
        "sent": r"(?:(Once) a|Every ?([\d.,]*)) (second|minute|hour|day)s?: "
                r"(.+?) of that period\.",
        "measured": r"is measured every ?([\d.,]*) (second|minute|hour)s?\.",
        "step": r"ounded to steps of (.+?)(?: before it is added)?\.(?: |$)",
        "low": r"(?:Values|A reading) below (.+?) (?:are sent|counts) as \1\.",
        "high": r"(?:Values|A reading) above (.+?) (?:are sent|counts) as \1\.",
        "masked": r"in one sum with that of other devices, at least ([\d,]+) in all\.",
        "k": r"Counts (?:that are )?under ([\d,]+) (?:after that )?are not sent\.",
        "noise": r"in 19 of 20 cases at most (.+?) more or less\.",
        "epsilon": r"epsilon ([\d/]+) a value, ([\d/]+) a day",
    },
    "de": {
        "sent": r"(?:(Einmal) am|Jede|Alle ([\d.,]+)) (Sekunde|Minute|Stunde|Tag)[en]*: "
                r"(.+?) in diesem Zeitraum\.",
        "measured": r"Gemessen wird (?:jede|alle) ?([\d.,]*) ?(Sekunde|Minute|Stunde)n?\.",
        "step": r"(?:Schrittweite:|auf Schritte von) (.+?)(?: gerundet, bevor .+?)?\.(?: |$)",
        "low": r"(?:Werte kleiner als|Eine Messung unter) (.+?) "
               r"(?:werden als \1 gesendet|zählt als \1)\.",
        "high": r"(?:Werte größer als|Eine Messung über) (.+?) "
                r"(?:werden als \1 gesendet|zählt als \1)\.",
        "masked": r"in einer Summe mit dem anderer Geräte öffnen, zusammen mindestens ([\d.]+)\.",
        "k": r"Zählungen(?:, die danach)? unter ([\d.]+) (?:liegen, )?werden nicht gesendet\.",
        "noise": r"in 19 von 20 Fällen höchstens (.+?) mehr oder weniger\.",
        "epsilon": r"Epsilon ([\d/]+) je Wert, ([\d/]+) am Tag",
    },
}  # fmt: skip


# What is said in short of all counts: without noise, with it, and of what has noise.
SHORT = {
    "en": {
        "k": r"Counts under (?P<k>[\d,]+) are not sent: (?P<names>.+)\.",
        "k_noisy": r"With the random number added, counts under (?P<k>[\d,]+) are not sent: "
                   r"(?P<names>.+)\.",
        "noise": r"A random number is added to: (?P<names>.+)\.",
        "masked": r"No office by itself can read what this device measured: (?P<names>.+)\. "
                  r"It opens only as one sum of at least (?P<k>[\d,]+) devices\.",
    },
    "de": {
        "k": r"Zählungen unter (?P<k>[\d.]+) werden nicht gesendet: (?P<names>.+)\.",
        "k_noisy": r"Liegt die Zählung mit der Zufallszahl unter (?P<k>[\d.]+), "
                   r"wird sie nicht gesendet: (?P<names>.+)\.",
        "noise": r"Eine Zufallszahl wird addiert bei: (?P<names>.+)\.",
        "masked": r"Keine Stelle kann für sich allein lesen, was dieses Gerät gemessen hat: "
                  r"(?P<names>.+)\. Öffnen lässt es sich nur als eine Summe von mindestens "
                  r"(?P<k>[\d.]+) Geräten\.",
    },
}  # fmt: skip
SINGLE = {"min", "max", "last"}  # each is one reading


@dataclasses.dataclass
class Promise:
    """What is said of one stream: window_s, interval_s, statistics, and in the quantity's scale
    step, low, high, k and the limit of the noise; masked: from how many devices on a sum opens.
    None where nothing is said."""

    window_s: int
    interval_s: int
    statistics: list
    step: int | None
    low: int | None
    high: int | None
    k: int | None
    noise: int | None
    masked: int | None


def amount(text: str, language: str, quantity: str) -> int:
    """A value as people read it, in the quantity's scale."""
    number = re.match(r"−?[\d.,]+", text)[0]
    point = {"en": ".", "de": ","}[language]
    plain = re.sub(r"[.,]", lambda m: "." if m[0] == point else "", number).replace("−", "-")
    scale = QUANTITIES[quantity][1] * (1000 if re.search(r"\skW", text) else 1)
    value = float(plain) * scale
    assert abs(value - round(value)) < 1e-6
    return round(value)


def promise(text: str, language: str, quantity: str) -> Promise:
    """Reads the sentences of one stream back."""
    found = {name: re.search(pattern, text) for name, pattern in PATTERNS[language].items()}

    def of(name: str):
        return amount(found[name][1], language, quantity) if found[name] else None

    _, number, unit, statistics = found["sent"].groups()
    measured, measured_unit = found["measured"].groups()
    names = re.split(r", | and | und ", statistics)
    return Promise(
        int(number or 1) * UNITS_S[unit], int(measured or 1) * UNITS_S[measured_unit],
        [STATISTICS[name] for name in names], of("step"), of("low"), of("high"),
        int(found["k"][1]) if found["k"] else None, of("noise"),
        int(found["masked"][1]) if found["masked"] else None,
    )  # fmt: skip


def told_by_page(page: str, language: str) -> dict:
    """{number: (quantity, promise)} from the sentences, which the attributes must repeat."""
    article = found(parse(page), "article", lang=language)[0]
    told = {}
    for element in found(article, data_stream=True):
        quantity = element.get("data-quantity")
        one = promise(text_of(element), language, quantity)
        says = {key: element.get("data-" + key) for key in (
            "window-s", "interval-s", "statistics", "resolution", "low", "high", "k",
            "noise-limit", "masked",
        )}  # fmt: skip
        assert one.window_s == int(says["window-s"])
        assert one.interval_s == int(says["interval-s"])
        assert one.statistics == says["statistics"].split()
        assert one.step in (None, int(says["resolution"]))
        assert one.low in (None, int(says["low"])) and one.high in (None, int(says["high"]))
        assert (one.k or one.masked or 0) == int(says["k"])
        assert (one.masked is not None) == (says["masked"] is not None)
        assert one.noise == (says["noise-limit"] and int(says["noise-limit"]))
        told[int(element.get("data-stream"))] = quantity, one
    return told


def told_by_chain(chain: dict, language: str, quantities: list) -> list:
    """The promises of the chain's values, by the order of the streams."""
    values = [e for e in chain["instance"]["elements"] if e["element_id"] == "values_time"]
    texts = [
        text["value"] for element in values for text in element["variables"][0]["value"]
        if text["locale"] == language
    ]  # fmt: skip
    assert len(texts) == len(quantities)
    return [promise(" ".join(text.split()), language, quantity)
            for text, quantity in zip(texts, quantities, strict=True)]  # fmt: skip


# --- the node


def measured(policy: Policy, intervals_s: dict, seed: int) -> dict:
    """{quantity: [(time, value)]}: some days of random readings."""
    draw = random.Random(seed)
    start = policy.from_s + DAY_S
    return {
        quantity: [
            (t, reading(draw, quantity, t))
            for t in range(start + interval_s, start + DAYS * DAY_S + 1, interval_s)
        ]
        for quantity, interval_s in intervals_s.items()
    }


def readable(policy: Policy) -> Policy:
    """Without what leaves masked: of that nothing is in a record that could be compared."""
    shown = copy.copy(policy)
    shown.streams = [stream for stream in policy.streams if stream.bins is None]
    shown.windows_s = sorted({stream.window_s for stream in shown.streams})
    return shown


def released(policy: Policy, intervals_s: dict, readings: dict) -> list:
    """[(instant, record)]: what can be read of what the node's minimiser lets out of them."""
    policy = readable(policy)
    start = policy.from_s + DAY_S
    minimiser = Minimiser(policy, intervals_s, seed=bytes(range(32)))
    minimiser.follow(start - 1, 1)
    minimiser.close()  # what it did not watch whole
    due = sorted((t, q, value) for q, values in readings.items() for t, value in values)
    records = []
    for at, (t, quantity, value) in enumerate(due):
        minimiser.follow(t, 1)
        minimiser.add(quantity, value)
        is_last = at + 1 == len(due) or due[at + 1][0] > t
        while is_last and minimiser.next_instant_s <= t:
            instant_s = minimiser.next_instant_s
            records += [(instant_s, record) for record in minimiser.close() or []]
    return records


def reading(draw: random.Random, quantity: str, t: int) -> int:
    """Anything that can physically be; counts by the hour, so that some windows have few, some
    many and some none."""
    unit, _, low, high = QUANTITIES[quantity]
    if unit == "devices":
        return draw.choice((0, 300, 300))  # one reading may be a whole window
    if unit in ("vehicles", "people"):
        busy = (0, 10, 30, 400)[t // 3600 % 4]  # of a thousand samples
        return draw.randrange(1, 3) if draw.randrange(1000) < busy else 0
    span = draw.choice((high - low, (high - low) // 100))
    return low + draw.randrange(span + 1)


AGGREGATES = {
    "count": len, "sum": sum, "mean": lambda v: sum(v) / len(v), "min": min, "max": max,
    "last": lambda v: v[-1],
}  # fmt: skip


@pytest.fixture(scope="module", params=POLICIES, ids=lambda p: f"{p.parent.name}-{p.stem}")
def run(request):
    policy, terms, kit = inputs(request.param)
    readings = measured(policy, kit.intervals_s(), 4)
    return policy, terms, kit, readings, released(policy, kit.intervals_s(), readings)


def test_page_chain_and_languages_promise_the_same(run):
    policy, terms, kit = run[:3]
    page, chain = notice(policy, terms, kit), datachain(policy, terms, kit)
    english = told_by_page(page, "en")
    assert told_by_page(page, "de") == english
    quantities = [quantity for quantity, _ in english.values()]
    for language in ("en", "de"):
        assert told_by_chain(chain, language, quantities) == [p for _, p in english.values()]


def test_what_comes_out_of_the_node_is_what_the_page_says(run):
    policy, terms, kit, readings, records = run
    told = told_by_page(notice(policy, terms, kit), "en")
    told = {number: of for number, of in told.items() if of[1].masked is None}
    assert {record[0] for _, record in records} == set(told)
    off = {number: [] for number in told}
    for instant_s, (number, slot, *values) in records:
        quantity, said = told[number]
        assert slot == instant_s // said.window_s - 1
        assert len(values) == len(said.statistics)
        first, end = (
            bisect.bisect_right(readings[quantity], (t, math.inf))
            for t in (instant_s - said.window_s, instant_s)
        )
        within = [value for _, value in readings[quantity][first:end]]
        assert len(within) == said.window_s // said.interval_s
        expect_values(said, quantity, within, values, off[number])
    for number, (_, said) in told.items():
        slots = [record[1] for _, record in records if record[0] == number]
        assert len(slots) == DAYS * DAY_S // said.window_s == len(set(slots))
        if said.noise is not None:
            beyond = [distance for distance in off[number] if abs(distance) > said.noise]
            assert len(off[number]) > 30 and len(beyond) <= 0.15 * len(off[number])
            assert sum(map(abs, off[number])) / len(off[number]) > said.noise / 5
        else:
            assert not any(off[number])


def expect_values(said: Promise, quantity: str, within: list, values: list, off: list):
    """Compares one record; off: collects how far its values are from the truth."""
    lowest = QUANTITIES[quantity][2]
    low = lowest if said.low is None else said.low
    high = math.inf if said.high is None else said.high
    if said.k and said.noise is None:
        assert (values[0] is None) == (sum(within) < said.k)
    if None in values:
        assert said.k and values == [None] * len(values)
        return
    for statistic, value in zip(said.statistics, values, strict=True):
        true = AGGREGATES[statistic](within)
        if statistic == "count":
            assert value == true
            continue
        sent = value * said.step
        assert low - said.step < sent < high + said.step
        assert not said.k or sent > said.k - said.step
        clamped = min(max(true, low), high)
        distance = sent - clamped
        if said.noise is not None:
            if low < sent < high:
                off.append(distance)
        else:
            off.append(0 if abs(distance) <= said.step / 2 else distance)


def test_what_the_page_says_never_leaves_is_in_no_record(run):
    policy, terms, kit, readings, records = run
    page = parse(notice(policy, terms, kit))
    never = {
        quantity for element in found(page, data_quantities=True)
        for quantity in element.get("data-quantities").split()
    }  # fmt: skip
    leaves = {told[0] for told in told_by_page(notice(policy, terms, kit), "en").values()}
    assert never.isdisjoint(leaves) and never | leaves == set(readings)
    other = dict(readings)
    for quantity in never:
        other[quantity] = [(t, QUANTITIES[quantity][3]) for t, _ in readings[quantity]]
    assert released(policy, kit.intervals_s(), other) == records


def told_in_short(page: str, language: str) -> dict:
    """{kind of SHORT: {name of a stream: k}} from the few lines at the top."""
    article = found(parse(page), "article", lang=language)[0]
    lines = [text_of(line) for line in found(found(article, **{"class": "short"})[0], "li")]
    told = {kind: {} for kind in SHORT[language]}
    for line in lines:
        for kind, pattern in SHORT[language].items():
            if match := re.fullmatch(pattern, line):
                k = None if kind == "noise" else int(match["k"])
                told[kind].update(dict.fromkeys(re.split(r", | and | und ", match["names"]), k))
    return told


def heading(page: str, language: str, number: int) -> str:
    article = found(parse(page), "article", lang=language)[0]
    return text_of(found(found(article, data_stream=str(number))[0], "h3")[0])


class Sums:
    """Of (time, value) over any span: sums(after, until), the first not in it."""

    def __init__(self, readings):
        ordered = sorted(readings)
        self._times = [at for at, _ in ordered]
        self._sums = [0, *itertools.accumulate(value for _, value in ordered)]

    def __call__(self, after, until) -> int:
        first, end = (bisect.bisect_right(self._times, at) for at in (after, until))
        return self._sums[end] - self._sums[first]


@pytest.mark.parametrize("language", ["en", "de"])
def test_the_short_lines_say_of_each_stream_what_the_node_withholds(run, language):
    policy, terms, kit, readings, records = run
    page = notice(policy, terms, kit)
    short = told_in_short(page, language)
    named = {}
    for number, (quantity, said) in told_by_page(page, language).items():
        name = heading(page, language, number)
        name = next((n for kind in short.values() for n in kind if n.lower() == name.lower()), "")
        named[number] = name
        assert short["masked"].get(name) == said.masked
        if said.masked is not None:
            assert [kind for kind in short if name in short[kind]] == ["masked"]
            continue
        assert (name in short["noise"]) == (said.noise is not None)
        assert short["k"].get(name) == (said.k if said.noise is None else None)
        assert short["k_noisy"].get(name) == (said.k if said.noise is not None else None)
        within = Sums(readings[quantity])
        few = [  # what the node does with windows of fewer
            None in values for instant_s, (of, _, *values) in records if of == number
            and within(instant_s - said.window_s, instant_s) < (said.k or 0)
        ]  # fmt: skip
        assert name not in short["k"] or (few and all(few))
        assert (name in short["k_noisy"]) <= (not all(few))  # noise may lift some
    every = {name for kind in short.values() for name in kind}
    assert every <= set(named.values())


def test_streams_of_one_quantity_are_told_apart_where_k_or_noise_differs():
    page = notice(*made(
        stream(1, k=10), stream(2, window_s=3600), stream(3, window_s=86_400, k=12),
        stream(4, "people_rightward", 3600, k=10, noise=[1, 1, 24]),
        stream(5, "people_leftward", 3600),
    ))  # fmt: skip
    assert told_in_short(page, "en") == {
        "k": {"vehicles (every 15 minutes)": 10, "vehicles (once a day)": 12},
        "k_noisy": {"people walking to the right": 10},
        "noise": {"people walking to the right": None},
        "masked": {},
    }
    assert told_in_short(page, "de")["k_noisy"] == {"Fußverkehr nach rechts": 10}


def test_the_page_says_that_single_readings_leave_where_they_do(run):
    """A lowest, highest or last value is one of the readings. Where a window is one reading long,
    the page promises nothing of readings."""
    policy, terms, kit, _, records = run
    page = notice(policy, terms, kit)
    told = {n: said for n, (_, said) in told_by_page(page, "en").items()}
    leaves = any(SINGLE & set(told[record[0]].statistics) for _, record in records)
    summarised = all(said.window_s > said.interval_s for said in told.values())
    for language in ("en", "de"):
        article = found(parse(page), "article", lang=language)[0]
        said = {element.get("data-never") for element in found(article, data_never=True)}
        assert ("readings_but" in said, "readings" in said) == (
            leaves and summarised, summarised and not leaves,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("quantity", "statistics", "key"),
    [
        ("vehicles", ["sum"], "readings"),
        ("vehicles", ["sum", "max"], "readings_but"),
        ("vehicles", ["min"], "readings_but"),
        ("resets_power", ["last"], "readings_but"),
        ("resets_power", ["mean"], "readings"),
    ],
)
def test_one_statistic_is_enough_for_a_reading_to_leave(quantity, statistics, key):
    page = parse(notice(*made(stream(1), stream(2, quantity, 3600, statistics))))
    said = {element.get("data-never") for element in found(page, data_never=True)}
    assert said & {"readings", "readings_but"} == {key}


def test_the_chain_claims_thresholds_and_noise_when_the_node_has_them(run):
    policy, terms, kit, _, records = run
    chain = datachain(policy, terms, kit)
    process = {e["element_id"] for e in chain["instance"]["elements"]}
    withheld = any(None in record for _, record in records)
    assert ("k_anonymity" in process) == withheld
    masked = any(stream.bins is not None for stream in policy.streams)
    assert ("homomorphic_encryption" in process) == masked
    assert ("differential_privacy" in process) == any(one.noise for one in policy.streams)


def test_retention_validity_and_digest_are_those_of_the_policy(run):
    policy, terms, kit = run[:3]
    tree = parse(notice(policy, terms, kit))
    told = found(tree, data_retention_days=True)
    days = {int(element.get("data-retention-days")) for element in told}
    assert days == {of.retention_days for of in terms.streams.values()}
    chain = datachain(policy, terms, kit)
    durations = {
        int(re.match(r"\d+", variable["value"][0]["value"])[0])
        for element in chain["instance"]["elements"] for variable in element["variables"]
        if variable["id"] == "duration"
    }  # fmt: skip
    assert durations == days
    first = datetime.datetime.fromisoformat(chain["instance"]["created_at"])
    assert first.timestamp() == policy.from_s and policy.permits(policy.from_s + 1)
    english = text_of(found(tree, "article", lang="en")[0])
    said = re.search(r"(\d+ \w+ \d{4}) to (\d+ \w+ \d{4})", english)
    ends = [
        datetime.datetime.strptime(day, "%d %B %Y").replace(tzinfo=datetime.UTC)
        for day in said.groups()
    ]
    assert [end.timestamp() for end in ends] == [policy.from_s, policy.until_s - DAY_S]
    for element in chain["instance"]["elements"]:
        if element["element_id"] == "organization":
            assert policy.digest.hex() in element["variables"][0]["value"][0]["value"]


# --- the noise in words


@pytest.mark.parametrize("noise", [(1, 1, 24), (1, 1, 1), (1, 5, 1), (50, 3, 7), (1000, 1, 96)])
def test_the_typical_size_of_the_noise_is_that_of_its_distribution(noise):
    """Against the probabilities themselves, added up: within the limit lie 95 % or more, and one
    less would not do. It is never told as less than one."""
    page = notice(*made(stream(noise=list(noise))))
    ((_, said),) = told_by_page(page, "en").values()
    ratio = math.exp(-noise[1] / (noise[0] * noise[2]))
    total = (1 + ratio) / (1 - ratio)

    def within(x: int) -> float:
        return (1 + 2 * sum(ratio**i for i in range(1, x + 1))) / total if x >= 0 else 0

    assert within(said.noise) >= 0.95
    assert said.noise == 1 or within(said.noise - 1) < 0.95


def test_the_epsilon_of_a_day_is_what_its_releases_cost():
    one = stream(window_s=3600, statistics=["sum", "count", "max"], noise=[1, 1, 96])
    page = notice(*made(one))
    text = text_of(found(parse(page), data_stream="1")[0])
    assert re.search(PATTERNS["en"]["epsilon"], text).groups() == ("1/96", "1/2")


# --- masked


HISTOGRAM = [*stream(1, "vehicles", 900, ["count", "sum_squares", "histogram"], 2, 10, 90, k=12),
             [20, 40]]  # fmt: skip


@pytest.mark.parametrize("language", ["en", "de"])
def test_what_the_page_says_of_a_masked_stream(language):
    policy, terms, kit = made(HISTOGRAM, stream(2, window_s=86_400, statistics=["sum", "mean"]))
    page = notice(policy, terms, kit)
    told = told_by_page(page, language)
    statistics = ["count", "sum_squares", "histogram"]
    assert told[1][1] == Promise(900, 15, statistics, 2, 10, 90, None, None, masked=12)
    text = text_of(found(found(parse(page), "article", lang=language)[0], data_stream="1")[0])
    readable = {"en": "once a day: the total and the average.",
                "de": "einmal am Tag: die Summe und der Durchschnitt."}  # fmt: skip
    edges = {"en": "20 vehicles and 40 vehicles.", "de": "20 Fahrzeuge und 40 Fahrzeuge."}
    assert readable[language] in text.replace("\u00a0", " ")
    assert edges[language] in text.replace("\u00a0", " ")
    assert "masked" in {e.get("data-never") for e in found(parse(page), data_never=True)}


def test_the_noise_of_a_masked_stream_is_told():
    noisy = [*stream(1, "vehicles", 900, ["count", "sum"], 5, k=12, noise=[3, 1, 7]), []]
    policy, terms, kit = made(noisy, per_day=Fraction(9), contribution=3)
    page = notice(policy, terms, kit)
    text = text_of(found(parse(page), data_stream="1")[0])
    assert "epsilon 1/7 a value of a sum, at most 9 a day" in text
    steps, rest = divmod(told_by_page(page, "en")[1][1].noise, 5)  # of 5 vehicles each
    ratio = math.exp(-1 / (3 * 7))  # the discrete Laplace of scale contribution / epsilon
    beyond = [2 * ratio ** (m + 1) / (1 + ratio) for m in (steps, steps - 1)]
    assert not rest and beyond[0] <= 0.05 < beyond[1]
    assert "homomorphic_encryption" in str(datachain(policy, terms, kit))
    bare = [*stream(1, "vehicles", 900, ["count", "histogram"], k=12, noise=[3, 1, 7]), [9]]
    page = notice(*made(bare, per_day=Fraction(9), contribution=3))
    assert "Before a sum is opened, random numbers are added to it." in page
    assert told_by_page(page, "en")[1][1].noise is None
