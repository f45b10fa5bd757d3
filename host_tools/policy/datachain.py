# SPDX-License-Identifier: MIT
"""The same notice for machines: a DTPR v1 device datachain (https://dtpr.io, content CC BY 4.0).

What the elements mean is DTPR's; what is told of this device stands in their variables, in the
words of sentences.py: `duration` for how long data is kept, `additional_description` for the rest.
DTPR has no element for an electricity meter: none is named in its place, and the category says so.
Where data is stored a policy does not say, so the chain has no storage. `de_identified` is not
claimed, since DTPR means by it what is done after data has left a device; nor is `code_signing`,
since it is the policy that is signed.
"""

import datetime

from host_tools.errors import ToolError
from host_tools.policy.sentences import Words, words
from host_tools.policy.terms import Terms
from host_tools.provisioning.kit import Kit
from node.pipeline.health import HEALTH
from node.policy.rules import Policy

SCHEMA = {
    "name": "DTPR",
    "version": "0.1",
    "namespace": "https://dtpr.io/schemas/datachain/v0.1",
}
TEMPLATE_VERSION = "2025-08-29T00:00:00Z"  # of DTPR's device categories
CATEGORIES = ("accountable", "purpose", "tech", "data", "process", "access", "retention")
PREFIX = "device__"  # of a category's id

# quantity: the element of what senses it, or None where DTPR has none
_TECH = {
    "temperature_mc": "weather_station",
    "humidity_mpct": "weather_station",
    "pressure_pa": "weather_station",
    "co2_ppm": "air_quality",
    "pm1_0_ngm3": "air_quality",
    "pm2_5_ngm3": "air_quality",
    "pm10_ngm3": "air_quality",
    "vehicles": "induction_loop",
    "people_rightward": "radar",
    "people_leftward": "radar",
    "pm4_0_ngm3": "air_quality",
    "voc_index_tenths": "air_quality",
    "nox_index_tenths": "air_quality",
    "voc_raw_ticks": "air_quality",
    "nox_raw_ticks": "air_quality",
    "voltage_l1_mv": None,
    "voltage_l2_mv": None,
    "voltage_l3_mv": None,
    "current_l1_ma": None,
    "current_l2_ma": None,
    "current_l3_ma": None,
    "net_power_mw": None,
    "energy_import_total_mwh": None,
    "energy_export_total_mwh": None,
    "energy_export_mwh": None,
    "gas_dm3": None,
    "dc_voltage_mv": None,
    "dc_current_ma": None,
    "dc_power_mw": None,
    "dc_energy_mwh": None,
    "vehicles_approaching": "radar",
    "vehicles_receding": "radar",
    "vehicle_speed_mmps": "radar",
    "occupancy_permille": "radar",
    "people_in": "radar",
    "people_out": "radar",
    "ble_devices": None,
    "water_temperature_mc": "water_quality",
    "water_level_mm": "water_quality",
    "distance_mm": None,
    "ph_milli": "water_quality",
    "dissolved_oxygen_ugl": "water_quality",
    "conductivity_nscm": "water_quality",
    "laeq_mdb": "sound_level_meter",
    "lamax_mdb": "sound_level_meter",
    "la10_mdb": "sound_level_meter",
    "la90_mdb": "sound_level_meter",
    "contact_closed": None,
    "contact_closures": None,
    "leak_present": None,
    "battery_mv": None,
    "solar_mv": None,
    "voltage_mv": None,
    "current_ma": None,
    "power_mw": None,
    "energy_total_mwh": None,
    "frequency_mhz": None,
    "power_factor_permille": None,
    "energy_mwh": None,
}
# The element for a purpose of the Data Privacy Vocabulary; the widest one for those without a
# counterpart.
_PURPOSES = {
    "dpv:AcademicResearch": "research_development",
    "dpv:CombatClimateChange": "ecology",
    "dpv:EnforceSecurity": "safety_security",
    "dpv:ImproveHealthcare": "health",
    "dpv:ImproveTransportMobility": "mobility",
    "dpv:NonCommercialResearch": "research_development",
    "dpv:ProtectionOfPublicSecurity": "safety_security",
    "dpv:ProvideOfficialStatistics": "inform",
    "dpv:RequestedServiceProvision": "inform",
    "dpv:ResearchAndDevelopment": "research_development",
    "dpv:ScientificResearch": "research_development",
}
_ANY_PURPOSE = "planning_decision_making"


def datachain(policy: Policy, terms: Terms, kit: Kit) -> dict:
    """The chain, in all languages of the policy. The same policy gives the same chain: it is as
    old as the policy's first day."""
    pages = [words(policy, terms, kit, language) for language in terms.languages]
    made = datetime.datetime.fromtimestamp(policy.from_s, datetime.UTC)
    elements = [
        *_accountable(pages),
        *_purposes(pages, policy, terms),
        *_tech(pages, policy),
        *_data(pages),
        *_process(pages, policy),
        *_access(pages, terms),
        *_retention(pages, terms),
    ]
    return {
        "schema": dict(SCHEMA),
        "datachain": {
            "type": "device",
            "version": TEMPLATE_VERSION,
            "title": _said(pages, "title"),
            "description": _said(pages, "description"),
            "categories": _categories(pages, elements),
        },
        "instance": {
            "title": _texts(pages, lambda page: page.title),
            "created_at": made.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "elements": elements,
        },
    }


def _texts(pages: list[Words], say) -> list[dict]:
    """Of one text in every language."""
    return [{"locale": page.phrases.language, "value": say(page)} for page in pages]


