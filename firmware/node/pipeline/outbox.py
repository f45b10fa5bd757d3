# SPDX-License-Identifier: MIT
"""Fourth stage: envelopes wait on flash until the store says that it has them.

Layout on LittleFS, below /data/outbox/: `log` holds the 4 random bytes that name this outbox; each
segment file is named after its first number in hex and holds

    settled (4 bytes) ‖ CRC-32 of these (4 bytes), then for each envelope
    length (2 bytes) ‖ CRC-32 of the envelope (4 bytes) ‖ envelope

where `settled` is the highest number up to which all was settled when the segment was begun; the
checks are needed since LittleFS checks its own records, but no content. Numbers rise without gaps,
from 1. A number is given when its envelope is durably appended; what is appended together is one
write, which spares the flash. Receipts permit overwriting, oldest segment first, when space is
needed; they do not erase, so that what a store has lost can be sent again.

Only the newest segment tells which number is next: it is never removed, and one that was begun
keeps the number by its name, even while it is empty.
"""

import binascii
import os
from array import array

from node.device import flash_file
from node.errors import OutboxError

_FOLDER = flash_file.DATA + "outbox"
_LOG, _NEXT = _FOLDER + "/log", _FOLDER + "/next"
_SEGMENT_FULL = 7168  # a segment of this size takes no more; the last entry may pass it
_SEGMENT_MAX = _SEGMENT_FULL + 1536
_SEGMENT_HEAD = 8
_ENTRY_HEAD = 6
_ENTRY_MIN = 48  # no envelope is shorter
_ENOSPC = 28
_BEYOND_MAX = 32  # ranges: what is forgotten of more is only sent again


def _path(first: int) -> str:
    return _FOLDER + "/%08x" % first


def _first(name: str) -> int:
    """The first number of the segment with this name; 0 when it is no segment's."""
    try:
        first = int(name, 16)
    except ValueError:
        return 0
    return first if first > 0 and len(name) == 8 and name == "%08x" % first else 0


def _head(settled: int) -> bytes:
    head = settled.to_bytes(4, "big")
    return head + binascii.crc32(head).to_bytes(4, "big")


def _end_what_was_begun():
    """The name of the outbox; None when there is none. A name that was to be the next becomes it,
    once all that was held under the one before is gone."""
    if flash_file.read(_NEXT) is not None:
        for name in flash_file.names(_FOLDER):
            if _first(name):
                flash_file.remove(_path(_first(name)))
        os.rename(_NEXT, _LOG)
    return flash_file.read(_LOG)


