# SPDX-License-Identifier: MIT
"""The data chain against DTPR's published rules, written a second time here from its page on
datachains (API v1, "Validation"): what is required, and what must fit what."""

import copy
import dataclasses
import datetime
import json
import re

import pytest

from host_tools import cli
from host_tools.policy import datachain as datachain_module
from host_tools.policy.datachain import datachain
from host_tools.policy.dpv import PURPOSES
from node.pipeline.health import HEALTH
from node.pipeline.quantities import QUANTITIES
from tests.host_tools.notice_fixture import POLICIES, inputs, made, stream

# DTPR v1: elements of the device categories that fit sensors of a street.
ELEMENTS = {
    "device__accountable": {"organization", "institution"},
    "device__purpose": {
        "ecology", "mobility", "energy_efficiency", "water_efficiency", "health", "inform",
        "planning_decision_making", "research_development", "safety_security",
    },
    "device__tech": {
        "air_quality", "sound_level_meter", "weather_station", "thermometer", "induction_loop",
        "radar", "motion_detector", "passive_infrared_sensor", "water_quality",
    },
    "device__data": {"values_time", "tabular", "binary", "boolean", "spatial", "personal"},
    "device__process": {
        "aggregated", "de_identified", "k_anonymity", "differential_privacy", "encrypted",
        "homomorphic_encryption", "secure_multi_party_computing", "encrypted_at_rest",
        "transport_layer_security", "code_signing", "raw_data",
    },
    "device__access": {
        "available_to_the_accountable_organization", "available_to_3rd_parties",
        "available_to_download", "available_to_me", "not_available_to_vendor",
        "available_for_resale",
    },
    "device__retention": {"data_retained", "no_data_retained"},
}  # fmt: skip
VARIABLES = {"device__retention": {"duration", "additional_description"}}
REQUIRED_VARIABLES = {"data_retained": {"duration"}}
LOCALE = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?")


def check(chain: dict):
    """ValueError names the rule that is broken."""
    sections = ("schema", "datachain", "instance")
    schema, template, instance = (_take(chain, key, dict) for key in sections)
    _expect(schema == {
        "name": "DTPR", "version": "0.1",
        "namespace": "https://dtpr.io/schemas/datachain/v0.1",
    }, "schema")  # fmt: skip
    _expect(_take(template, "type", str) == "device", "type")
    _time(_take(template, "version", str))
    _texts(template, "title")
    _texts(template, "description")
    categories = {}
    for category in _take(template, "categories", list):
        _whole(_take(category, "order", int))
        for key in ("name", "prompt", "description"):
            _texts(category, key)
        name = _take(category, "id", str)
        _expect(name not in categories, "unique category")
        categories[name] = {_context(context) for context in category.get("context_types", [])}
    _texts(instance, "title")
    _time(_take(instance, "created_at", str))
    for element in _take(instance, "elements", list):
        _element(element, categories)


def _element(element: dict, categories: dict):
    name, category = _take(element, "element_id", str), _take(element, "category_id", str)
    _expect(category in categories, "category of the element")
    _expect(name in ELEMENTS.get(category, ()), "element")
    _whole(_take(element, "priority", int))
    if "context_type_id" in element:
        _expect(element["context_type_id"] in categories[category], "context type")
    given = set()
    for variable in element.get("variables", []):
        given.add(_take(variable, "id", str))
        _texts(variable, "value")
    _expect(given <= VARIABLES.get(category, {"additional_description"}), "variables")
    _expect(given >= REQUIRED_VARIABLES.get(name, set()), "required variables")


def _context(context: dict) -> str:
    _texts(context, "name")
    _texts(context, "description")
    colour = _take(context, "color", str)
    _expect(re.fullmatch("#([0-9A-Fa-f]{3}|[0-9A-Fa-f]{6})", colour), "colour")
    return _take(context, "id", str)


def _expect(holds, rule: str):
    if not holds:
        raise ValueError(rule)


def _take(table: dict, key: str, kind: type):
    _expect(isinstance(table, dict) and type(table.get(key)) is kind, f"{key} is {kind.__name__}")
    return table[key]


def _whole(number: int):
    _expect(number >= 0, "not negative")


def _time(text: str):
    _expect(datetime.datetime.fromisoformat(text).tzinfo is not None, "ISO 8601 with zone")


def _texts(table: dict, key: str):
    texts = _take(table, key, list)
    _expect(texts, "a text")
    for text in texts:
        _expect(LOCALE.fullmatch(_take(text, "locale", str)), "locale")
        _expect(_take(text, "value", str).strip(), "an empty text")
    _expect(len({text["locale"] for text in texts}) == len(texts), "each locale once")


