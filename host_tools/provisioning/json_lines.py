# SPDX-License-Identifier: MIT
"""On which line of a JSON file a field stands, so that a message can name it. The library that
reads JSON does not tell."""

import re

from host_tools.policy.lines import TableLines

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]')


class JsonLines:
    """text: JSON that was read without a mistake."""

    def __init__(self, text: str):
        self._tables = {}  # path as a tuple of keys and of places in lists, from 0: TableLines
        path, kinds, key, line, at = [], [], None, 1, 0
        for token in _TOKEN.finditer(text):
            line += text.count("\n", at, token.start())
            at, word = token.start(), token[0]
            if word in "{[":
                kinds.append(word)
                if word == "{":
                    self._tables[tuple(path)] = TableLines(line)
                path.append(0 if word == "[" else None)
            elif word in "}]":
                kinds.pop()
                path.pop()
            elif word == "," and kinds and kinds[-1] == "[":
                path[-1] += 1
            elif word == ":" and kinds[-1] == "{":
                path[-1] = key
                self._tables[tuple(path[:-1])].keys.setdefault(key, line)
            elif word[0] == '"':
                key = word[1:-1]

    def of(self, *path) -> TableLines:
        """Of the object there: keys, and places in lists counted from 1, as messages do."""
        inner = tuple(step - 1 if isinstance(step, int) else step for step in path)
        return self._tables.get(inner, TableLines())
