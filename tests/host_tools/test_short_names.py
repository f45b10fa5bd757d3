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
    names = short_names([PROGRAM])
    short = with_short_names(PROGRAM, names)
    assert outcome(short) == outcome(PROGRAM)
    assert set(names) == {"_total", "_step", "_start", "_count", "_grow", "_a"}
    for name in ("_total", "_step", "_start", "_count", "_grow"):
        assert name not in short


def test_one_name_for_all_modules_and_none_that_is_taken():
    names = short_names(["self._one + _b", "x._two; x._one; __a__", "a, b, c"])
    assert len(set(names.values())) == 3
    assert "_one" in names and "_two" in names
    assert not {"__a__", "a", "b"} & set(names.values())


def test_no_text_of_the_firmware_names_what_is_private():
    sources = [path.read_text() for path in firmware_sources().values()]
    private = short_names(sources)
    for source in sources:
        texts = [n.value for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Constant)]
        assert not private.keys() & {text for text in texts if isinstance(text, str)}
