# SPDX-License-Identifier: MIT
"""A SQLite database that is in memory while it is open, and on disk one sealed image that opens
with a passphrase and a second factor, never with one of both.

The image is sealed with AES-256-GCM-SIV (RFC 8452), a random nonce each time. GCM-SIV, since a
virtual machine that is set back to a snapshot may draw the same nonce again: with GCM that would
give the key away, with GCM-SIV it shows only whether the same content was sealed twice.

One writer at a time, by a lock beside the file (FILE.lock), as long as it is open; who removes
that lets a second one in, so each also replaces only what it has read or written itself. A reader
takes no lock and sees the content at the moment of opening, since the file is replaced as a whole.

That somebody put an old copy of the file in place cannot be seen from the file: compare `newest`
with what you have noted.
"""

import contextlib
import os
import sqlite3
import time
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from host_tools import chained_log
from host_tools.errors import ToolError
from host_tools.private_file import read_bounded, remove_leftovers, write_private
from host_tools.times import short
from host_tools.vault import layout, slots
from host_tools.vault.file_lock import take_lock
from host_tools.vault.slots import KEY_SIZE, NONCE_SIZE, Slot

_CLOCK_S = 600  # by so much two machines' clocks may differ
_DOES_NOT_OPEN = (
    "check passphrase and second factor (`lamppost vault status` lists what is enrolled); "
    "else bring back a backup"
)


