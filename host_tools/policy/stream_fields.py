# SPDX-License-Identifier: MIT
"""One stream of a policy, from its table: what goes into the rules, and what into the terms."""

import dataclasses

from host_tools.errors import ToolError
from host_tools.policy import masked_fields
from host_tools.policy.dpv import take_legal_basis, take_purpose
from host_tools.policy.noise_fields import Noise, read_masked_noise, read_noise
from host_tools.policy.terms import StreamTerms
from host_tools.policy.texts import Texts
from host_tools.provisioning.checked import Table
from node.pipeline.quantities import QUANTITIES
from node.policy.form import MASKED_STATISTICS, STATISTICS
from node.policy.rules import DAY_S, Stream

# What a stream may leave to [every_stream], and all that it may say.
SHARED_KEYS = ("unit", "why", "purpose", "legal_basis", "recipients", "retention_days")
KEYS = (
    "number", "quantity", "statistics", "window_s", "resolution", "range", "k", "noise",
    "masked", "bins", *SHARED_KEYS,
)  # fmt: skip
WINDOWS_S = (60, 300, 600, 900, 1800, 3600, 86_400)  # that are proposed
PERCENTILES = ("la10_mdb", "la90_mdb")
COUNTED = ("vehicles", "people", "devices")  # units of what k can be asked of
RETENTION_MAX_DAYS = 36_500
DEVICES_MAX, DEVICE_CHANGES = 2838, 2  # of ble_devices, for one address more


@dataclasses.dataclass(frozen=True)
class StreamFields:
    """rules: the stream as compiled rules have it; table: what it was read from."""

    table: Table
    rules: list
    terms: StreamTerms
    noise: Noise | None

    @property
    def number(self) -> int:
        return self.rules[0]

    @property
    def quantity(self) -> str:
        return self.rules[1]

    @property
    def window_s(self) -> int:
        return self.rules[2]

    @property
    def k(self) -> int:
        return self.rules[7]

    @property
    def statistics(self) -> list[str]:
        return self.rules[3]

    @property
    def masked(self) -> bool:
        return len(self.rules) > 9

    def wrong(self, what: str, mend: str) -> ToolError:
        return self.table.wrong(what, mend)


def read_stream(
    table: Table, shared: Table, texts: Texts, intervals_s: dict | None
) -> StreamFields:
    """table: of KEYS; shared: [every_stream]; intervals_s: of the kit, or None. ToolError for each
    mistake."""
    number = table.take_int("number", 1, 255)
    table.place = f"{table.place} (number {number})"
    quantity = table.take_known("quantity", QUANTITIES)
    window_s = table.take("window_s", int)
    _check_window(table, quantity, window_s, intervals_s)
    masked = table.take("masked", bool, False)
    statistics = _statistics(table, masked)
    _check_level(table, quantity, statistics, window_s, intervals_s)
    low, high = _range(table, quantity)
    resolution = table.take_int("resolution", 1, high - low)
    head = [number, quantity, window_s, statistics, resolution, low, high]
    if masked:
        rules, noise = _masked(table, head)
    else:
        k = _k(table, quantity, statistics, high)
        noise = read_noise(table, statistics, low, high, window_s)
        _check_devices(table, quantity, high, window_s, intervals_s, noise)
        rules = [*head, k, None if noise is None else noise.rules()]
    return StreamFields(table, rules, _terms(table, shared, texts, noise), noise)


def _masked(table: Table, head: list) -> tuple[list, Noise | None]:
    """(rules, noise) of a masked stream; head: its rules up to the range."""
    _, quantity, window_s, statistics, _, low, high = head
    masked_fields.check_window(table, window_s)
    k = masked_fields.take_k(table)
    bins = masked_fields.take_bins(table, statistics, low, high)
    noise = read_masked_noise(table, statistics)
    if noise is not None and quantity == "ble_devices":
        mend = "take noise out, and k high"
        what = "has noise, but a sum over several windows counts an address again in each"
        raise table.wrong(what, mend)
    if quantity == "vehicle_speed_mmps":
        # Its drivers give a reading when three vehicles have come. The count, which has no noise,
        # would tell how many did, and a window with gaps counts as one that was not watched.
        mend = "mask vehicles instead, whose readings come on a schedule"
        raise table.wrong(f"is masked, but readings of {quantity} come when vehicles do", mend)
    rules = [*head, k, None if noise is None else noise.rules(), bins]
    masked_fields.check_sums(table, Stream(rules))
    return rules, noise


def _check_window(table: Table, quantity: str, window_s: int, intervals_s: dict | None):
    if window_s <= 0 or DAY_S % window_s:
        mend = f"take one of {', '.join(map(str, WINDOWS_S))}"
        raise table.wrong(f"has window_s = {window_s}, which does not divide a day", mend)
    if intervals_s is None:
        return
    if quantity not in intervals_s:
        mend = f"it measures {', '.join(intervals_s)}"
        raise table.wrong(
            f"has the quantity {quantity}, which no sensor of the kit measures", mend
        )
    if window_s % intervals_s[quantity]:
        mend = f"take a multiple of the sensor's interval_s, {intervals_s[quantity]}"
        raise table.wrong(f"has window_s = {window_s}", mend)


