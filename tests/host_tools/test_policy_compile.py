# SPDX-License-Identifier: MIT
"""host_tools/policy/compile_policy.py and provisioning/kit.py: what is taken, and that each
mistake is told in one line that names the file, the place and the mend."""

import copy
import datetime
import json
from fractions import Fraction

import cbor2
import pytest

from host_tools.errors import ToolError
from host_tools.policy.compile_policy import compile_policy
from host_tools.policy.terms import StreamTerms, read_terms
from host_tools.provisioning.kit import kit_names, load_board, load_kit
from node.pipeline.reading import HEALTH, HEALTH_INTERVAL_S
from node.policy.rules import Policy
from tests.host_tools import reference_sealer as ref

BOARD = "esp32-devkitc"
TODAY = datetime.date(2026, 6, 1)
GOOD = """\
id = "air-street"
version = 3
kit = "mine"
valid_from = 2026-01-01
valid_until = 2026-12-31
place_precision_m = 50
languages = ["en", "pt-BR"]

[title]
en = "Air"
pt-BR = "Ar"

[controller]
name = "City of Example"
contact = "privacy@city.example"

[every_stream]
unit = "nobody"
purpose = "dpv:PublicBenefit"
legal_basis = "eu-gdpr:A6-1-e"
recipients = ["City office", { en = "You", "pt-BR" = "Você" }]
retention_days = 365

[[stream]]
number = 7
quantity = "temperature_mc"
statistics = ["mean", "max"]
window_s = 300
resolution = 100
range = [-40_000, 60_000]
why = { en = "Find heat islands.", pt-BR = "Achar ilhas de calor." }

[[stream]]
number = 2
quantity = "pressure_pa"
statistics = ["last"]
window_s = 900
resolution = 10
range = [80_000, 110_000]
why = "Weather."
retention_days = 30
"""
COUNTS = """

[[stream]]
number = 9
quantity = "vehicles"
statistics = ["sum"]
window_s = 900
resolution = 1
range = [0, 5000]
why = "Plan."
k = 10
unit = "one passage"

[[stream]]
number = 10
quantity = "people_leftward"
statistics = ["sum"]
window_s = 3600
resolution = 1
range = [0, 5000]
why = "Plan."
k = 10
noise = { epsilon = "1/24", per_day = 1, contribution = 2 }
"""
KIT = {
    "kit": "mine",
    "title": "My own",
    "policy": "policy.toml",
    "outbox_kib": 256,
    "sensors": [
        {"part": "bme280", "bus": "i2c0", "interval_s": 60, "options": {"address": 119},
         "quantities": ["temperature_mc", "pressure_pa"]},
        {"part": "s0_meter", "bus": "count0", "interval_s": 15, "quantities": ["energy_mwh"]},
    ],
}  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "policy.toml").write_text(GOOD)
    (tmp_path / "kit.json").write_text(json.dumps(KIT))
    return tmp_path


def compiled(folder, text=GOOD, **options):
    path = folder / "policy.toml"
    path.write_text(text)
    return compile_policy(path, **{"today": TODAY, **options})


def complaint(call, *args, **options):
    """Message and hint, each of one line."""
    with pytest.raises(ToolError) as caught:
        call(*args, **options)
    assert caught.value.message and caught.value.hint
    assert "\n" not in caught.value.message + caught.value.hint
    return f"{caught.value.message} | {caught.value.hint}"


# policies


def day(year: int, month: int, of_month: int) -> int:
    return (datetime.date(year, month, of_month) - datetime.date(1970, 1, 1)).days


def test_the_rules(folder):
    both = compiled(folder, GOOD + COUNTS)
    policy = Policy(both.rules)
    assert both.rules == ref.dumps(
        ["lp1 policy", "air-street", 3, "mine", day(2026, 1, 1), day(2026, 12, 31), [
            [2, "pressure_pa", 900, ["last"], 10, 80_000, 110_000, 0, None],
            [7, "temperature_mc", 300, ["mean", "max"], 100, -40_000, 60_000, 0, None],
            [9, "vehicles", 900, ["sum"], 1, 0, 5000, 10, None],
            [10, "people_leftward", 3600, ["sum"], 1, 0, 5000, 10, [2, 1, 24]],
        ], policy.terms_digest]
    )  # fmt: skip
    assert [stream.number for stream in policy.streams] == [2, 7, 9, 10]


