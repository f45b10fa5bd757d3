# SPDX-License-Identifier: MIT
"""Third stage: records become an envelope that only a holder of the node's seal can open.

The plaintext is padded to a length that the policy alone decides, so a quiet street and a busy one
look alike. The counter in the nonce starts at 0 with each series and epoch and lives in RAM; the
series is drawn at power-up, so no power cut can repeat a key and nonce.

    key (32) ‖ base IV (13) = HKDF-Expand(seal_e, "lp1 up" ‖ series, 45)
"""

from node import cbor
from node.crypto import ccm
from node.crypto.hkdf import expand
from node.errors import KeyMissing
from node.pipeline import envelope

_COUNTER_END = 1 << 40  # five bytes of partial IV


def series_keys(seal: bytes, series: bytes):
    """(key of 32 bytes, base IV of 13 bytes)."""
    material = expand(seal, b"lp1 up" + series, 45)
    return material[:32], material[32:]


class Sealer:
    """series: the 8 bytes drawn at this power-up. Keys may step to another epoch at any time."""

    unmasked = 0  # records of the last envelope that tell nothing: see masked.py

    def __init__(self, keys, node_id: str, policy, series: bytes):
        self.keys = keys
        self._node_id = node_id
        self._series = series
        self._epoch = None
        self.use(policy)

    def use(self, policy):
        """Seals under this policy from now on. Key and counter stay: they are not bound to it."""
        self.policy = policy
        if policy.digest is not None:
            aad = envelope.aad(self._node_id, "up", policy.digest)
            self.aad = envelope.enc_structure(aad)

    def _begin_epoch(self):
        epoch = self.keys.epoch
        self._key, self._base_iv = series_keys(self.keys.seal, self._series)
        self._counter = 0
        self._epoch = epoch  # last: if something above fails, the next try begins anew

    def seal(self, log: bytes, number: int, floor: int, records: list, instant_s) -> bytes:
        """The envelope of the records released at `instant_s` (Unix time; None: no records)."""
        if self.keys.seal is None:
            raise KeyMissing("seal")
        if self.policy.digest is None:
            raise KeyMissing("policy")
        if self._epoch != self.keys.epoch:
            self._begin_epoch()
        if self._counter >= _COUNTER_END:
            raise KeyMissing("counter")
        plaintext = cbor.encode([log, number, floor, records])
        length = self.policy.padded_length(instant_s)
        if len(plaintext) > length:
            raise KeyMissing("padding")  # a bug: the length would tell; the reason must not
        nonce = envelope.nonce(self._base_iv, self._counter)
        counter = self._counter
        self._counter += 1  # before the use: a failure below must not give the nonce again
        plaintext += bytes(length - len(plaintext))
        ciphertext = ccm.encrypt(self._key, nonce, plaintext, self.aad)
        kid = envelope.kid(self._epoch, self._series, self.policy.digest)
        return envelope.pack(kid, counter, ciphertext)
