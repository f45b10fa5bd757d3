# SPDX-License-Identifier: MIT
"""The NVS partition of an ESP32 as stock MicroPython has it: in the bytes of ESP-IDF 5, written in
its order, and with its recovery.

What is set is appended to the active page, then the item before is marked as erased; its bytes
stay until their page is erased. When one free page is left, the page with the fewest written
entries is copied to it and erased.

A power cut, anywhere, leaves every key with its old or its new value, but for one place: ESP-IDF
may lose a blob that is being *replaced*. Between a blob's data and its index, with the data before
on the same page, start-up takes the new data for the item that replaces the old (see
Page._erase_twin_of_last), then drops the index that lacks its data, then the data that lacks its
index. A blob under a new name, an erased key and an integer are safe. So what must not be lost is
never replaced: it goes under a second name, and then the first is erased (node/device/kept.py).

Also as there: a blob that is replaced in parts, and for whose later part there is no room, takes
the part of the old one with it that is on the same page (writeMultiPageBlob(), clean-up).

Source: ESP-IDF Programming Guide, "Non-Volatile Storage Library", "Internals"; nvs_storage.cpp and
nvs_pagemanager.cpp, whose functions are named where the guide leaves something open.
"""

import struct

from simulator.world.nvs_page import (
    ACTIVE,
    ANY,
    BLOB_DATA,
    BLOB_INDEX,
    CHUNK_MAX,
    CORRUPT,
    ENTRIES,
    ENTRY_BYTES,
    FREEING,
    FULL,
    I32,
    NEW_VERSION_FOUND,
    U8,
    Page,
)

FAIL, NOT_FOUND, NOT_ENOUGH_SPACE, INVALID_STATE = -1, -0x1102, -0x1105, -0x110B
NO_FREE_PAGES, VALUE_TOO_LONG = -0x110D, -0x110E
_VERSIONS = (0, 0x80)  # the first chunk of a blob; each change takes the other
_NAMESPACES = 0  # the namespace that holds the namespaces


