# SPDX-License-Identifier: MIT
"""NVS as a node process has it: the partition is kept by the conductor (simulator/nvs_answers.py),
since on a board, too, NVS takes nothing of the heap that Python has.

    board     ▶ \x01nvs <ms> <get|set|erase|read> …          values and bytes in hex
    conductor ▶ a value in hex, or !<error code>, or stop: the power has failed meanwhile
"""

import binascii

from simulator.hal.bench import bench


class NvsPipe:
    """The namespaces, and the partition to be read; blocks: its size."""

    def __init__(self, blocks: int):
        self.blocks = blocks

    def _ask(self, *words) -> bytes:
        question = "nvs %d " % bench.now_ms + " ".join([str(word) for word in words])
        answer = bench.ask(question).strip()
        if answer[:1] == "!":
            raise OSError(int(answer[1:]))
        return binascii.unhexlify(answer)

    def get(self, namespace: str, key: str, kind: str):
        """bytes of a blob, the number of an i32; OSError(ESP_ERR_NVS_NOT_FOUND)."""
        value = self._ask("get", namespace, key, kind)
        return value if kind == "blob" else int(value)

    def set(self, namespace: str, key: str, kind: str, value):
        value = value if kind == "blob" else str(value).encode()
        self._ask("set", namespace, key, kind, binascii.hexlify(value).decode())

    def erase_key(self, namespace: str, key: str):
        self._ask("erase", namespace, key)

    def read_into(self, at: int, buf):
        buf[:] = self._ask("read", at, len(buf))

    def program(self, at: int, data):
        raise OSError(-0x104)  # nobody but NVS writes here

    def erase(self, block: int):
        raise OSError(-0x104)
