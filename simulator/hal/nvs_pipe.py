# SPDX-License-Identifier: MIT
"""NVS as a node process has it: the partition is kept by the conductor (simulator/nvs_answers.py),
since on a board, too, NVS takes nothing of the heap that Python has.

    board     ▶ \x01nvs <ms> <get|has|set|erase|read> …          values and bytes in hex
    conductor ▶ a value in hex, or !<error code>, or stop: the power has failed meanwhile
"""

import binascii

from simulator.hal.bench import bench

_PIECE = 64


class NvsPipe:
    """The namespaces, and the partition to be read; blocks: its size."""

    def __init__(self, blocks: int):
        self.blocks = blocks

    def _ask(self, *words) -> bytes:
        answer = bench.ask("nvs", bench.now_ms, *words).strip()
        if answer[:1] == "!":
            raise OSError(int(answer[1:]))
        return binascii.unhexlify(answer)

    def get(self, namespace: str, key: str, kind: str):
        """bytes of a blob, the number of an i32; OSError(ESP_ERR_NVS_NOT_FOUND)."""
        value = self._ask("get", namespace, key, kind)
        return value if kind == "blob" else int(value)

    def has(self, namespace: str, key: str) -> bool:
        return self._ask("has", namespace, key) == b"\x01"

    def set(self, namespace: str, key: str, kind: str, value):
        self._ask("set", namespace, key, kind, value if kind == "blob" else str(value).encode())

    def erase_key(self, namespace: str, key: str):
        self._ask("erase", namespace, key)

    def read_into(self, at: int, buf):
        for i in range(0, len(buf), _PIECE):  # the heap is small
            piece = buf[i : i + _PIECE]
            buf[i : i + len(piece)] = self._ask("read", at + i, len(piece))

    def program(self, at: int, data):
        raise OSError(-0x104)  # nobody but NVS writes here

    def erase(self, block: int):
        raise OSError(-0x104)
