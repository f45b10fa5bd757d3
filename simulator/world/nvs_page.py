# SPDX-License-Identifier: MIT
"""One page (4,096 bytes) of an NVS partition, as ESP-IDF 5 lays it out, fills it, and mends it.

| bytes | what |
|---|---|
| 0-31 | state (4), number in the order of use (4), 0xfe (version), 19 × 0xff, CRC-32 of 4-27 |
| 32-63 | two bits an entry: 11 empty, 10 written, 00 erased |
| 64-4095 | 126 entries of 32 bytes |

An item is an entry — namespace, type, span, chunk, CRC-32 of all but itself (4), name (16), data
(8) — and for a chunk of a blob the entries after it; its eight bytes are then length (2), 0xffff,
CRC-32 of the data. A blob's index is length (4), count of chunks, first chunk (0 or 0x80), 0xffff.

Source: ESP-IDF Programming Guide, "Non-Volatile Storage Library", "Internals"; for what it leaves
open, the function of nvs_page.cpp that is named. `crc32_le(0xffffffff, …)` of the ROM inverts its
seed, so it is zlib's CRC-32 continued from 0xffffffff.
"""

import binascii
import struct

from simulator.world.flash import BLOCK_BYTES

BLANK, ACTIVE, FULL, FREEING, CORRUPT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFC, 0xFFFFFFF8, 0xFFFFFFF0
U8, I32, BLOB_DATA, BLOB_INDEX = 0x01, 0x14, 0x42, 0x48
ANY = 0xFF  # a namespace or a chunk that matches all; the chunk of what has no chunks
ENTRIES, ENTRY_BYTES = 126, 32
CHUNK_MAX = (ENTRIES - 1) * ENTRY_BYTES
NEW_VERSION_FOUND = -0x1110
_VERSION = 0xFE
_EMPTY, _ILLEGAL, _WRITTEN, _ERASED = 3, 1, 2, 0
_BITMAP, _FIRST = 32, 64


def _crc(data) -> int:
    return binascii.crc32(data, 0xFFFFFFFF)


class Item:
    """An item's first entry."""

    def __init__(self, raw: bytes):
        self.raw = raw
        self.namespace, self.kind, self.span, self.chunk = raw[:4]
        self.data = raw[24:]
        self.key = raw[8:24].split(b"\0")[0].decode("latin-1")
        self.identity = (raw[0], raw[3], raw[8:24])  # what a page's hash list goes by
        self.is_sound = struct.unpack("<I", raw[4:8])[0] == _crc(raw[:4] + raw[8:])

    def blob_index(self) -> tuple:
        """(length, count of chunks, first chunk) of a blob's index."""
        return struct.unpack("<IBB", self.data[:6])


def make_item(namespace: int, kind: int, span: int, chunk: int, key: str, data: bytes) -> Item:
    head = bytes([namespace, kind, span, chunk])
    name = key.encode()
    tail = name + bytes(16 - len(name)) + data + b"\xff" * (8 - len(data))
    return Item(head + struct.pack("<I", _crc(head + tail)) + tail)


