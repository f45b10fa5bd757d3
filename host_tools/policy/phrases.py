# SPDX-License-Identifier: MIT
"""The words of one language: its file in phrases/, with the numbers, dates, lists and plural forms
of the Unicode CLDR. phrases/en.toml says how a language is added."""

import datetime
import tomllib
from fractions import Fraction
from pathlib import Path

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from babel.lists import format_list
from babel.numbers import format_decimal

from host_tools.errors import ToolError
from node.pipeline.quantities import QUANTITIES

_FOLDER = Path(__file__).parent / "phrases"
_UNITS_S = ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
_KILO = ("W", "Wh")  # units that people know better in thousands
_NBSP = "\u00a0"


def languages() -> list[str]:
    """Those that the notice can speak."""
    return sorted(path.stem for path in _FOLDER.glob("*.toml"))


class Phrases:
    """language: as HTML has it. ToolError when there are no phrases for it."""

    def __init__(self, language: str):
        if language not in languages():
            known = ", ".join(languages())
            hint = f"there are {known}; copy {_FOLDER / 'en.toml'} and translate it"
            raise ToolError(f"there are no phrases in {language!r} for the notice", hint)
        self.language = language
        self._path = _FOLDER / f"{language}.toml"
        self._words = tomllib.loads(self._path.read_text("utf-8"))
        try:
            locale = self._words["page"].get("locale", language)
            self._locale = Locale.parse(locale, sep="-")
        except (UnknownLocaleError, ValueError) as err:
            message = f"{self._path}: {locale!r} is not a language that CLDR knows"
            raise ToolError(message, "name the file as HTML names languages") from err

    @property
    def direction(self) -> str:
        """As HTML has it: ltr or rtl."""
        return self._locale.text_direction

    def has(self, section: str, key: str) -> bool:
        return key in self._words.get(section, {})

    def take(self, section: str, key: str):
        """The phrase as it stands; ToolError when the language lacks it."""
        if not self.has(section, key):
            raise ToolError(f"{self._path}: [{section}] has no {key}", "add it in this language")
        return self._words[section][key]

    def say(self, section: str, key: str, n: int | None = None, **values) -> str:
        """The phrase with its values filled in; n chooses the plural form, and is filled in as
        well."""
        phrase = self.take(section, key)
        if isinstance(phrase, dict):
            phrase = phrase.get(self._locale.plural_form(n), phrase["other"])
        if n is not None:
            values["n"] = self.number(n)
        return phrase.format(**values)

    def number(self, value) -> str:
        """To three decimals at most, with the language's marks."""
        return format_decimal(float(value), "#,##0.###", self._locale).replace("-", "−")

    def value(self, quantity: str, value: int) -> str:
        """A value in its quantity's scale, with its unit: 12.3 µg/m³, 1 person, 5 kWh."""
        unit, scale, _, _ = QUANTITIES[quantity]
        shown = Fraction(value, scale)
        if self.has("unit", unit):
            return self._counted(unit, shown)
        if unit in _KILO and abs(shown) >= 1000:
            unit, shown = "k" + unit, shown / 1000
        return self.number(shown) + (_NBSP + unit if unit else "")

    def _counted(self, unit: str, shown: Fraction) -> str:
        forms = self.take("unit", unit)
        form = forms.get(self._locale.plural_form(abs(int(shown))), forms["other"])
        return form.format(n=self.number(shown)).replace(" ", _NBSP)

    def every(self, seconds: int) -> str:
        """How often: every 15 minutes, once a day."""
        size, unit = next(one for one in _UNITS_S if seconds % one[0] == 0)
        return self.say("every", unit, seconds // size)

    def days(self, days: int) -> str:
        phrase = self._words["days"]
        form = phrase.get(self._locale.plural_form(days), phrase["other"])
        return form.format(n=self.number(days))

    def list(self, items) -> str:
        return format_list(list(items), locale=self._locale)

    def date(self, day: datetime.date) -> str:
        return format_date(day, "long", self._locale)

    def quantity(self, quantity: str) -> str:
        """Its name within a sentence."""
        return self.take("quantity", quantity)

    def purpose(self, term: str) -> str:
        """A purpose of the Data Privacy Vocabulary; the term itself where there are no words."""
        name = term.partition(":")[2]
        return self.take("purpose", name) if self.has("purpose", name) else term

    def legal_basis(self, term: str) -> str:
        """A legal basis of the same; the words of the nearest broader term."""
        known = [key for key in self._words["legal_basis"] if term.startswith(key)]
        return self._words["legal_basis"][max(known, key=len)] if known else term
