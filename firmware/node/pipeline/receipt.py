# SPDX-License-Identifier: MIT
"""What comes back: a receipt says which envelopes the store holds. It states facts, so a replay is
harmless."""

from node import cbor
from node.crypto import ccm
from node.errors import FormatError
from node.pipeline import envelope


class ReceiptOpener:
    """key: the node's receipt key (32 bytes)."""

    def __init__(self, key: bytes, node_id: str):
        self._key = key
        self._aad = envelope.enc_structure(envelope.aad(node_id, "receipt", None))

    def open(self, message: bytes):
        """(time in Unix seconds, log, upto, [[from, to], …]); FormatError or OpenError."""
        kid, iv, ciphertext = envelope.unpack_down(message)
        if kid != b"r":
            raise FormatError("not a receipt")
        fields = cbor.decode(ccm.decrypt(self._key, iv, ciphertext, self._aad))
        try:
            time_s, log, upto, ranges = fields
            numbers = [time_s, upto]
            for first, last in ranges:
                numbers += [first, last]
                if not 0 < first <= last:
                    raise FormatError("range")
        except (TypeError, ValueError):
            raise FormatError("not a receipt")
        if [1 for n in numbers if isinstance(n, bool) or not isinstance(n, int) or n >> 32]:
            raise FormatError("not a receipt")
        return time_s, log, upto, ranges
