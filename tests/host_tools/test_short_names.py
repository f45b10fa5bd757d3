# SPDX-License-Identifier: MIT
"""host_tools/provisioning/short_names.py: the same program, with other private names."""

import ast

from host_tools.provisioning.firmware import firmware_sources
from host_tools.provisioning.short_names import short_names, with_short_names

PROGRAM = '''
_total = 0
_LIMIT = 7

class Base:
    """Counts."""
    _step = 2

    def __init__(self, _start, up=1):
        self._count = self.a_ = _start * up

    def _grow(self):
        global _total
        self._count += self._step
        _total += self._count

class Sub(Base):
    def grow(self):
        self._grow()
        return f"{self._count}/{_total} of {_LIMIT}", [_ for _ in range(2)]

def run():
    _a = Sub(_start=3)
    return _a.grow(), _a.a_, _a.grow()
'''


def outcome(source):
    namespace = {}
    exec(source, namespace)
    return namespace["run"]()


def test_it_does_the_same():
    names = short_names({"one": PROGRAM})["one"]
    short = with_short_names(PROGRAM, names)
    assert outcome(short) == outcome(PROGRAM)
    assert set(names) == {"_total", "_step", "_start", "_count", "_grow", "_a"}
    for name in ("_total", "_step", "_start", "_count", "_grow"):
        assert name not in short


INNER = '''
import sys
limit = 9

class Pair:
    first_mm = 3

    def __init__(self, reading, unit="mm"):
        self.reading = reading

    def scaled(self, factor, offset=0):
        return [factor * value + offset for value in (self.reading, self.first_mm)]

def run(argument=2):
    def inner(deeper, type=None):
        try:
            return Pair(deeper, unit="m").scaled(argument, offset=limit)
        except ValueError as failure:
            return failure
    return inner(5), getattr(Pair(1), "reading"), (lambda count, *others: count)(argument)
'''


def test_parameters_that_nobody_calls_by_name():
    names = short_names({"one": INNER})["one"]
    assert set(names) == {"argument", "factor", "deeper", "count", "others"}
    short = with_short_names(INNER, names)
    assert outcome(short) == outcome(INNER)
    assert "factor" not in short and "deeper" not in short


def test_a_name_that_another_module_knows_stays():
    sources = {"x": "def make(size, torn): return torn", "y": "make(size=1, torn=2); a.torn"}
    assert short_names(sources) == {"x": {}, "y": {}}
    assert set(short_names({**sources, "y": "make(1, 2)"})["x"]) == {"size", "torn"}


def test_one_name_for_all_modules_that_have_it_and_none_that_is_taken():
    sources = {"x": "self._one + _b", "y": "x._two; x._one; __a__", "z": "a, b, _three"}
    names = short_names(sources)
    assert names["x"]["_one"] == names["y"]["_one"]
    assert names["x"]["_b"] == names["y"]["_two"] == names["z"]["_three"]
    used = {name for module in names.values() for name in module.values()}
    assert len(used) == 2 and not {"__a__", "a", "b"} & used


def test_modules_of_one_family_share_no_names():
    """An object has the names of all its classes, wherever they are written."""
    sources = {
        "base": "class Base:\n    def __init__(self):\n        self._count = 1\n",
        "middle": "import base\nclass Middle(base.Base):\n    _mine = 2\n",
        "sub": "from middle import Middle\nclass Sub(Middle):\n    _own = 3\n",
        "other": "class Other:\n    _else = 4\n",
    }
    names = short_names(sources)
    family = [names["base"]["_count"], names["middle"]["_mine"], names["sub"]["_own"]]
    assert len(set(family)) == 3 and names["other"]["_else"] in family


def test_no_text_of_the_firmware_names_what_is_private():
    sources = {name: path.read_text() for name, path in firmware_sources().items()}
    private = {name for names in short_names(sources).values() for name in names}
    for source in sources.values():
        texts = [n.value for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Constant)]
        assert not private & {text for text in texts if isinstance(text, str)}
