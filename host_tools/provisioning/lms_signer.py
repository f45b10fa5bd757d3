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
"""

import contextlib
import fcntl
import json
import os
from pathlib import Path

from host_tools.errors import ToolError
from host_tools.private_file import write_private
from host_tools.provisioning.lms_tree import LEAVES, LmsTree
from host_tools.state_folder import signers_folder

_FORMAT = "lp1 signer"


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
            signer._write(0, signer._witness_path, signer.state_path)
        return signer

    def __repr__(self):
        return f"<Signer {self.state_path}>"

    def sign(self, message: bytes) -> bytes:
        """The signature (2,512 bytes). The message says at its start what it is, so that no
        signature serves another purpose. ToolError when no leaf can be taken safely."""
        leaf = self._take_leaf()
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
            return LEAVES - self._used()[1]

    def skip_to(self, leaf: int):
        """Gives up all leaves before `leaf`, and brings state and witness together again. Take
        one more than the highest that any signature of this key has."""
        with self._alone():
            paths = self._witness_path, self.state_path
            known = self._read(self.state_path)
            if self._witness_path.exists():
                known = max(known, self._read(self._witness_path))
            if not known <= leaf <= LEAVES:
                message = f"{self.state_path}: {leaf} is no leaf from {known} to {LEAVES}"
                raise ToolError(message, "what is used up stays so: take a higher one")
            self._write(leaf, *paths)

    def _open(self, state_path: Path, witness_folder: Path | None):
        # Two names of one state must not have two locks, nor may a link be replaced.
        self.state_path = Path(state_path).resolve()
        self._leaves_path = self.state_path.with_name(self.state_path.name + ".leaves")
        self._witness_folder = Path(witness_folder or signers_folder()).resolve()

    def _witness_of(self, public_key: bytes) -> Path:
        return self._witness_folder / public_key[12:28].hex()

    def _take_leaf(self) -> int:
        with self._alone():
            state, leaf = self._used()
            if leaf >= LEAVES:
                message = f"{self.state_path}: all {LEAVES:,} signatures of this key are used up"
                raise ToolError(message, "make a new key, and give its public part to the nodes")
            if state < leaf:  # or cut after cut would leave it further behind
                self._write(leaf, self.state_path)
            self._write(leaf + 1, self._witness_path, self.state_path)
        return leaf

    def _used(self) -> tuple[int, int]:
        """How many leaves are used up by the state, and by the witness; ToolError unless they
        agree, up to one that a cut has left."""
        state = self._read(self.state_path)
        if not self._witness_path.exists():
            message = f"{self._witness_path}, the witness of {self.state_path}, is missing"
            hint = "sign where the key was made; if it has moved, skip all leaves that it has used"
            raise ToolError(message, hint)
        witness = self._read(self._witness_path)
        if witness - state not in (0, 1):
            message = (
                f"{self.state_path} says {state:,} signatures, {self._witness_path} {witness:,}: "
                f"one is an older copy"
            )
            raise ToolError(message, "skip all leaves that any signature of this key has used")
        return state, witness

    def _read(self, path: Path) -> int:
        public_key, leaf = _read(path)
        if public_key != self.public_key:
            message = f"{path} belongs to another key"
            raise ToolError(message, "bring back the file that was made with this key")
        return leaf

    def _write(self, leaf: int, *paths: Path):
        content = {"format": _FORMAT, "public_key": self.public_key.hex(), "next_leaf": leaf}
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


def _read(path: Path) -> tuple[bytes, int]:
    """(public key, next leaf) of a state or a witness; ToolError when it is not one."""
    hint = "bring back the newest copy; if there is none, make a new key"
    try:
        content = json.loads(path.read_bytes())
        public_key = bytes.fromhex(content["public_key"])
        leaf = content["next_leaf"]
        whole = content["format"] == _FORMAT and len(public_key) == 60 and type(leaf) is int
    except OSError as err:
        raise ToolError(f"{path}: {err.strerror}", hint) from err
    except (ValueError, TypeError, KeyError):
        whole = False
    if not whole or not 0 <= leaf <= LEAVES:
        raise ToolError(f"{path} is damaged, or not the state of a signer", hint)
    return public_key, leaf
