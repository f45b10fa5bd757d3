# SPDX-License-Identifier: MIT
"""host_tools/policy/policy.schema.json: what it takes and refuses, by the library jsonschema, and
that it refuses nothing which compiles."""

import json
import tomllib

import jsonschema
import pytest

from host_tools.errors import ToolError
from host_tools.policy import schema
from host_tools.policy.compile_policy import compile_policy
from host_tools.provisioning.kit import load_kit
from tests.host_tools.test_policy_compile import COUNTS, GOOD, TODAY

KITS = load_kit("air").policy_path.parents[1]
TEXT = GOOD + COUNTS


@pytest.fixture(scope="module")
def refused():
    """Whether the schema in the file refuses a text."""
    validator = jsonschema.Draft202012Validator(json.loads(schema.PATH.read_text()))

    def by_schema(text):
        data = json.loads(json.dumps(tomllib.loads(text), default=str))  # a day is text in JSON
        return not validator.is_valid(data)

    return by_schema


def test_the_file_is_as_it_is_made():
    jsonschema.Draft202012Validator.check_schema(schema.schema())
    assert schema.PATH.read_text() == schema.encoded()


@pytest.mark.parametrize("path", sorted(KITS.glob("*/policy*.toml")), ids=lambda path: path.stem)
def test_the_kits(path, refused):
    assert not refused(path.read_text())


GOOD_CHANGES = [
    ("version = 3", "version = 3"),
    ('"1/24"', '"0.01"'),
    ('"1/24"', "0.01"),
    ('"privacy@city.example"', '"https://city.example/privacy"'),
    ("k = 10", "k = 0"),
    ("eu-gdpr:A6-1-e", "dpv:PublicInterest"),
    ("statistics = [\"last\"]", 'statistics = ["last", "count"]'),
    ('noise = { epsilon = "1/24", per_day = 1, contribution = 2 }',
     '[stream.noise]\nepsilon = "1/24"\nper_day = 1\nsensitivity = 5000'),
]  # fmt: skip
BAD_CHANGES = [
    ("version = 3", "version = 0"), ("version = 3", 'version = "3"'),
    ("version = 3", "versoin = 3"), ('kit = "mine"', ""), ('id = "air-street"', 'id = ""'),
    ("number = 7", "number = 256"), ("number = 7\n", ""), ('"temperature_mc"', '"temperature_c"'),
    ('["mean", "max"]', '["mean", "median"]'), ('["mean", "max"]', '["mean", "mean"]'),
    ('["mean", "max"]', "[]"), ("window_s = 300", "window_s = 7"),
    ("window_s = 300", "window_s = 172_800"), ("resolution = 100\n", "resolution = 0\n"),
    ("[-40_000, 60_000]", "[-40_000]"), ("[-40_000, 60_000]", "[-40_001, 60_000]"),
    ("[-40_000, 60_000]", "[0, 85_001]"), ("[-40_000, 60_000]", "[7, 7]"),
    ('why = "Weather."', "why = 7"), ('"Weather."', '"  "'), ('"Weather."', "{}"),
    ('["en", "pt-BR"]', '["en", "english"]'), ('["en", "pt-BR"]', '["en", "en"]'),
    ("valid_from = 2026-01-01", "valid_from = 2026"), ("valid_until = 2026-12-31", ""),
    ("place_precision_m = 50", "place_precision_m = 0"),
    ('"privacy@city.example"', '"privacy at city"'),
    ('"privacy@city.example"', '"http://city.example"'),
    ("[controller]", "[contoller]"), ("[every_stream]", "[every_stream]\nwindow_s = 60"),
    ("dpv:PublicBenefit", "dpv:PublicBenefits"), ("dpv:PublicBenefit", "PublicBenefit"),
    ("eu-gdpr:A6-1-e", "eu-gdpr:A6-1-g"), ("retention_days = 365", "retention_days = 0"),
    ('recipients = ["City office", { en = "You", "pt-BR" = "Você" }]', "recipients = []"),
    ('"vehicles"\n', '"energy_mwh"\n'), ('["sum"]', '["max"]'), ("k = 10", "k = -1"),
    ('"1/24"', "0"), ('"1/24"', '"1/0"'), ('"1/24"', '"-1/24"'), ('"1/24"', "true"),
    ("contribution = 2", "contrib = 2"), ("contribution = 2", "contribution = 0"),
    ('epsilon = "1/24", ', ""), ("per_day = 1, ", ""),
    ('"1/24"', '"0"'), ('"1/24"', '"0/24"'), ('"1/24"', '"0.00"'), ('"Weather."', '"a\\nb"'),
    ('why = "Weather."', ""), ('legal_basis = "eu-gdpr:A6-1-e"', ""),
    ("resolution = 100\n", "resolution = 125_001\n"),
    ('kit = "mine"', 'kit = "my kit"'), ('id = "air-street"', 'id = "../street"'),
    ('id = "air-street"', 'id = "a\\u001b[2J"'), ('id = "air-street"', f'id = "{"a" * 65}"'),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new"), GOOD_CHANGES)
def test_what_compiles_is_taken(tmp_path, old, new, refused):
    assert old in TEXT
    text = TEXT.replace(old, new, 1)
    (tmp_path / "p.toml").write_text(text)
    compile_policy(tmp_path / "p.toml", today=TODAY)
    assert not refused(text)


@pytest.mark.parametrize(("old", "new"), BAD_CHANGES)
def test_what_is_refused_does_not_compile(tmp_path, old, new, refused):
    assert old in TEXT
    text = TEXT.replace(old, new, 1)
    assert refused(text)
    (tmp_path / "p.toml").write_text(text)
    with pytest.raises(ToolError):
        compile_policy(tmp_path / "p.toml", today=TODAY)
