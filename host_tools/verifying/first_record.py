# SPDX-License-Identifier: MIT
"""One record that was opened, as proof that a node's whole way works, and what became of the wait
for it."""

import dataclasses

from host_tools.collector.open_envelope import Opened
from host_tools.collector.read_store import shown
from host_tools.collector.values import rows_of
from host_tools.errors import ToolError
from host_tools.times import iso, short

MASKED = "masked: nobody can read it singly"
NO_VALUE = "no value: withheld, or not measured"


@dataclasses.dataclass(frozen=True)
class FirstRecord:
    """One value of a record. text: in `unit`, or why there is none; is_value: which of both;
    opened_s: when a store or we opened it (Unix time)."""

    node_id: str
    stream: int
    quantity: str
    statistic: str
    start_s: int
    window_s: int
    unit: str
    text: str
    is_value: bool
    opened_s: int

    def age_s(self, now_s: float) -> int:
        """Since its window ended; 0 where the node's clock is ahead of ours."""
        return max(0, int(now_s) - self.start_s - self.window_s)

    def words(self) -> str:
        value = f"{self.text} {self.unit}".rstrip() if self.is_value else self.text
        end = short(self.start_s + self.window_s)[11:]
        return (
            f"{self.quantity} {self.statistic} {value}, window {short(self.start_s)} to {end} UTC,"
            f" opened {short(self.opened_s)}"
        )

    def as_object(self, now_s: float) -> dict:
        """For --json."""
        text = self.text
        number = (float(text) if "." in text else int(text)) if self.is_value else None
        return {
            "stream": self.stream, "quantity": self.quantity, "statistic": self.statistic,
            "window_start": iso(self.start_s), "window_s": self.window_s, "value": number,
            "unit": self.unit, "why_none": "" if self.is_value else text,
            "opened": iso(self.opened_s), "age_s": self.age_s(now_s),
        }  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of one node. record: what was opened; or told: what the board says of its
    receipts; or trouble: why neither. now_s: when the wait was over (Unix time)."""

    node_id: str
    waited_s: float
    now_s: float
    record: FirstRecord | None = None
    told: str = ""
    trouble: ToolError | None = None

    def words(self) -> str:
        """One line, for a person."""
        if self.trouble is not None:
            return f"{self.node_id}  not verified"
        waited = f"waited {_span(self.waited_s)}"
        if self.record is None:
            return f"{self.node_id}  {self.told}; {waited}"
        age = f"{_span(self.record.age_s(self.now_s))} old"
        return f"{self.node_id}  {self.record.words()}, {age}; {waited}"

    def as_object(self) -> dict:
        """For --json."""
        told = {"node": self.node_id, "verified": self.trouble is None,
                "waited_s": round(self.waited_s, 1)}  # fmt: skip
        if self.record is not None:
            told["record"] = self.record.as_object(self.now_s)
        if self.told:
            told["told"] = self.told
        if self.trouble is not None:
            told.update(error=self.trouble.message, hint=self.trouble.hint)
        return told


def of_envelope(node_id: str, opened: Opened, now_s: int) -> FirstRecord | None:
    """The first value of an envelope that was opened now; where no record has any, the first
    record. None when it has no records."""
    streams, found = {one.number: one for one in opened.policy.streams}, None
    for record in opened.records:
        stream = streams[record[0]]
        if stream.bins is not None:
            start_s = record[1] * stream.window_s
            text = NO_VALUE if record[3] is None else MASKED
            made = FirstRecord(node_id, stream.number, stream.quantity, "", start_s,
                               stream.window_s, "", text, False, now_s)  # fmt: skip
            found = found or made
            continue
        for row in rows_of(node_id, stream, record, None):
            made = of_row(row, now_s)
            if made.is_value:
                return made
            found = found or made
    return found


def of_row(row: tuple, opened_s: int) -> FirstRecord:
    """row: of a store's table `value`."""
    node_id, stream, start_s, statistic, window_s, quantity, unit, scale, resolution, value, _ = (
        row
    )
    text = NO_VALUE if value is None else shown(value, scale, resolution)
    return FirstRecord(node_id, stream, quantity, statistic, start_s, window_s, unit, text,
                       value is not None, opened_s)  # fmt: skip


def _span(seconds: float) -> str:
    """45 s, 3 min 20 s, 2 h 5 min, 3 d 4 h."""
    left, words = round(seconds), []
    for length, unit in ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        count, left = divmod(left, length)
        if count:
            words.append(f"{count} {unit}")
    return " ".join(words[:2]) or "0 s"
