# SPDX-License-Identifier: MIT
"""Policies for tests, as a second hand writes their bytes from firmware/node/policy/README.md: the
rules, and terms that say as little as terms may."""

import hashlib

from tests.host_tools import reference_sealer as ref

ALWAYS = (0, 40_000)  # days: to 2079
KEEP_DAYS = 365
PURPOSE, LEGAL_BASIS = "dpv:PublicBenefit", "eu-gdpr:A6-1-e"


def stream(
    number, quantity, window_s, statistics, resolution, low, high, k=0, noise=None, bins=None
) -> list:
    """bins: of a masked stream, [] without a histogram."""
    fields = [number, quantity, window_s, statistics, resolution, low, high, k, noise]
    return fields if bins is None else [*fields, bins]


def masked(number, quantity, window_s, statistics, resolution, low, high, *, k=0, noise=None,
           bins=()) -> list:  # fmt: skip
    """A stream of which each value is masked."""
    line = stream(number, quantity, window_s, statistics, resolution, low, high, k, noise)
    return [*line, list(bins)]


def policy(
    *streams, id="test", version=1, kit="air", days=ALWAYS, keep_days=KEEP_DAYS
) -> tuple[bytes, bytes]:
    """(rules, terms). days: the first and the last of the policy; keep_days: retention, of all
    streams or {number: days}."""
    numbers = [line[0] for line in streams]
    if not isinstance(keep_days, dict):
        keep_days = dict.fromkeys(numbers, keep_days)
    terms = ref.dumps(["lp1 terms", {
        "languages": ["en"],
        "title": {"en": "Test"},
        "controller": {"name": {"en": "City of Example"}, "contact": "privacy@city.example"},
        "place_precision_m": 100,
        "streams": {number: _stream_terms(keep_days[number]) for number in numbers},
    }])  # fmt: skip
    digest = hashlib.sha256(terms).digest()
    return ref.dumps(["lp1 policy", id, version, kit, *days, list(streams), digest]), terms


def _stream_terms(retention_days: int) -> dict:
    return {
        "why": {"en": "For a test."},
        "unit": {"en": "one test"},
        "purpose": PURPOSE,
        "legal_basis": LEGAL_BASIS,
        "recipients": [{"en": "Testers"}],
        "retention_days": retention_days,
    }


def with_version(rules: bytes, version: int) -> bytes:
    """The same rules, under the same terms, as another version."""
    label, id, _, *rest = ref.dumps_back(rules)
    return ref.dumps([label, id, version, *rest])