def test_the_terms(folder):
    both = compiled(folder, GOOD + COUNTS)
    terms = read_terms(both.terms)
    assert terms.digest() == Policy(both.rules).terms_digest
    assert terms.languages == ["en", "pt-BR"]
    assert terms.title == {"en": "Air", "pt-BR": "Ar"}
    assert terms.controller_name == {"en": "City of Example", "pt-BR": "City of Example"}
    assert terms.controller_contact == "privacy@city.example"
    assert terms.place_precision_m == 50
    office = {"en": "City office", "pt-BR": "City office"}
    assert terms.streams[7] == StreamTerms(
        why={"en": "Find heat islands.", "pt-BR": "Achar ilhas de calor."},
        unit={"en": "nobody", "pt-BR": "nobody"},
        purpose="dpv:PublicBenefit",
        legal_basis="eu-gdpr:A6-1-e",
        recipients=[office, {"en": "You", "pt-BR": "Você"}],
        retention_days=365,
    )
    assert terms.streams[2].retention_days == 30
    assert terms.streams[9].unit["en"] == "one passage"
    assert (terms.streams[10].per_day, terms.streams[10].contribution) == (Fraction(1), 2)


def test_an_epsilon_is_exact(folder):
    for written, numerator, denominator in (
        ('"1/96"', 1, 96), ('"0.5"', 1, 2), ("0.1", 1, 10), ("1", 1, 1), ('"2/4"', 1, 2),
        ("0.3333", 3333, 10_000), ("1e-3", 1, 1000), ('"7"', 7, 1),
    ):  # fmt: skip
        text = GOOD + COUNTS.replace('"1/24", per_day = 1', f"{written}, per_day = 999")
        noise = Policy(compiled(folder, text).rules).streams[-1].noise
        assert noise == (2, numerator, denominator)


@pytest.mark.parametrize(
    ("statistics", "fields", "sensitivity"),
    [
        ('"sum"', "contribution = 2", 2),
        ('"sum", "count"', "contribution = 2", 2),  # the count of samples gets no noise
        ('"sum"', "contribution = 2, sensitivity = 3", 3),
        ('"sum"', "", 5000),
        ('"sum", "max"', "contribution = 2", 5000),
        ('"mean"', "", 5000),
    ],
)
def test_sensitivity(folder, statistics, fields, sensitivity):
    text = COUNTS.replace("k = 10\nnoise", "noise").replace(
        ", contribution = 2", f", {fields}".rstrip(", ")
    )
    text = text.replace("3600", "86400").replace(", }", " }")
    head, people = text.split("[[stream]]\nnumber = 10")
    people = people.replace('["sum"]', f"[{statistics}]")
    policy = Policy(compiled(folder, f"{GOOD}{head}[[stream]]\nnumber = 10{people}").rules)
    assert policy.streams[-1].noise[0] == sensitivity


def test_a_budget_that_is_just_met(folder):
    text = GOOD + COUNTS
    assert compiled(folder, text.replace('"1/24", per_day = 1', '"1/24", per_day = "1.0"'))
    told = complaint(
        compiled, folder, text.replace('"1/24", per_day = 1', '"1/24", per_day = "0.999"')
    )
    assert "has per_day = 999/1000, but a day costs 24 × epsilon = 1" in told
    assert 'or epsilon = "333/8000" or less' in told
    two = COUNTS.replace(
        '"people_leftward"\nstatistics = ["sum"]', '"people_leftward"\nstatistics = ["sum", "max"]'
    )
    assert "48 × epsilon = 2" in complaint(compiled, folder, GOOD + two)


def test_an_ended_policy(folder):
    last = datetime.date(2026, 12, 31)
    assert compiled(folder, today=last)
    told = complaint(compiled, folder, today=last + datetime.timedelta(days=1))
    assert "has valid_until = 2026-12-31: it has ended | take 2027-01-01 or later" in told
    told = complaint(compiled, folder, GOOD.replace("2026-", "2020-"), today=None)
    assert "it has ended" in told


