# SPDX-License-Identifier: MIT
"""No key of a vault, no passphrase and no PIN is where somebody could find it: in a repr, an
error, a traceback, a file, the list of processes, the terminal."""

import contextlib
import os
import pty
import select
import sqlite3
import subprocess
import sys
import time
import traceback
from pathlib import Path

import pytest

from host_tools import private_file
from host_tools.errors import ToolError
from host_tools.vault import layout
from host_tools.vault.factors import KeyFile, read_key_file
from tests.host_tools.soft_token import SoftToken
from tests.host_tools.test_fido2_token import Desk
from tests.host_tools.vault_place import NEW_PASSPHRASE, PASSPHRASE, Place, argon2id  # noqa: F401

ROOT = Path(__file__).parents[2]
NODE_ROOT = b"root that is text but for one: \xff"
PIN = "83461907"


@pytest.fixture
def place(tmp_path):
    place = Place(tmp_path / "place")
    place.folder.mkdir()
    return place.fill()


def secrets(place, file=None) -> list[bytes]:
    """All that must not be found, as bytes and as people and Python write them."""
    found = [PASSPHRASE.encode(), NEW_PASSPHRASE.encode(), NODE_ROOT[:-1], PIN.encode()]
    found += [read_key_file(key.path) for key in (place.key, place.other)]
    if file is not None:
        keys = file._keys
        found += [keys.vault_key, keys.data_key, keys.image_key(), file._stretch.of(PASSPHRASE)]
        found += [place.key.secret(slot.salt) for slot in file.slots]
    return found + [one.hex().encode() for one in found] + [repr(one).encode() for one in found]


def assert_none(place, text: str | bytes, file=None):
    data = text if isinstance(text, bytes) else text.encode()
    for secret in secrets(place, file):
        assert secret not in data


def test_in_no_repr(place):
    with place.open() as file:
        things = [file, file._keys, file.slots, place.key, layout.decode(place.path.read_bytes())]
        things += [things[-1].header, Desk(SoftToken(PIN), pin=PIN).token(), vars(place.key)]
        assert_none(place, repr(things) + str(things), file)


def test_in_no_error_and_no_traceback(place, monkeypatch):
    def fail(*arguments):
        raise OSError(5, "Input/output error")

    def change_that_fails():
        with file.change("put", {}):
            file.db.execute("INSERT INTO keys VALUES (?, 'signer', ?, x'')", ("a", NODE_ROOT))
            raise KeyError("a")

    data = place.path.read_bytes()
    damaged = place.folder / "damaged"
    damaged.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    place.key.path.with_name("bad").write_bytes(read_key_file(place.key.path) + b"\n\n\n\n\n\n")
    wrong_pin = Desk(SoftToken("12345678"), pin=PIN).token()
    told = []
    with place.open() as file:
        with file.change("add node", {"id": "0123456789"}):
            row = ("0123456789", NODE_ROOT, 20_000, "traffic", "made")
            file.db.execute("INSERT INTO nodes VALUES (?, ?, ?, ?, ?)", row)
        with monkeypatch.context() as patch:
            patch.setattr(private_file.os, "fsync", fail)
            told.append(error_of(lambda: file.add_factor(PASSPHRASE, place.other)))
        told.append(error_of(change_that_fails))
        told.append(error_of(lambda: file.add_factor(PASSPHRASE, wrong_pin)))
        told.append(error_of(place.open))
        told.append(error_of(lambda: list(file.db.execute("SELECT root || id FROM nodes"))))
        told += [
            error_of(lambda: place.open(NEW_PASSPHRASE, read_only=True)),
            error_of(lambda: place.open(factor=KeyFile(place.passphrase), read_only=True)),
            error_of(lambda: KeyFile(place.key.path.with_name("bad")).enrol()),
            error_of(lambda: type(file).open(damaged, PASSPHRASE, place.key)),
        ]
        for text in told:
            assert_none(place, text, file)


def error_of(call) -> str:
    with pytest.raises((ToolError, KeyError, ValueError, sqlite3.Error)) as err:
        call()
    hint = getattr(err.value, "hint", "")
    return "".join(traceback.format_exception(err.value)) + repr(err.value) + hint


