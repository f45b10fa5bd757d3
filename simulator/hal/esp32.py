# SPDX-License-Identifier: MIT
"""Look-alike of MicroPython's `esp32`: NVS, partitions of the flash, and the pulse counter."""

from simulator.hal.bench import bench
from simulator.world.flash import BLOCK_BYTES

_NOT_FOUND = -0x1102  # ESP_ERR_NVS_NOT_FOUND
_INVALID_LENGTH = -0x110C
_KEY_MAX = 15


class NVS:
    """A namespace of non-volatile storage: 32-bit integers and blobs, durable at commit()."""

    def __init__(self, namespace):
        self._check(namespace)
        self._namespace = namespace
        self._pending = []  # [name, kind, value] in order; kind None: it is erased

    def _check(self, key):
        if not 0 < len(key) <= _KEY_MAX:
            raise OSError(-0x1109)  # ESP_ERR_NVS_KEY_TOO_LONG

    def _get(self, key, kind):
        self._check(key)
        for name, known, value in reversed(self._pending):
            if name == key and known in (kind, None):
                if known is None:
                    raise OSError(_NOT_FOUND)
                return value
        return bench.nvs.get(self._namespace, key, kind)

    def set_i32(self, key, value):
        self._check(key)
        if not -(1 << 31) <= value < 1 << 31:
            raise OverflowError
        self._pending.append((key, "i32", value))

    def get_i32(self, key) -> int:
        return self._get(key, "i32")

    def set_blob(self, key, value):
        self._check(key)
        if not isinstance(value, bytes):
            value = bytes(value)
        self._pending.append((key, "blob", value))

    def get_blob(self, key, buffer) -> int:
        """Fills the buffer; returns the blob's length. OSError when it does not fit."""
        value = self._get(key, "blob")
        if len(value) > len(buffer):
            raise OSError(_INVALID_LENGTH)
        buffer[: len(value)] = value
        return len(value)

    def erase_key(self, key):
        self._check(key)
        kinds = [kind for name, kind, _ in self._pending if name == key]
        if kinds[-1] is None if kinds else not bench.nvs.has(self._namespace, key):
            raise OSError(_NOT_FOUND)
        self._pending.append((key, None, None))

    def commit(self):
        pending, self._pending = self._pending, []
        for key, kind, value in pending:
            if kind is None:
                bench.nvs.erase_key(self._namespace, key)
            else:
                bench.nvs.set(self._namespace, key, kind, value)


class Partition:
    """A partition of the flash, which is a block device; NVS can be read as it lies there."""

    TYPE_APP, TYPE_DATA = 0, 1

    def __init__(self, label="nvs"):
        if label not in bench.partitions:
            raise OSError(-0x105)  # ESP_ERR_NOT_FOUND
        self._label = label
        self._flash = bench.partitions[label]

    @staticmethod
    def find(type=1, subtype=0xFF, label=None, block_size=4096):
        return [Partition(name) for name in sorted(bench.partitions) if label in (None, name)]

    def info(self) -> tuple:
        return 1, 0x81, 0, self._flash.blocks * BLOCK_BYTES, self._label, False

    def readblocks(self, block, buf, offset=0):
        self._flash.read_into(block * BLOCK_BYTES + offset, buf)

    def writeblocks(self, block, buf, offset=None):
        """With an offset the place must have been erased; without, whole blocks are replaced."""
        if offset is None:
            offset = 0
            for i in range(len(buf) // BLOCK_BYTES):
                self._flash.erase(block + i)
        self._flash.program(block * BLOCK_BYTES + offset, buf)

    def ioctl(self, operation, argument):
        if operation == 4:
            return self._flash.blocks
        if operation == 5:
            return BLOCK_BYTES
        if operation == 6:
            self._flash.erase(argument)
        return 0


def __getattr__(name):
    """What not every kit uses is loaded when it is: a node's heap is small."""
    from simulator.hal import pulse_counter

    return getattr(pulse_counter, name)