@pytest.mark.parametrize("name", kit_names())
def test_the_kits_that_come_along(name):
    kit = load_kit(name, load_board(BOARD))
    assert cbor2.loads(compile_policy(kit.policy_path, kit).rules)[3] == name
    for path in kit.policy_path.parent.glob("policy*.toml"):
        both = compile_policy(path, kit, TODAY)
        assert set(read_terms(both.terms).languages) == {"en", "de"}
        assert Policy(both.rules).permits(int(TODAY.strftime("%s")))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('id = "air-street"', "", "has no id"),
        ('id = "air-street"', 'id = ""', "empty id"),
        ('id = "air-street"', 'id = "a\\n"', "up to 64 letters, digits"),
        ('id = "air-street"', f'id = "{"a" * 65}"', "up to 64 letters, digits"),
        ("version = 3", "version = 0", "version = 0 | version is 1 to"),
        ("version = 3", "version = true", "version = true | version is a whole number"),
        ("version = 3", "version = 3.0", "version is a whole number"),
        ("version = 3", 'version = "3"', "version is a whole number"),
        ("version = 3", "versoin = 3", "'versoin', which means nothing here | did you mean v"),
        ("number = 7", "number = 0", "stream 1 has number = 0 | number is 1 to 255"),
        ("number = 7", "number = 256", "number is 1 to 255"),
        ("number = 7", "number = true", "number is a whole number"),
        ("number = 7", "number = 2", "stream 2 (number 2) has number = 2, which is taken"),
        ("number = 7\n", "", "stream 1 has no number"),
        ('"temperature_mc"', '"temperature_c"', "(number 7) has quantity 'temperature_c'"),
        ('"temperature_mc"', '"temperature_c"', "did you mean temperature_mc?"),
        ('"temperature_mc"', "7", "quantity is text"),
        ('["mean", "max"]', '["mean", "median"]', "'median', which is not known | did you mean"),
        ('["mean", "max"]', '["mean", "mean"]', "a statistic twice"),
        ('["mean", "max"]', "[]", "empty statistics"),
        ('["mean", "max"]', '"mean"', "statistics is a list"),
        ('["mean", "max"]', "[1]", "each of statistics is text"),
        ("window_s = 300", "window_s = 7", "does not divide a day | take one of 60, 300"),
        ("window_s = 300", "window_s = 0", "does not divide a day"),
        ("window_s = 300", "window_s = -300", "does not divide a day"),
        ("window_s = 300", "window_s = 172_800", "does not divide a day"),
        ("window_s = 300", "window_s = false", "window_s is a whole number"),
        ("resolution = 100", "resolution = 0", "resolution = 0 | resolution is 1 to"),
        ("resolution = 100", "resolution = 0.5", "resolution is a whole number"),
        ("[-40_000, 60_000]", "[60_000, -40_000]", "a range is [lowest, highest]"),
        ("[-40_000, 60_000]", "[-40_000]", "a range is [lowest, highest]"),
        ("[-40_000, 60_000]", "[-40_001, 60_000]", "temperature_mc can be -40000 to 85000"),
        ("[-40_000, 60_000]", "[0, 85_001]", "more than physics allows"),
        ("[-40_000, 60_000]", "[0, true]", "each of range is a whole number"),
        ('why = "Weather."\n', "", "has no why | add why: a text is { en ="),
        ('"Weather."', '"  "', "has an empty why | say it to the public"),
        ('"Weather."', "7", "has why, which is no text | a text is { en ="),
        ('"Weather."', '"a\\nb"', "has why of several lines | a text is one line"),
        ('why = "Weather."', 'why = "Weather."\nname = "x"', "stream 2 has 'name'"),
        (', pt-BR = "Achar ilhas de calor."', "", "(number 7) has no why in 'pt-BR' | add a line"),
        ('pt-BR = "Achar', 'de = "Achar', "has why in 'de' | the policy's languages are en, pt-"),
        ('"Achar ilhas de calor."', '""', "has an empty why in 'pt-BR'"),
        ('pt-BR = "Ar"', "", "has no title in 'pt-BR'"),
        ('["en", "pt-BR"]', "[]", "has an empty languages"),
        ('["en", "pt-BR"]', '["en", "english"]', "has the language 'english' | a language is"),
        ('["en", "pt-BR"]', '["en", "en"]', "names a language twice"),
        ("valid_from = 2026-01-01", 'valid_from = "2026-01-01"', "a day, without quotes"),
        ("valid_from = 2026-01-01", "valid_from = 2026-01-01T00:00:00Z", "is a day, without q"),
        ("valid_from = 2026-01-01", "valid_from = 1969-12-31", "before 1970-01-01"),
        ("valid_from = 2026-01-01", "valid_from = 2027-01-01", "which is before valid_from"),
        ("valid_until = 2026-12-31", "", "has no valid_until"),
        ("place_precision_m = 50", "place_precision_m = 0", "place_precision_m is 1 to"),
        ('"privacy@city.example"', '"privacy at city"', "controller has contact = 'privacy at ci"),
        ('"privacy@city.example"', '"http://city.example"', "or an address with https://"),
        ("[controller]", "[contoller]", "'contoller', which means nothing here | did you mean co"),
        ("[every_stream]", "[every_stream]\nwindow_s = 1", "every_stream has 'window_s'"),
        ('purpose = "dpv:', 'purpose = "', "'PublicBenefit', without prefix | dpv:PublicBenefit"),
        ("dpv:PublicBenefit", "dpv:PublicBenefits", "did you mean dpv:PublicBenefit?"),
        ("dpv:PublicBenefit", "gdpr:PublicBenefit", "without prefix | a term begins with dpv:"),
        ("eu-gdpr:A6-1-e", "eu-gdpr:A6-1-g", "which DPV does not have | did you mean eu-gdpr:A6"),
        ("eu-gdpr:A6-1-e", "dpv:PublicBenefit", "which DPV does not have"),
        ("eu-gdpr:A6-1-e", "public interest", "a term begins with eu-gdpr: or dpv:"),
        ('["City office", {', "[7, {", "every_stream has recipient 1, which is no text"),
        (', "pt-BR" = "Você" }', " }", "has no recipient 2 in 'pt-BR'"),
        ("retention_days = 365", "retention_days = 0", "retention_days is 1 to"),
        ("retention_days = 365\n", "", "(number 7) has no retention_days"),
        ("[[stream]]", "[[streem]]", "'streem', which means nothing here | did you mean stream?"),
        ("kit = ", "kit = =", "must be TOML"),
        ("kit = ", "kit = =", "line 3"),
    ],
)
def test_each_mistake_is_told(folder, old, new, words):
    assert old in GOOD
    text = GOOD.replace(old, new, -1 if old == "[[stream]]" else 1)
    told = complaint(compiled, folder, text)
    assert words in told
    assert str(folder / "policy.toml") in told


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"vehicles"\n', '"energy_mwh"\n', "has k = 10, but energy_mwh is not counted | take k "),
        ('["sum"]', '["max"]', "has k = 10, but no sum in statistics that"),
        ("k = 10", "k = 5001", "k is 0 to 5000"),
        ("k = 10", "k = -1", "k is 0 to 5000"),
        ("k = 10", "k = 0.5", "has k = 0.5 | k is a whole number"),
        ('"1/24"', "0", "(number 10), noise has epsilon = 0, so noise without end | epsilon"),
        ('"1/24"', '"0.0"', "has epsilon = 0.0, so noise without end | epsilon"),
        ('"1/24"', '"1/0"', "has epsilon = '1/0' | epsilon is a fraction above 0"),
        ('"1/24"', '"-1/24"', "epsilon is a fraction above 0"),
        ('"1/24"', '"a"', 'such as "1/96", "0.5" or 1'),
        ('"1/24"', "inf", "has epsilon = Infinity | epsilon is a fraction"),
        ('"1/24"', "true", "has epsilon = true | epsilon is a fraction"),
        ('"1/24"', '"1/1000001"', "finer than a node computes"),
        ('epsilon = "1/24", ', "", "noise has no epsilon | add epsilon: epsilon is a fraction"),
        ("per_day = 1, ", "", "noise has no per_day"),
        ("contribution = 2", "contribution = 5001", "contribution is 1 to 5000"),
        ("contribution = 2", "contribution = 2, sensitivity = 1", "but a unit can change a va"),
        ("contribution = 2", "contrib = 2", "did you mean contribution?"),
        ("noise = {", 'noise = "" #', "noise = '' | noise is a table"),
    ],
)
def test_each_mistake_in_k_and_noise_is_told(folder, old, new, words):
    assert old in COUNTS
    told = complaint(compiled, folder, GOOD + COUNTS.replace(old, new, 1))
    assert words in told


