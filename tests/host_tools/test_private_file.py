# SPDX-License-Identifier: MIT
"""private_file.py: whoever is killed while they write, no key stays beside the target."""

import multiprocessing
import os

import pytest

from host_tools.collector.keyring import Keyring
from host_tools.errors import ToolError
from host_tools.private_file import (
    read_bounded,
    read_private,
    remove_leftovers,
    write_private,
)
from host_tools.public_file import write_public
from host_tools.vault.factors import KeyFile
from host_tools.vault.sealed_file import SealedFile
from tests.host_tools.dying_signer import died_at

OLD, NEW, LAST = b"an old key", b"a new key", b"the last key"


def killed_everywhere(folder):
    """Writes NEW over OLD in children that die at place 0, 1, 2 …; gives the target each time."""
    for point in range(100):
        path = folder / str(point) / "city.vault"
        path.parent.mkdir()
        write_private(path, OLD)
        is_dead = died_at(point, lambda path=path: write_private(path, NEW) or b"", folder / "out")
        assert path.read_bytes() in (OLD, NEW)
        yield path
        if not is_dead:
            assert point > 5
            return
    raise AssertionError("it does not end")


def beside(path) -> list[str]:
    return sorted(entry.name for entry in path.parent.iterdir() if entry != path)


@pytest.mark.parametrize("again", [lambda path: write_private(path, LAST), remove_leftovers])
def test_what_a_kill_leaves_goes(tmp_path, again):
    left = 0
    for path in killed_everywhere(tmp_path):
        names = beside(path)
        assert all(name.startswith(".city.vault.") for name in names), names
        left += len(names)
        again(path)
        assert beside(path) == []
    assert left > 3


def test_a_vault_or_keyring_that_is_opened_takes_its_own_away(tmp_path):
    opening = {
        "ring.json": Keyring,
        "city.vault": lambda path: SealedFile.open(path, "no passphrase", KeyFile(path)),
    }
    for name, work in opening.items():
        for owner in (name, "another"):
            (tmp_path / f".{owner}.x1.partial").write_bytes(NEW)
        (tmp_path / name).unlink(missing_ok=True)
        try:
            work(tmp_path / name)
        except ToolError:
            assert name == "city.vault"  # there is none; its leftover is gone all the same
        assert [n for n in beside(tmp_path / name) if n.endswith("partial")] == [
            ".another.x1.partial"]  # fmt: skip


def test_what_is_no_leftover_stays(tmp_path):
    path, kept = tmp_path / "key", [".key", ".key.x", "key.partial", ".key2.x.partial"]
    for name in kept:
        (tmp_path / name).write_bytes(OLD)
    os.mkfifo(tmp_path / ".key.a.partial")
    (tmp_path / ".key.b.partial").symlink_to(tmp_path / ".key")
    (tmp_path / ".key.c.partial").mkdir()
    write_private(path, NEW)
    assert (tmp_path / ".key").read_bytes() == OLD
    assert set(kept) <= set(beside(path))


def test_writers_at_once_do_not_take_each_others_for_leftovers(tmp_path):
    path = tmp_path / "key"
    with multiprocessing.get_context("fork").Pool(4) as pool:
        jobs = [pool.apply_async(write_private, (path, b"%d" % n * 5000)) for n in range(200)]
        for job in jobs:
            job.get(30)
    assert path.read_bytes() in {b"%d" % n * 5000 for n in range(200)}
    assert beside(path) == []


def test_what_is_public_is_so_by_its_own_mode(tmp_path, monkeypatch):
    """Who can write to the folder may put a link there, as soon as the file has its name."""
    secret, path = tmp_path / "secret", tmp_path / "city.office"
    write_private(secret, OLD)
    replace = os.replace

    def then_a_link(source, target):
        replace(source, target)
        (tmp_path / "link").symlink_to(secret)
        replace(tmp_path / "link", target)

    monkeypatch.setattr(os, "replace", then_a_link)
    write_public(path, NEW)
    assert path.is_symlink() and secret.stat().st_mode & 0o777 == 0o600
    monkeypatch.setattr(os, "replace", replace)
    write_public(path, NEW)
    assert not path.is_symlink() and path.stat().st_mode & 0o777 == 0o644
    assert secret.read_bytes() == OLD


@pytest.mark.parametrize("read", [read_private, read_bounded])
def test_only_a_file_is_read_and_not_without_end(tmp_path, read):
    path = tmp_path / "file"
    write_private(path, NEW)
    assert read(path, len(NEW)) == NEW
    with pytest.raises(ToolError, match="is too large"):
        read(path, len(NEW) - 1)
    os.truncate(path, 3 << 30)
    with pytest.raises(ToolError, match="is too large"):
        read(path, 1 << 20)
    os.mkfifo(tmp_path / "pipe")
    for other in (tmp_path / "pipe", tmp_path, "/dev/zero"):
        with pytest.raises(ToolError, match=r"is no file|Is a directory") as err:
            read(other, 9)
        assert err.value.hint
    with pytest.raises(ToolError, match="No such file"):
        read(tmp_path / "none", 9)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
def test_what_others_can_read_is_no_secret(tmp_path, mode):
    path = tmp_path / "file"
    write_private(path, NEW, mode)
    with pytest.raises(ToolError, match="can be read by others") as err:
        read_private(path, 99)
    assert f"chmod 600 {path}" in err.value.hint
    assert read_bounded(path, 99) == NEW
