# SPDX-License-Identifier: MIT
"""Signs policies and updates with an LMS key, and never twice with one of its 1,024 leaves.

Two signatures by one leaf are enough to forge a third, so a leaf is used up on disk, durably,
before its signature exists. The number of the next leaf is kept twice:

    STATE            beside the other files of the key, and in its backups
    the witness      in the state folder of this user, by the key's public part; not for backups
    STATE.leaves     the tree's leaves, which saves a second; no secret, may be removed
    STATE.lock       held while a leaf is taken; a lock beside the witness too, as STATE may have
                     been copied

The witness is written first. So it is level with STATE, or one ahead after a cut: both are sound,
and the higher number counts. Else one of them is an older copy, and nothing is signed until
somebody says how far the key was used (`skip_to`). What this cannot see: a machine, or both
files, set back to an earlier moment as a whole, and a key that signs on two machines or for two
users, each with a witness of its own. Keep a key in one place.

With the number of the next leaf both files keep what was signed under a name: {name: {version:
SHA-256}}. So no two contents are signed as one version of a name, and none below another.
"""

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import os
from pathlib import Path

from host_tools.errors import ToolError
from host_tools.private_file import write_private
from host_tools.provisioning.lms_tree import LEAVES, LmsTree
from host_tools.state_folder import signers_folder

_FORMAT = "lp1 signer"


@dataclasses.dataclass(frozen=True)
class _Used:
    """next_leaf: how many leaves are used up; signed: see above."""

    next_leaf: int
    signed: dict[str, dict[str, str]] = dataclasses.field(default_factory=dict)

    def with_signed(self, name: str, version: int, message: bytes) -> "_Used":
        """ToolError when the version has another content, or there is a higher one."""
        known = self.signed.get(name, {})
        digest = hashlib.sha256(message).hexdigest()
        if known.get(str(version)) == digest:
            return self
        highest = max(map(int, known), default=version - 1)
        if version <= highest:
            if str(version) in known:
                what = f"{name} version {version} was signed with another content"
            else:
                what = f"{name} version {highest} is signed, and this is version {version}"
            raise ToolError(what, f"write version = {highest + 1}: a node takes higher ones only")
        return dataclasses.replace(
            self, signed={**self.signed, name: {**known, str(version): digest}}
        )

    def merged(self, other: "_Used") -> "_Used":
        """What either knows."""
        names = self.signed.keys() | other.signed.keys()
        signed = {n: {**self.signed.get(n, {}), **other.signed.get(n, {})} for n in names}
        return _Used(max(self.next_leaf, other.next_leaf), signed)


