# SPDX-License-Identifier: MIT
"""`lamppost vault`: as a person uses it."""

import ctypes
import dataclasses
import importlib
import json
import os
import resource
import shutil
import sys
from types import SimpleNamespace

import pytest

from host_tools.cli import run
from host_tools.commands.vault import VERBS
from host_tools.flashing import esp_image, ports, wifi_credentials
from host_tools.vault import layout, slots
from host_tools.vault.fido2_token import Token
from tests.host_tools.soft_token import SoftToken
from tests.host_tools.vault_place import (
    NEW_PASSPHRASE,
    PASSPHRASE,
    Place,
    remember_argon2id,
)


@pytest.fixture(autouse=True)
def terminal(monkeypatch):
    remember_argon2id(monkeypatch)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("LAMPPOST_PASSPHRASE_FILE", raising=False)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        remember_argon2id(patch)
        return Place(tmp_path_factory.mktemp("made")).fill()


@pytest.fixture
def place(made, tmp_path):
    shutil.copytree(made.folder, tmp_path / "place")
    return Place(tmp_path / "place")


@pytest.fixture
def lamppost(capsys):
    """Runs a command line: (exit code, stdout, stderr). Of an existing vault, how it opens: on."""

    def call(verb, *words, on=None, key=None, code=0):
        if on is not None:
            words = (*words, "--key-file", key or on.key.path, "--passphrase-file", on.passphrase)
        capsys.readouterr()
        found = run(["vault", verb, *map(str, words)])
        out, err = capsys.readouterr()
        assert found == code, err
        assert "Traceback" not in err
        assert (code == 0) or ("error: " in err and "\nhint: " in err)
        return out, err

    return call


def told(answer) -> dict:
    return json.loads(answer[0])


def test_from_nothing_to_a_vault_that_opens(tmp_path, lamppost):
    place = Place(tmp_path)
    for path, text in ((place.passphrase, PASSPHRASE), (place.new_passphrase, NEW_PASSPHRASE)):
        path.write_text(text)
        path.chmod(0o600)
    out, err = lamppost("init", place.path, "--new-key-file", place.key.path,
                        "--passphrase-file", place.passphrase)  # fmt: skip
    assert "vault" in out
    assert "same disk" in err
    opened = told(lamppost("unlock", place.path, "--json", on=place))
    counts = opened["inventory"]
    assert {"keys", "nodes", "tickets", "stores"} <= set(counts) and not any(counts.values())
    added = lamppost("add-factor", place.path, "--add-new-key-file", place.other.path,
                     "--label", "safe", "--json", on=place)  # fmt: skip
    assert told(added)["slot"] == 2
    status = told(lamppost("status", place.path, "--json"))
    assert status["factors"] == [
        {"slot": 1, "kind": "key file", "label": ""},
        {"slot": 2, "kind": "key file", "label": "safe"},
    ]
    assert status["argon2id"]["memory_kib"] >= 64 * 1024
    assert status["argon2id"]["passes"] >= 3
    opened = told(lamppost("unlock", place.path, "--json", on=place, key=place.other.path))
    assert (opened["slot"], opened["newest_entry"]) == (2, 2)
    assert opened["newest_hash"] == status["newest_hash"]
    changed = lamppost("passphrase", place.path, "--new-passphrase-file", place.new_passphrase,
                       "--json", on=place)  # fmt: skip
    assert told(changed)["unchanged_slots"] == [2]
    lamppost("unlock", place.path, on=place, code=1)
    out, _ = lamppost("unlock", place.path, on=place, key=place.other.path)
    assert "opens, with slot 2" in out
    removed = lamppost("remove-factor", place.path, 1, "--json", on=place, key=place.other.path)
    assert told(removed) == {"file": str(place.path), "removed": 1, "left": 1}
    out, _ = lamppost("log", place.path, on=place, key=place.other.path)
    assert [line.strip().split("  ")[2] for line in out.splitlines()[:-1]] == [
        "create", "add factor", "passphrase", "remove factor"]  # fmt: skip


def test_the_log_is_verified_and_an_old_copy_found(place, lamppost):
    old = place.path.read_bytes()
    lamppost("remove-factor", place.path, 2, on=place)
    seen = told(lamppost("status", place.path, "--json"))["newest_hash"]
    out, _ = lamppost("log", place.path, "--verify", "--seen", seen, on=place)
    assert out.startswith("the log is whole; entry 3, hash " + seen)
    entries = told(lamppost("log", place.path, "--json", on=place))["entries"]
    assert [entry["verb"] for entry in entries] == ["create", "add factor", "remove factor"]
    place.path.write_bytes(old)  # it opens: only who noted the hash finds out
    lamppost("unlock", place.path, on=place)
    _, err = lamppost("log", place.path, "--verify", "--seen", seen, on=place, code=1)
    assert "older copy" in err


