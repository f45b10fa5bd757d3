# SPDX-License-Identifier: MIT
"""Where a passphrase comes from, and how good a new one must be.

Never from an argument or the environment, which other processes and crash reports see: from the
terminal, or from a file that only its owner can read (a secret that systemd or a password manager
hands over). The environment may name that file.
"""

import os
import stat
from pathlib import Path

from host_tools import console
from host_tools.errors import ToolError

FILE_VARIABLE = "LAMPPOST_PASSPHRASE_FILE"
_INSTEAD = f"give --passphrase-file FILE, or its name in {FILE_VARIABLE}"
_LONGEST = 1024  # bytes
_FEWEST_CHARACTERS = 12
_FEWEST_GUESSES_LOG10 = 10  # zxcvbn's best mark; 0.3 s each is a century of one core


def read_passphrase(path: Path | None) -> str:
    """The passphrase that opens: from this file, else the one that the environment names, else
    typed. ToolError when it cannot be read."""
    path = path or named_file()
    return _ask("Passphrase", _INSTEAD) if path is None else from_file(path)


def named_file() -> Path | None:
    """The file that the environment names."""
    named = os.environ.get(FILE_VARIABLE)
    return Path(named) if named else None


def new_passphrase(path: Path | None, question: str = "New passphrase", instead: str = _INSTEAD):
    """A passphrase to set: from this file, or typed twice. ToolError when it is easy to guess."""
    if path is not None:
        passphrase = from_file(path)
        check_strength(passphrase)
        return passphrase
    passphrase = _ask(question, instead)
    check_strength(passphrase)
    if _ask(f"{question} again", instead) != passphrase:
        raise ToolError("the two passphrases are not the same", "try again")
    return passphrase


def check_strength(passphrase: str):
    """ToolError when it is short, or one that guessing finds soon."""
    from zxcvbn import zxcvbn

    hint = "take five words or more that chance has put together"
    if len(passphrase) < _FEWEST_CHARACTERS:
        message = f"the passphrase has less than {_FEWEST_CHARACTERS} characters"
        raise ToolError(message, hint)
    # 72: more it does not take. What is hard to guess in its beginning is hard to guess.
    found = zxcvbn(passphrase[:72], user_inputs=["lamppost", "vault", "passphrase"])
    if found["guesses_log10"] < _FEWEST_GUESSES_LOG10:
        raise ToolError("the passphrase is easy to guess", hint)


def from_file(path: Path) -> str:
    """The content of a file, without a line end. ToolError when others can read it, too."""
    try:
        with open(path, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if stat.S_ISREG(mode) and mode & 0o077:
                raise ToolError(f"{path} can be read by others", f"chmod 600 {path}")
            data = file.read(_LONGEST + 1)
    except OSError as err:
        raise ToolError(f"{path}: {err.strerror}", "check the path") from err
    data = data.removesuffix(b"\n").removesuffix(b"\r")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = ""
    if not text or len(data) > _LONGEST or not text.isprintable():
        message = f"{path} holds no passphrase"
        raise ToolError(message, "it is one line of text, UTF-8")
    return text


def _ask(question: str, instead: str) -> str:
    passphrase = console.ask_hidden(question, instead)
    if not passphrase or len(passphrase.encode(errors="replace")) > _LONGEST:
        raise ToolError("no passphrase was given", "try again")
    return passphrase