class Outbox:
    """limit_bytes: how much flash the segments may take; the oldest go when it is reached."""

    def __init__(self, limit_bytes: int):
        self._firsts = array("I", [0] * max(2, limit_bytes // _SEGMENT_MAX))  # oldest first
        self._count = 0  # of segments
        self._size = 0  # of the newest segment, in bytes
        flash_file.make_folder(_FOLDER)
        self.is_broken = False
        self.log = _end_what_was_begun()
        if self.log is None or len(self.log) != 4:
            self.log = os.urandom(4)
            flash_file.replace(_LOG, self.log)
        self._dropped = False  # an envelope was given up for one that could not be written
        self._beyond = []  # settled ranges [first, last] above settled_upto, rising
        self.settled_upto = 0
        self.next_number = 1
        self._newest = None  # the envelope appended last, so that it need not be read again
        self._reader = _Reader()
        for name in flash_file.names(_FOLDER):
            first = _first(name)
            if first:
                self._push(first)
        if self._count:
            self._read_newest(self._firsts[self._count - 1])
            settled = max(self.floor - 1, self._settled_on_flash())
            self.settled_upto = min(settled, self.next_number - 1)

    def _settled_on_flash(self) -> int:
        """What the newest head says that is not damaged, or not written yet."""
        for at in range(self._count - 1, -1, -1):
            try:
                with open(_path(self._firsts[at]), "rb") as file:
                    head = file.read(_SEGMENT_HEAD)
            except OSError:  # the flash does not give it back
                continue
            settled = int.from_bytes(head[:4], "big")
            if head == _head(settled):
                return settled
        return 0

    def _read_newest(self, first: int):
        """Finds the number that comes next, and whether the segment can take more."""
        number, damaged, size = first, False, _SEGMENT_HEAD
        try:
            with open(_path(first), "rb") as file:
                file.seek(_SEGMENT_HEAD)
                for length, envelope in _entries(file):
                    number += 1
                    size += _ENTRY_HEAD + length
                    damaged = damaged or envelope is None
                beyond = file.seek(0, 2) - size
        except OSError:
            beyond = _SEGMENT_MAX - size
        if beyond > 0:  # a length is damaged: no number that may have been given is given again
            number += beyond // _ENTRY_MIN + 1
            damaged = True
        self.next_number = number
        self._size = _SEGMENT_FULL if damaged or number == first else size

    @property
    def floor(self) -> int:
        """The oldest number still held."""
        return self._firsts[0] if self._count else self.next_number

    def append(self, *envelopes):
        """Makes `envelopes` durable, the first as `next_number`, and gives these numbers away.
        After an OSError those below next_number are durable."""
        if self.is_broken:
            raise OutboxError("it is to begin anew")
        self._reader.close()
        at = 0
        while at < len(envelopes):
            count = self._fitting(envelopes, at)
            self._append(envelopes[at : at + count])
            at += count

    def _fitting(self, envelopes, at: int) -> int:
        """How many of envelopes[at:] go to one segment."""
        size = _SEGMENT_HEAD if self._full() else self._size
        count = 0
        while at + count < len(envelopes) and size < _SEGMENT_FULL:
            size += _ENTRY_HEAD + len(envelopes[at + count])
            count += 1
        return count

    def _append(self, envelopes):
        try:
            self._write(envelopes)
        except OSError as err:
            if err.args[0] != _ENOSPC or not self._make_place():
                raise
            self._write(envelopes)
        self._dropped = False
        self._newest = envelopes[-1]
        self.next_number += len(envelopes)

    def _make_place(self) -> bool:
        """Gives up the oldest segment on a full flash; False when that would be worse."""
        written = self._count - self._begun()  # what was begun may not be on flash
        if written < 2:  # it alone knows which number is next
            return False
        oldest_settled = self._firsts[1] <= self.settled_upto + 1
        if self._dropped and not oldest_settled:  # one that is lost for nothing is enough
            return False
        self._dropped = True
        self._drop_oldest()
        return True

    def _write(self, envelopes):
        begins = self._full()
        if begins:
            self.make_room()
            if not self._begun():
                self._push(self.next_number)
            self._size = _SEGMENT_HEAD
        # What fails may be on flash all the same: then its segment takes no more, or the numbers
        # of those behind it would shift.
        size, self._size = self._size, _SEGMENT_FULL
        data = _head(self.settled_upto) if begins else b""
        with open(_path(self._firsts[self._count - 1]), "wb" if begins else "ab") as file:
            for envelope in envelopes:
                data += len(envelope).to_bytes(2, "big")
                data += binascii.crc32(envelope).to_bytes(4, "big")
                file.write(data + envelope)
                size += len(data) + len(envelope)
                data = b""
        self._size = size - _SEGMENT_HEAD if begins else size

    def make_room(self):
        """Lets the oldest segments go when the next would not fit. Call before floor is read."""
        while self._full() and not self._begun() and self._count == len(self._firsts):
            self._drop_oldest()

    def _begun(self) -> bool:
        """Whether a segment for the next number is there, because a write to it failed."""
        return self._count > 0 and self._firsts[self._count - 1] == self.next_number

    def _full(self) -> bool:
        return not self._count or self._size >= _SEGMENT_FULL

    def _push(self, first: int):
        """Notes a segment that comes after those before."""
        while self._count == len(self._firsts):  # the limit was larger at an earlier start
            self._drop_oldest()
        self._firsts[self._count] = first
        self._count += 1
        self._size = _SEGMENT_HEAD

    def _drop_oldest(self):
        self._reader.close()
        try:
            flash_file.remove(_path(self._firsts[0]))
        except OSError:
            pass  # it is gone already, or the flash keeps it: it must not stop what is new
        self._count -= 1
        for i in range(self._count):
            self._firsts[i] = self._firsts[i + 1]
        self._settle_below(self.floor)

    def read(self, number: int) -> bytes:
        """The envelope of a number that is held; OutboxError when flash does not give it back.
        One after the other, each is found at once."""
        if number == self.next_number - 1 and self._newest is not None:
            return self._newest
        for i in range(self._count - 1, -1, -1):
            if self._firsts[i] <= number:
                envelope = self._reader.read(self._firsts[i], number)
                if envelope is not None:
                    return envelope
                break
        raise OutboxError("an envelope is not on flash")

    def waiting_from(self, number: int):
        """The lowest number ≥ `number` that is held and has no receipt; None if there is none."""
        number = max(number, self.settled_upto + 1, self.floor)
        for first, last in self._beyond:
            if first <= number <= last:
                number = last + 1
        return number if number < self.next_number else None

    def waiting(self) -> int:
        """How many envelopes are held without a receipt."""
        settled = sum([last - first + 1 for first, last in self._beyond])
        return self.next_number - 1 - self.settled_upto - settled

    def settle(self, upto: int, ranges: list):
        """Takes what a receipt says is settled. OutboxError if it names a number never given."""
        if max([upto] + [last for _, last in ranges]) >= self.next_number:
            raise OutboxError("a receipt for a number that was never given")
        self._beyond = sorted(self._beyond + [[first, last] for first, last in ranges])
        self._settle_below(upto + 1)

    def begin_anew(self):
        """Forgets all that is held, and takes another name: numbers begin again at 1. After an
        OSError this object is broken, and the next start ends what was begun."""
        self._reader.close()
        self.is_broken = True
        flash_file.replace(_NEXT, os.urandom(4))
        self.log = _end_what_was_begun()
        self._count = self._size = self.settled_upto = 0
        self.next_number, self._beyond, self._newest = 1, [], None
        self.is_broken = False

    def resend(self, number: int):
        """Forgets that what is held from `number` on is settled."""
        self.settled_upto = min(self.settled_upto, max(number, self.floor) - 1)
        self._beyond = [[a, min(b, number - 1)] for a, b in self._beyond if a < number]

    def _settle_below(self, number: int):
        upto = max(self.settled_upto, number - 1)
        beyond = []
        for first, last in self._beyond:
            if first <= upto + 1:
                upto = max(upto, last)
            elif beyond and first <= beyond[-1][1] + 1:
                beyond[-1][1] = max(beyond[-1][1], last)
            else:
                beyond.append([first, last])
        self.settled_upto, self._beyond = upto, beyond[:_BEYOND_MAX]


class _Reader:
    """Reads one segment; it stays open behind the entry that was read last."""

    def __init__(self):
        self._file = None
        self._first = self._number = 0  # of the segment; of the entry that comes next

    def close(self):
        if self._file is not None:
            self._file.close()
            self._file = None

    def read(self, first: int, number: int):
        """The envelope of `number` in the segment of `first`; None if it is not there."""
        try:
            if self._file is None or self._first != first or self._number > number:
                self.close()
                self._file = open(_path(first), "rb")
                self._file.seek(_SEGMENT_HEAD)
                self._first = self._number = first
            for _, envelope in _entries(self._file, number - self._number):
                self._number = number + 1
                return envelope
        except OSError:
            self.close()  # where it stands is not known
            raise
        self.close()
        return None


def _entries(file, skip: int = 0):
    """Yields (length, envelope) from the file's position on, but for the first `skip`; the
    envelope is None when it is damaged, and keeps its number. Ends at the file's end, or where a
    length makes no sense."""
    while True:
        head = file.read(_ENTRY_HEAD)
        length = int.from_bytes(head[:2], "big")
        if len(head) < _ENTRY_HEAD or not length:
            return
        if skip:
            skip -= 1
            file.seek(length, 1)
            continue
        envelope = file.read(length)
        if len(envelope) < length:
            return
        whole = binascii.crc32(envelope) == int.from_bytes(head[2:], "big")
        yield length, envelope if whole else None
