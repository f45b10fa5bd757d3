# SPDX-License-Identifier: MIT
"""provisioning/lms_signer.py: no leaf signs twice, whatever happens to a process or its files."""

import errno
import json
import os
import shutil
import stat
import subprocess
import sys
import threading
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import pyhsslms
import pytest

from host_tools.errors import ToolError
from host_tools.provisioning import lms_signer
from host_tools.provisioning.lms_signer import Signer
from host_tools.provisioning.lms_tree import LEAVES, LmsTree
from node.crypto import lms
from tests.host_tools.dying_signer import died_at
from tests.host_tools.signing_process import IDENTIFIER, SEED

ROOT = Path(__file__).parents[2]
MESSAGE = b"lp1 something that is signed"


class Key:
    """The files of the tests' key in a folder of their own."""

    def __init__(self, folder: Path):
        self.state, self.witnesses = folder / "vault" / "key", folder / "witnesses"
        self.leaves = self.state.with_name("key.leaves")

    @property
    def witness(self) -> Path:
        return self.witnesses / IDENTIFIER.hex()

    def signer(self, seed: bytes = SEED, identifier: bytes = IDENTIFIER) -> Signer:
        return Signer(seed, identifier, self.state, self.witnesses)

    def create(self) -> Signer:
        return Signer.create(SEED, IDENTIFIER, self.state, self.witnesses)

    def sign(self) -> int:
        """The leaf of a new signature, which holds."""
        signer = self.signer()
        return leaf_of(signer.sign(MESSAGE), signer.public_key)