def test_noise_on_a_count_of_samples_alone(folder):
    text = GOOD.replace('["last"]', '["count"]') + "noise = { epsilon = 1, per_day = 999 }\n"
    assert "a count of samples gets none" in complaint(compiled, folder, text)
    text = GOOD + "noise = { epsilon = 1, per_day = 999, contribution = 1 }\n"
    assert "has a contribution, but there is no sum" in complaint(compiled, folder, text)


NOISE = 'noise = { epsilon = "1/96", per_day = 1, contribution = 1 }'
ROOMY = NOISE.replace("per_day = 1", "per_day = 2")


def streams(*lines):
    """Streams of one quantity, each with these lines more."""
    return "".join(
        f"""
[[stream]]
number = {number}
quantity = "vehicles"
statistics = ["sum"]
resolution = 1
range = [0, 5000]
why = "Plan."
{more}
"""
        for number, more in enumerate(lines, 11)
    )


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (("window_s = 900", "window_s = 900"), "stream 4 (number 12) has quantity and window_s"),
        (("window_s = 900\nk = 10", "window_s = 3600"), "(number 12) has no k beside stream numb"),
        (("window_s = 900", "window_s = 3600\nk = 10"), "has k beside stream number 11, of one q"),
        (("window_s = 900\nk = 9", "window_s = 3600\nk = 10"), "take the same k, for instance 10"),
        (("window_s = 900\nk = 9", "window_s = 1200\nk = 9"), "the longer is a multiple of"),
        (("window_s = 900\nk = 9", "window_s = 1800\nk = 9", "window_s = 3600\nk = 9"),
         "(number 13) is one of 3 windows of vehicles with k | take at most two"),
        ((f"window_s = 900\n{NOISE}", "window_s = 3600"), "(number 12) has no noise beside"),
        ((f"window_s = 900\nk = 9\n{NOISE}", "window_s = 3600\nk = 9"), "give noise to both"),
        (("window_s = 900", f"window_s = 3600\n{NOISE}"), "has noise beside stream number 11"),
        ((f"window_s = 900\nk = 9\n{NOISE}", f"window_s = 1200\n{NOISE}"), "the longer is"),
    ],
)  # fmt: skip
def test_streams_that_tell_what_others_withhold(folder, lines, words):
    assert words in complaint(compiled, folder, GOOD + streams(*lines))


