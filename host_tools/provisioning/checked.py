# SPDX-License-Identifier: MIT
"""Checks of a person's table (TOML or JSON): each mistake is one line that names the place."""

import datetime
import difflib
import re
from decimal import Decimal

from host_tools.errors import ToolError

NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"  # of a policy, a kit, a board
_FILE = re.compile(r"^(.*?):(?= |$)")  # what a place begins with
_NAMES = {
    str: 'text in quotes: "…"', int: "a whole number without quotes or point: 900",
    bool: "true or false, without quotes", list: "a list in brackets: […]",
    dict: "a table: keys with values", datetime.date: "a day, without quotes: 2027-12-31",
}  # fmt: skip


class Table:
    """place: how messages name this table, such as `policy.toml: stream 3`; lines: finds the line
    of the field that a message is about, or None (see ../policy/lines.py)."""

    def __init__(self, place: str, fields, keys: tuple[str, ...], lines=None):
        self.place = place
        self.lines = lines
        self._keys = keys
        if not isinstance(fields, dict):
            raise self.wrong("is not a table", "write its fields as key and value")
        self._fields = fields
        for key in fields:
            if key not in keys:
                raise self.wrong(f"has {key!r}, which means nothing here", suggestion(key, keys))

    def wrong(self, what: str, mend: str) -> ToolError:
        place = self.place
        line = None if self.lines is None else self.lines.find(what)
        if line is not None:
            place = _FILE.sub(rf"\1: line {line}:", place)
        return ToolError(f"{place} {what}", mend)

    def __contains__(self, key: str) -> bool:
        return key in self._fields

    def peek(self, key: str):
        """The value of `key` unchecked, for what may be of several kinds; None without."""
        return self._fields.get(key)

    def take(self, key: str, kind: type, *default):
        """The value of `key`, which must be of this kind (true is no number)."""
        if key not in self._fields:
            if default:
                return default[0]
            raise self.wrong(f"has no {key}", f"add {key}: {_NAMES[kind]}")
        return self.expect(key, self._fields[key], kind)

    def expect(self, key: str, value, kind: type):
        if type(value) is not kind:
            raise self.wrong(f"has {key} = {shown(value)}", f"{key} is {_NAMES[kind]}")
        if kind in (str, list) and not value:
            raise self.wrong(f"has an empty {key}", f"fill in {key}, which is {_NAMES[kind]}")
        return value

    def take_name(self, key: str) -> str:
        """A text that is also the name of a file, in the folder that it is for."""
        return self.expect_name(key, self.take(key, str))

    def expect_name(self, key: str, value: str) -> str:
        if not re.fullmatch(NAME, value):
            mend = "a name has letters, digits and . _ -, and begins with a letter or a digit"
            raise self.wrong(f"has {key} = {shown(value)}, which is no name", mend)
        return value

    def take_list(self, key: str, kind: type) -> list:
        return [self.expect(f"each of {key}", value, kind) for value in self.take(key, list)]

    def take_known(self, key: str, known) -> str:
        """A text that must be one of `known`."""
        return self.expect_known(key, self.take(key, str), known)

    def expect_known(self, key: str, value: str, known) -> str:
        if value not in known:
            raise self.wrong(f"has {key} {value!r}, which is not known", suggestion(value, known))
        return value

    def take_int(self, key: str, low: int, high: int) -> int:
        value = self.take(key, int)
        if not low <= value <= high:
            raise self.wrong(f"has {key} = {value}", f"{key} is {low} to {high}")
        return value


def shown(value) -> str:
    """As a message names it."""
    if isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, (Decimal, datetime.date)):  # as they stand in the file
        text = str(value)
    else:
        text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def suggestion(word: str, known) -> str:
    """What was meant, or all that could have been."""
    near = difflib.get_close_matches(word, known, 1)
    return f"did you mean {near[0]}?" if near else "known: " + ", ".join(known)