def test_a_backup_opens_and_is_new(place, lamppost):
    copy = place.folder / "copy.vault"
    first = told(lamppost("backup", place.path, copy, "--json", on=place))
    assert first["newest_entry"] == 2
    assert copy.read_bytes() == place.path.read_bytes()
    _, err = lamppost("backup", place.path, copy, on=place, code=1)
    assert "there already" in err
    data = place.path.read_bytes()
    place.path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    other = place.folder / "other.vault"
    lamppost("backup", place.path, other, on=place, code=1)
    assert not other.exists()


def test_a_restore_loses_nothing(place, lamppost):
    copy = place.folder / "copy.vault"
    lamppost("backup", place.path, copy, on=place)
    lamppost("restore", copy, place.path, on=place)  # the same
    lamppost("remove-factor", place.path, 2, on=place)
    newer = place.path.read_bytes()
    _, err = lamppost("restore", copy, place.path, on=place, code=1)
    assert "the backup has not" in err
    assert place.path.read_bytes() == newer
    answer = told(lamppost("restore", copy, place.path, "--force", "--json", on=place))
    with open(answer["replaced"], "rb") as kept:
        assert kept.read() == newer
    assert place.path.read_bytes() == copy.read_bytes()
    lamppost("restore", answer["replaced"], place.path, on=place)  # what is there is older
    assert place.path.read_bytes() == newer
    place.path.unlink()
    answer = told(lamppost("restore", copy, place.path, "--json", on=place))
    assert answer["replaced"] is None


def test_a_backup_that_does_not_open_is_not_restored(place, lamppost):
    copy = place.folder / "copy.vault"
    data = place.path.read_bytes()
    copy.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    lamppost("restore", copy, place.path, "--force", on=place, code=1)
    assert place.path.read_bytes() == data
    place.path.write_bytes(copy.read_bytes())
    copy.write_bytes(data)
    _, err = lamppost("restore", copy, place.path, on=place, code=1)
    assert "cannot be compared" in err
    lamppost("restore", copy, place.path, "--force", on=place)
    assert place.path.read_bytes() == data


def test_a_failed_init_leaves_nothing(tmp_path, lamppost):
    weak = tmp_path / "weak"
    weak.write_text("password1234")
    weak.chmod(0o600)
    key, path = tmp_path / "key", tmp_path / "city.vault"
    words = (path, "--new-key-file", key, "--passphrase-file")
    _, err = lamppost("init", *words, weak, code=1)
    assert "easy to guess" in err
    assert "password1234" not in err
    assert not key.exists() and not path.exists()
    weak.chmod(0o644)
    _, err = lamppost("init", *words, weak, code=1)
    assert "can be read by others" in err
    path.write_text("something")
    _, err = lamppost("init", *words, weak, code=1)
    assert "there already" in err
    assert (path.read_text(), key.exists()) == ("something", False)


