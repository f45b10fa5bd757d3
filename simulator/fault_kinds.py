# SPDX-License-Identifier: MIT
"""Which faults a scenario can name, and what each may be told. What they do is in faults.py."""

import dataclasses
from collections.abc import Callable

from host_tools.provisioning.checked import Table
from simulator.durations import parse_duration
from simulator.world.flash import TORN

_OFF_MS = 10_000  # how long a board is off while somebody holds its flash
_RANGE_MAX = 1_000_000
_FAULTS = ("checksum", "chip_id", "frozen", "nan", "overflow", "range", "refused", "short")
WIRE_FAULTS = ("stretch", "stuck", "loses", "brown-out")  # see buses/wire_faults.py
_OFFSETS = "2000, 1970, 2100, nothing, or an offset such as +1h, -2d"


@dataclasses.dataclass(frozen=True)
class Kind:
    """takes: {argument: function of (table, argument) that gives its value}; lasts: "must" have a
    `for`, "may", or "never"; of_node: whether it befalls nodes, and may say which; silences:
    whether it keeps a node from delivering, so that its end is where recovery begins."""

    takes: dict[str, Callable] = dataclasses.field(default_factory=dict)
    lasts: str = "never"
    of_node: bool = True
    silences: bool = True


def _choice(*words, default=None):
    def take(table: Table, key: str):
        if key not in table and default is not None:
            return default
        return table.take_known(key, words)

    return take


def _duration(default_ms: int):
    def take(table: Table, key: str) -> int:
        text = table.take(key, str, None)
        return default_ms if text is None else parse_duration(table, key, text)

    return take


def _number(low: int, high: int, default: int | None = None):
    def take(table: Table, key: str) -> int:
        if key not in table and default is not None:
            return default
        return table.take_int(key, low, high)

    return take


def _text(default: str | None = None):
    def take(table: Table, key: str) -> str:
        return table.take(key, str, *(() if default is None else (default,)))

    return take


def _flag(default: bool):
    return lambda table, key: table.take(key, bool, default)


def _operations(table: Table, key: str) -> tuple[int, int]:
    """A number of flash operations, or [from, to] of which one is drawn each time."""
    if isinstance(table.peek(key), list):
        low_high = table.take_list(key, int)
        if len(low_high) != 2 or not 1 <= low_high[0] <= low_high[1] <= _RANGE_MAX:
            mend = f"{key} is a number, or [lowest, highest]"
            raise table.wrong(f"has {key} = {low_high}", mend)
        return tuple(low_high)
    number = table.take_int(key, 1, _RANGE_MAX)
    return number, number


def _blocks(table: Table, key: str) -> list[int]:
    blocks = table.take_list(key, int) if key in table else [0, 1]
    if any(not 0 <= block < 256 for block in blocks):
        raise table.wrong(f"has {key} = {blocks}", "the data partition has blocks 0 to 255")
    return blocks


def _images(table: Table, key: str) -> list[str]:
    images = table.take_list(key, str) if key in table else ["data", "nvs"]
    for image in images:
        table.expect_known(f"each of {key}", image, ("data", "nvs"))
    return images


def _says(table: Table, key: str):
    """A year, "nothing", or an offset in ms."""
    text = table.take(key, str)
    if text in ("1970", "2000", "2100", "nothing"):
        return text
    if text[:1] not in ("+", "-"):
        raise table.wrong(f"has {key} = {text!r}", f"{key} is {_OFFSETS}")
    offset_ms = parse_duration(table, key, text[1:])
    return offset_ms if text[0] == "+" else -offset_ms


_off = {"off": _duration(_OFF_MS)}

KINDS = {
    "power": Kind(lasts="must"),
    "power_cut": Kind(
        {
            "flash": _choice("data", "nvs"),
            "after": _operations,
            "torn": _choice(*TORN, "any", default="any"),
            **_off,
        },
        silences=False,  # until it strikes
    ),
    "nvs_erased": Kind(_off),
    "data_damaged": Kind({"blocks": _blocks, **_off}),
    "snapshot": Kind({"name": _text("snapshot")}, silences=False),
    "restored": Kind({"name": _text("snapshot"), "images": _images, **_off}),
    "second_board": Kind({"name": _text("")}, lasts="may", silences=False),
    "wifi": Kind({"how": _choice("down", "wrong_password", "no_dhcp", "channel")}, lasts="may"),
    "wires": Kind({"how": _choice("refused", "stalled", "cut")}, lasts="may"),
    "broker": Kind({"how": _choice("stopped", "killed")}, lasts="must", of_node=False),
    "collector": Kind(
        {"how": _choice("stopped", "killed", "killed_after_commit")}, lasts="must", of_node=False
    ),
    "store_copied": Kind({"name": _text("store")}, of_node=False, silences=False),
    "store_restored": Kind({"name": _text("store")}, of_node=False),
    "resend": Kind({"from": _number(1, 2**32 - 1, 1)}, silences=False),
    "sntp": Kind({"says": _says}, lasts="may"),
    "sensor": Kind(
        {"part": _text(), "how": _choice("unplugged", *_FAULTS, *WIRE_FAULTS)},
        lasts="may",
        silences=False,
    ),
    "flash_full": Kind({"free_kib": _number(0, 1024), **_off}, lasts="may", silences=False),
    "policy": Kind(
        {
            "version": _number(1, 2**31 - 1),
            "known": _flag(True),
            "by": _choice("flash", "down", default="flash"),
            **_off,
        }
    ),
    "policy_known": Kind({"version": _number(1, 2**31 - 1)}),
}
