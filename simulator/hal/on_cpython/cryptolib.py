# SPDX-License-Identifier: MIT
"""MicroPython's `cryptolib` as a stock ESP32 has it: AES in ECB (1) and CBC (2), no CTR."""

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes


class aes:
    """One object either encrypts or decrypts; input is a multiple of 16 bytes."""

    def __init__(self, key, mode, IV=None):
        if mode not in (1, 2) or len(key) not in (16, 32):
            raise ValueError("mode" if mode not in (1, 2) else "key")
        if mode == 2 and (IV is None or len(IV) != 16):
            raise ValueError("IV")
        block_mode = modes.ECB() if mode == 1 else modes.CBC(bytes(IV))
        self._cipher = Cipher(algorithms.AES(bytes(key)), block_mode)
        self._context = None
        self._direction = None

    def _run(self, direction, data, buf):
        if self._context is None:
            self._direction = direction
            self._context = getattr(self._cipher, direction + "or")()
        if self._direction != direction or len(data) % 16:
            raise ValueError("blksize % 16" if len(data) % 16 else "can't encrypt & decrypt")
        out = self._context.update(bytes(data))
        if buf is None:
            return out
        buf[: len(out)] = out
        return buf

    def encrypt(self, in_buf, out_buf=None):
        return self._run("encrypt", in_buf, out_buf)

    def decrypt(self, in_buf, out_buf=None):
        return self._run("decrypt", in_buf, out_buf)
