# SPDX-License-Identifier: MIT
"""vault/sealed_file.py: two factors open it, one does not, and no change is half."""

import errno
import os
import sqlite3
import stat
import subprocess
import sys
from types import SimpleNamespace

import pytest

from host_tools import chained_log, private_file
from host_tools.errors import ToolError
from host_tools.vault import layout
from host_tools.vault.factors import KeyFile, make_key_file
from host_tools.vault.sealed_file import SealedFile
from tests.host_tools.vault_place import PASSPHRASE, argon2id  # noqa: F401

SCHEMA = "CREATE TABLE things (name TEXT PRIMARY KEY, secret BLOB);"


@pytest.fixture
def place(tmp_path):
    """A vault in a folder, with one thing in it; and two key files, of which one is enrolled."""
    key, other = KeyFile(tmp_path / "key"), KeyFile(tmp_path / "other")
    make_key_file(key.path)
    make_key_file(other.path)
    path = tmp_path / "vault"
    with SealedFile.create(path, PASSPHRASE, key, SCHEMA) as file:
        put(file, "first")
    return SimpleNamespace(path=path, key=key, other=other)


def put(file: SealedFile, name: str):
    with file.change("put", {"name": name}):
        file.db.execute("INSERT INTO things VALUES (?, ?)", (name, b"secret of " + name.encode()))


def names(file: SealedFile) -> list[str]:
    return [name for (name,) in file.db.execute("SELECT name FROM things ORDER BY rowid")]


def opened(place, passphrase=PASSPHRASE, factor=None, **options) -> SealedFile:
    return SealedFile.open(place.path, passphrase, factor or place.key, **options)


def refused(place, passphrase=PASSPHRASE, factor=None) -> str:
    with pytest.raises(ToolError) as err:
        opened(place, passphrase, factor)
    return err.value.message + err.value.hint


def test_what_was_put_is_there_again(place):
    with opened(place) as file:
        assert names(file) == ["first"]
        assert [entry[2] for entry in chained_log.entries(file.db)] == ["create", "put"]
        put(file, "second")
    with opened(place) as file:
        assert names(file) == ["first", "second"]
        assert file.newest[0] == 3


def test_the_file_is_its_owners_and_has_nothing_of_the_content(place):
    assert stat.S_IMODE(place.path.stat().st_mode) == 0o600
    data = place.path.read_bytes()
    for text in (b"first", b"secret of", b"SQLite", b"things", PASSPHRASE.encode()):
        assert text not in data
    assert sorted(entry.name for entry in place.path.parent.iterdir()) == [
        "key", "other", "vault", "vault.lock"]  # fmt: skip


def test_one_factor_opens_nothing_and_which_is_wrong_is_not_said(place):
    told = {
        refused(place, PASSPHRASE, place.other),
        refused(place, "another passphrase", place.key),
        refused(place, "another passphrase", place.other),
        refused(place, "", place.key),
    }
    assert len(told) == 1
    assert "a factor is wrong, or the file is damaged" in told.pop()


def test_a_passphrase_may_be_typed_on_another_keyboard(place, tmp_path):
    path = tmp_path / "composed"
    SealedFile.create(path, "h\u00e9ron", place.key, SCHEMA).close()
    SealedFile.open(path, "he\u0301ron", place.key).close()