def leaf_of(signature: bytes, public_key: bytes) -> int:
    lms.verify(public_key, [MESSAGE], BytesIO(signature))
    return int.from_bytes(signature[4:8])


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A key that has signed nothing yet."""
    folder = tmp_path_factory.mktemp("made")
    return SimpleNamespace(folder=folder, signer=Key(folder).create())


@pytest.fixture
def key(made, tmp_path):
    shutil.copytree(made.folder, tmp_path / "key")
    return Key(tmp_path / "key")


def test_its_signatures_are_those_of_pyhsslms(key, made):
    public_key = pyhsslms.HssPublicKey.deserialize(made.signer.public_key)
    for size in (0, 1, 100, 5000):
        message = os.urandom(size)
        signature = key.signer().sign(message)
        assert public_key.verify(message, signature)
        lms.verify(made.signer.public_key, [message], BytesIO(signature))
        assert not public_key.verify(message + b"\0", signature)


def test_leaves_are_taken_in_order_and_by_whom_it_does_not_matter(key):
    first = key.signer()
    assert [leaf_of(first.sign(MESSAGE), first.public_key) for _ in range(3)] == [0, 1, 2]
    second = key.signer()
    assert [key.sign(), key.sign()] == [3, 4]
    assert leaf_of(second.sign(MESSAGE), second.public_key) == 5
    assert leaf_of(first.sign(MESSAGE), first.public_key) == 6
    assert first.remaining() == second.remaining() == LEAVES - 7


def test_the_last_leaf(key):
    signer = key.signer()
    signer.skip_to(LEAVES - 1)
    assert key.sign() == LEAVES - 1
    assert signer.remaining() == 0
    for _ in range(2):
        with pytest.raises(ToolError, match="all 1,024 signatures of this key are used up"):
            signer.sign(MESSAGE)
    signer.skip_to(LEAVES)
    with pytest.raises(ToolError, match="no leaf from 1024 to 1024"):
        signer.skip_to(LEAVES + 1)


def test_files_are_private_and_hold_no_secret(key):
    key.sign()
    paths = [path for path in key.state.parent.parent.rglob("*") if path.is_file()]
    assert {path.name for path in paths} == {
        "key", "key.leaves", "key.lock", IDENTIFIER.hex(), IDENTIFIER.hex() + ".lock",
    }  # fmt: skip
    starts = [start for leaf in (0, 1) for _, start in LmsTree(
        SEED, IDENTIFIER, key.leaves.read_bytes())._starts(leaf)]  # fmt: skip
    for path in paths:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        data = path.read_bytes()
        for secret in (SEED, *starts):
            assert secret not in data
            assert secret.hex().encode() not in data


def test_no_secret_is_shown(key):
    shown = [repr(key.signer()), repr(key.signer()._tree), str(vars(key.signer()))]
    for seed in (SEED[:31], SEED[::-1]):
        with pytest.raises((ToolError, ValueError)) as caught:
            key.signer(seed)
        shown += [str(caught.value), repr(caught.value), getattr(caught.value, "hint", "")]
    for text in shown:
        for secret in (SEED, SEED[::-1], SEED[:31]):
            assert secret.hex() not in text
            assert repr(secret)[2:-1] not in text


def test_two_processes_at_once(key):
    count = 100
    command = [sys.executable, "-m", "tests.host_tools.signing_process", key.state,
               key.witnesses, str(count)]  # fmt: skip
    processes = [
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    try:
        for process in processes:
            assert process.stdout.readline() == b"ready\n"
        for process in processes:
            process.stdin.write(b"\n")
            process.stdin.flush()
        taken = [[int(line) for line in process.stdout] for process in processes]
        assert [process.wait() for process in processes] == [0, 0]
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    assert sorted(taken[0] + taken[1]) == list(range(2 * count))
    assert max(taken[0][0], taken[1][0]) < min(taken[0][-1], taken[1][-1]), "not at once"


def test_threads_at_once(key):
    signer, taken = key.signer(), []

    def sign():
        taken.extend(leaf_of(signer.sign(MESSAGE), signer.public_key) for _ in range(10))

    threads = [threading.Thread(target=sign) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == list(range(40))


@pytest.mark.parametrize("times", (1, 3))
def test_killed_at_every_call_of_signing(key, tmp_path, times):
    """`times`: how often in a row at the same place, before something is signed whole."""
    sent, seen, point = tmp_path / "sent", set(), 0

    def take(leaf):
        assert leaf not in seen
        assert leaf > max(seen, default=-1)
        seen.add(leaf)

    dies = True
    while dies:
        for _ in range(times):
            dies = died_at(point, lambda: key.signer().sign(MESSAGE), sent)
            if sent.exists() and sent.read_bytes():
                take(leaf_of(sent.read_bytes(), key.signer().public_key))
        take(key.sign())
        point += 1
    assert point > 40  # 15 places for each file, 6 for each lock and folder
    assert key.signer().remaining() == LEAVES - 1 - max(seen)


def test_killed_at_every_call_of_making_a_key(made, tmp_path, monkeypatch):
    """What is there afterwards is a key that has signed nothing, or is refused."""
    leaves = made.signer._tree.leaves
    monkeypatch.setattr(lms_signer, "LmsTree", lambda seed, name, _=None: LmsTree(
        seed, name, leaves))  # fmt: skip
    point, outcomes = 0, set()
    while True:
        key = Key(tmp_path / str(point))
        dies = died_at(point, lambda key=key: key.create() and b"", tmp_path / "sent")
        try:
            assert key.sign() == 0
            outcomes.add("whole")
        except ToolError:
            outcomes.add("refused")
            if not key.state.exists() and not key.witness.exists():
                assert leaf_of(key.create().sign(MESSAGE), made.signer.public_key) == 0
        point += 1
        if not dies:
            break
    assert outcomes == {"whole", "refused"}


def test_the_leaf_is_on_disk_before_its_signature_exists(key, monkeypatch):
    signer, order = key.signer(), []
    for name in ("fsync", "replace", "urandom"):
        original = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, name=name, original=original: (
            order.append(name), original(*a))[1])  # fmt: skip
    monkeypatch.setattr(LmsTree, "sign", lambda *a, sign=LmsTree.sign: (
        order.append("sign"), sign(*a))[1])  # fmt: skip
    signer.sign(MESSAGE)
    durable = ["fsync", "replace", "fsync"]
    assert order == [*durable, *durable, "urandom", "sign"]


def test_a_disk_that_is_full(key, monkeypatch):
    signer, write = key.signer(), lms_signer.write_private
    taken = [key.sign()]
    for full in (key.state, key.witness):

        def refuse(path, data, full=full):
            if path == full:
                raise OSError(errno.ENOSPC, "No space left on device")
            write(path, data)

        monkeypatch.setattr(lms_signer, "write_private", refuse)
        for _ in range(3):
            with pytest.raises(ToolError, match="No space left on device"):
                signer.sign(MESSAGE)
        monkeypatch.setattr(lms_signer, "write_private", write)
        taken.append(leaf_of(signer.sign(MESSAGE), signer.public_key))
    assert taken == sorted(set(taken))
    assert len(taken) == 3


@pytest.mark.parametrize("restored", ("state", "witness"))
def test_an_older_copy_is_refused(key, restored):
    path = getattr(key, restored)
    key.sign()
    old = path.read_bytes()
    taken = [key.sign() for _ in range(3)]
    signer = key.signer()
    path.write_bytes(old)
    for attempt in (signer, key.signer()):
        with pytest.raises(ToolError, match="one is an older copy"):
            attempt.sign(MESSAGE)
        with pytest.raises(ToolError, match="one is an older copy"):
            attempt.remaining()
    with pytest.raises(ToolError, match="no leaf from 4 to 1024"):
        signer.skip_to(max(taken))
    signer.skip_to(max(taken) + 1)
    assert key.sign() == max(taken) + 1


def test_older_by_one(key):
    """As after a cut: the leaf is in the witness, and is not taken again. A witness that is
    behind comes from no cut."""
    for path, refused in ((key.state, False), (key.witness, True)):
        old, taken = path.read_bytes(), key.sign()
        path.write_bytes(old)
        if refused:
            with pytest.raises(ToolError, match="one is an older copy"):
                key.sign()
        else:
            assert key.sign() == taken + 1


def test_a_copied_state_shares_the_witness(key, tmp_path):
    shutil.copytree(key.state.parent, tmp_path / "copy")
    copy = Key(key.state.parent.parent)
    copy.state = tmp_path / "copy" / "key"
    assert [key.sign(), copy.sign(), key.sign()] == [0, 1, 2]
    (tmp_path / "link").symlink_to(key.state)
    copy.state = tmp_path / "link"
    assert [copy.sign(), key.sign(), copy.sign()] == [3, 4, 5]
    assert (tmp_path / "link").is_symlink()


def test_missing_files(key):
    signer = key.signer()
    witness = key.witness.read_bytes()
    key.witness.unlink()
    with pytest.raises(ToolError, match=r"the witness of .*, is missing"):
        signer.sign(MESSAGE)
    signer.skip_to(7)
    assert key.sign() == 7
    assert witness != key.witness.read_bytes()
    key.state.unlink()
    with pytest.raises(ToolError, match="No such file"):
        signer.sign(MESSAGE)
    with pytest.raises(ToolError, match="No such file"):
        signer.skip_to(9)
    with pytest.raises(ToolError, match="No such file"):
        key.signer()
    with pytest.raises(ToolError, match="is there already"):
        key.create()


def test_damaged_files(key):
    """One bit of each byte turned round, and each length: refused, or no leaf is taken again."""
    taken, signer = {key.sign() for _ in range(12)}, key.signer()
    accepted = 0
    for path in (key.state, key.witness):
        other = key.witness if path == key.state else key.state
        whole = path.read_bytes()
        broken = [whole[:end] for end in range(len(whole) - 1)]  # the last is the end of the line
        for at in range(len(whole)):
            broken += [whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :] for bit in (1, 4)]
        for content in broken:
            path.write_bytes(content)
            other.write_bytes(whole)
            try:
                leaf = leaf_of(signer.sign(MESSAGE), signer.public_key)
            except ToolError:
                continue
            accepted += 1
            assert leaf not in taken
    assert accepted < 20  # only what says as much, or one less in the state


def test_files_that_do_not_say_how_far_the_key_was_used(key):
    for path in (key.state, key.witness):
        content = json.loads(path.read_bytes())
        del content["next_leaf"]
        path.write_bytes(json.dumps(content).encode())
    with pytest.raises(ToolError, match="is damaged"):
        key.sign()


def test_the_state_of_another_key(key, made):
    for seed, identifier in ((SEED, bytes(16)), (bytes(32), IDENTIFIER)):
        for leaves in (made.signer._tree.leaves, b""):
            key.leaves.write_bytes(leaves)
            with pytest.raises(ToolError, match="belongs to another key"):
                key.signer(seed, identifier)
    for path in (key.state, key.witness):
        whole, signer = path.read_bytes(), key.signer()
        path.write_bytes(whole.replace(IDENTIFIER.hex().encode(), bytes(16).hex().encode()))
        with pytest.raises(ToolError, match="belongs to another key"):
            signer.sign(MESSAGE)
        path.write_bytes(whole)


def test_leaves_on_disk_only_save_time(key, made):
    leaves = made.signer._tree.leaves
    for broken in (None, b"", leaves[:-1], leaves[:100] + b"\0" + leaves[101:]):
        if broken is None:
            key.leaves.unlink()
        else:
            key.leaves.write_bytes(broken)
        key.sign()
        assert key.leaves.read_bytes() == leaves


def test_a_fault_of_the_memory_gives_no_signature(key):
    signer = key.signer()
    leaves = bytearray(signer._tree.leaves)
    leaves[40] ^= 1
    signer._tree.leaves = bytes(leaves)
    assert leaf_of(signer.sign(MESSAGE), signer.public_key) == 0
    with pytest.raises(ToolError, match="are not those of the key"):
        signer.sign(MESSAGE)
    assert leaf_of(signer.sign(MESSAGE), signer.public_key) == 2


ONE, TWO = b"lp1 one content", b"lp1 another"


def test_a_version_has_one_content_for_good(key):
    key.signer().sign(ONE, ("air", 3))
    key.signer().sign(ONE, ("air", 3))  # the same may be signed again
    before = key.signer().remaining()
    for message, version, words, higher in (
        (TWO, 3, "air version 3 was signed with another content", 4),
        (ONE, 2, "air version 3 is signed, and this is version 2", 4),
    ):
        with pytest.raises(ToolError, match=words) as caught:
            key.signer().sign(message, ("air", version))
        assert f"write version = {higher}" in caught.value.hint
    assert key.signer().remaining() == before  # nothing is spent
    key.signer().sign(TWO, ("traffic", 1))  # another name has versions of its own
    key.signer().sign(TWO, ("air", 10))
    key.signer().sign(ONE, ("air", 3))  # there is a signature of it already
    for version, words in ((3, "another content"), (9, "air version 10 is signed"), (10, None)):
        if words is None:
            key.signer().sign(TWO, ("air", version))
            continue
        with pytest.raises(ToolError, match=words):
            key.signer().sign(TWO, ("air", version))


def test_killed_at_every_call_of_signing_a_version(key, tmp_path):
    """Once a signature is out, no other content is signed as its version; the same always is."""
    sent, point, dies = tmp_path / "sent", 0, True
    outcomes = set()
    while dies:
        title = ("air", point + 1)
        dies = died_at(point, lambda title=title: key.signer().sign(ONE, title), sent)
        went = sent.exists() and sent.read_bytes()
        try:
            key.signer().sign(TWO, title)
            assert not went
            outcomes.add("open")
        except ToolError:
            key.signer().sign(ONE, title)
            outcomes.add("out" if went else "noted")
        point += 1
    assert outcomes == {"open", "noted", "out"}


def test_at_once_one_content_of_a_version_wins(key):
    signers, signed = [key.signer() for _ in range(4)], []

    def sign(signer, message):
        try:
            signer.sign(message, ("air", 1))
            signed.append(message)
        except ToolError as err:
            assert "another content" in err.message

    threads = [
        threading.Thread(target=sign, args=(signer, b"lp1 %d" % number))
        for number, signer in enumerate(signers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(signed) == 1


@pytest.mark.parametrize("lost", ("state", "witness"))
def test_versions_outlive_an_older_copy(key, lost):
    path = getattr(key, lost)
    old = path.read_bytes()
    for version in (1, 2):
        key.signer().sign(ONE, ("air", version))
    path.write_bytes(old)
    key.signer().skip_to(2)
    with pytest.raises(ToolError, match="was signed with another content"):
        key.signer().sign(TWO, ("air", 2))
    key.witness.unlink()
    key.signer().skip_to(3)
    with pytest.raises(ToolError, match="was signed with another content"):
        key.signer().sign(TWO, ("air", 2))


def test_files_from_before_versions_were_kept(key):
    for path in (key.state, key.witness):
        content = json.loads(path.read_bytes())
        del content["signed"]
        path.write_bytes(json.dumps(content).encode())
    key.signer().sign(ONE, ("air", 1))
    with pytest.raises(ToolError, match="another content"):
        key.signer().sign(TWO, ("air", 1))


@pytest.mark.parametrize(
    "signed", [[], {"air": []}, {"air": {"1": "00"}}, {"air": {"0": "00" * 32}}, {"air": {"x": 1}}]
)
def test_versions_that_are_damaged(key, signed):
    content = json.loads(key.state.read_bytes())
    key.state.write_bytes(json.dumps({**content, "signed": signed}).encode())
    with pytest.raises(ToolError, match="is damaged"):
        key.sign()
