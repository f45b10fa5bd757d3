# SPDX-License-Identifier: MIT
"""What the notice tells of a masked stream, in the words of one language."""

from host_tools.policy import budget
from host_tools.policy.in_short import lower
from host_tools.policy.phrases import Phrases
from host_tools.policy.terms import StreamTerms
from node.pipeline.quantities import QUANTITIES
from node.policy.rules import Policy, Stream


def masked_facts(
    phrases: Phrases, policy: Policy, stream: Stream, terms: StreamTerms, limit: int | None
) -> list[tuple[str, list[str]]]:
    """(kind, sentences) as StreamWords has them. limit: what the noise of a sum mostly stays
    within, in the quantity's scale, or None where there is no such noise."""
    return [
        ("masked", _masked(phrases, policy, stream)),
        ("steps", _steps(phrases, stream)),
        ("noise", _noise(phrases, stream, terms, limit)),
    ]


def _masked(phrases: Phrases, policy: Policy, stream: Stream) -> list[str]:
    said = [phrases.say("stream", "masked", k=phrases.number(stream.k))]
    for other in policy.streams:
        if other.quantity == stream.quantity and other.bins is None:
            every = phrases.every(other.window_s)
            statistics = [phrases.take("statistic", one) for one in other.statistics]
            said.append(phrases.say(
                "stream", "masked_readable", every=lower(every),
                statistics=phrases.list(statistics),
            ))  # fmt: skip
    return said


def _steps(phrases: Phrases, stream: Stream) -> list[str]:
    """What happens to each reading before it is added. The finest steps there are need no word."""
    if stream.statistics == ("count",):
        return []
    said = []
    if stream.resolution > 1:
        step = phrases.value(stream.quantity, stream.resolution)
        said.append(phrases.say("stream", "masked_steps", step=step))
    if stream.low > QUANTITIES[stream.quantity][2]:
        low = phrases.value(stream.quantity, stream.low)
        said.append(phrases.say("stream", "masked_low", low=low))
    high = phrases.value(stream.quantity, stream.high)
    said.append(phrases.say("stream", "masked_high", high=high))
    if stream.bins:
        edges = phrases.list(phrases.value(stream.quantity, edge) for edge in stream.bins)
        said.append(phrases.say("stream", "masked_bins", edges=edges))
    return said


def _noise(phrases: Phrases, stream: Stream, terms: StreamTerms, limit: int | None) -> list[str]:
    if not stream.noise:
        return []
    if limit is None:
        said = phrases.take("stream", "masked_noise_only")
    else:
        high = phrases.value(stream.quantity, limit)
        said = phrases.say("stream", "masked_noise", high=high)
    epsilon = phrases.say(
        "stream", "masked_epsilon", unit=terms.unit[phrases.language],
        value=budget.epsilon(stream), day=budget.epsilon_a_day(stream, terms),
    )  # fmt: skip
    return [said, epsilon]
