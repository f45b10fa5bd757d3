# SPDX-License-Identifier: MIT
"""host_tools/policy/differences.py: each way in which a version can let out more, or less."""

import pytest

from host_tools.policy.compile_policy import compile_policy
from host_tools.policy.differences import differences
from host_tools.policy.load import read
from tests.host_tools.test_policy_compile import COUNTS, GOOD, TODAY

TEXT = GOOD + COUNTS
NOISE = 'noise = { epsilon = "1/24", per_day = 1, contribution = 2 }'


def policy_of(tmp_path, text):
    (tmp_path / "p.toml").write_text(text)
    return read(compile_policy(tmp_path / "p.toml", today=TODAY))


@pytest.fixture
def compare(tmp_path):
    def compared(old, new):
        found = differences(policy_of(tmp_path, old), policy_of(tmp_path, new))
        return {(one.kind, one.stream, one.field) for one in found}, [one.text for one in found]

    return compared


def newer(text):
    return text.replace("version = 3", "version = 4")


def test_none(compare):
    assert compare(TEXT, newer(TEXT)) == (set(), [])


@pytest.mark.parametrize(
    ("old", "new", "stream", "fields", "words"),
    [
        ("resolution = 100\n", "resolution = 10\n", 7, "resolution", "steps of 0.01 °C, it was"),
        ("window_s = 300", "window_s = 60", 7, "window_s", "it leaves each minute, it was each 5"),
        ('["mean", "max"]', '["mean", "max", "min"]', 7, "statistics", "the lowest of temperatur"),
        ("[-40_000, 60_000]", "[-40_000, 61_000]", 7, "range", "from -40 to 61 °C, it was -40 t"),
        ("[80_000, 110_000]", "[70_000, 110_000]", 2, "range", "from 700 to 1,100 hPa"),
        ("k = 10\nunit", "k = 9\nunit", 9, "k", "sums below 9 are withheld, it was: sums below"),
        ("k = 10\nunit", "unit", 9, "k", "no sum is withheld, it was: sums below 10 are withheld"),
        (NOISE, "", 10, "noise", "values leave without noise"),
        ("contribution = 2", "contribution = 1", 10, "sensitivity", "a value by 1 person, it was"),
        ("per_day = 1", "per_day = 2", 10, "per_day", "a day may cost epsilon = 2, it was 1"),
        ("retention_days = 30", "retention_days = 31", 2, "retention_days", "for 31 days, it"),
        ("place_precision_m = 50", "place_precision_m = 49", None, "place_precision_m", "to 49 m"),
        ("valid_until = 2026-12-31", "valid_until = 2027-01-01", None, "valid_until", "2027-01"),
        ("valid_from = 2026-01-01", "valid_from = 2025-12-31", None, "valid_from", "2025-12-31"),
    ],
)  # fmt: skip
def test_more_and_the_other_way_round_less(compare, old, new, stream, fields, words):
    assert old in TEXT
    text = newer(TEXT.replace(old, new, 1))
    found, texts = compare(TEXT, text)
    assert found == {("more", stream, fields)}
    assert words in texts[0]
    found, _ = compare(text, newer(newer(TEXT)).replace("version = 4", "version = 5"))
    assert found == {("less", stream, fields)}


def test_a_higher_epsilon(compare):
    text = newer(TEXT.replace('"1/24", per_day = 1', '"1/24", per_day = 2'))
    more = text.replace("1/24", "1/12").replace("version = 4", "version = 5")
    found, texts = compare(text, more)
    assert found == {("more", 10, "epsilon"), ("more", 10, "epsilon_a_day")}
    assert "a day costs epsilon = 2, it was 1" in texts


def test_a_stream_that_comes_and_one_that_goes(compare):
    found, texts = compare(GOOD, newer(TEXT))
    assert found == {("more", 9, "stream"), ("more", 10, "stream")}
    assert "the sum of vehicles leaves each 15 min" in texts[0]
    assert "sums below 10 are withheld" in texts[0]
    assert "noise of epsilon = 1/24" in texts[1]
    found, texts = compare(TEXT, newer(GOOD))
    assert found == {("less", 9, "stream"), ("less", 10, "stream")}
    assert texts[0] == "the sum of vehicles leaves no more"


def test_another_quantity_under_a_number(compare):
    changed = TEXT.replace('"vehicles"', '"people_rightward"')
    assert compare(TEXT, newer(changed))[0] == {("less", 9, "stream"), ("more", 9, "stream")}


def test_recipients_and_purposes(compare):
    changed = TEXT.replace("recipients = [", 'recipients = ["Police", ')
    found, texts = compare(TEXT, newer(changed))
    assert found == {("more", number, "recipients") for number in (2, 7, 9, 10)}
    assert texts[0] == "Police receives it, too"
    changed = TEXT.replace("dpv:PublicBenefit", "dpv:EnforceSecurity")
    found, texts = compare(TEXT, newer(changed))
    assert ("more", 7, "purpose") in found and ("less", 7, "purpose") in found
    assert "it may be used for dpv:EnforceSecurity" in texts


