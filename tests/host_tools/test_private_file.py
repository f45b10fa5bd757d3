# SPDX-License-Identifier: MIT
"""private_file.py: whoever is killed while they write, no key stays beside the target."""

import multiprocessing
import os

import pytest

from host_tools.collector.keyring import Keyring
from host_tools.errors import ToolError
from host_tools.private_file import remove_leftovers, write_private
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
