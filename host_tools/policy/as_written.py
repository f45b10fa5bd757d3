# SPDX-License-Identifier: MIT
"""The fields of the language that say what compiled rules and terms say: so what others published
meets the same checks as what a person wrote."""

import datetime

from host_tools.errors import ToolError
from host_tools.policy.terms import StreamTerms, Terms
from node.policy.rules import DAY_S, Policy, Stream


def as_written(policy: Policy, terms: Terms) -> dict:
    """As tomllib would read it, with nothing left to [every_stream]. ToolError for a day that no
    calendar has."""
    try:
        first, last = (
            datetime.date(1970, 1, 1) + datetime.timedelta(seconds=second)
            for second in (policy.from_s, policy.until_s - DAY_S)
        )
    except OverflowError:
        message = f"policy {policy.id} has a first or a last day beyond the year 9999"
        raise ToolError(message, "get it again from who published it") from None
    return {
        "id": policy.id, "version": policy.version, "kit": policy.kit,
        "valid_from": first, "valid_until": last,
        "place_precision_m": terms.place_precision_m, "languages": terms.languages,
        "title": terms.title,
        "controller": {"name": terms.controller_name, "contact": terms.controller_contact},
        "stream": [_stream(stream, terms.streams[stream.number]) for stream in policy.streams],
    }  # fmt: skip


def _stream(stream: Stream, terms: StreamTerms) -> dict:
    fields = {
        "number": stream.number, "quantity": stream.quantity, "window_s": stream.window_s,
        "statistics": list(stream.statistics), "resolution": stream.resolution,
        "range": [stream.low, stream.high], "why": terms.why, "unit": terms.unit,
        "purpose": terms.purpose, "legal_basis": terms.legal_basis,
        "recipients": terms.recipients, "retention_days": terms.retention_days,
    }  # fmt: skip
    if stream.k:
        fields["k"] = stream.k
    masked = stream.bins is not None
    if masked:
        fields["masked"] = True
    if stream.bins:
        fields["bins"] = list(stream.bins)
    if stream.noise:
        sensitivity, numerator, denominator = stream.noise
        noise = {
            "sensitivity": None if masked else sensitivity,
            "epsilon": f"{numerator}/{denominator}",
            "per_day": terms.per_day and str(terms.per_day), "contribution": terms.contribution,
        }  # fmt: skip
        fields["noise"] = {key: value for key, value in noise.items() if value is not None}
    return fields
