# SPDX-License-Identifier: MIT
"""The noise of a stream: what its epsilon is, how far one unit can change a value, and whether a
day stays within its budget. All of it exact."""

import dataclasses
import re
from decimal import Decimal
from fractions import Fraction

from host_tools.provisioning.checked import Table, shown
from node.policy.rules import DAY_S

KEYS = ("epsilon", "per_day", "contribution", "sensitivity")
EPSILON_PARTS_MAX = 1_000_000  # of numerator and denominator
SENSITIVITY_MAX = 10**12
FRACTION = r"[0-9]{1,12}(/0*[1-9][0-9]{0,11}|\.[0-9]{1,12})?"


@dataclasses.dataclass(frozen=True)
class Noise:
    """epsilon: of one release of one value; a_day: of all of a day; per_day: what they may cost;
    sensitivity, contribution: in the quantity's scale. Of a masked stream: epsilon of one sum that
    is opened, a_day as per_day, and the sensitivity is the contribution: masked_noise.py."""

    epsilon: Fraction
    a_day: Fraction
    per_day: Fraction
    sensitivity: int
    contribution: int | None

    def rules(self) -> list[int]:
        """As compiled rules have it."""
        return [self.sensitivity, self.epsilon.numerator, self.epsilon.denominator]


def noisy(statistics) -> list[str]:
    """Those of the statistics to which noise is added: not the count of samples."""
    return [statistic for statistic in statistics if statistic != "count"]


def derived_sensitivity(statistics, low: int, high: int, contribution: int | None) -> int:
    """How far one unit of privacy can change a value: a sum by its contribution, all else from one
    end of the range to the other."""
    if contribution is None or noisy(statistics) != ["sum"]:
        return high - low
    return contribution


def read_noise(
    stream: Table, statistics: list[str], low: int, high: int, window_s: int
) -> Noise | None:
    """None where the stream has none. ToolError for each mistake."""
    table = _noise_table(stream, statistics)
    if table is None:
        return None
    epsilon = read_epsilon(table, "epsilon")
    per_day = read_epsilon(table, "per_day")
    contribution = None
    if "contribution" in table:
        if "sum" not in statistics:
            raise table.wrong("has a contribution, but there is no sum", "take contribution out")
        contribution = table.take_int("contribution", 1, high - low)
    sensitivity = derived = derived_sensitivity(statistics, low, high, contribution)
    if "sensitivity" in table:
        sensitivity = table.take_int("sensitivity", 1, SENSITIVITY_MAX)
    if sensitivity < derived:
        message = f"has sensitivity = {sensitivity}, but a unit can change a value by {derived}"
        raise table.wrong(message, f"take sensitivity out, or at least {derived}")
    releases = DAY_S // window_s * len(noisy(statistics))
    if releases * epsilon > per_day:
        message = (
            f"has per_day = {per_day}, but a day costs {releases} × epsilon = {releases * epsilon}"
        )
        mend = f'take a longer window_s, or epsilon = "{per_day / releases}" or less'
        raise table.wrong(message, mend)
    return Noise(epsilon, releases * epsilon, per_day, sensitivity, contribution)


def read_masked_noise(stream: Table, statistics: list[str]) -> Noise | None:
    """Of a masked stream: the controller draws it, once for each range and population, and keeps
    the budget of each day. None where the stream has none. ToolError for each mistake."""
    table = _noise_table(stream, statistics)
    if table is None:
        return None
    if "sensitivity" in table:
        what = "has a sensitivity, but that of a masked stream follows from its contribution"
        raise table.wrong(what, "take sensitivity out")
    epsilon, per_day = read_epsilon(table, "epsilon"), read_epsilon(table, "per_day")
    if "contribution" not in table:
        mend = "add contribution: the most that one unit of privacy adds to a sum"
        raise table.wrong("has no contribution", mend)
    contribution = table.take_int("contribution", 1, SENSITIVITY_MAX)
    cost = epsilon * len(noisy(statistics))
    if cost > per_day:
        message = f"has per_day = {per_day}, but one sum costs {cost} on each day"
        raise table.wrong(message, f'take per_day = "{cost}" or more, or a smaller epsilon')
    return Noise(epsilon, per_day, per_day, contribution, contribution)


def _noise_table(stream: Table, statistics: list[str]) -> Table | None:
    if "noise" not in stream:
        return None
    fields = stream.take("noise", dict)
    lines = None if stream.lines is None else stream.lines.inner("noise")
    if not noisy(statistics):
        raise stream.wrong("has noise, but a count of samples gets none", "take noise out")
    return Table(f"{stream.place}, noise", fields, KEYS, lines)


def read_epsilon(table: Table, key: str) -> Fraction:
    """The exact fraction at `key`: "1/96", "0.5", 0.5 (by its decimal text) or 1."""
    value = table.peek(key)
    mend = f'{key} is a fraction above 0, such as "1/96", "0.5" or 1'
    if value is None:
        raise table.wrong(f"has no {key}", f"add {key}: {mend}")
    text = str(value) if type(value) in (int, str, Decimal) else ""
    if not re.fullmatch(FRACTION, text):
        raise table.wrong(f"has {key} = {shown(value)}", mend)
    epsilon = Fraction(text)
    if epsilon <= 0:
        raise table.wrong(f"has {key} = {text}, so noise without end", mend)
    if max(epsilon.numerator, epsilon.denominator) > EPSILON_PARTS_MAX:
        message = f"has {key} = {text}, which is finer than a node computes"
        raise table.wrong(message, f"take a fraction of numbers up to {EPSILON_PARTS_MAX:,}")
    return epsilon
