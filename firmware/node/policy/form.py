# SPDX-License-Identifier: MIT
"""The form of compiled rules: README.md here has it. What reads them is needed when a policy is
loaded, and forgotten."""

from node import cbor
from node.errors import FormatError, PolicyError

STATISTICS = ("count", "sum", "mean", "min", "max", "last")
MASKED_STATISTICS = ("count", "sum", "sum_squares", "histogram")  # what can be added
BINS_MAX = 64
DAY_S = 86_400
_FORM = 1  # the code of a broken rule


def read(rules: bytes) -> list:
    """[id, version, kit, from_day, until_day, [stream, …], terms_digest], each stream as its
    fields; PolicyError when a rule of the form is broken."""
    try:
        label, *fields = cbor.decode(rules)
        identity, version, kit, first, last, streams, terms = fields
        _check(label == "lp1 policy" and _are_numbers((version, first, last)))
        _check(isinstance(identity, str) and isinstance(kit, str))
        _check(0 < version < 1 << 31 and 0 <= first <= last)
        _check(isinstance(terms, bytes) and len(terms) == 32)
        for stream in streams:
            _check_stream(*stream)
        numbers = [stream[0] for stream in streams]
    except (FormatError, ValueError, TypeError):
        _check(False)
    _check(numbers and not [1 for a, b in zip(numbers, numbers[1:]) if a >= b])
    return fields


def _check(holds):
    if not holds:
        raise PolicyError(_FORM, "a rule of its form is broken")


def _are_numbers(values) -> bool:
    return not [1 for v in values if isinstance(v, bool) or not isinstance(v, int)]


def _check_stream(number, quantity, window_s, statistics, resolution, low, high, k, noise,
                  bins=None):  # fmt: skip
    _check(_are_numbers((number, window_s, resolution, low, high, k) + tuple(noise or ())))
    _check(isinstance(quantity, str) and 0 < number < 256)
    _check(resolution > 0 and low <= high and k >= 0)
    _check(window_s > 0 and DAY_S % window_s == 0)
    known = STATISTICS
    if bins is not None:
        known = MASKED_STATISTICS
        _check_masked(window_s, statistics, low, high, bins)
    _check(statistics and not [s for s in statistics if s not in known])
    _check(not k or "sum" in statistics or bins is not None)  # k is compared with it
    _check(noise is None or (len(noise) == 3 and min(noise) > 0))


def _check_masked(window_s, statistics, low, high, bins):
    """A count must be told, or nobody knows of a sensor that gave nothing."""
    _check(window_s % 60 == 0 and "count" in statistics)
    _check(len(set(statistics)) == len(statistics))
    _check(isinstance(bins, list) and _are_numbers(bins) and len(bins) <= BINS_MAX)
    _check(bool(bins) == ("histogram" in statistics))
    edges = [low] + bins + [high + 1]
    _check(not [1 for a, b in zip(edges, edges[1:]) if a >= b])