class SealedFile:
    """db: the database, in memory; writing to it works within change() only, and a change that
    could not be written leaves another connection here. Made by create() or open(); a context
    manager that closes."""

    db: sqlite3.Connection

    def __init__(self, path: Path):
        # A name by another way would have another lock, nor may a link be replaced.
        self.path = Path(path).resolve()
        self._lock = None
        self._seen = None  # the file's bytes; None: there is no file yet
        self._keys = None
        self._is_changing = False
        self.db = _memory()

    @classmethod
    def create(cls, path: Path, passphrase: str, factor, schema: str) -> "SealedFile":
        """A new file with one slot, for this factor; schema: SQL, beside which the log's tables
        are made. ToolError when the file is there already, or another has it open."""
        file = cls(path)
        with file._closed_on_error():
            file._lock = take_lock(file.path)
            cls.check_new(path)
            slots.check_label(factor.label)
            file._keys, file._stretch = slots.new_keys(), slots.Stretch(os.urandom(16))
            kept = factor.enrol()
            stretched = file._stretch.of(passphrase)
            slot = slots.make_slot(1, file._keys, file._stretch, stretched, factor, kept)
            file.slot_number, file._slots = 1, (slot,)
            file.db.executescript(f"PRAGMA query_only = OFF; {chained_log.SCHEMA} {schema}")
            with file.change("create", {"slot": 1, "kind": factor.kind}):
                pass
        return file

    @staticmethod
    def check_new(path: Path):
        """ToolError when a file is there already."""
        if os.path.lexists(path):
            raise ToolError(f"{path} is there already", "give the name of a new file")

    @classmethod
    def open(cls, path: Path, passphrase: str, factor, read_only: bool = False) -> "SealedFile":
        """ToolError when it does not open: wrong or damaged, never which of both factors; or when
        another process has it open and this one is not for reading only."""
        file = cls(path)
        with file._closed_on_error():
            if not read_only:
                file._lock = take_lock(file.path)
                remove_leftovers(file.path)
            data = read_sealed(file.path)
            if not data.startswith(layout.MAGIC):
                raise ToolError(f"{path} is not a vault, or damaged", "give the vault's file")
            if not file._unseal(data, passphrase, factor):
                raise ToolError(f"{path} does not open: a factor is wrong, or the file is damaged",
                                _DOES_NOT_OPEN)  # fmt: skip
            file._seen = data
        return file

    @property
    def vault_id(self) -> bytes:
        return self._keys.vault_id

    @property
    def slots(self) -> tuple[Slot, ...]:
        """Of each factor that is enrolled; slot_number is that of the one that opened."""
        return self._slots

    @property
    def newest(self) -> tuple[int, bytes]:
        """(number, hash) of the newest log entry: what tells this state from an older copy."""
        return chained_log.newest(self.db)

    @contextlib.contextmanager
    def change(self, verb: str, detail: dict):
        """What is done to `db` within it is written with an entry in the log, durably, or not at
        all: an exception leaves database and file as they were. detail: what JSON can carry, and
        no secret. ToolError as check_clock()."""
        self.check_clock()
        with self._changed(verb, detail):
            yield

    def check_clock(self):
        """ToolError when this machine's clock is before the newest entry of the log: one of both
        was written by a wrong clock, and numbers and days that follow from it would be wrong."""
        now_s, newest_s = int(time.time()), chained_log.newest_s(self.db)
        if now_s < newest_s - _CLOCK_S:
            message = f"{self.path} was last changed on {short(newest_s)} UTC, and this machine's"
            message += f" clock says {short(now_s)}"
            hint = f"set the clock; if that time was wrong: lamppost vault clock {self.path}"
            raise ToolError(message, hint)

    def correct_clock(self) -> int:
        """Goes on from this machine's clock, by an entry of its own, when the newest was written
        by a clock that was ahead; returns that one's time. ToolError when it is not."""
        newest_s = chained_log.newest_s(self.db)
        if newest_s <= time.time():
            message = f"{self.path} was last changed on {short(newest_s)} UTC, which is past"
            raise ToolError(message, "there is nothing to correct: go on as usual")
        with self._changed("clock", {"newest_s": newest_s}):
            pass
        return newest_s

    @contextlib.contextmanager
    def _changed(self, verb: str, detail: dict):
        if self._lock is None:
            raise ToolError(f"{self.path} is open for reading only", "open it for writing")
        if self._is_changing:
            raise RuntimeError("a change within a change")
        before = self.db.serialize(), self._keys, self._slots
        self._is_changing = True
        image = None
        try:
            self.db.execute("PRAGMA query_only = OFF")
            self.db.execute("BEGIN IMMEDIATE")
            yield
            chained_log.append(self.db, int(time.time()), verb, detail)
            self.db.commit()
            image = self._sealed()
            self._check_seen()
            self._write(image)
            self._seen = image
        except BaseException:
            if image is not None and _holds(self.path, image):
                self._seen = image
            else:
                self._restore(*before)
            raise
        finally:
            self._is_changing = False
            self.db.execute("PRAGMA query_only = ON")

    def add_factor(self, passphrase: str, factor) -> int:
        """Lets another factor open the file, with this passphrase; returns its slot's number."""
        slots.check_label(factor.label)
        if len(self._slots) >= layout.MOST_SLOTS:
            message = f"{self.path} has {layout.MOST_SLOTS} factors, and takes no more"
            raise ToolError(message, "remove one that is not used")
        added = self.db.execute("SELECT count(*) FROM log WHERE verb = 'add factor'").fetchone()[0]
        number = 2 + added  # a removed slot's number is not given again
        kept = factor.enrol([slot.kept for slot in self._slots if slot.kind == factor.kind])
        stretched = self._stretch.of(passphrase)
        slot = slots.make_slot(number, self._keys, self._stretch, stretched, factor, kept)
        with self.change("add factor", {"slot": number, "kind": factor.kind}):
            self._slots = (*self._slots, slot)
        return number

    def remove_factor(self, number: int):
        """Takes a factor away: the others get a new data key. ToolError for the one that opened
        the file: so another one is known to work. Who has an old copy of the file still opens
        that."""
        if number == self.slot_number:
            message = f"slot {number} is the one that {self.path} was opened with"
            raise ToolError(message, "open it with another factor")
        kept = [slot for slot in self._slots if slot.number != number]
        if len(kept) == len(self._slots):
            raise ToolError(f"{self.path} has no slot {number}", "see `lamppost vault status`")
        with self.change("remove factor", {"slot": number}):
            self._rekey(kept)

    def change_passphrase(self, passphrase: str, factor):
        """Gives the slot that opened the file another passphrase; factor: the one that opened it.
        Other slots keep theirs."""
        number = self.slot_number
        kept = next(slot.kept for slot in self._slots if slot.number == number)
        stretched = self._stretch.of(passphrase)
        fresh = slots.make_slot(number, self._keys, self._stretch, stretched, factor, kept)
        with self.change("passphrase", {"slot": number}):
            self._rekey([fresh if slot.number == number else slot for slot in self._slots])

    def close(self):
        """Forgets keys and content; what Python copied in memory cannot be wiped."""
        self._keys = None
        self.db.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def _rekey(self, kept: list[Slot]):
        old = self._keys
        self._keys = slots.Keys(old.vault_id, old.vault_key, os.urandom(KEY_SIZE))
        self._slots = tuple(slots.with_data_key(slot, self._keys) for slot in kept)

    def _unseal(self, data: bytes, passphrase: str, factor) -> bool:
        parts = layout.decode(data)
        if parts is None:
            return False
        header = parts.header
        self._stretch, self._slots = header.stretch, header.slots
        stretched = header.stretch.of(passphrase)
        for slot in header.slots:
            secret = factor.secret(slot.salt, slot.kept) if slot.kind == factor.kind else None
            if secret is None:
                continue
            keys = slots.open_slot(header.vault_id, slot, header.stretch, stretched, secret)
            if keys is not None:
                self._keys, self.slot_number = keys, slot.number
                return self._load(parts)
        return False

    def _load(self, parts: layout.Parts) -> bool:
        try:
            cipher = AESGCMSIV(self._keys.image_key())
            image = cipher.decrypt(parts.nonce, parts.sealed, parts.head)
        except InvalidTag:
            return False
        self.db.close()
        self.db = _memory(image)
        return chained_log.first_broken(self.db) is None and self.newest == parts.header.newest

    def _sealed(self) -> bytes:
        header = layout.Header(self.vault_id, self._stretch, self.newest, self._slots)
        head, nonce = header.encode(), os.urandom(NONCE_SIZE)
        cipher = AESGCMSIV(self._keys.image_key())
        return head + nonce + cipher.encrypt(nonce, self.db.serialize(), head)

    def _check_seen(self):
        """ToolError when another process has written the file meanwhile, as it can when somebody
        removes the lock."""
        if self._seen is None:
            self.check_new(self.path)
        elif not _holds(self.path, self._seen):
            message = f"{self.path} was changed by another process: its lock was removed"
            raise ToolError(message, "run the command again, and leave the lock where it is")

    def _write(self, image: bytes):
        if len(image) > layout.MOST_BYTES:
            message = f"{self.path} would have {len(image):,} bytes, of {layout.MOST_BYTES:,}"
            raise ToolError(message, "begin another vault")
        try:
            write_private(self.path, image)
        except OSError as err:
            hint = "see that its folder can be written and the disk has room"
            raise ToolError(f"{self.path}: {err.strerror}", hint) from err

    def _restore(self, image: bytes, keys, before: tuple):
        self._keys, self._slots = keys, before
        if self.db.in_transaction:
            self.db.rollback()
            return
        self.db.close()  # it has what the file has not: who still reads from it gets an error
        self.db = _memory(image)

    @contextlib.contextmanager
    def _closed_on_error(self):
        try:
            yield
        except BaseException:
            self.close()
            raise


def _memory(image: bytes | None = None) -> sqlite3.Connection:
    # Threads may share it, if who has them keeps them apart.
    db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    if image is not None:
        db.deserialize(image)  # before the pragmas, of which it would undo secure_delete
    db.text_factory = _text
    db.execute("PRAGMA temp_store = MEMORY")  # large sorts would go to a file
    db.execute("PRAGMA secure_delete = ON")  # what is deleted is not in the next image
    db.execute("PRAGMA foreign_keys = ON")
    db.execute("PRAGMA query_only = ON")
    return db


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:  # which would quote what may be a key, as sqlite3's own does
        raise ValueError("what should be text is not") from None


def read_sealed(path: Path) -> bytes:
    """The bytes of a sealed file, which one write has made. ToolError when there is none."""
    return read_bounded(path, layout.MOST_BYTES)


def _holds(path: Path, image: bytes) -> bool:
    """Whether the file is this image: an error may come after it was replaced."""
    try:
        return read_sealed(path) == image
    except ToolError:
        return False