def test_a_failed_change_takes_its_key_file_back(place, lamppost, monkeypatch):
    monkeypatch.setattr(slots, "make_slot", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run(["vault", "add-factor", str(place.path), "--key-file", str(place.key.path),
             "--passphrase-file", str(place.passphrase),
             "--add-new-key-file", str(place.folder / "third")])  # fmt: skip
    assert not (place.folder / "third").exists()


def interrupted_after(monkeypatch, target):
    """The next replace of this file is done, and then an interrupt comes."""
    replace = os.replace

    def cut_off(source, path):
        replace(source, path)
        if path == target:
            monkeypatch.setattr(os, "replace", replace)
            raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", cut_off)


def test_a_key_that_the_vault_has_stays(tmp_path, place, lamppost, monkeypatch):
    new = Place(tmp_path)
    new.passphrase = place.passphrase
    interrupted_after(monkeypatch, new.path)
    run(["vault", "init", str(new.path), "--new-key-file", str(new.key.path),
         "--passphrase-file", str(new.passphrase)])  # fmt: skip
    lamppost("unlock", new.path, on=new)
    third = place.folder / "third"
    interrupted_after(monkeypatch, place.path)
    place.lamppost("add-factor", place.path, "--add-new-key-file", third)
    assert told(lamppost("unlock", place.path, "--json", on=place, key=third))["slot"] == 3


def test_with_tokens(tmp_path, lamppost, monkeypatch):
    place = Place(tmp_path).fill()
    plugged = [SoftToken("1234")]
    given = lambda ask, say, label: Token(lambda: "1234", say, label, lambda: iter(plugged))  # noqa: E731
    monkeypatch.setattr("host_tools.vault.fido2_token.Token", given)
    words = ("--token", "--passphrase-file", place.passphrase)
    path = tmp_path / "tokens.vault"
    _, err = lamppost("init", path, *words, "--label", "desk")
    assert "touch the token" in err
    plugged.append(SoftToken())
    answer = told(lamppost("add-factor", path, *words, "--add-token", "--json"))
    assert (answer["slot"], answer["kind"]) == (2, "token")
    del plugged[0]
    assert told(lamppost("unlock", path, *words, "--json"))["slot"] == 2
    lamppost("remove-factor", path, 1, *words)
    lamppost("passphrase", path, *words, "--new-passphrase-file", place.new_passphrase)
    lamppost("unlock", path, *words, code=1)
    lamppost("unlock", path, "--token", "--passphrase-file", place.new_passphrase)
    plugged.clear()
    _, err = lamppost("unlock", path, *words, code=1)
    assert "no token is plugged in" in err


def test_two_at_a_time(place, lamppost):
    with place.open():
        _, err = lamppost("remove-factor", place.path, 2, on=place, code=1)
        assert "open in another process" in err
        _, err = lamppost("restore", place.path, place.path, on=place, code=1)
        assert "open in another process" in err
        lamppost("unlock", place.path, on=place)  # reading goes on


def test_wrong_usage(place, lamppost):
    opened = ("--passphrase-file", place.passphrase)
    for words in (
        ("unlock", place.path, *opened),
        ("unlock", place.path, "--key-file", place.key.path, "--token", *opened),
        ("unlock",),
        ("remove-factor", place.path, "two", "--token", *opened),
        ("unlock", place.path, "--passphrase", "seven grey herons"),  # never an argument
        ("init", place.folder / "new.vault", *opened),
        ("init", place.folder / "new.vault", "--token", "--new-key-file", "x", *opened),
    ):
        lamppost(*words, code=2)
    assert not (place.folder / "new.vault").exists()


def test_what_is_no_vault(place, lamppost):
    for path in (place.passphrase, place.key.path, place.folder / "not-there", place.folder):
        lamppost("status", path, code=1)
        lamppost("unlock", path, on=place, code=1)


def test_a_label_does_not_steer_the_terminal(place, lamppost):
    words = ("--add-new-key-file", place.folder / "third", "--label", "\x1b[31mred")
    _, err = lamppost("add-factor", place.path, *words, on=place, code=1)
    assert "\x1b" not in err
    parts = layout.decode(place.path.read_bytes())
    forged = dataclasses.replace(parts.header.slots[0], label="\x1b[31mred")
    head = dataclasses.replace(parts.header, slots=(forged,)).encode()
    place.path.write_bytes(head + bytes(99))
    lamppost("status", place.path, code=1)


@pytest.mark.parametrize("verb", VERBS)
def test_help_has_an_example(verb, lamppost):
    out, _ = lamppost(verb, "--help")
    usage, _, below = " ".join(out.split()).partition(f"lamppost vault {verb} ")
    assert usage == "Usage: " and f"lamppost vault {verb} " in below
    assert "\x1b" not in out


PR_GET_DUMPABLE = 3


def test_a_crash_writes_no_memory_to_disk(place, lamppost):
    lamppost("unlock", place.path, on=place)
    assert resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)
    if sys.platform == "linux":  # where the kernel may pipe it to a program, whatever the limit
        assert ctypes.CDLL(None).prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0


class Forbidden(Exception):
    pass


@pytest.mark.parametrize("words", [
    "keyring init r.json --name home --office x -o home.card", "keyring take r.json g",
    "collect --store s --keyring r.json --broker b.test:1 --tls-dir . --name c",
    "flash --board esp32-devkitc --nodes . --firmware x",
    "verify 0123456789 --broker b.test:1 --tls-dir . --name c --keyring r.json",
    "verify 0123456789 --broker b.test:1 --tls-dir . --name c --nodes .",
    "label 0123456789 -o x.pdf --notice-url https://x.test --nodes .",
    "label 0123456789 -o x.pdf --notice-url https://x.test --vault v --key-file k",
    "update --firmware-only --board esp32-devkitc", "wipe --yes",
    "controller serve . --key-file k",
    "vault init new.vault --key-file k",
    "technician init new.technician --name a --office x --key-file k -o a.card",
])  # fmt: skip
def test_each_command_with_keys_writes_none_to_disk_in_a_crash(words, tmp_path, monkeypatch):
    """None gets to a key before it has forbidden core dumps."""

    def forbid():
        raise Forbidden

    monkeypatch.chdir(tmp_path)
    for path in ("r.json", "g", "x", "k", "v"):
        (tmp_path / path).write_text("")
    for name in ("core_dumps", "commands.node_source", "commands.vault.factor_options",
                 "commands.vault.init", "commands.technician.init"):  # fmt: skip
        module = importlib.import_module(f"host_tools.{name}")
        monkeypatch.setattr(module, "forbid_core_dumps", forbid)
    monkeypatch.setattr(esp_image, "read_image", lambda *_: SimpleNamespace(chip="esp32"))
    monkeypatch.setattr(ports, "choose_port", lambda: "x")
    monkeypatch.setattr(wifi_credentials, "wifi_credentials", lambda _: ("s", "p"))
    with pytest.raises(Forbidden):
        run(words.split())


def test_another_file_is_said_to_be_no_vault(lamppost, place, tmp_path):
    notes = tmp_path / "notes.txt"
    notes.write_text("no vault")
    _, err = lamppost("unlock", notes, on=place, code=1)
    assert "notes.txt is not a vault" in err