class Page:
    """state, sequence (its number in the order of use), next (the first entry that is free)."""

    def __init__(self, flash, block: int):
        """Page::load(). OSError(NEW_VERSION_FOUND)."""
        self._flash = flash
        self._at = block * BLOCK_BYTES
        data = bytearray(BLOCK_BYTES)
        flash.read_into(self._at, data)
        self._data = data
        self._items = {}
        self.state, self.sequence = struct.unpack("<II", data[:8])
        self.next = ENTRIES
        self._states = [data[_BITMAP + i // 4] >> i % 4 * 2 & 3 for i in range(ENTRIES)]
        if self.state == BLANK:
            if data != b"\xff" * BLOCK_BYTES:
                self.state = CORRUPT
        elif struct.unpack("<I", data[28:32])[0] != _crc(bytes(data[4:28])):
            self.state = CORRUPT
        elif data[8] < _VERSION:
            raise OSError(NEW_VERSION_FOUND)
        elif self.state == ACTIVE:
            self._load_active()
        elif self.state in (FULL, FREEING):
            self._load_full()
        else:
            self.state = CORRUPT

    @property
    def in_use(self) -> bool:
        """Whether it has a number: getSeqNumber() == ESP_OK. All others are free."""
        return self.state in (ACTIVE, FULL, FREEING)

    def used(self) -> int:
        return self._states.count(_WRITTEN)

    def tailroom(self) -> int:
        """Bytes of a blob that fit; getVarDataTailroom()."""
        if self.state == BLANK:
            return CHUNK_MAX
        if self.state == FULL:
            return 0
        return max(0, (ENTRIES - self.next - 1) * ENTRY_BYTES)

    # writing

    def _program(self, at: int, data: bytes):
        self._flash.program(self._at + at, data)
        self._data[at : at + len(data)] = data

    def mark(self, state: int):
        self._program(0, struct.pack("<I", state))
        self.state = state

    def erase(self):
        self._flash.erase(self._at // BLOCK_BYTES)
        self._data = bytearray(b"\xff" * BLOCK_BYTES)
        self._states = [_EMPTY] * ENTRIES
        self._items = {}
        self.state, self.next = BLANK, ENTRIES

    def _begin(self):
        """A blank page gets its header with its first item, not before; initialize()."""
        body = struct.pack("<IB", self.sequence, _VERSION) + b"\xff" * 19
        self._program(0, struct.pack("<I", ACTIVE) + body + struct.pack("<I", _crc(body)))
        self.state, self.next = ACTIVE, 0

    def _mark_entries(self, first: int, count: int, state: int):
        """A word of the bitmap is the state of 16 entries. The last word goes first;
        alterEntryRangeState()."""
        for i in range(first, first + count):
            self._states[i] &= state
        for word in range((first + count - 1) // 16, first // 16 - 1, -1):
            bits = 0
            for i, entry in enumerate((self._states + [_EMPTY] * 2)[word * 16 :][:16]):
                bits |= entry << i * 2
            self._program(_BITMAP + word * 4, struct.pack("<I", bits))

    def _append(self, entries: bytes):
        """Bytes first, then the mark that they are there."""
        self._program(_FIRST + self.next * ENTRY_BYTES, entries)
        self._mark_entries(self.next, len(entries) // ENTRY_BYTES, _WRITTEN)
        self.next += len(entries) // ENTRY_BYTES

    def write(self, namespace: int, kind: int, key: str, data: bytes, chunk: int = ANY) -> bool:
        """Appends an item; False when it does not fit. Of a blob the head goes first, then the
        whole entries of its data, then the rest; each is marked before the next; writeItem()."""
        if self.state == BLANK:
            self._begin()
        span = 1
        if kind == BLOB_DATA:
            span += -(-len(data) // ENTRY_BYTES)
        if self.state != ACTIVE or self.next + span > ENTRIES:
            return False
        if kind != BLOB_DATA:
            self._append(make_item(namespace, kind, 1, chunk, key, data).raw)
            return True
        head = struct.pack("<HHI", len(data), 0xFFFF, _crc(data))
        self._append(make_item(namespace, kind, span, chunk, key, head).raw)
        whole = len(data) // ENTRY_BYTES * ENTRY_BYTES
        if whole:
            self._append(data[:whole])
        if whole < len(data):
            self._append(data[whole:] + b"\xff" * (ENTRY_BYTES - len(data) + whole))
        return True

    def copy_to(self, other: "Page"):
        """All written items, an entry at a time; copyItems()."""
        i = 0
        while i < ENTRIES:
            if self._states[i] != _WRITTEN:
                i += 1
                continue
            if other.state == BLANK:
                other._begin()
            for entry in range(i, i + self.item(i).span):
                other._append(self._entry(entry))
            i += self.item(i).span

    def erase_at(self, i: int):
        """Marks an item as erased, with all its entries if its head is sound;
        eraseEntryAndSpan()."""
        span = 1
        if self._states[i] == _WRITTEN and self.item(i).is_sound:
            span = self.item(i).span
        self._mark_entries(i, span, _ERASED)
        self.next = max(self.next, i + span)

    # finding

    def _entry(self, i: int) -> bytes:
        return bytes(self._data[_FIRST + i * ENTRY_BYTES :][:ENTRY_BYTES])

    def item(self, i: int) -> Item:
        """The item whose head is entry `i`, which is written: it will not change."""
        if i not in self._items:
            self._items[i] = Item(self._entry(i))
        return self._items[i]

    def blob_data(self, i: int) -> bytes:
        """The data of the chunk whose head is entry `i`; None when its CRC is wrong."""
        length, _, crc = struct.unpack("<HHI", self.item(i).data)
        at = _FIRST + (i + 1) * ENTRY_BYTES
        data = bytes(self._data[at : at + length])
        return data if _crc(data) == crc else None

    def items(self, start: int = 0):
        """Yields (entry, item) of what is written. A head with a wrong CRC is marked as erased on
        the way; findItem()."""
        if not self.in_use:
            return
        i = start
        while i < min(self.next, ENTRIES):
            step = 1
            if self._states[i] == _WRITTEN:
                item = self.item(i)
                if item.is_sound:
                    if item.kind == BLOB_DATA:
                        step = item.span
                    yield i, item
                else:
                    self.erase_at(i)
            i += step

    def find(self, namespace: int, kind: int, key: str, chunk: int = ANY, start=None):
        """(entry, item) or None. kind: ANY for whatever is not a chunk; start: the first chunk
        that a blob's index must name. For a chunk of a blob with chunk=ANY, the first of any
        version: here the hash list does not help, and is not asked (findItem())."""
        wanted = make_item(namespace, kind, 0, chunk, key, b"").identity
        hashed = kind != BLOB_DATA or chunk != ANY
        for i, item in self.items():
            if hashed:
                if item.identity != wanted:
                    continue
                hashed = False
            if item.namespace != namespace or item.key != key:
                continue
            if kind == BLOB_DATA and (item.kind != kind or chunk not in (ANY, item.chunk)):
                continue
            if kind == BLOB_INDEX and item.chunk != ANY:
                continue
            if kind not in (ANY, item.kind):
                return None  # ESP_ERR_NVS_TYPE_MISMATCH
            if kind == BLOB_INDEX and start not in (None, item.blob_index()[2]):
                continue
            return i, item
        return None

    # after a power cut: mLoadEntryTable()

    def _load_active(self):
        self.next = self._states.index(_EMPTY) if _EMPTY in self._states else ENTRIES
        # the bytes of an entry may be there without its mark: its first word tells
        while self.next < ENTRIES and self._entry(self.next)[:4] != b"\xff" * 4:
            self._mark_entries(self.next, 1, _ERASED)
            self.next += 1
        last, seen = None, {}
        i = 0
        while i < min(self.next, ENTRIES):
            if self._states[i] != _WRITTEN:
                if self._states[i] == _ILLEGAL:
                    self.erase_at(i)
                last = None
                i += 1
                continue
            last = i
            item = self.item(i)
            if not item.is_sound:
                self.erase_at(i)
                i += 1
                continue
            span = item.span if item.kind == BLOB_DATA else 1
            if self._states[i : i + span] != [_WRITTEN] * span:
                self.erase_at(i)
                last = None
            else:
                # an earlier item with the same name and chunk is the one that was being replaced
                if item.identity in seen:
                    self.erase_at(seen[item.identity])
                seen[item.identity] = i
            i += span
        if last is not None and self.item(last).is_sound:
            self._erase_twin_of_last(last)

    def _erase_twin_of_last(self, last: int):
        """ESP-IDF looks the last item up again without its chunk. If it is a chunk of a blob whose
        index was not written, this finds the chunk before, of the version that is still valid, and
        erases it: the blob is lost. See NvsPartition."""
        item = self.item(last)
        found = self.find(item.namespace, item.kind, item.key)
        if found and found[0] < last:
            self.erase_at(found[0])

    def _load_full(self):
        i = 0
        while i < ENTRIES:
            span = 1
            if self._states[i] == _WRITTEN:
                item = self.item(i)
                if not item.is_sound:
                    self.erase_at(i)
                else:
                    span = max(1, item.span)
                    if self._states[i : i + span] != [_WRITTEN] * span:
                        self.erase_at(i)
            i += span
