# SPDX-License-Identifier: MIT
"""What a policy says to people: texts in its languages, and whom to ask."""

import re

from host_tools.policy.terms import Text
from host_tools.provisioning.checked import Table

# Of a language, a mail address, an https address: regular expressions, for JSON Schema, too.
LANGUAGE = r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*"
MAIL = r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+"
HTTPS = r"https://[^\s/@.]+(\.[^\s/@.]+)*(/\S*)?"


class Texts:
    """Reads texts in `languages`; the first is the default."""

    def __init__(self, table: Table):
        self.languages = table.take_list("languages", str)
        for language in self.languages:
            if not re.fullmatch(LANGUAGE, language):
                mend = 'a language is written as in HTML: "en", "de", "pt-BR"'
                raise table.wrong(f"has the language {language!r}", mend)
        if len(set(self.languages)) < len(self.languages):
            raise table.wrong("names a language twice", "name each once")

    def take(self, table: Table, key: str) -> Text:
        """The text at `key`: a line for each language, or one line for all."""
        if key not in table:
            raise table.wrong(f"has no {key}", f"add {key}: {self._example()}")
        return self.expect(table, key, table.peek(key))

    def expect(self, table: Table, key: str, value) -> Text:
        if not isinstance(value, dict):
            if not isinstance(value, str):
                raise table.wrong(f"has {key}, which is no text", self._example())
            return dict.fromkeys(self.languages, self._line(table, key, value))
        for language in value:
            if language not in self.languages:
                mend = f"the policy's languages are {', '.join(self.languages)}"
                raise table.wrong(f"has {key} in {language!r}", mend)
        for language in self.languages:
            if language not in value:
                mend = f"add a line for {language!r}, or take it out of languages"
                raise table.wrong(f"has no {key} in {language!r}", mend)
        return {
            language: self._line(table, f"{key} in {language!r}", value[language])
            for language in self.languages
        }

    def _line(self, table: Table, key: str, value) -> str:
        line = table.expect(key, value, str)
        if not line.strip():
            raise table.wrong(f"has an empty {key}", "say it to the public")
        if not line.isprintable():
            raise table.wrong(f"has {key} of several lines", "a text is one line")
        return line.strip()

    def _example(self) -> str:
        lines = ", ".join(f'{language} = "…"' for language in self.languages)
        return f"a text is {{ {lines} }}"


def read_contact(table: Table, key: str) -> str:
    """A mail address or an https address."""
    contact = table.take(key, str)
    if not re.fullmatch(MAIL, contact) and not re.fullmatch(HTTPS, contact):
        mend = 'take a mail address, "privacy@city.example", or an address with https://'
        raise table.wrong(f"has {key} = {contact!r}, at which nobody can be asked", mend)
    return contact
