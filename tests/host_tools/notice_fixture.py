# SPDX-License-Identifier: MIT
"""Policies and kits for tests of the notice, and the page as a tree."""

import dataclasses
import functools
from pathlib import Path

import cbor2
import html5lib

from host_tools.policy.load import load
from host_tools.policy.terms import StreamTerms, Terms
from host_tools.provisioning.kit import Kit, kit_names, load_kit
from node.policy.rules import Policy

KITS = Path(__file__).parents[2] / "boards" / "kits"
POLICIES = sorted(KITS.glob("*/policy*.toml"))
HTML = "{http://www.w3.org/1999/xhtml}"


def inputs(path: Path) -> tuple[Policy, Terms, Kit]:
    policy, terms = load(path, ended=True)
    assert policy.kit in kit_names()
    return policy, terms, load_kit(policy.kit)


def stream(number=1, quantity="vehicles", window_s=900, statistics=("sum",), resolution=1, low=0,
           high=5000, k=0, noise=None):  # fmt: skip
    return [number, quantity, window_s, list(statistics), resolution, low, high, k, noise]


def made(*streams, kit="traffic", days=(20_000, 21_000), texts=None, languages=("en", "de"),
         contact="privacy@city.example", id="test", **terms):  # fmt: skip
    """(policy, terms, kit) of these streams. texts: what each text is, in every language."""

    def text(line):
        return dict.fromkeys(languages, texts or line)

    of = StreamTerms(
        why=text("To plan."), unit=text("one passage"), purpose="dpv:PublicBenefit",
        legal_basis="eu-gdpr:A6-1-e", recipients=[text("Traffic office")], retention_days=365,
    )  # fmt: skip
    of = dataclasses.replace(of, **terms)
    all_terms = Terms(
        list(languages), text("Traffic"), text("City"), contact, 100,
        {fields[0]: of for fields in streams},
    )  # fmt: skip
    content = ["lp1 policy", id, 1, kit, *days, list(streams), all_terms.digest()]
    return Policy(cbor2.dumps(content, canonical=True)), all_terms, load_kit(kit)


@functools.lru_cache(maxsize=8)  # a page is asked for much, and its tree takes long
def parse(page: str):
    """The page as a tree, to read; whatever a browser would have to mend is an error."""
    return html5lib.HTMLParser(strict=True).parse(page)


def found(tree, name: str = "*", **attributes) -> list:
    """The elements of this name with these attributes; True: whatever its value is."""
    tag = name if name == "*" else HTML + name
    wanted = {key.replace("_", "-").lstrip("-"): value for key, value in attributes.items()}
    return [
        element for element in tree.iter(tag) if isinstance(element.tag, str) and all(
            key in element.attrib if value is True else element.get(key) == value
            for key, value in wanted.items()
        )
    ]  # fmt: skip


def text_of(element) -> str:
    """As a person reads it."""
    return " ".join("".join(element.itertext()).split())
