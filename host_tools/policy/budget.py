# SPDX-License-Identifier: MIT
"""What a policy costs in a day: releases, bytes, epsilon; and the error that noise adds.

All of it follows from the rules: each slot is released once, on a fixed schedule. Only which sums
of a masked stream are opened does not: of those, the controller keeps the budget of a day.
"""

import math
from collections import Counter
from fractions import Fraction

from host_tools.policy import masked_noise
from host_tools.policy.noise_fields import noisy
from host_tools.policy.terms import StreamTerms, Terms
from node.pipeline import envelope
from node.policy.rules import DAY_S, Policy, Stream

MOSTLY = 0.95  # of what is drawn: "95 of 100", "in 19 of 20 cases"


def releases_a_day(stream: Stream) -> int:
    return DAY_S // stream.window_s


def epsilon(stream: Stream) -> Fraction:
    """Of one release of one value, of a masked stream of one value of an opened sum; 0 means that
    there is no noise."""
    return Fraction(*stream.noise[1:]) if stream.noise else Fraction(0)


def epsilon_a_day(stream: Stream, terms: StreamTerms | None = None) -> Fraction:
    """What a day costs; of a masked stream, which must come with its terms, what it may cost."""
    if stream.bins is not None:
        return terms.per_day if stream.noise else Fraction(0)
    return releases_a_day(stream) * len(noisy(stream.statistics)) * epsilon(stream)


def epsilon_by_quantity(policy: Policy, terms: Terms) -> dict[str, Fraction]:
    """What a day costs of each quantity that has noise: the streams of it add up."""
    found = {}
    for stream in policy.streams:
        if stream.noise:
            cost = epsilon_a_day(stream, terms.streams[stream.number])
            found[stream.quantity] = found.get(stream.quantity, 0) + cost
    return found


def envelopes_a_day(policy: Policy) -> Counter:
    """{bytes of a sealed envelope: how many of a day have them}; one leaves per instant at which
    a window ends. Without MQTT and TLS, and for a node that does not restart."""
    step_s = math.gcd(*policy.windows_s)
    sizes = Counter()
    sent = 0
    for instant_s in range(step_s, DAY_S + 1, step_s):
        if policy.closing(instant_s):
            ciphertext = bytes(policy.padded_length(instant_s) + envelope.TAG_LENGTH)
            sizes[len(envelope.pack(bytes(14), sent, ciphertext))] += 1
            sent += 1
    return sizes


def noise_within(stream: Stream, share: float) -> int:
    """The smallest distance, in the quantity's scale, from which noise stays in `share` of the
    releases; of a masked stream that of a sum, which it must have.

    Discrete Laplace of scale t: P(|x| > m) = 2 p^(m+1) / (1 + p) with p = exp(-1/t).
    """
    if stream.bins is None:
        return laplace_within(stream.noise[0] / epsilon(stream), share)
    return stream.resolution * masked_within(stream, share)["sum"]  # it is drawn in steps


def masked_within(stream: Stream, share: float) -> dict[str, int]:
    """As noise_within, {statistic: distance in its steps} of a masked stream: a bin's are
    readings, those of squares steps squared."""
    scales = masked_noise.scales(stream)
    return {
        statistic: laplace_within(scales[at], share)
        for statistic, at in masked_noise.first_elements(stream).items()
        if scales[at] is not None
    }


def laplace_within(scale: Fraction, share: float) -> int:
    """The smallest distance from which `share` of a discrete Laplace of this scale stays."""
    scale = float(scale)
    p = math.exp(-1 / scale)
    return max(0, math.ceil(scale * math.log(2 / ((1 - share) * (1 + p))) - 1))