@pytest.mark.parametrize(
    "lines",
    [
        ("window_s = 900", "window_s = 1200"),
        ("window_s = 900\nk = 9", "window_s = 3600\nk = 9"),
        ("window_s = 3600\nk = 9", "window_s = 900\nk = 9"),
        (f"window_s = 900\n{ROOMY}", f"window_s = 3600\nk = 9\n{ROOMY}"),
        (f"window_s = 900\nk = 5\n{ROOMY}", f"window_s = 1800\nk = 9\n{ROOMY}",
         f"window_s = 3600\n{ROOMY}"),
    ],
)  # fmt: skip
def test_streams_that_go_together(folder, lines):
    assert compiled(folder, GOOD + streams(*lines).replace("k = 5", "k = 9"))


@pytest.mark.parametrize(("first", "second"), [(NOISE, NOISE), (NOISE, ROOMY), (ROOMY, NOISE)])
def test_the_streams_of_a_quantity_have_one_budget(folder, first, second):
    text = GOOD + streams(f"window_s = 900\n{first}", f"window_s = 3600\n{second}")
    told = complaint(compiled, folder, text)
    line = text[: text.rindex("noise = ")].count("\n") + 1
    assert f"policy.toml: line {line}: stream 4 (number 12) has noise with per_day = 1, " in told
    assert "a day of all 2 streams of vehicles costs epsilon = 5/4 | multiply each epsilon" in told
    assert 'by 4/5 or less, or write per_day = "5/4" in each of them' in told


