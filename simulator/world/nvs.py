# SPDX-License-Identifier: MIT
"""The NVS partition of an ESP32, in the bytes of ESP-IDF: pages of 126 items of 32 bytes.

What is set is appended to the active page, and the item before is marked as erased; its bytes stay
until their page is erased. When pages run out, the one with the fewest live items is copied to the
last free one and erased. Whatever a power cut leaves, init() ends or undoes.

Source: ESP-IDF Programming Guide, "Non-Volatile Storage Library", "Internals".
"""

import binascii
import struct

from simulator.world.flash import BLOCK_BYTES

NOT_FOUND, INVALID_LENGTH, NOT_ENOUGH_SPACE = -0x1102, -0x110C, -0x1105
_ACTIVE, _FULL, _FREEING = 0xFFFFFFFE, 0xFFFFFFFC, 0xFFFFFFF8
_VERSION = 0xFE
_ITEMS, _ITEM = 126, 32
_U8, _I32, _BLOB_DATA, _BLOB_INDEX = 0x01, 0x14, 0x42, 0x48
_ANY = 0xFF  # the chunk index of what has no chunks
_EMPTY, _WRITTEN, _ERASED = 3, 2, 0


def _crc(data) -> int:
    return binascii.crc32(data, 0xFFFFFFFF)


def _item(namespace: int, kind: int, span: int, chunk: int, key: str, data: bytes) -> bytes:
    name = key.encode()
    head = bytes([namespace, kind, span, chunk])
    tail = name + bytes(16 - len(name)) + data
    return head + struct.pack("<I", _crc(head + tail)) + tail