def _said(pages: list[Words], key: str, index: int | None = None) -> list[dict]:
    def say(page: Words) -> str:
        phrase = page.phrases.take("dtpr", key)
        return phrase if index is None else phrase[index]

    return _texts(pages, say)


def _categories(pages: list[Words], elements: list[dict]) -> list[dict]:
    used = {element["category_id"].removeprefix(PREFIX) for element in elements}
    categories = []
    for order, name in enumerate(CATEGORIES):
        description = _said(pages, name, 2) if name in used else _said(pages, "no_tech")
        categories.append({
            "id": PREFIX + name, "order": order, "name": _said(pages, name, 0),
            "prompt": _said(pages, name, 1), "description": description,
        })  # fmt: skip
    return categories


def _element(category: str, element: str, priority: int, **variables) -> dict:
    return {
        "element_id": element,
        "category_id": PREFIX + category,
        "priority": priority,
        "variables": [{"id": name, "value": value} for name, value in variables.items()],
    }


def _described(pages: list[Words], category: str, told: dict) -> list[dict]:
    """told: {element: what is said of it on a page}, in the order of showing."""
    return [
        _element(category, element, at, additional_description=_texts(pages, say))
        for at, (element, say) in enumerate(told.items())
    ]


def _accountable(pages: list[Words]) -> list[dict]:
    def say(page: Words) -> str:
        return f"{page.controller}, {page.contact}. {page.version}, {page.policy.digest.hex()}"

    return _described(pages, "accountable", {"organization": say})


def _purposes(pages: list[Words], policy: Policy, terms: Terms) -> list[dict]:
    numbers: dict[str, list[int]] = {}
    for stream in policy.streams:
        of = terms.streams[stream.number]
        numbers.setdefault(_PURPOSES.get(of.purpose, _ANY_PURPOSE), []).append(stream.number)

    def say(wanted: list[int]):
        return lambda page: " ".join(dict.fromkeys(
            f"{one.heading}: {one.fact('why')}"
            for one in page.streams if one.stream.number in wanted
        ))  # fmt: skip

    return _described(pages, "purpose", {key: say(wanted) for key, wanted in numbers.items()})


def _tech(pages: list[Words], policy: Policy) -> list[dict]:
    """Of what leaves; the device's health is not sensed by a sensor."""
    quantities: dict[str, list[str]] = {}
    for stream in policy.streams:
        if stream.quantity in HEALTH:
            continue
        if stream.quantity not in _TECH:
            message = f"no DTPR element is known for {stream.quantity}"
            raise ToolError(message, f"add it to _TECH in {__file__}, or None where there is none")
        if _TECH[stream.quantity]:
            quantities.setdefault(_TECH[stream.quantity], []).append(stream.quantity)

    def say(wanted: list[str]):
        return lambda page: page.phrases.list(
            dict.fromkeys(page.phrases.quantity(quantity) for quantity in wanted)
        )

    return _described(pages, "tech", {key: say(wanted) for key, wanted in quantities.items()})


def _data(pages: list[Words]) -> list[dict]:
    """One element for each stream, with what the page says of it."""

    def say(at: int):
        return lambda page: f"{page.streams[at].heading}. " + " ".join(
            sentence for kind, sentences in page.streams[at].facts if kind != "why"
            for sentence in sentences
        )  # fmt: skip

    return [
        _element("data", "values_time", at, additional_description=_texts(pages, say(at)))
        for at in range(len(pages[0].streams))
    ]


def _process(pages: list[Words], policy: Policy) -> list[dict]:
    def of_all(kind: str):
        """The sentences of this kind, each with the names of its streams."""

        def say(page: Words) -> str:
            names: dict[str, list[str]] = {}
            for one in page.streams:
                if one.fact(kind):
                    names.setdefault(one.fact(kind), []).append(one.heading)
            return " ".join(f"{', '.join(of)}: {fact}" for fact, of in names.items())

        return say

    told = {"aggregated": of_all("sent")}
    if any(stream.noise for stream in policy.streams):
        told["differential_privacy"] = of_all("noise")
    if any(stream.bins is not None for stream in policy.streams):
        told["homomorphic_encryption"] = of_all("masked")
    if any(stream.k and stream.bins is None for stream in policy.streams):
        told["k_anonymity"] = of_all("k")
    told["encrypted"] = lambda page: page.phrases.take("check", "sealed")
    return _described(pages, "process", told)


def _access(pages: list[Words], terms: Terms) -> list[dict]:
    """Whoever is not the controller by name is told as a third party: a policy does not say who
    belongs to whom, and a chain should rather tell of one too many."""
    told = {"available_to_the_accountable_organization": lambda page: page.controller}
    others = [
        text
        for of in terms.streams.values() for text in of.recipients
        if text != terms.controller_name
    ]  # fmt: skip
    if others:
        told["available_to_3rd_parties"] = lambda page: page.phrases.list(
            dict.fromkeys(text[page.phrases.language] for text in others)
        )
    return _described(pages, "access", told)


def _retention(pages: list[Words], terms: Terms) -> list[dict]:
    days = sorted({of.retention_days for of in terms.streams.values()})

    def say_names(wanted: int):
        return lambda page: page.phrases.list(dict.fromkeys(
            one.name for one in page.streams
            if terms.streams[one.stream.number].retention_days == wanted
        ))  # fmt: skip

    return [
        _element(
            "retention", "data_retained", at,
            duration=_texts(pages, lambda page, wanted=wanted: page.phrases.days(wanted)),
            additional_description=_texts(pages, say_names(wanted)),
        )
        for at, wanted in enumerate(days)
    ]  # fmt: skip