def test_a_budget_that_many_streams_just_keep(folder):
    windows_s = (1800, 3600, 7200, 14_400, 21_600, 43_200)  # 96/96 in sum
    text = GOOD + streams(*(f"window_s = {window_s}\n{NOISE}" for window_s in windows_s))
    assert compiled(folder, text)
    told = complaint(compiled, folder, text.replace("window_s = 21600", "window_s = 17280"))
    assert "of all 6 streams of vehicles costs epsilon = 97/96" in told


def line_of(text, part):
    return text[: text.index(part)].count("\n") + 1


@pytest.mark.parametrize(
    ("old", "new", "told_at"),
    [
        ("version = 3", "version = 0", "version"),
        ("version = 3", "versoin = 3", "versoin"),
        ("window_s = 900\nresolution = 10", "window_s = 7\nresolution = 10", "window_s = 7"),
        ('["last"]', '["least"]', "statistics = [\"least\"]"),
        ('"pressure_pa"', '"pressure"', 'quantity = "pressure"'),
        ("valid_until = 2026-12-31", "valid_until = 2025-12-31", "valid_until"),
        ("[80_000, 110_000]", "[110_000, 80_000]", "range = [110"),
        ('pt-BR = "Ar"', "", "[title]"),
        ('contact = "privacy', 'contact = "@', "contact"),
        ("retention_days = 365", 'retention_days = "a"', "retention_days ="),
        ("number = 2\n", "", "[[stream]]\nquantity"),  # the header of what lacks something
        ('"1/24"', "0", "noise = {"),
        ('noise = { epsilon = "1/24", per_day = 1, contribution = 2 }',
         'noise.epsilon = 0\nnoise.per_day = 1', None),
        ('noise = { epsilon = "1/24", per_day = 1, contribution = 2 }',
         '[stream.noise]\nper_day = 1\nepsilon = 0', "epsilon = 0"),
        ('"1/24", per_day', '"1/23", per_day', "noise = {"),
        ("number = 10", "number = 9", "number = 9\nquantity = \"people"),
        ("version = 3", 'version = """3"""', None),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_line(folder, old, new, told_at):
    text = (GOOD + COUNTS).replace(old, new, 1)
    assert text != GOOD + COUNTS
    told = complaint(compiled, folder, text)
    if told_at is None:  # rather none than a wrong one
        assert ": line " not in told
    else:
        assert f"policy.toml: line {line_of(text, told_at)}:" in told


def test_no_policy_there(folder):
    assert "No such file" in complaint(compile_policy, folder / "no.toml")
    (folder / "deep.toml").write_text("stream = " + "[" * 9000 + "]" * 9000)
    assert "is nested too deep" in complaint(compile_policy, folder / "deep.toml")
    (folder / "latin.toml").write_bytes(b"\xff\xfe")
    assert "is not UTF-8" in complaint(compile_policy, folder / "latin.toml")
    head = GOOD.partition("[[stream]]")[0]
    assert "has no stream" in complaint(compiled, folder, head)
    text = f"stream = [1]\n{head}"
    assert "stream 1 is not a table" in complaint(compiled, folder, text)


def test_against_the_kit(folder):
    kit = load_kit(folder)
    assert compiled(folder, kit=kit)
    told = complaint(compiled, folder, GOOD.replace('"mine"', '"air"'), kit=kit)
    assert "is for the kit 'air', not 'mine'" in told
    text = GOOD.replace("pressure_pa", "humidity_mpct").replace("[80_000, 110_000]", "[0, 9]")
    assert "humidity_mpct, which no sensor of the kit measures" in complaint(
        compiled, folder, text, kit=kit
    )


def test_windows_are_multiples_of_the_interval(folder):
    told = complaint(
        compiled, folder, GOOD.replace("window_s = 300", "window_s = 100"), kit=load_kit(folder)
    )
    assert "window_s = 100 | take a multiple of the sensor's interval_s, 60" in told


LEVELS = """

[[stream]]
number = 20
quantity = "la10_mdb"
statistics = ["mean"]
window_s = 300
resolution = 500
range = [30_000, 120_000]
why = "Noise."
"""


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('["mean"]', '["mean", "sum"]', "the sum of la10_mdb, but decibels cannot be added"),
        ("window_s = 300", "window_s = 600",
         "the mean of la10_mdb over window_s = 600, but what a part of the time exceeds has no "
         "mean | take window_s = 300, the sensor's interval_s"),
        ('why = "Noise."', 'why = "Noise."\nnoise = { epsilon = 1, per_day = 288 }',
         "has noise, but the mean energy of levels gets none"),
    ],
)  # fmt: skip
def test_what_decibels_cannot(folder, old, new, words):
    listens = {"part": "ics43434", "bus": "i2s0", "interval_s": 300,
               "quantities": ["laeq_mdb", "la10_mdb"]}  # fmt: skip
    data = {**KIT, "sensors": [*KIT["sensors"], listens]}
    (folder / "kit.json").write_text(json.dumps(data))
    kit = load_kit(folder, load_board(BOARD))
    assert compiled(folder, GOOD + LEVELS, kit=kit)
    assert words in complaint(compiled, folder, GOOD + LEVELS.replace(old, new), kit=kit)
    # a mean energy has a mean, and a highest is one of any window
    good = LEVELS.replace("window_s = 300", "window_s = 900")
    assert compiled(folder, GOOD + good.replace("la10", "laeq"), kit=kit)
    assert compiled(folder, GOOD + good.replace('"mean"', '"max"'), kit=kit)
    assert compiled(folder, GOOD + LEVELS)  # whatever the kit: it is not known


