# SPDX-License-Identifier: MIT
"""Look-alike of MicroPython's `esp32`: NVS that survives in a file, and the pulse counter."""

import binascii
import json

from simulator.buses.counter import PulseCounter
from simulator.hal.bench import bench
from simulator.hal.host_file import open_host, rename_host

_NOT_FOUND = -0x1102  # ESP_ERR_NVS_NOT_FOUND
_INVALID_LENGTH = -0x110C
_KEY_MAX = 15


class NVS:
    """A namespace of non-volatile storage: 32-bit integers and blobs, durable at commit()."""

    def __init__(self, namespace):
        self._check(namespace)
        self._namespace = namespace
        with open_host(bench.folder + "/nvs.json", "r") as file:
            self._all = json.load(file)
        self._items = self._all.setdefault(namespace, {})

    def _check(self, key):
        if not 0 < len(key) <= _KEY_MAX:
            raise OSError(-0x1109)  # ESP_ERR_NVS_KEY_TOO_LONG

    def _get(self, key, kind):
        self._check(key)
        item = self._items.get(key)
        if item is None or item[0] != kind:
            raise OSError(_NOT_FOUND)
        return item[1]

    def set_i32(self, key, value):
        self._check(key)
        if not -(1 << 31) <= value < 1 << 31:
            raise OverflowError
        self._items[key] = ["i32", value]

    def get_i32(self, key) -> int:
        return self._get(key, "i32")

    def set_blob(self, key, value):
        self._check(key)
        self._items[key] = ["blob", binascii.hexlify(value).decode()]

    def get_blob(self, key, buffer) -> int:
        """Fills the buffer; returns the blob's length. OSError when it does not fit."""
        value = binascii.unhexlify(self._get(key, "blob"))
        if len(value) > len(buffer):
            raise OSError(_INVALID_LENGTH)
        buffer[: len(value)] = value
        return len(value)

    def erase_key(self, key):
        self._check(key)
        if key not in self._items:
            raise OSError(_NOT_FOUND)
        del self._items[key]

    def commit(self):
        path = bench.folder + "/nvs.json"
        with open_host(path + ".new", "w") as file:
            json.dump(self._all, file)
        rename_host(path + ".new", path)


class PCNT(PulseCounter):
    """A hardware pulse counter on one pin."""

    IGNORE, INCREMENT, DECREMENT = 0, 1, 2

    def __init__(self, id, **options):
        if not 0 <= id < 8:
            raise ValueError("invalid unit")
        self.init(**options)

    def init(
        self, *, channel=0, pin=None, rising=0, falling=0, mode_pin=None, mode_low=0, mode_high=0,
        filter=0, min=-32_768, max=32_767, value=0,
    ):  # fmt: skip
        if not (-32_768 <= min <= 0 <= max <= 32_767 and 0 <= filter <= 1023):
            raise ValueError("limit out of range")
        chip = bench.counters.get(pin.id) if rising == self.INCREMENT else None
        PulseCounter.__init__(self, bench.now, chip, max)

    def start(self):
        pass

    def stop(self):
        pass


class Partition:
    """The NVS partition, to be read: what lies in it is the file that NVS survives in."""

    TYPE_APP, TYPE_DATA = 0, 1

    def __init__(self, label="nvs"):
        if label != "nvs":
            raise OSError(_NOT_FOUND)

    @staticmethod
    def find(type=1, subtype=0xFF, label=None, block_size=4096):
        return [Partition()] if label in (None, "nvs") else []

    def info(self) -> tuple:
        return 1, 2, 0x9000, 0x6000, "nvs", False

    def readblocks(self, block, buf, offset=0):
        with open_host(bench.folder + "/nvs.json", "rb") as file:
            file.seek(block * 4096 + offset)
            data = file.read(len(buf))
        buf[:] = data + b"\xff" * (len(buf) - len(data))
