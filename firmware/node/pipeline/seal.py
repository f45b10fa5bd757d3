# SPDX-License-Identifier: MIT
"""Third stage: records become an envelope that only a holder of the node's seal can open.

The plaintext is padded to a length that the policy alone decides, so a quiet street and a busy one
look alike. The counter in the nonce starts at 0 with each series and epoch and lives in RAM; the
series is drawn at power-up, so no power cut can repeat a key and nonce.
"""

from node import cbor
from node.crypto import ccm, seal_chain
from node.errors import FormatError, KeyMissing, OpenError
from node.pipeline import envelope

_COUNTER_END = 1 << 40  # five bytes of partial IV


class Sealer:
    """series: the 8 bytes drawn at this power-up. Keys may step to another epoch at any time."""

    unmasked = 0  # records of the last envelope that tell nothing: see masked.py

    def __init__(self, keys, node_id: str, policy, series: bytes):
        self._keys = keys
        self._node_id = node_id
        self._series = series
        self._epoch = None
        self.use(policy)

    def use(self, policy):
        """Seals under this policy from now on. Key and counter stay: they are not bound to it."""
        self._policy = policy
        if policy.digest is not None:
            aad = envelope.aad(self._node_id, "up", policy.digest)
            self._aad = envelope.enc_structure(aad)

    def _begin_epoch(self):
        epoch = self._keys.epoch
        self._key, self._base_iv = seal_chain.series_keys(self._keys.seal, self._series)
        self._counter = 0
        self._epoch = epoch  # last: if something above fails, the next try begins anew

    def seal(self, log: bytes, number: int, floor: int, records: list, instant_s) -> bytes:
        """The envelope of the records released at `instant_s` (Unix time; None: no records)."""
        if self._keys.seal is None:
            raise KeyMissing("seal")
        if self._policy.digest is None:
            raise KeyMissing("policy")
        if self._epoch != self._keys.epoch:
            self._begin_epoch()
        if self._counter >= _COUNTER_END:
            raise KeyMissing("counter")
        plaintext = cbor.encode([log, number, floor, records])
        length = self._policy.padded_length(instant_s)
        if len(plaintext) > length:
            raise KeyMissing("padding")  # a bug: the length would tell; the reason must not
        nonce = envelope.nonce(self._base_iv, self._counter)
        counter = self._counter
        self._counter += 1  # before the use: a failure below must not give the nonce again
        plaintext += bytes(length - len(plaintext))
        ciphertext = ccm.encrypt(self._key, nonce, plaintext, self._aad)
        kid = envelope.kid(self._epoch, self._series, self._policy.digest)
        return envelope.pack(kid, counter, ciphertext)

    def instant_s(self, sealed: bytes):
        """When the records of an envelope that this node sealed were released (Unix time). None
        when it has none, or is of another epoch or policy, so that it does not open."""
        try:
            _, epoch, series, _, counter, ciphertext = envelope.unpack(sealed)
            if self._keys.seal is None or self._policy.digest is None or epoch != self._keys.epoch:
                return None
            key, base_iv = seal_chain.series_keys(self._keys.seal, series)
            nonce = envelope.nonce(base_iv, counter)
            plaintext = ccm.decrypt(key, nonce, ciphertext, self._aad)
        except (FormatError, OpenError):
            return None
        records = cbor.decode_first(plaintext)[0][3]
        for stream in self._policy.streams:
            if records and stream.number == records[0][0]:
                return (records[0][1] + 1) * stream.window_s
        return None