DEVICES = """

[[stream]]
number = 20
quantity = "ble_devices"
statistics = ["sum"]
window_s = 3600
resolution = 1
range = [0, 2500]
k = 10
noise = { epsilon = "1/24", per_day = 1, contribution = 2 }
why = "How busy it is."
"""


@pytest.mark.parametrize(
    ("old", "new", "interval_s", "words"),
    [
        ("", "", 900, "noise over window_s = 3600, in which an address is counted again | take "
         "window_s = 900"),
        ("2500", "2839", 3600, "one address counts for more than 2 | take range = [0, 2838]"),
        ("contribution = 2", "contribution = 1", 3600, "one address changes the estimate by up "
         "to 2 | take contribution = 2"),
    ],
)  # fmt: skip
def test_what_noise_hides_of_a_radio_address(folder, old, new, interval_s, words):
    def kit(interval_s):
        listens = {"part": "ble_count", "bus": "ble0", "interval_s": interval_s,
                   "quantities": ["ble_devices"]}  # fmt: skip
        (folder / "kit.json").write_text(
            json.dumps({**KIT, "sensors": [*KIT["sensors"], listens]})
        )
        return load_kit(folder)

    assert compiled(folder, GOOD + DEVICES, kit=kit(3600))
    assert compiled(folder, GOOD + DEVICES)
    told = complaint(compiled, folder, GOOD + DEVICES.replace(old, new), kit=kit(interval_s))
    assert words in told


def test_machine_code_needs_a_board_for_it(folder):
    data = {**KIT, "sensors": [{"part": "ics43434", "bus": "i2s0", "interval_s": 300,
                                "quantities": ["laeq_mdb"]}]}  # fmt: skip
    (folder / "kit.json").write_text(json.dumps(data))
    board = load_board(BOARD)
    assert load_kit(folder, board) and load_kit(folder)
    del board["native"]
    assert "needs machine code, which this board cannot run" in complaint(load_kit, folder, board)


def test_more_than_a_message_can_carry(folder):
    text, stream, _ = GOOD.split("[[stream]]")
    for number, window_s in enumerate([w for w in range(1, 3000) if 86_400 % w == 0], 1):
        more = stream.replace("number = 7", f"number = {number}")
        text += "\n\n[[stream]]" + more.replace("300", f"{window_s}")
    assert "more streams than one message can carry" in complaint(compiled, folder, text)