class Signer:
    """public_key: 60 bytes, as the node is given it. The files are made by `create`."""

    def __init__(
        self, seed: bytes, identifier: bytes, state_path: Path, witness_folder: Path | None = None
    ):
        """seed: 32 bytes, secret; identifier: 16 bytes. ToolError when there is no state, or not
        of this key."""
        self._open(state_path, witness_folder)
        public_key, _ = _read(self.state_path)
        if public_key[12:28] == identifier:
            self._tree = self._cached_tree(seed, identifier, public_key)
        if public_key[12:28] != identifier or self._tree.public_key != public_key:
            message = f"{self.state_path} belongs to another key"
            raise ToolError(message, "give the state file that was made with this key")
        self.public_key = public_key
        self._witness_path = self._witness_of(public_key)

    @classmethod
    def create(
        cls, seed: bytes, identifier: bytes, state_path: Path, witness_folder: Path | None = None
    ) -> "Signer":
        """Makes the files of a new key. ToolError when one is there: a key is new only once."""
        signer = cls.__new__(cls)
        signer._open(state_path, witness_folder)
        signer._tree = LmsTree(seed, identifier)
        signer.public_key = signer._tree.public_key
        signer._witness_path = signer._witness_of(signer.public_key)
        with signer._alone():
            for path in (signer.state_path, signer._witness_path):
                if path.exists():
                    message = f"{path} is there already"
                    raise ToolError(message, "make a new key, with a state file of its own")
            signer._write_leaves()
            signer._write(_Used(0), signer._witness_path, signer.state_path)
        return signer

    def __repr__(self):
        return f"<Signer {self.state_path}>"

    def sign(self, message: bytes, title: tuple[str, int] | None = None) -> bytes:
        """The signature (2,512 bytes). The message says at its start what it is, so that no
        signature serves another purpose. title: the name and version that it is signed as.
        ToolError when no leaf can be taken safely, or when the version is another's or lower than
        one before; the same message may be signed again."""
        leaf = self._take_leaf(message, title)
        signature = self._tree.sign(leaf, message, os.urandom(32))
        if not self._tree.is_leaf_right(leaf):  # else no node would accept it
            raise ToolError(
                f"{self.state_path}: the leaves in memory are not those of the key",
                f"remove {self._leaves_path.name}, and test this machine's memory",
            )
        return signature

    def remaining(self) -> int:
        """How many signatures the key has left."""
        with self._alone():
            return LEAVES - self._used()[1].next_leaf

    def skip_to(self, leaf: int):
        """Gives up all leaves before `leaf`, and brings state and witness together again. Take
        one more than the highest that any signature of this key has."""
        with self._alone():
            paths = self._witness_path, self.state_path
            known = self._read(self.state_path)
            if self._witness_path.exists():
                known = known.merged(self._read(self._witness_path))
            if not known.next_leaf <= leaf <= LEAVES:
                first = known.next_leaf
                message = f"{self.state_path}: {leaf} is no leaf from {first} to {LEAVES}"
                raise ToolError(message, "what is used up stays so: take a higher one")
            self._write(dataclasses.replace(known, next_leaf=leaf), *paths)

    def _open(self, state_path: Path, witness_folder: Path | None):
        # Two names of one state must not have two locks, nor may a link be replaced.
        self.state_path = Path(state_path).resolve()
        self._leaves_path = self.state_path.with_name(self.state_path.name + ".leaves")
        self._witness_folder = Path(witness_folder or signers_folder()).resolve()

    def _witness_of(self, public_key: bytes) -> Path:
        return self._witness_folder / public_key[12:28].hex()

    def _take_leaf(self, message: bytes, title: tuple[str, int] | None) -> int:
        with self._alone():
            state, used = self._used()
            leaf = used.next_leaf
            after = dataclasses.replace(used, next_leaf=leaf + 1)
            if title is not None:
                after = after.with_signed(*title, message)
            if leaf >= LEAVES:
                what = f"{self.state_path}: all {LEAVES:,} signatures of this key are used up"
                raise ToolError(what, "make a new key, and give its public part to the nodes")
            if state.next_leaf < leaf:  # or cut after cut would leave it further behind
                self._write(used, self.state_path)
            self._write(after, self._witness_path, self.state_path)
        return leaf

    def _used(self) -> tuple[_Used, _Used]:
        """What is used up by the state, and by both; ToolError unless state and witness agree, up
        to one leaf that a cut has left."""
        state = self._read(self.state_path)
        if not self._witness_path.exists():
            message = f"{self._witness_path}, the witness of {self.state_path}, is missing"
            hint = "sign where the key was made; if it has moved, skip all leaves that it has used"
            raise ToolError(message, hint)
        witness = self._read(self._witness_path)
        if witness.next_leaf - state.next_leaf not in (0, 1):
            message = (
                f"{self.state_path} says {state.next_leaf:,} signatures, {self._witness_path} "
                f"{witness.next_leaf:,}: one is an older copy"
            )
            raise ToolError(message, "skip all leaves that any signature of this key has used")
        return state, state.merged(witness)

    def _read(self, path: Path) -> _Used:
        public_key, used = _read(path)
        if public_key != self.public_key:
            message = f"{path} belongs to another key"
            raise ToolError(message, "bring back the file that was made with this key")
        return used

    def _write(self, used: _Used, *paths: Path):
        content = {"format": _FORMAT, "public_key": self.public_key.hex()}
        content |= dataclasses.asdict(used)
        data = json.dumps(content).encode() + b"\n"
        for path in paths:  # the witness first: see above
            try:
                write_private(path, data)
            except OSError as err:
                hint = "nothing was signed: free the disk, or mend what the message says"
                raise ToolError(f"{path}: {err.strerror}", hint) from err

    @contextlib.contextmanager
    def _alone(self):
        """Waits until no other process or thread takes a leaf of this key."""
        with contextlib.ExitStack() as stack:
            for path in (self.state_path, self._witness_path):  # always in this order
                try:
                    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                    name = path.with_name(path.name + ".lock")
                    lock = os.open(name, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
                    stack.callback(os.close, lock)
                    fcntl.flock(lock, fcntl.LOCK_EX)
                except OSError as err:
                    hint = "see that the folder is there and yours, on a disk of this machine"
                    raise ToolError(f"{path}: {err.strerror}", hint) from err
            yield

    def _cached_tree(self, seed: bytes, identifier: bytes, public_key: bytes) -> LmsTree:
        """From the leaves on disk if they lead to the public key, else made anew."""
        with contextlib.suppress(OSError, ValueError):
            tree = LmsTree(seed, identifier, self._leaves_path.read_bytes())
            if tree.public_key == public_key and tree.is_leaf_right(0):
                return tree
        tree = LmsTree(seed, identifier)
        if tree.public_key == public_key:
            self._tree = tree
            self._write_leaves()
        return tree

    def _write_leaves(self):
        with contextlib.suppress(OSError):  # it only saves time
            write_private(self._leaves_path, self._tree.leaves)


def _read(path: Path) -> tuple[bytes, _Used]:
    """(public key, what is used up) of a state or a witness; ToolError when it is not one."""
    hint = "bring back the newest copy; if there is none, make a new key"
    try:
        content = json.loads(path.read_bytes())
        public_key = bytes.fromhex(content.pop("public_key"))
        whole = content.pop("format") == _FORMAT and len(public_key) == 60
        used = _Used(**content)
        whole = whole and type(used.next_leaf) is int and 0 <= used.next_leaf <= LEAVES
        for digests in used.signed.values():
            for version, digest in digests.items():
                whole = whole and int(version) > 0 and len(bytes.fromhex(digest)) == 32
    except OSError as err:
        raise ToolError(f"{path}: {err.strerror}", hint) from err
    except (ValueError, TypeError, KeyError, AttributeError):
        whole = False
    if not whole:
        raise ToolError(f"{path} is damaged, or not the state of a signer", hint)
    return public_key, used