class NvsPartition:
    """NVS on a Flash. Opening it is a board's start: nvs_flash_init(), and where this answers
    NO_FREE_PAGES or NEW_VERSION_FOUND, MicroPython erases it all without a word (ports/esp32,
    boardctrl_startup()); `was_erased` tells. OSError for what leaves a board without NVS."""

    def __init__(self, flash):
        self.flash = flash
        self.was_erased = False
        try:
            self._start()
        except OSError as err:
            if err.args[0] not in (NO_FREE_PAGES, NEW_VERSION_FOUND):
                raise
            for block in range(flash.blocks):
                flash.erase(block)
            self.was_erased = True
            self._start()

    # what the firmware asks for

    def get(self, namespace: str, key: str, kind: str):
        """An integer ("i32") or bytes ("blob"); OSError(NOT_FOUND)."""
        index = self._namespaces.get(namespace, ANY)
        if kind == "i32":
            page, i = self._wanted(index, I32, key)
            return struct.unpack("<i", page.item(i).data[:4])[0]
        page, i = self._wanted(index, BLOB_INDEX, key)
        size, count, start = page.item(i).blob_index()
        data = b""
        for chunk in range(start, start + count):
            page, i = self._wanted(index, BLOB_DATA, key, chunk)
            part = page.blob_data(i)
            if part is None:
                page.erase_at(i)
                raise OSError(NOT_FOUND)
            data += part
        if len(data) != size:
            raise OSError(FAIL)
        return data

    def has(self, namespace: str, key: str) -> bool:
        """Whether it holds this name, of either kind."""
        index = self._namespaces.get(namespace)
        return index is not None and self._find(index, ANY, key) is not None

    def set(self, namespace: str, key: str, kind: str, value):
        """Writes the value, then erases the one before, of either kind. Nothing is written when it
        is the same. OSError(NOT_ENOUGH_SPACE), OSError(VALUE_TOO_LONG); Storage::writeItem()."""
        index = self._namespace(namespace)
        found = self._find(index, BLOB_INDEX if kind == "blob" else I32, key)
        if found:
            try:
                if self.get(namespace, key, kind) == value:
                    return
            except OSError:
                pass
        before = found or self._find(index, ANY, key)
        old = before and before[0].item(before[1])
        start = _VERSIONS[0]
        if kind == "i32":
            self._write(index, I32, key, struct.pack("<i", value))
        else:
            if found and old.blob_index()[2] == start:
                start = _VERSIONS[1]
            self._write_blob(index, key, value, start)
        if old and old.kind == BLOB_INDEX:
            self._erase_blob(index, key, old.blob_index()[2])
        elif old:  # its page may have been copied meanwhile
            page, i = self._wanted(index, old.kind, key)
            page.erase_at(i)

    def erase_key(self, namespace: str, key: str):
        """OSError(NOT_FOUND) when there is none."""
        index = self._namespaces.get(namespace, ANY)
        page, i = self._wanted(index, ANY, key)
        item = page.item(i)
        if item.kind == BLOB_INDEX:
            self._erase_blob(index, key, item.blob_index()[2])
        else:
            page.erase_at(i)

    def keys(self, namespace: str) -> list:
        """The names in a namespace, sorted."""
        index = self._namespaces.get(namespace, ANY)
        named = {item.key for page in self._pages for _, item in page.items()
                 if item.namespace == index and item.kind != BLOB_DATA}  # fmt: skip
        return sorted(named)

    # items

    def _find(self, namespace: int, kind: int, key: str, chunk: int = ANY, start=None):
        for page in self._pages:
            found = page.find(namespace, kind, key, chunk, start)
            if found:
                return page, found[0]
        return None

    def _wanted(self, namespace: int, kind: int, key: str, chunk: int = ANY, start=None):
        found = self._find(namespace, kind, key, chunk, start)
        if found is None:
            raise OSError(NOT_FOUND)
        return found

    def _namespace(self, name: str) -> int:
        if name not in self._namespaces:
            taken = self._namespaces.values()
            index = min(i for i in range(1, 255) if i not in taken)
            self._write(_NAMESPACES, U8, name, bytes([index]))
            self._namespaces[name] = index
        return self._namespaces[name]

    def _write(self, namespace: int, kind: int, key: str, data: bytes):
        if not self._pages[-1].write(namespace, kind, key, data):
            self._next_page()
            if not self._pages[-1].write(namespace, kind, key, data):
                raise OSError(NOT_ENOUGH_SPACE)

    def _write_blob(self, namespace: int, key: str, value: bytes, start: int):
        """Chunks as the pages have room, then the index; writeMultiPageBlob()."""
        if len(value) > (len(self._pages) + len(self._free) - 1) * CHUNK_MAX:
            raise OSError(VALUE_TOO_LONG)
        room = self._pages[-1].tailroom()
        if (room < len(value) or not room) and room < CHUNK_MAX // 10:
            self._next_page()
            if self._pages[-1].tailroom() == room:
                raise OSError(NOT_ENOUGH_SPACE)
        written = []
        try:
            self._write_chunks(namespace, key, value, start, written)
        except OSError:
            for chunk, page in enumerate(written):  # not start + chunk
                found = page.find(namespace, BLOB_DATA, key, chunk)
                if found:
                    page.erase_at(found[0])
            raise
        head = struct.pack("<IBB", len(value), len(written), start)
        self._pages[-1].write(namespace, BLOB_INDEX, key, head)

    def _write_chunks(self, namespace: int, key: str, value: bytes, start: int, written: list):
        at = 0
        while at < len(value) or not written:
            page = self._pages[-1]
            room = page.tailroom()
            if not room:
                raise OSError(NOT_ENOUGH_SPACE)
            data = value[at : at + room]
            page.write(namespace, BLOB_DATA, key, data, start + len(written))
            written.append(page)
            at += len(data)
            if at < len(value) or room - len(data) < ENTRY_BYTES:
                self._next_page()

    def _erase_blob(self, namespace: int, key: str, start: int):
        """Its index first, so that none lacks a part; eraseMultiPageBlob()."""
        page, i = self._wanted(namespace, BLOB_INDEX, key, ANY, start)
        count = page.item(i).blob_index()[1]
        page.erase_at(i)
        for chunk in range(start, start + count):
            page, i = self._wanted(namespace, BLOB_DATA, key, chunk)
            page.erase_at(i)

    # pages: _pages in the order of use, _free in the order in which they will be used

    def _next_page(self):
        """The last page is full. While two are free the first is taken; of the last one, what is
        written on the emptiest page (the oldest of equals) takes its share; requestNewPage()."""
        if self._pages[-1].state != FULL:
            if self._pages[-1].state != ACTIVE:
                raise OSError(INVALID_STATE)
            self._pages[-1].mark(FULL)
        if not self._free:
            raise OSError(INVALID_STATE)
        if len(self._free) > 1:
            self._activate()
            return
        emptiest = min(self._pages, key=Page.used)
        if emptiest.used() == ENTRIES:
            raise OSError(NOT_ENOUGH_SPACE)
        emptiest.mark(FREEING)
        self._activate()
        self._move(emptiest)

    def _activate(self):
        """A damaged page is kept until it is needed, and erased then; activatePage()."""
        if not self._free:
            raise OSError(NOT_ENOUGH_SPACE)
        page = self._free[0]
        if page.state == CORRUPT:
            page.erase()
        self._free.pop(0)
        page.sequence = self._sequence
        self._sequence += 1
        self._pages.append(page)

    def _move(self, page):
        page.copy_to(self._pages[-1])
        page.erase()
        self._pages.remove(page)
        self._free.append(page)

    # start

    def _start(self):
        self._namespaces = {}
        self._load_pages()
        for page in self._pages:
            for _, item in page.items():
                if item.namespace == _NAMESPACES:
                    self._namespaces[item.key] = item.data[0]
        self._mend_blobs()

    def _load_pages(self):
        """PageManager::load()."""
        pages = [Page(self.flash, block) for block in range(self.flash.blocks)]
        self._pages = sorted([page for page in pages if page.in_use], key=lambda p: p.sequence)
        self._free = [page for page in pages if not page.in_use]
        self._sequence = self._pages[-1].sequence + 1 if self._pages else 0
        if not self._pages:
            self._activate()
            return
        self._erase_replaced()
        for page in list(self._pages):
            if page.state == FREEING:  # it was being copied: that begins anew
                if self._pages[-1].state == ACTIVE:
                    self._pages[-1].erase()
                    self._free.append(self._pages.pop())
                self._activate()
                self._move(page)
                break
        if not self._free:
            raise OSError(NO_FREE_PAGES)

    def _erase_replaced(self):
        """The power may have gone after the last item was written, before its forerunner, on an
        earlier page, was marked."""
        last = None
        for _, item in self._pages[-1].items():
            last = item
        for page in self._pages[:-1] if last else ():
            if page.state != FREEING:
                found = page.find(last.namespace, last.kind, last.key, last.chunk)
                if found:
                    page.erase_at(found[0])
                    break

    def _mend_blobs(self):
        """An index goes whose chunks do not add up (eraseMismatchedBlobIndexes()), then a chunk
        without its index (eraseOrphanDataBlobs())."""
        indexes, chunks = [], []
        for page in self._pages:
            for i, item in list(page.items()):
                if item.kind == BLOB_INDEX:
                    indexes.append((page, i, item))
                elif item.kind == BLOB_DATA:
                    chunks.append((page, i, item))
        owned = set()
        for page, i, index in indexes:
            size, count, start = index.blob_index()
            mine = [chunk for chunk in chunks if _is_of(chunk[2], index, start)]
            lengths = [struct.unpack("<H", item.data[:2])[0] for _, _, item in mine]
            if (sum(lengths), len(mine)) == (size, count):
                owned.update(id(chunk[2]) for chunk in mine)
            else:
                page.erase_at(i)
        for page, i, item in chunks:
            if id(item) not in owned:
                page.erase_at(i)


def _is_of(chunk, index, start: int) -> bool:
    """Whether a chunk bears the name of an index, and a number of the same version."""
    same = (chunk.namespace, chunk.raw[8:24]) == (index.namespace, index.raw[8:24])
    return same and start == chunk.chunk & 0x80
