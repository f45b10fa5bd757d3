# SPDX-License-Identifier: MIT
"""`lamppost vault`, killed at each system call that writes: the vault opens, its log is whole, and
it is the old one or the new. Nothing that is left behind has a secret in it."""

import shutil

import pytest

from host_tools.errors import ToolError
from host_tools.vault.factors import KeyFile, read_key_file
from host_tools.vault.sealed_file import SealedFile
from tests.host_tools.dying_signer import died_at
from tests.host_tools.vault_place import NEW_PASSPHRASE, PASSPHRASE, Place, argon2id  # noqa: F401

ROOT = b"the root of a node, 32 bytes lon"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    place = Place(tmp_path_factory.mktemp("made")).fill()
    with place.open() as file:
        with file.change("add node", {"id": "0123456789"}):
            row = ("0123456789", ROOT, 20_000, "traffic", "made")
            file.db.execute("INSERT INTO nodes VALUES (?, ?, ?, ?, ?)", row)
        file._stretch.of(NEW_PASSPHRASE)
    return place


def each_death(made, tmp_path, *command, before=(), key="key"):
    """Runs the command in a child that dies at place 0, 1, 2 …; gives what it left each time."""
    for point in range(200):
        place = Place(tmp_path / str(point))
        shutil.copytree(made.folder, place.folder)
        words = [str(word).replace("DIR", str(place.folder)) for word in command]
        for prepared in before:
            assert place.lamppost(*(w.replace("DIR", str(place.folder)) for w in prepared)) == 0

        def work(place=place, words=words):
            return b"%d" % place.lamppost(*words, key=KeyFile(place.folder / key))

        is_dead = died_at(point, work, tmp_path / "sent")
        _no_secret_left(place)
        yield place
        if not is_dead:
            assert (tmp_path / "sent").read_bytes() == b"0"
            assert point > 5
            return
        shutil.rmtree(place.folder)
    raise AssertionError("it does not end")


def _no_secret_left(place: Place):
    for path in place.folder.iterdir():
        if path.name not in ("key", "other", "third", "passphrase", "new"):
            data = path.read_bytes()
            for secret in (ROOT, b"SQLite format", PASSPHRASE.encode(), NEW_PASSPHRASE.encode()):
                assert secret not in data, path.name


def opens(path, passphrase, factor) -> tuple | None:
    """What the vault is: (numbers of its slots, its newest entry); None when it does not open."""
    try:
        with SealedFile.open(path, passphrase, factor) as file:
            assert file.db.execute("SELECT root FROM nodes").fetchall() == [(ROOT,)]
            return tuple(slot.number for slot in file.slots), file.newest[0]
    except ToolError as err:
        assert "a factor is wrong" in err.message
        return None


OLD = (1, 2), 3


def test_add_factor(made, tmp_path):
    command = ("add-factor", "DIR/city.vault", "--add-new-key-file", "DIR/third")
    found = []
    for place in each_death(made, tmp_path, *command):
        found.append(opens(place.path, PASSPHRASE, place.key))
        if found[-1] != OLD:
            assert opens(place.path, PASSPHRASE, KeyFile(place.folder / "third")) == found[-1]
    assert set(found) == {OLD, ((1, 2, 3), 4)}
    assert found == sorted(found, key=lambda one: one[1])  # and never back


def test_remove_factor(made, tmp_path):
    found = []
    for place in each_death(made, tmp_path, "remove-factor", "DIR/city.vault", "2"):
        found.append(opens(place.path, PASSPHRASE, place.key))
        other = opens(place.path, PASSPHRASE, place.other)
        assert other == (OLD if found[-1] == OLD else None)
    assert set(found) == {OLD, ((1,), 4)}


def test_passphrase(made, tmp_path):
    command = ("passphrase", "DIR/city.vault", "--new-passphrase-file", "DIR/new")
    found = []
    for place in each_death(made, tmp_path, *command):
        states = [opens(place.path, one, place.key) for one in (PASSPHRASE, NEW_PASSPHRASE)]
        found.append(states)
        assert opens(place.path, PASSPHRASE, place.other) == (states[0] or states[1])
    assert all(states in ([OLD, None], [None, ((1, 2), 4)]) for states in found)
    assert len({str(states) for states in found}) == 2


def test_init(made, tmp_path):
    command = ("init", "DIR/fresh.vault")
    found = set()
    for place in each_death(made, tmp_path, *command):
        path = place.folder / "fresh.vault"
        found.add(path.exists())
        if path.exists():
            SealedFile.open(path, PASSPHRASE, place.key).close()
    assert found == {False, True}


def test_backup(made, tmp_path):
    found = set()
    for place in each_death(made, tmp_path, "backup", "DIR/city.vault", "DIR/copy.vault"):
        copy = place.folder / "copy.vault"
        found.add(copy.exists())
        assert opens(place.path, PASSPHRASE, place.key) == OLD
        if copy.exists():
            assert opens(copy, PASSPHRASE, place.key) == OLD
    assert found == {False, True}


def test_restore(made, tmp_path):
    before = (("backup", "DIR/city.vault", "DIR/copy.vault"),
              ("remove-factor", "DIR/city.vault", "2"))  # fmt: skip
    command = ("restore", "DIR/copy.vault", "DIR/city.vault", "--force")
    found = []
    for place in each_death(made, tmp_path, *command, before=before):
        found.append(opens(place.path, PASSPHRASE, place.key))
        if found[-1] == OLD:
            kept = place.folder / "city.vault.replaced-1"
            assert opens(kept, PASSPHRASE, place.key) == ((1,), 4)
    assert set(found) == {((1,), 4), OLD}


def test_key_file(tmp_path):
    from host_tools.vault.factors import make_key_file

    found = set()
    for point in range(100):
        path = tmp_path / str(point)

        def work(path=path):
            return make_key_file(path)

        is_dead = died_at(point, work, tmp_path / "sent")
        found.add(path.exists())
        if path.exists():
            assert len(read_key_file(path)) == 32
        if not is_dead:
            assert read_key_file(path) == (tmp_path / "sent").read_bytes()
            break
    assert found == {False, True}