def test_both_ends_of_a_range(compare):
    found, _ = compare(TEXT, newer(TEXT.replace("[-40_000, 60_000]", "[-39_000, 61_000]")))
    assert found == {("more", 7, "range")}
    found, _ = compare(TEXT, newer(TEXT.replace("[-40_000, 60_000]", "[-39_000, 59_000]")))
    assert found == {("less", 7, "range")}


@pytest.mark.parametrize(
    ("old", "new", "stream", "field"),
    [
        ("version = 3", "version = 3", None, "version"),
        ('id = "air-street"', 'id = "other"', None, "id"),
        ('kit = "mine"', 'kit = "yours"', None, "kit"),
        ('en = "Air"', 'en = "Bad air"', None, "title"),
        ('"City of Example"', '"Town"', None, "controller_name"),
        ("privacy@city.example", "dpo@city.example", None, "contact"),
        ('"Weather."', '"Sell umbrellas."', 2, "why"),
        ('"one passage"', '"one wheel"', 9, "unit"),
    ],
)
def test_other_changes(compare, old, new, stream, field):
    text = TEXT.replace(old, new, 1)
    text = text if field == "version" else newer(text)
    assert compare(TEXT, text)[0] == {("other", stream, field)}


def test_a_language_more(compare):
    text = TEXT.replace('["en", "pt-BR"]', '["en"]')
    for line in ('pt-BR = "Ar"\n', ', pt-BR = "Achar ilhas de calor."', ', "pt-BR" = "Você"'):
        assert line in text
        text = text.replace(line, "")
    found, texts = compare(text, newer(TEXT))
    assert found == {
        ("other", None, "languages"), ("other", None, "title"), ("other", 7, "why"),
        *(("more", number, "recipients") for number in (2, 7, 9, 10)),
    }  # fmt: skip
    assert "title in pt-BR is “Ar”, it was not told" in texts
    assert "You (pt-BR: Você) receives it, too" in texts
    assert compare(newer(TEXT), newer(newer(text)).replace("version = 4", "version = 5"))[0] == {
        ("other", None, "languages")
    }


@pytest.mark.parametrize(
    ("old", "new", "expected", "words"),
    [
        ('pt-BR = "Ar"', 'pt-BR = "Você é filmado"', {("other", None, "title")},
         ["title in pt-BR is “Você é filmado”, it was “Ar”"]),
        ('name = "City of Example"', 'name = { en = "City of Example", pt-BR = "Outra" }',
         {("other", None, "controller_name")},
         ["controller_name in pt-BR is “Outra”, it was “City of Example”"]),
        ("Achar ilhas de calor.", "Vender.", {("other", 7, "why")},
         ["the reason in pt-BR is “Vender.”, it was “Achar ilhas de calor.”"]),
        ('unit = "nobody"', 'unit = { en = "nobody", pt-BR = "todos" }',
         {("other", number, "unit") for number in (2, 7, 10)},
         ["the unit of privacy in pt-BR is “todos”, it was “nobody”"]),
        ('"pt-BR" = "Você"', '"pt-BR" = "Polícia"',
         {(kind, n, "recipients") for kind in ("more", "less") for n in (2, 7, 9, 10)},
         ["You (pt-BR: Polícia) receives it, too", "You (pt-BR: Você) receives it no more"]),
        ('recipients = ["City office", ', 'recipients = ["City office", "City office", ',
         {("more", number, "recipients") for number in (2, 7, 9, 10)},
         ["City office receives it, too"]),
    ],
)  # fmt: skip
def test_a_change_in_another_language(compare, old, new, expected, words):
    assert old in TEXT
    found, texts = compare(TEXT, newer(TEXT.replace(old, new)))
    assert found == expected
    assert set(words) == set(texts)


def test_no_language_in_common(compare):
    portuguese = TEXT.replace('["en", "pt-BR"]', '["pt-BR"]').replace('en = "Air"\n', "")
    portuguese = portuguese.replace('en = "Find heat islands.", ', "").replace('en = "You", ', "")
    english = TEXT.replace('["en", "pt-BR"]', '["en"]')
    for line in ('pt-BR = "Ar"\n', ', pt-BR = "Achar ilhas de calor."', ', "pt-BR" = "Você"'):
        english = english.replace(line, "")
    found, texts = compare(english, newer(portuguese))
    assert ("more", 9, "recipients") in found and ("other", None, "title") in found
    assert {"Você receives it, too", "title is “Ar”, it was not told"} <= set(texts)
    more = newer(portuguese).replace('recipients = [', 'recipients = ["Polícia", ')
    assert "Polícia receives it, too" in compare(english, more)[1]


def test_a_change_of_the_legal_basis(compare):
    found, _ = compare(TEXT, newer(TEXT.replace("A6-1-e", "A6-1-f")))
    assert found == {("other", number, "legal_basis") for number in (2, 7, 9, 10)}
