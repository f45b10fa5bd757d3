# SPDX-License-Identifier: MIT
"""Answers what a board asks of its NVS: the other end of hal/nvs_pipe.py."""

from pathlib import Path

from simulator.world.flash import Flash
from simulator.world.nvs import NvsPartition


class NvsAnswers:
    """The partition in the file `path`. power_up() begins; answer() may raise PowerCut."""

    def __init__(self, path: Path):
        self._path = str(path)
        self.flash = Flash(self._path)
        self.blocks = self.flash.blocks
        self._nvs = None

    def power_up(self):
        """Opens it as a board does at its start, which mends what a power cut has left."""
        self.close()
        self.flash = Flash(self._path)
        self._nvs = NvsPartition(self.flash)

    def close(self):
        self.flash.close()

    def answer(self, words: list[str]) -> str:
        """One line for a question: [verb, argument, …]."""
        try:
            return getattr(self, "_" + words[0])(*words[1:]).hex()
        except OSError as err:
            return f"!{err.args[0]}"

    def _get(self, namespace: str, key: str, kind: str) -> bytes:
        value = self._nvs.get(namespace, key, kind)
        return value if kind == "blob" else str(value).encode()

    def _has(self, namespace: str, key: str) -> bytes:
        return bytes([self._nvs.has(namespace, key)])

    def _set(self, namespace: str, key: str, kind: str, value: str = "") -> bytes:
        data = bytes.fromhex(value)
        self._nvs.set(namespace, key, kind, data if kind == "blob" else int(data))
        return b""

    def _erase(self, namespace: str, key: str) -> bytes:
        self._nvs.erase_key(namespace, key)
        return b""

    def _read(self, at: str, size: str) -> bytes:
        data = bytearray(int(size))
        self.flash.read_into(int(at), data)
        return bytes(data)