# kits


def test_a_kit_by_name_folder_or_file(folder):
    for given in (folder, str(folder), folder / "kit.json"):
        kit = load_kit(given, load_board(BOARD))
        assert (kit.name, kit.data) == ("mine", KIT)
        assert kit.policy_path == folder / "policy.toml"
    assert load_kit("air").name == "air"
    intervals_s = kit.intervals_s()
    measured = {quantity: intervals_s.pop(quantity) for quantity in set(intervals_s) - {*HEALTH}}
    assert measured == {"temperature_mc": 60, "pressure_pa": 60, "energy_mwh": 15}
    assert intervals_s == dict.fromkeys(HEALTH, HEALTH_INTERVAL_S)


def changed(folder, change):
    data = copy.deepcopy(KIT)
    change(data, *data["sensors"])
    (folder / "kit.json").write_text(json.dumps(data))
    return complaint(load_kit, folder, load_board(BOARD))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda k, a, b: k.pop("kit"), "has no kit"),
        (lambda k, a, b: k.update(sensor=[]), "'sensor', which means nothing here"),
        (lambda k, a, b: k.update(sensors=[]), "empty sensors"),
        (lambda k, a, b: k.update(sensors=[1]), "sensor 1 is not a table"),
        (lambda k, a, b: k.update(outbox_kib=2048), "outbox_kib is 16 to 768"),
        (lambda k, a, b: k.update(outbox_kib=True), "outbox_kib is a whole number"),
        (lambda k, a, b: k.update(policy="no.toml"), "the policy 'no.toml', which is not there"),
        (lambda k, a, b: a.update(part="bme208"), "'bme208', which is not known | did you mean "),
        (lambda k, a, b: a.update(part=["bme280"]), "part is text"),
        (lambda k, a, b: a.update(bus="i2c9"), "sensor 1 (bme280) has the bus 'i2c9'"),
        (lambda k, a, b: a.update(bus="uart1"), "is on uart1, which is uart | it needs i2c: i2c0"),
        (lambda k, a, b: b.update(bus="i2c0"), "sensor 2 (s0_meter) is on i2c0, which is i2c"),
        (lambda k, a, b: a.update(interval_s=0), "interval_s is 1 to"),
        (lambda k, a, b: a.update(interval_s=True), "interval_s is a whole number"),
        (lambda k, a, b: a.update(interval_s=7), "does not divide a day"),
        (lambda k, a, b: a.update(options={"adress": 1}), "did you mean address?"),
        (lambda k, a, b: a.update(quantities=[]), "empty quantities"),
        (lambda k, a, b: a.update(quantities=["co2"]), "'co2', which is not known"),
        (lambda k, a, b: a.update(quantities=["co2_ppm"]), "does not measure co2_ppm | it meas"),
        (lambda k, a, b: a["quantities"].append("pressure_pa"), "gives pressure_pa again"),
        (lambda k, a, b: k["sensors"].append(dict(b, quantities=["energy_mwh"])), "again"),
        (lambda k, a, b: k["sensors"].append(dict(a, quantities=["humidity_mpct"])), "shares"),
    ],
)  # fmt: skip
def test_each_mistake_in_a_kit_is_told(folder, change, words):
    told = changed(folder, change)
    assert words in told
    assert str(folder / "kit.json") in told


def test_files_that_are_no_kit(folder):
    (folder / "kit.json").write_text('{"kit": "a",\n}')
    assert "kit.json: line 2" in complaint(load_kit, folder)
    (folder / "kit.json").write_text("[]")
    assert "is not a table" in complaint(load_kit, folder)
    (folder / "kit.json").write_bytes(b"\xff")
    assert "UTF-8" in complaint(load_kit, folder)
    told = complaint(load_kit, "aire")
    assert "there is no kit 'aire' | did you mean air?" in told
    assert "there is no board 'nix' | known: esp32-c3-devkitm" in complaint(load_board, "nix")