def elements(chain: dict, category: str) -> list[str]:
    found = chain["instance"]["elements"]
    return [one["element_id"] for one in found if one["category_id"] == "device__" + category]


@pytest.mark.parametrize("path", POLICIES, ids=str)
def test_the_chain_of_each_kit_keeps_the_rules(path):
    chain = datachain(*inputs(path))
    check(chain)
    assert json.loads(json.dumps(chain)) == chain
    for category in datachain_module.CATEGORIES:
        found = [
            one for one in chain["instance"]["elements"]
            if one["category_id"] == "device__" + category
        ]  # fmt: skip
        assert [one["priority"] for one in found] == list(range(len(found)))
        assert found or category == "tech"
    locales = {
        text["locale"] for one in chain["instance"]["elements"] for variable in one["variables"]
        for text in variable["value"]
    }  # fmt: skip
    assert locales == {"en", "de"}


def _breaks():
    """Ways to break a chain, each against one rule."""
    first = ("instance", "elements", 0)
    for path in (("schema",), ("datachain",), ("instance",), ("datachain", "title"),
                 ("datachain", "categories", 0, "prompt"), ("instance", "created_at"),
                 (*first, "element_id"), (*first, "priority")):  # fmt: skip
        yield path, None
    yield (*first, "category_id"), "device__nothing"
    yield (*first, "element_id"), "energy_meter"
    yield (*first, "context_type_id"), "pii"
    yield (*first, "priority"), -1
    yield (*first, "variables", 0, "id"), "k"
    yield (*first, "variables", 0, "value", 0, "locale"), "english"
    yield (*first, "variables", 0, "value", 0, "value"), " "
    yield ("datachain", "categories", 1, "order"), -1
    yield ("datachain", "version"), "yesterday"
    yield ("datachain", "categories", 0, "context_types"), [{
        "id": "a", "name": [{"locale": "en", "value": "a"}], "color": "red",
        "description": [{"locale": "en", "value": "a"}],
    }]  # fmt: skip


@pytest.mark.parametrize("path, value", list(_breaks()), ids=str)
def test_the_check_sees_each_broken_rule(path, value):
    chain = copy.deepcopy(datachain(*inputs(POLICIES[0])))
    table = chain
    for key in path[:-1]:
        table = table[key]
    if value is None:
        del table[path[-1]]
    else:
        table[path[-1]] = value
    with pytest.raises(ValueError):
        check(chain)


def test_process_says_what_the_policy_does():
    bare = elements(datachain(*made(stream())), "process")
    assert bare == ["aggregated", "encrypted"]
    whole = elements(datachain(*made(stream(k=10), stream(2, noise=[1, 1, 96], window_s=3600))),
                     "process")  # fmt: skip
    assert whole == ["aggregated", "differential_privacy", "k_anonymity", "encrypted"]


def test_only_what_leaves_is_told_as_technology_and_no_meter_is_made_up():
    chain = datachain(*made(stream()))
    assert elements(chain, "tech") == ["induction_loop"]  # the radar's counts stay
    meter = datachain(*made(stream(quantity="energy_mwh"), kit="energy"))
    assert elements(meter, "tech") == []
    category = meter["datachain"]["categories"][2]
    assert category["id"] == "device__tech" and "meter" in category["description"][0]["value"]


def test_each_quantity_has_its_element_or_is_known_to_have_none():
    assert set(datachain_module._TECH) == set(QUANTITIES) - set(HEALTH)
    assert set(datachain_module._PURPOSES) <= set(PURPOSES)


def test_retention_is_told_for_each_length_of_time():
    policy, terms, kit = made(stream(), stream(2, window_s=3600))
    terms.streams[2] = dataclasses.replace(terms.streams[2], retention_days=1)
    chain = datachain(policy, terms, kit)
    said = [
        one["variables"][0]["value"][0]["value"] for one in chain["instance"]["elements"]
        if one["element_id"] == "data_retained"
    ]  # fmt: skip
    assert said == ["1 day", "365 days"]


def test_the_command_writes_the_same_bytes_each_time(tmp_path, capsys):
    written = []
    for name in ("one.json", "two.json"):
        args = ["policy", "datachain", str(POLICIES[0]), "-o", str(tmp_path / name)]
        assert cli.run([*args, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["file"] == str(tmp_path / name)
        written.append((tmp_path / name).read_bytes())
    assert written[0] == written[1]
    check(json.loads(written[0]))
