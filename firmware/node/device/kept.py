# SPDX-License-Identifier: MIT
"""A blob in NVS that changes, and that no power cut loses.

ESP-IDF may lose a blob that it replaces: when the power goes between the new data and its index,
its start-up takes the old data for what was to be erased (nvs_page.cpp, mLoadEntryTable(), "check
that last item is not duplicate"). So nothing is replaced here: the new value goes under the other
of two names, and then the one before is erased.
"""


def read_blob(nvs, name: str, length: int, item: int = 1, items: int = 0):
    """The blob `name` of `length` bytes, with up to `items` more of `item` bytes each; None when
    there is none."""
    buffer = bytearray(length + items * item)
    try:
        found = nvs.get_blob(name, buffer)
    except OSError:
        return None
    if found < length or (found - length) % item:
        return None
    return bytes(memoryview(buffer)[:found])


class Kept:
    """value: bytes of one length (item, items: see read_blob()), or None. Of two that a cut left
    the greater counts, so its first bytes should be a count that rises."""

    def __init__(self, nvs, name: str, length: int, item: int = 1, items: int = 0):
        self._nvs = nvs
        self._names = (name, name + "2")
        self._at = 1
        self.value = None
        for i in range(2):
            blob = read_blob(nvs, self._names[i], length, item, items)
            if blob is not None and (self.value is None or blob > self.value):
                self.value, self._at = blob, i
        if self.value is not None:
            self._erase(1 - self._at)

    def keep(self, value: bytes):
        """Durable when it returns. OSError: the value before is still there, and is the one that
        counts, also after a restart; only if nothing can be erased either may what was to be kept
        count from the next start on. An old value that cannot be erased goes at the next call, or
        start."""
        if value == self.value:
            return
        at = 1 - self._at
        try:
            self._erase(at)  # what a cut left
            self._nvs.set_blob(self._names[at], value)
            self._nvs.commit()
        except OSError:
            self._erase(at)  # it may have been written, and is the greater
            raise
        self._erase(self._at)
        self.value, self._at = value, at

    def _erase(self, i: int):
        try:
            self._nvs.erase_key(self._names[i])
            self._nvs.commit()
        except OSError:
            pass  # it is not there, or there are two for a while, of which the greater counts