def _statistics(table: Table, masked: bool) -> list[str]:
    statistics = table.take_list("statistics", str)
    known = dict.fromkeys(STATISTICS + MASKED_STATISTICS)
    for statistic in statistics:
        table.expect_known("the statistic", statistic, known)
    masked_fields.check_statistics(table, statistics, masked)
    if len(set(statistics)) < len(statistics):
        raise table.wrong("names a statistic twice in statistics", "name each once")
    return statistics


def _check_level(
    table: Table, quantity: str, statistics: list[str], window_s: int, intervals_s: dict | None
):
    """Levels in decibels: their mean is that of their energies (node/pipeline/levels.py)."""
    if not quantity.endswith("_mdb"):
        return
    if "sum" in statistics or "sum_squares" in statistics:
        mend = 'take "mean": the level of the mean energy; or, masked, a histogram'
        raise table.wrong(f"has the sum of {quantity}, but decibels cannot be added", mend)
    if "mean" not in statistics:
        return
    if "noise" in table:
        mend = "take noise out, or another statistic"
        raise table.wrong("has noise, but the mean energy of levels gets none", mend)
    interval_s = window_s if intervals_s is None else intervals_s[quantity]
    if quantity in PERCENTILES and window_s != interval_s:
        mend = f"take window_s = {interval_s}, the sensor's interval_s, or min and max"
        message = f"has the mean of {quantity} over window_s = {window_s}"
        raise table.wrong(f"{message}, but what a part of the time exceeds has no mean", mend)


def _check_devices(
    table: Table, quantity: str, high: int, window_s: int, intervals_s: dict | None, noise
):
    """Noise hides one radio address only if that counts once, and for as much as it changes the
    estimate (node/drivers/ble_count.py)."""
    if quantity != "ble_devices" or noise is None:
        return
    interval_s = window_s if intervals_s is None else intervals_s[quantity]
    if window_s != interval_s:
        mend = f"take window_s = {interval_s}, the sensor's interval_s"
        what = f"has noise over window_s = {window_s}, in which an address is counted again"
        raise table.wrong(what, mend)
    if high > DEVICES_MAX:
        mend = f"take range = [0, {DEVICES_MAX}], or less"
        raise table.wrong("has range up to where one address counts for more than 2", mend)
    if noise.sensitivity < DEVICE_CHANGES:
        mend = f"take contribution = {DEVICE_CHANGES}"
        what = f"has contribution = {noise.contribution}, but one address changes the estimate"
        raise table.wrong(f"{what} by up to {DEVICE_CHANGES}", mend)


def _range(table: Table, quantity: str) -> tuple[int, int]:
    limits = table.take_list("range", int)
    if len(limits) != 2 or limits[0] >= limits[1]:
        raise table.wrong(f"has range = {limits}", "a range is [lowest, highest]")
    _, _, lowest, highest = QUANTITIES[quantity]
    if limits[0] < lowest or limits[1] > highest:
        mend = f"{quantity} can be {lowest} to {highest}"
        raise table.wrong(f"has range = {limits}, which is more than physics allows", mend)
    return limits[0], limits[1]


def is_counted(quantity: str) -> bool:
    """Whether it counts people, or what they come in."""
    return QUANTITIES[quantity][0] in COUNTED


def _k(table: Table, quantity: str, statistics: list[str], high: int) -> int:
    if "k" not in table:
        return 0
    k = table.take_int("k", 0, high)
    if k and not is_counted(quantity):
        counted = ", ".join(name for name in QUANTITIES if is_counted(name))
        message = f"has k = {k}, but {quantity} is not counted"
        raise table.wrong(message, f"take k out: it is for {counted}")
    if k and "sum" not in statistics:
        message = f"has k = {k}, but no sum in statistics that could be below it"
        raise table.wrong(message, 'add "sum" to statistics, or take k out')
    return k


def _terms(table: Table, shared: Table, texts: Texts, noise: Noise | None) -> StreamTerms:
    def holder(key: str) -> Table:
        return shared if key in shared and key not in table else table

    return StreamTerms(
        why=texts.take(holder("why"), "why"),
        unit=texts.take(holder("unit"), "unit"),
        purpose=take_purpose(holder("purpose")),
        legal_basis=take_legal_basis(holder("legal_basis")),
        recipients=_recipients(holder("recipients"), texts),
        retention_days=holder("retention_days").take_int("retention_days", 1, RETENTION_MAX_DAYS),
        per_day=None if noise is None else noise.per_day,
        contribution=None if noise is None else noise.contribution,
    )


def _recipients(table: Table, texts: Texts) -> list:
    return [
        texts.expect(table, f"recipient {index}", value)
        for index, value in enumerate(table.take("recipients", list), 1)
    ]
