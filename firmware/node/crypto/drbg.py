# SPDX-License-Identifier: MIT
"""HMAC-DRBG with SHA-256 (NIST SP 800-90A Rev. 1, §10.1.2), for random bytes while the radio is
off: os.urandom of an ESP32 is only strong while it is on, so the seed is drawn then, once.

There is no reseeding: 2^48 requests are allowed before it (table 2), and a restart brings a new
seed. After each request the state moves on by a one-way step, so that what was given before
cannot be computed from it.
"""

from node.crypto.hmac_sha256 import hmac_sha256

SEED_BYTES = 32  # of full entropy, at least; SP 800-90A wants a nonce of 16 more for 256 bits
_REQUEST_MAX = 65_536  # bytes, 2^19 bits


class Drbg:
    """seed: at least 32 bytes of full entropy; they are not kept. ValueError when it is shorter,
    or none."""

    def __init__(self, seed: bytes):
        if seed is None or len(seed) < SEED_BYTES:
            raise ValueError("the seed is too short")
        self._key = bytes(32)
        self._value = b"\x01" * 32
        self._update(bytes(seed))

    def _update(self, data: bytes):
        for step in (b"\x00", b"\x01") if data else (b"\x00",):
            self._key = hmac_sha256(self._key, self._value + step + data)
            self._value = hmac_sha256(self._key, self._value)

    def generate(self, length: int) -> bytes:
        """`length` random bytes, at most 65,536 (ValueError beyond)."""
        if length > _REQUEST_MAX:
            raise ValueError("more than one request may give")
        data = b""
        while len(data) < length:
            self._value = hmac_sha256(self._key, self._value)
            data += self._value
        self._update(b"")
        return data[:length]
