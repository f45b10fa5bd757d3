# SPDX-License-Identifier: MIT
"""The only file that prints: results on stdout, progress and errors on stderr."""

import contextlib
import csv
import getpass
import json
import os
import sys
import warnings
from collections.abc import Callable, Iterable

from host_tools.errors import ToolError, shortened


def is_terminal() -> bool:
    """Whether a person is watching stdout."""
    return sys.stdout.isatty()


def is_live() -> bool:
    """Whether a person is watching stdout, and what is shown there can be replaced."""
    return is_terminal() and not is_plain()


def is_plain() -> bool:
    """Whether the terminal is to get text alone: no colour, and nothing that moves."""
    return bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") in ("dumb", "unknown")


def color_system() -> str | None:
    """rich's: None writes no escape sequence at all; NO_COLOR by itself would leave bold."""
    return None if is_plain() else "auto"


def result(renderable):
    """Shows text or one of rich's tables. Text is wrapped for a terminal only: what is piped into
    a file or another program keeps its lines."""
    from rich.text import Text

    is_text = isinstance(renderable, str | Text)
    _plain_console().print(renderable, soft_wrap=is_text and not is_terminal())


def result_text(text: str):
    """Text for a program: as it is, however wide the terminal."""
    print(text)


def result_json(value):
    """One JSON object on a line. What would steer a terminal, or turn its writing round, is
    escaped; letters of all languages are as they are."""
    text = json.dumps(value, ensure_ascii=False)
    if not text.isprintable():
        text = "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in text)
    print(text)


def result_csv(rows: Iterable):
    """Rows of CSV; the first is the head."""
    csv.writer(sys.stdout, lineterminator="\n").writerows(rows)


def note(text: str):
    """One line of progress, or several."""
    print(_visible(shortened(text)), file=sys.stderr)


def can_ask() -> bool:
    """Whether a person can type at stdin, which may also be closed."""
    return sys.stdin is not None and sys.stdin.isatty()


def ask_yes(question: str) -> bool:
    """What a person answers at stdin; ask only when can_ask()."""
    print(f"{_visible(question)} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def ask_hidden(question: str, instead: str) -> str:
    """What a person types at the terminal, unseen, wherever stdin and stdout go. ToolError when
    there is no terminal; instead: what to do then."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", getpass.GetPassWarning)  # it would be seen
            return getpass.getpass(f"{question}: ")
    except (getpass.GetPassWarning, EOFError, OSError):
        raise ToolError(f"no terminal to ask at: {question}", instead) from None


def complain(error: ToolError):
    """What is wrong, and how to mend it: two lines."""
    print("error: " + _line(error.message), file=sys.stderr)
    if error.hint:
        print("hint: " + _line(error.hint), file=sys.stderr)


def _line(text: str) -> str:
    return _visible(" ".join(text.split()))


def _visible(text: str) -> str:
    # What is quoted may come from a file: it does not get to steer the terminal.
    return "".join(char if char.isprintable() or char == "\n" else "?" for char in text)


def _plain_console():
    """What is shown may come from a file: no [word] and no :word: of it is an instruction, nor
    does it get to steer the terminal."""
    from rich.console import Console
    from rich.segment import Segment

    class Plain(Console):
        def render_str(self, text, **options):
            return super().render_str(_visible(text), **options)

        def render(self, renderable, options=None):
            for one in super().render(renderable, options):
                # They have no width: where a Text has them, its place is laid out without.
                text = "".join(char for char in one.text if char.isprintable() or char == "\n")
                yield one if one.control else Segment(text, one.style)

    return Plain(highlight=False, markup=False, emoji=False, color_system=color_system())


@contextlib.contextmanager
def progress(on: bool = True):
    """Gives show(name, words, percent): a bar for each name, on stderr; off a terminal a line when
    the words change; with None for percent a line that stays. It may be called from several
    threads."""
    said = {}
    if not on or not sys.stderr.isatty() or is_plain():

        def tell(name: str, words: str, percent: int | None):
            if on and said.get(name) != words:
                said[name] = words
                note(f"{name}: {words}")

        yield tell
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    columns = TextColumn("{task.fields[name]}", markup=False), BarColumn(), TaskProgressColumn()
    words_column = TextColumn("{task.description}", markup=False)
    with Progress(*columns, words_column, console=Console(stderr=True, highlight=False)) as bars:

        def show(name: str, words: str, percent: int | None):
            if percent is None:
                bars.console.print(_line(f"{name}: {words}"), markup=False, soft_wrap=True)
                return
            if name not in said:
                said[name] = bars.add_task("", name=name, total=100)
            bars.update(said[name], description=_line(words), completed=percent)

        yield show


@contextlib.contextmanager
def live(render: Callable, on: bool = True):
    """Gives a function that shows what render() returns now, in place of what it showed before.

    With on=False it shows nothing.
    """
    if not on:
        yield lambda: None
        return
    from rich.live import Live

    with Live(render(), console=_plain_console(), auto_refresh=False) as display:
        yield lambda: display.update(render(), refresh=True)
