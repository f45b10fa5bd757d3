# SPDX-License-Identifier: MIT
"""The JSON Schema of a policy (draft 2020-12), by which an editor proposes and underlines.

    python -m host_tools.policy.schema      writes policy.schema.json, beside this file

It says of one field what compile_policy.py says of it, from the same lists. What joins fields or
streams (budgets, windows of one quantity, days in order) is for the compiler alone.
"""

import json
from pathlib import Path

from host_tools.controller.documents import NODES_MAX
from host_tools.policy import compile_policy, masked_fields, noise_fields, stream_fields, texts
from host_tools.policy.dpv import LEGAL_BASES, PURPOSES
from host_tools.policy.names import NAME
from node.pipeline.quantities import QUANTITIES
from node.policy.form import BINS_MAX, MASKED_STATISTICS, STATISTICS
from node.policy.rules import DAY_S

PATH = Path(__file__).with_name("policy.schema.json")
_TEXT = {"$ref": "#/$defs/text"}
_LINE = {"type": "string", "pattern": r"\S", "not": {"pattern": "[\r\n]"}}
_NAME = {"type": "string", "pattern": f"^({NAME})$"}


def _whole(low: int, high: int | None = None) -> dict:
    limits = {"minimum": low} if high is None else {"minimum": low, "maximum": high}
    return {"type": "integer", **limits}


def _table(required: tuple, **properties) -> dict:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def _list(items: dict, **more) -> dict:
    return {"type": "array", "items": items, "minItems": 1, **more}


def _shared() -> dict:
    """What a stream may leave to every_stream."""
    return {
        "unit": _TEXT,
        "why": _TEXT,
        "purpose": {"enum": list(PURPOSES)},
        "legal_basis": {"enum": list(LEGAL_BASES)},
        "recipients": _list(_TEXT),
        "retention_days": _whole(1, stream_fields.RETENTION_MAX_DAYS),
    }


def _in_each_or_shared(key: str) -> dict:
    shared = {"properties": {"every_stream": {"required": [key]}}, "required": ["every_stream"]}
    each = {"properties": {"stream": {"items": {"required": [key]}}}}
    return {"anyOf": [shared, each]}


def _noise() -> dict:
    epsilon = {"$ref": "#/$defs/epsilon"}
    return _table(
        ("epsilon", "per_day"),
        epsilon=epsilon,
        per_day=epsilon,
        contribution=_whole(1),
        sensitivity=_whole(1, noise_fields.SENSITIVITY_MAX),
    )


def _stream() -> dict:
    required = ("number", "quantity", "statistics", "window_s", "resolution", "range")
    windows_s = [window_s for window_s in range(1, DAY_S + 1) if DAY_S % window_s == 0]
    stream = _table(
        required,
        number=_whole(1, 255),
        quantity={"enum": list(QUANTITIES)},
        statistics=_list(
            {"enum": list(dict.fromkeys(STATISTICS + MASKED_STATISTICS))}, uniqueItems=True
        ),
        window_s={"enum": windows_s},
        resolution=_whole(1),
        range=_list({"type": "integer"}, minItems=2, maxItems=2, uniqueItems=True),
        k=_whole(0),
        noise=_noise(),
        masked={"type": "boolean"},
        bins=_list({"type": "integer"}, maxItems=BINS_MAX, uniqueItems=True),
        **_shared(),
    )
    stream["allOf"] = [_masked(windows_s), *(_range(quantity) for quantity in QUANTITIES)]
    return stream


def _masked(windows_s: list[int]) -> dict:
    """What only a masked stream may say, and what only the others may."""
    of_a_histogram = {
        "if": {"properties": {"statistics": {"contains": {"const": "histogram"}}}},
        "then": {"required": ["bins"]},
        "else": {"properties": {"bins": False}},
    }
    noise = {"required": ["contribution"], "properties": {"sensitivity": False}}
    return {
        "if": {"properties": {"masked": {"const": True}}, "required": ["masked"]},
        "then": {
            "properties": {
                "statistics": {
                    "items": {"enum": list(MASKED_STATISTICS)}, "contains": {"const": "count"},
                },
                "window_s": {"enum": [w for w in windows_s if w % masked_fields.SLOT_S == 0]},
                "k": _whole(masked_fields.K_MIN, NODES_MAX),
                "noise": noise,
            },
            "required": ["k"],
            **of_a_histogram,
        },
        "else": {
            "properties": {"statistics": {"items": {"enum": list(STATISTICS)}}, "bins": False},
            **_k(),
        },
    }  # fmt: skip


def _k() -> dict:
    """k is for a sum of what is counted."""
    counted = [quantity for quantity in QUANTITIES if stream_fields.is_counted(quantity)]
    return {
        "if": {"properties": {"k": {"type": "integer", "minimum": 1}}, "required": ["k"]},
        "then": {
            "properties": {
                "quantity": {"enum": counted},
                "statistics": {"contains": {"const": "sum"}},
            },
        },
    }


def _range(quantity: str) -> dict:
    """What can physically be."""
    _, _, low, high = QUANTITIES[quantity]
    return {
        "if": {"properties": {"quantity": {"const": quantity}}, "required": ["quantity"]},
        "then": {
            "properties": {
                "range": {"items": {"minimum": low, "maximum": high}},
                "resolution": {"maximum": high - low},
            },
        },
    }


def schema() -> dict:
    day = {"type": "string", "format": "date", "pattern": r"^\d{4}-\d{2}-\d{2}$"}
    contact = {"anyOf": [{"pattern": f"^{texts.MAIL}$"}, {"pattern": f"^{texts.HTTPS}$"}]}
    language = f"^{texts.LANGUAGE}$"
    root = _table(
        tuple(key for key in compile_policy.KEYS if key != "every_stream"),
        id=_NAME,
        version=_whole(1, compile_policy.VERSION_MAX),
        kit=_NAME,
        valid_from=day,
        valid_until=day,
        place_precision_m=_whole(1, compile_policy.PLACE_MAX_M),
        languages=_list({"type": "string", "pattern": language}, uniqueItems=True),
        title=_TEXT,
        controller=_table(("name", "contact"), name=_TEXT, contact={"type": "string", **contact}),
        every_stream={**_table((), **_shared())},
        stream=_list({"$ref": "#/$defs/stream"}),
    )
    lines = {
        "type": "object", "minProperties": 1, "additionalProperties": False,
        "patternProperties": {language: _LINE},
    }  # fmt: skip
    above_zero = "(?=[0-9.]*[1-9])"
    fraction = {"type": "string", "pattern": f"^{above_zero}{noise_fields.FRACTION}$"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A Lamppost policy: what may leave a node",
        **root,
        "allOf": [_in_each_or_shared(key) for key in stream_fields.SHARED_KEYS],
        "$defs": {
            "text": {"anyOf": [_LINE, lines]},
            "epsilon": {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, fraction]},
            "stream": _stream(),
        },
    }


def encoded() -> str:
    """As it stands in the file."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PATH.write_text(encoded())
