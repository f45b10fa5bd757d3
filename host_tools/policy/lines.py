# SPDX-License-Identifier: MIT
"""On which line of a policy a field stands, so that a message can name it. The library that reads
TOML does not tell.

Where the text is written in a way that this cannot follow (texts of several lines, dotted keys),
no line is named rather than a wrong one.
"""

import dataclasses
import re

_HEADER = re.compile(r"\s*(\[\[?)\s*([\w.-]+)\s*\]\]?\s*(#.*)?")
_KEY = re.compile(r"""\s*["']?([\w-]+)["']?\s*=""")
_WORD = re.compile(r"[\w-]+")


@dataclasses.dataclass
class TableLines:
    """Of one table: the line of its header, or None, {key: line}, and the tables within."""

    header: int | None = None
    keys: dict[str, int] = dataclasses.field(default_factory=dict)
    within: dict[str, "TableLines"] = dataclasses.field(default_factory=dict)

    def find(self, what: str) -> int | None:
        """The line of the first field that these words name, else of the header."""
        for word in _WORD.findall(what):
            for key in (word, word + "s"):  # as in "has the statistic"
                if key in self.keys:
                    return self.keys[key]
        return self.header

    def inner(self, key: str) -> "TableLines":
        """Of the table at `key`: with a header of its own, or on the line of the key."""
        return self.within.get(key) or TableLines(self.keys.get(key))


class Lines:
    """Of the whole file."""

    def __init__(self, text: str):
        self._tables = {"": [TableLines()]}
        if '"""' in text or "'''" in text:
            return
        table = self.of()
        for line, content in enumerate(text.splitlines(), 1):
            header = _HEADER.fullmatch(content)
            if header:
                table = self._begin(header[1], header[2], line)
            elif key := _KEY.match(content):
                table.keys.setdefault(key[1], line)

    def _begin(self, brackets: str, name: str, line: int) -> TableLines:
        table = TableLines(line)
        outer, _, inner = name.partition(".")
        if inner and outer in self._tables:  # of the newest of those
            self._tables[outer][-1].within[inner] = table
            self._tables[outer][-1].keys.setdefault(inner, line)
        elif brackets == "[[":
            self._tables.setdefault(name, []).append(table)
        else:
            self._tables[name] = [table]
            self.of().keys.setdefault(name, line)
        return table

    def of(self, name: str = "", index: int = 1) -> TableLines:
        """Of a table, such as every_stream, or of the index-th of several, such as stream."""
        tables = self._tables.get(name, [])
        return tables[index - 1] if index <= len(tables) else self._tables[""][0].inner(name)