def test_an_exception_leaves_all_as_before(place):
    data = place.path.read_bytes()
    with opened(place) as file:
        with pytest.raises(KeyError), file.change("put", {}):
            file.db.execute("DELETE FROM things")
            raise KeyError
        assert names(file) == ["first"]
        assert file.newest[0] == 2
        assert place.path.read_bytes() == data
        put(file, "second")
    with opened(place) as file:
        assert names(file) == ["first", "second"]
        assert chained_log.first_broken(file.db) is None


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_leaves_all_as_before(place, monkeypatch, call):
    def fail(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    data = place.path.read_bytes()
    with opened(place) as file:
        rows = file.db.execute("SELECT name FROM things UNION ALL SELECT 'more'")
        assert next(rows) == ("first",)  # somebody is in the midst of reading
        with monkeypatch.context() as patch:
            patch.setattr(private_file.os, call, fail)
            with pytest.raises(ToolError, match="No space left"):
                put(file, "second")
            with pytest.raises(ToolError, match="No space left"):
                file.add_factor(PASSPHRASE, place.other)
        assert place.path.read_bytes() == data
        assert names(file) == ["first"]
        assert len(file.slots) == 1
        put(file, "third")
    with opened(place) as file:
        assert names(file) == ["first", "third"]
    refused(place, PASSPHRASE, place.other)


def test_an_error_after_the_file_was_replaced_does_not_part_memory_and_disk(place, monkeypatch):
    fsync, calls = os.fsync, []

    def fail_for_the_folder(fd):
        calls.append(fd)
        if len(calls) == 2:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        fsync(fd)

    with opened(place) as file:
        with monkeypatch.context() as patch:
            patch.setattr(private_file.os, "fsync", fail_for_the_folder)
            with pytest.raises(ToolError, match="Input/output error"):
                put(file, "second")
        assert names(file) == ["first", "second"]
        put(file, "third")
    with opened(place) as file:
        assert names(file) == ["first", "second", "third"]


def test_writing_works_within_a_change_only(place):
    with opened(place) as file:
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            file.db.execute("DELETE FROM things")
        with pytest.raises(RuntimeError), file.change("put", {}), file.change("put", {}):
            pass
        assert file.newest[0] == 2


def test_one_writer_and_many_readers(place):
    with opened(place) as file:
        assert "open in another process" in refused(place)
        with opened(place, read_only=True) as reader:
            put(file, "second")
            assert names(reader) == ["first"]
            with pytest.raises(ToolError, match="for reading only"):
                put(reader, "third")
    with opened(place) as file:
        assert names(file) == ["first", "second"]


def test_nothing_is_made_where_something_is(place):
    data = place.path.read_bytes()
    with pytest.raises(ToolError, match="there already"):
        SealedFile.create(place.path, PASSPHRASE, place.key, SCHEMA)
    assert place.path.read_bytes() == data


def test_what_was_deleted_is_not_in_the_next_image(place):
    with opened(place) as file:
        with file.change("delete", {}):
            file.db.execute("DELETE FROM things")
        assert b"secret of first" not in file.db.serialize()


def test_what_was_read_before_does_not_hinder_a_change(place):
    with opened(place) as file:
        rows = file.db.execute("SELECT name FROM things UNION ALL SELECT 'more'")
        assert next(rows) == ("first",)
        put(file, "second")
        with pytest.raises(KeyError), file.change("put", {}):
            rows = file.db.execute("SELECT name FROM things")
            next(rows)
            raise KeyError
        assert names(file) == ["first", "second"]


def test_a_body_that_commits_is_undone_too(place):
    with opened(place) as file:
        rows = file.db.execute("SELECT name FROM things UNION ALL SELECT 'more'")
        assert next(rows) == ("first",)
        with pytest.raises(KeyError), file.change("put", {}):
            file.db.executescript("DELETE FROM things; CREATE TABLE more (a);")
            raise KeyError
        assert names(file) == ["first"]
        with pytest.raises(sqlite3.ProgrammingError):
            next(rows)
        put(file, "second")
    with opened(place) as file:
        assert names(file) == ["first", "second"]


def test_a_lock_that_was_removed_loses_no_change(place):
    lock = place.path.with_name("vault.lock")
    with opened(place) as first:
        lock.unlink()
        with opened(place) as second:
            put(second, "second")
        with pytest.raises(ToolError, match="changed by another process"):
            put(first, "first's")
        assert names(first) == ["first"]
        place.path.unlink()  # nor does it come back
        with pytest.raises(ToolError, match="changed by another process"):
            put(first, "first's")
        assert not place.path.exists()


def test_two_at_once_make_one(place):
    path = place.path.with_name("new")

    def enrol(*others):
        path.with_name("new.lock").unlink()
        SealedFile.create(path, PASSPHRASE, place.other, SCHEMA).close()
        return b""

    slow = SimpleNamespace(kind="key file", label="", enrol=enrol, secret=place.key.secret)
    with pytest.raises(ToolError, match="is there already"):
        SealedFile.create(path, PASSPHRASE, slow, SCHEMA)
    SealedFile.open(path, PASSPHRASE, place.other).close()


def test_a_lock_is_no_link(place):
    lock, other = place.path.with_name("vault.lock"), place.path.with_name("made by the lock")
    lock.unlink(missing_ok=True)
    lock.symlink_to(other)
    assert "vault.lock" in refused(place)
    assert not other.exists()
    opened(place, read_only=True).close()


def test_a_file_that_is_too_large_is_not_read(place):
    os.truncate(place.path, 3 << 30)
    assert "too large" in refused(place)


def test_no_file_becomes_too_large_to_be_read(place, monkeypatch):
    with opened(place) as file:
        before = place.path.read_bytes()
        monkeypatch.setattr(layout, "MOST_BYTES", len(before))
        with pytest.raises(ToolError, match="would have"), file.change("put", {}):
            file.db.execute("INSERT INTO things VALUES ('large', zeroblob(9999))")
        assert names(file) == ["first"] and place.path.read_bytes() == before


def test_another_factor_opens_it_too(place):
    with opened(place) as file:
        assert file.add_factor("another passphrase", place.other) == 2
    with opened(place, "another passphrase", place.other) as file:
        assert (file.slot_number, names(file)) == (2, ["first"])
        put(file, "second")
    with opened(place) as file:
        assert (file.slot_number, names(file)) == (1, ["first", "second"])
    refused(place, PASSPHRASE, place.other)
    refused(place, "another passphrase", place.key)


def test_there_is_an_end_of_factors(place):
    with opened(place) as file:
        for number in range(2, 33):
            assert file.add_factor(PASSPHRASE, place.other) == number
        with pytest.raises(ToolError, match="takes no more"):
            file.add_factor(PASSPHRASE, place.other)
    opened(place).close()


def test_a_machine_without_the_memory(place):
    """In a process of its own, which may take 64 MB more than it has."""
    program = (
        "import resource, sys; from host_tools.vault.slots import Stretch; import pathlib;"
        "pages = int(pathlib.Path('/proc/self/statm').read_text().split()[0]);"
        "limit = pages * resource.getpagesize() + (64 << 20);"
        "resource.setrlimit(resource.RLIMIT_AS, (limit, limit)); Stretch(bytes(16)).of('x')"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "ToolError: opening a vault takes 128 MiB of memory" in run.stderr


def test_a_factor_that_was_removed_opens_nothing_new(place):
    with opened(place) as file:
        file.add_factor(PASSPHRASE, place.other)
    old = place.path.read_bytes()
    with opened(place, factor=place.other) as file:
        taken = file._keys  # what its holder may have kept
    with opened(place) as file:
        with pytest.raises(ToolError, match="was opened with"):
            file.remove_factor(1)
        with pytest.raises(ToolError, match="no slot 3"):
            file.remove_factor(3)
        file.remove_factor(2)
        assert file._keys.data_key != taken.data_key
        assert file.add_factor("a third passphrase", place.other) == 3
    refused(place, PASSPHRASE, place.other)
    place.path.write_bytes(old)
    opened(place, factor=place.other).close()  # an old copy still opens: say so, do not hide it


def test_an_old_passphrase_opens_nothing_new(place):
    with opened(place) as file:
        file.add_factor(PASSPHRASE, place.other)
        file.change_passphrase("another passphrase", place.key)
    refused(place)
    opened(place, "another passphrase").close()
    with opened(place, factor=place.other) as file:  # its own slot has its own
        assert names(file) == ["first"]