class _Page:
    """One page: its state, its number in the order of use, the state of each item."""

    def __init__(self, flash, block: int):
        self._flash = flash
        self.block = block
        self.load()

    def load(self):
        data = bytearray(BLOCK_BYTES)
        self._flash.read_into(self.block * BLOCK_BYTES, data)
        self.data = data
        self.state, self.sequence = struct.unpack("<II", data[:8])
        whole = struct.unpack("<I", data[28:32])[0] == _crc(bytes(data[4:28]))
        blank = not [1 for byte in data if byte != 0xFF]
        self.is_free = blank
        self.is_damaged = not blank and (not whole or data[8] != _VERSION)
        self.next = 0
        for i in range(_ITEMS):
            if self.item_state(i) != _EMPTY:
                self.next = i + 1

    def item_state(self, i: int) -> int:
        return self.data[32 + i // 4] >> i % 4 * 2 & 3

    def item(self, i: int) -> bytes:
        return bytes(self.data[64 + i * _ITEM : 96 + i * _ITEM])

    def live(self):
        """Yields (index, item) of what is written and has a sound head."""
        i = 0
        while i < self.next:
            item = self.item(i)
            if self.item_state(i) == _WRITTEN:
                yield i, item
                i += max(1, item[2])
            else:
                i += 1

    def used(self) -> int:
        return len([1 for i in range(_ITEMS) if self.item_state(i) == _WRITTEN])

    def _program(self, at: int, data: bytes):
        self._flash.program(self.block * BLOCK_BYTES + at, data)
        self.data[at : at + len(data)] = data

    def begin(self, sequence: int):
        body = struct.pack("<IB", sequence, _VERSION) + b"\xff" * 19
        self._program(0, struct.pack("<I", _ACTIVE) + body + struct.pack("<I", _crc(body)))
        self.state, self.sequence, self.is_free, self.next = _ACTIVE, sequence, False, 0

    def mark(self, state: int):
        self._program(0, struct.pack("<I", state))
        self.state = state

    def erase(self):
        self._flash.erase(self.block)
        self.load()

    def append(self, item: bytes):
        """Writes an item, head and data: first its bytes, then that they are there."""
        at = 64 + self.next * _ITEM
        self._program(at, item[:_ITEM])
        self.mark_items(self.next, 1, _WRITTEN)
        count = len(item) // _ITEM
        if count > 1:
            self._program(at + _ITEM, item[_ITEM:])
            self.mark_items(self.next + 1, count - 1, _WRITTEN)
        self.next += count

    def mark_items(self, first: int, count: int, state: int):
        """One program a word of the bitmap, which holds the states of 16 items."""
        for word in range(first // 16, (first + count - 1) // 16 + 1):
            at = 32 + word * 4
            bits = struct.unpack("<I", self.data[at : at + 4])[0]
            for i in range(max(first, word * 16), min(first + count, word * 16 + 16)):
                bits &= ~((3 - state) << i % 16 * 2)
            self._program(at, struct.pack("<I", bits))


class NvsPartition:
    """NVS on a Flash. Opening it is nvs_flash_init(): it mends what a power cut left."""

    def __init__(self, flash):
        self.flash = flash
        self.was_erased = False
        self._pages = [_Page(flash, block) for block in range(flash.blocks)]
        self._mend_pages()
        for page in self._in_use():
            self._mend_items(page)
        self._mend_blobs()
        self._namespaces = {}
        for _, _, item in self._live():
            if item[0] == 0:
                self._namespaces[_key(item)] = item[24]

    # what the firmware asks for

    def get(self, namespace: str, key: str, kind: str):
        """An integer ("i32") or bytes ("blob"); OSError(NOT_FOUND)."""
        index = self._namespaces.get(namespace)
        if kind == "i32":
            return struct.unpack("<i", self._find(index, _I32, key)[2][24:28])[0]
        head = self._find(index, _BLOB_INDEX, key)[2]
        size, count, start = struct.unpack("<IBB", head[24:30])
        data = b""
        for chunk in range(start, start + count):
            data += self._chunk(*self._find(index, _BLOB_DATA, key, chunk))
        return data[:size]

    def set(self, namespace: str, key: str, kind: str, value):
        """Appends the value and marks the one before; nothing is written when it is the same."""
        try:
            if self.get(namespace, key, kind) == value:
                return
        except OSError:
            pass
        index = self._namespace(namespace)
        if kind == "i32":
            old = self._places(index, key, _I32)
            data = struct.pack("<i", value) + b"\xff" * 4
            self._append(_item(index, _I32, 1, _ANY, key, data))
        else:
            old = self._places(index, key, _BLOB_INDEX) + self._places(index, key, _BLOB_DATA)
            self._set_blob(index, key, value)
        self._erase(old)

    def erase_key(self, namespace: str, key: str):
        """OSError(NOT_FOUND) when there is none."""
        index = self._namespaces.get(namespace)
        places = []
        for kind in (_I32, _BLOB_INDEX, _BLOB_DATA):
            places += self._places(index, key, kind)
        if not places:
            raise OSError(NOT_FOUND)
        self._erase(places)

    def keys(self, namespace: str) -> list:
        """The names in a namespace, sorted."""
        index = self._namespaces.get(namespace)
        return sorted({_key(item) for _, _, item in self._live() if item[0] == index})

    # items

    def _in_use(self) -> list:
        pages = [page for page in self._pages if not page.is_free]
        return sorted(pages, key=lambda page: page.sequence)

    def _live(self):
        for page in self._in_use():
            for i, item in page.live():
                yield page, i, item

    def _find(self, index, kind: int, key: str, chunk: int = _ANY):
        for page, i, item in self._live():
            if item[0] == index and item[1] == kind and item[3] == chunk and _key(item) == key:
                return page, i, item
        raise OSError(NOT_FOUND)

    def _places(self, index, key: str, kind: int) -> list:
        return [
            item for _, _, item in self._live()
            if item[0] == index and item[1] == kind and _key(item) == key
        ]  # fmt: skip

    def _chunk(self, page, i: int, item: bytes) -> bytes:
        size = struct.unpack("<H", item[24:26])[0]
        return bytes(page.data[96 + i * _ITEM : 96 + i * _ITEM + size])

    def _namespace(self, name: str) -> int:
        if name not in self._namespaces:
            index = len(self._namespaces) + 1
            self._append(_item(0, _U8, 1, _ANY, name, bytes([index]) + b"\xff" * 7))
            self._namespaces[name] = index
        return self._namespaces[name]

    def _set_blob(self, index: int, key: str, value: bytes):
        try:
            start = 0x80 - self._find(index, _BLOB_INDEX, key)[2][29]
        except OSError:
            start = 0
        written, at, count = [], 0, 0
        while at < len(value) or not count:
            room = (_ITEMS - self._page(2).next - 1) * _ITEM
            data = value[at : at + room]
            padded = data + b"\xff" * (-len(data) % _ITEM)
            head = struct.pack("<HHI", len(data), 0xFFFF, _crc(data))
            span = 1 + len(padded) // _ITEM
            item = _item(index, _BLOB_DATA, span, start + count, key, head)
            written.append(item)
            try:
                self._append(item + padded)
            except OSError:
                self._erase(written)
                raise
            at += len(data)
            count += 1
        head = struct.pack("<IBBH", len(value), count, start, 0xFFFF)
        try:
            self._append(_item(index, _BLOB_INDEX, 1, _ANY, key, head))
        except OSError:
            self._erase(written)
            raise

    def _erase(self, items: list):
        """Marks items; the index of a blob goes first, so that none lacks a part."""
        for wanted in sorted(items, key=lambda item: item[1] != _BLOB_INDEX):
            for page, i, item in self._live():
                if item == wanted:
                    page.mark_items(i, item[2], _ERASED)
                    break

    # pages

    def _append(self, item: bytes):
        self._page(len(item) // _ITEM).append(item)

    def _page(self, items: int):
        """The active page, with room for so many items; OSError(NOT_ENOUGH_SPACE)."""
        pages = self._in_use()
        if not pages or pages[-1].state != _ACTIVE:
            return self._new_page()
        if pages[-1].next + items <= _ITEMS:
            return pages[-1]
        pages[-1].mark(_FULL)
        page = self._new_page()
        if page.next + items > _ITEMS:
            raise OSError(NOT_ENOUGH_SPACE)
        return page

    def _free(self) -> list:
        return [page for page in self._pages if page.is_free]

    def _new_page(self):
        """The next page; when only one is free, what is live of another moves there."""
        free, pages = self._free(), self._in_use()
        sequence = pages[-1].sequence + 1 if pages else 0
        if len(free) > 1:
            free[0].begin(sequence)
            return free[0]
        emptiest = min(pages, key=lambda page: (page.used(), page.sequence))
        if emptiest.used() == _ITEMS:
            raise OSError(NOT_ENOUGH_SPACE)
        emptiest.mark(_FREEING)
        self._move(emptiest, free[0], sequence)
        return free[0]

    def _move(self, page, to, sequence: int):
        to.begin(sequence)
        for i, item in page.live():
            to.append(bytes(page.data[64 + i * _ITEM : 64 + (i + item[2]) * _ITEM]))
        page.erase()

    # after a power cut

    def _mend_pages(self):
        for page in self._pages:
            if page.is_damaged:
                page.erase()
        pages = self._in_use()
        for page in pages:
            if page.state == _FREEING:  # it was being moved: the copy is begun anew
                if pages[-1] is not page and pages[-1].state == _ACTIVE:
                    pages[-1].erase()
                sequence = self._in_use()[-1].sequence + 1
                self._move(page, self._free()[0], sequence)
        for page in self._in_use()[:-1]:
            if page.state == _ACTIVE:
                page.mark(_FULL)
        if not self._free():  # ESP_ERR_NVS_NO_FREE_PAGES: the board erases it all, and is silent
            for page in self._pages:
                page.erase()
            self.was_erased = True

    def _mend_items(self, page):
        """Marks what was written in part, and bytes that are there without a mark."""
        i = 0
        while i < _ITEMS:
            item, state = page.item(i), page.item_state(i)
            span = 1
            if state == _WRITTEN:
                span = item[2] if 1 <= item[2] <= _ITEMS - i else 1
                states = [page.item_state(k) for k in range(i, i + span)]
                if not _is_whole(page, i, item, span) or states != [_WRITTEN] * span:
                    page.mark_items(i, span, _ERASED)
            elif (state == _EMPTY and item != b"\xff" * _ITEM) or state == 1:
                page.mark_items(i, 1, _ERASED)
            i += span
        page.load()

    def _mend_blobs(self):
        """Of an item that is there twice the older goes; a part without its index goes."""
        last = {}
        for _, _, item in self._live():
            place = (item[0], item[1], item[3], _key(item))
            if place in last:
                self._erase([last[place]])
            last[place] = item
        parts = set()
        for place in list(last):
            if place[1] == _BLOB_INDEX:
                _size, count, start = struct.unpack("<IBB", last[place][24:30])
                wanted = [(place[0], _BLOB_DATA, start + k, place[3]) for k in range(count)]
                if [1 for part in wanted if part not in last]:
                    self._erase([last[place]])
                else:
                    parts.update(wanted)
        for place in last:
            if place[1] == _BLOB_DATA and place not in parts:
                self._erase([last[place]])


def _key(item: bytes) -> str:
    return item[8:24].split(b"\0")[0].decode()


def _is_whole(page, i: int, item: bytes, span: int) -> bool:
    if struct.unpack("<I", item[4:8])[0] != _crc(item[:4] + item[8:]):
        return False
    if item[1] != _BLOB_DATA:
        return True
    size, _, crc = struct.unpack("<HHI", item[24:32])
    return crc == _crc(bytes(page.data[96 + i * _ITEM : 96 + i * _ITEM + size]))
