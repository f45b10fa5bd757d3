# SPDX-License-Identifier: MIT
"""Gets an earlier seal out of the flash, where NVS leaves it, and so the trees that mask.

NVS marks what is replaced and keeps its bytes until their page is erased, which may take weeks. It
erases the page with the most marked entries when it needs room: so the rest is filled with live
entries until the page of the old seal has its turn, and then they are deleted. One write a call.

An item is 32 bytes: its head, with the name at byte 8, then its data in the items that follow
(ESP-IDF, NVS, "Structure of entry"). A page whose erasure a power cut ended may hold data without
its head: NVS erases it when it needs it, and until then it counts as an earlier seal. Where a tree
is parted, the rest is on another page: the first part tells its epoch. Only the generator parts
one, and its trees are a root and zeros, all of which that matters is in the first part.
"""

import esp32

from node.device.keys import NAMESPACE

_BLOCK_BYTES = 4096
_ITEM = 32
_NAMES = {b"seal": b"\x002", b"mask": b"012"}  # and what comes behind; of two names: see kept.py
_BLOB_DATA = 0x42
_BLANK = b"\xff" * 128
_FILLER_BYTES = 480  # 17 items of a page's 126; when NVS or the heap has no room, half
_FILLER_BYTES_MIN = 30  # 3 items: less than an earlier seal takes, whose items are free
_FILLERS_MAX = 80  # 35 fill the stock partition of six pages but for its pages' ends


class NvsScrub:
    """step() until `stale` is 0: the count of earlier seals found in the raw partition."""

    def __init__(self):
        self._nvs = esp32.NVS(NAMESPACE)
        self._partition = esp32.Partition.find(esp32.Partition.TYPE_DATA, label="nvs")[0]
        self._chunk = bytearray(len(_BLANK))
        self._item = bytearray(3 * _ITEM)
        self._fillers = 0
        self._bytes = _FILLER_BYTES
        self.stale = 0

    def look(self, epoch: int) -> int:
        """Counts seals and trees of other epochs that can be read from the partition."""
        found = 0
        for block in range(self._partition.info()[3] // _BLOCK_BYTES):
            found += self._look_in(block, epoch.to_bytes(4, "big"))
        self.stale = found
        return found

    def _look_in(self, block: int, epoch: bytes) -> int:
        found = 0
        for at in range(0, _BLOCK_BYTES, len(self._chunk)):
            self._partition.readblocks(block, self._chunk, at)
            if at == 0:
                without_state = self._chunk[:4] == _BLANK[:4]
            if without_state and self._chunk != _BLANK:
                return 1
            for item in range(0, len(self._chunk), _ITEM):
                if self._is_head(item) and at + item + len(self._item) <= _BLOCK_BYTES:
                    self._partition.readblocks(block, self._item, at + item)
                    found += self._item[_ITEM : _ITEM + 4] != epoch
        return found

    def _is_head(self, at: int) -> bool:
        if self._chunk[at + 1] != _BLOB_DATA or self._chunk[at + 3] & 0x7F:
            return False  # no data, or not its first part; 0x80: each other time it is written
        ends = _NAMES.get(bytes(self._chunk[at + 8 : at + 12]), b"")
        return bytes(self._chunk[at + 12 : at + 13]) in ends

    def step(self, epoch: int) -> bool:
        """One write; False when there is nothing more to do, or to be done now. It looks after
        each, so that it ends as soon as a page was taken anew: there is room for others' writes.
        """
        if self._fillers == 0:
            self._clear()  # of a run that a power cut ended
            if self.look(epoch) == 0:
                return False
        more = self._fill() and self.look(epoch) > 0
        if not more:
            self._clear()
            self.look(epoch)
        return more

    def _fill(self) -> bool:
        """Writes a filler, as large as there is room for; False when there is none."""
        while self._bytes >= _FILLER_BYTES_MIN and self._fillers < _FILLERS_MAX:
            try:
                self._nvs.set_blob("f%d" % self._fillers, bytes(self._bytes))
                self._nvs.commit()
                self._fillers += 1
                return True
            except (OSError, MemoryError):
                self._bytes //= 2
        return False

    def _clear(self):
        """Deletes the fillers."""
        for number in range(_FILLERS_MAX):
            try:
                self._nvs.erase_key("f%d" % number)
                self._nvs.commit()
            except OSError:
                pass  # it is not there
        self._fillers = 0
        self._bytes = _FILLER_BYTES