def test_in_no_file_but_those_of_the_factors(place, monkeypatch, tmp_path):
    """Also not in the temporary files of the moment: every write of the process is looked at."""
    written = []
    write, fdopen = os.write, os.fdopen
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(os, "write", lambda fd, data: (written.append(bytes(data)),
                                                       write(fd, data))[1])  # fmt: skip
    monkeypatch.setattr(os, "fdopen", lambda *args: Seen(fdopen(*args), written))
    with place.open() as file:
        with file.change("add node", {"id": "0123456789"}):
            row = ("0123456789", NODE_ROOT, 20_000, "traffic", "made")
            file.db.execute("INSERT INTO nodes VALUES (?, ?, ?, ?, ?)", row)
            many = [(f"{n:010}", NODE_ROOT, n, "traffic", "made") for n in range(5000)]
            file.db.executemany("INSERT INTO nodes VALUES (?, ?, ?, ?, ?)", many[1:])
        assert file.db.execute("PRAGMA temp_store").fetchone() == (2,)  # in memory
        assert file.db.execute("PRAGMA journal_mode").fetchone() == ("memory",)
        assert len(written) > 0
        assert_none(place, b"".join(written), file)
        for path in tmp_path.rglob("*"):
            if path.is_file() and path.name not in ("key", "other", "passphrase", "new"):
                assert_none(place, path.read_bytes(), file)


class Seen:
    def __init__(self, file, written):
        self._file, self._written = file, written

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._file.close()

    def __getattr__(self, name):
        return getattr(self._file, name)

    def write(self, data):
        self._written.append(bytes(data))
        return self._file.write(data)


def test_typed_at_a_terminal_it_is_not_seen_nor_in_the_list_of_processes(place):
    words = ("unlock", place.path, "--key-file", place.key.path, "--json")
    code, out, seen = at_terminal(words, [(b"Passphrase: ", PASSPHRASE)])
    assert code == 0, seen
    assert b'"slot": 1' in out and b"\x1b" not in out
    assert_none(place, out + seen)


def test_a_new_one_is_typed_twice(place):
    path = place.folder / "new.vault"
    words = ("init", path, "--key-file", place.key.path)
    asked = (b"Passphrase: ", b"Passphrase again: ")
    for answers, text in (
        ((PASSPHRASE, NEW_PASSPHRASE), b"not the same"),
        (("password1234",), b"easy to guess"),
        (("",), b"no passphrase"),
    ):
        code, out, seen = at_terminal(words, list(zip(asked, answers, strict=False)))
        assert (code, out) == (1, b"") and text in seen, seen
        assert not path.exists()
        assert_none(place, seen)
    code, out, seen = at_terminal(words, list(zip(asked, (PASSPHRASE,) * 2, strict=True)))
    assert code == 0, seen
    assert_none(place, out + seen)
    type(place.open(read_only=True)).open(path, PASSPHRASE, place.key).close()


def at_terminal(words, answers) -> tuple[int, bytes, bytes]:
    """Runs `lamppost vault` at a terminal with stdout piped, as a person does who answers each
    question; (exit code, stdout, what is on the terminal and in the list of processes)."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "host_tools.cli", "vault", *map(str, words)]
    run = subprocess.Popen(
        command, cwd=ROOT, stdin=theirs, stderr=theirs, stdout=subprocess.PIPE,
        start_new_session=True, preexec_fn=lambda: make_terminal(theirs),
    )  # fmt: skip
    os.close(theirs)
    seen = b""
    for question, answer in answers:
        seen += read_until(ours, question) + known_of(run.pid)
        os.write(ours, answer.encode() + b"\n")
    while run.poll() is None:
        seen += known_of(run.pid)
        time.sleep(0.02)
    seen += read_until(ours, None)
    os.close(ours)
    return run.returncode, run.stdout.read(), seen


def make_terminal(fd: int):
    import fcntl
    import termios

    fcntl.ioctl(fd, termios.TIOCSCTTY, 0)


def known_of(pid: int) -> bytes:
    """What others of the same user, or `ps`, see of a process."""
    found = b""
    for name in ("cmdline", "environ", "comm"):
        with contextlib.suppress(OSError):
            found += Path(f"/proc/{pid}/{name}").read_bytes()
    return found


def read_until(fd: int, end: bytes | None) -> bytes:
    """What comes until `end`; with None, what is there."""
    data, deadline = b"", time.monotonic() + 60
    while end is None or end not in data:
        ready, _, _ = select.select([fd], [], [], 0.2 if end is None else 1)
        if not ready and end is None:
            return data
        assert time.monotonic() < deadline, data
        try:
            data += os.read(fd, 4096) if ready else b""
        except OSError:  # the other side is closed
            return data
    return data
