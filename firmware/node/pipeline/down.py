# SPDX-License-Identifier: MIT
"""What comes back on `down`: a receipt says which envelopes the store holds, a command asks the
node to do something.

A receipt states facts, so a replay is harmless. A command carries a number, which the node notes
before it acts: it works once. A part of a policy comes as a command, and states a fact as well.
"""

from node import cbor
from node.cbor import is_number
from node.crypto import ccm
from node.errors import FormatError, KeyMissing
from node.pipeline import envelope


def kind(message: bytes):
    """b"r" for a receipt, b"c" for a command; FormatError if it is neither."""
    return envelope.unpack_down(message)[0]


class Opener:
    """word: "receipt" or "command"; key: the node's key for it, 32 bytes or None."""

    def __init__(self, word: str, key, node_id: str):
        self.has_key = key is not None
        self._word = word
        self._key = key
        self._aad = envelope.enc_structure(envelope.aad(node_id, word, None))

    def _fields(self, message: bytes) -> list:
        if self._key is None:
            raise KeyMissing(self._word)
        kid, iv, ciphertext = envelope.unpack_down(message)
        if kid != self._word[:1].encode():
            raise FormatError("not a " + self._word)
        fields = cbor.decode(ccm.decrypt(self._key, iv, ciphertext, self._aad))
        if not isinstance(fields, list):
            raise FormatError("not a " + self._word)
        return fields


class ReceiptOpener(Opener):
    """key: the node's receipt key."""

    def __init__(self, key, node_id: str):
        Opener.__init__(self, "receipt", key, node_id)

    def open(self, message: bytes):
        """(time in Unix seconds, log, upto, [[from, to], …]); FormatError, OpenError, KeyMissing.
        """
        fields = self._fields(message)
        try:
            time_s, log, upto, ranges = fields
            numbers = [time_s, upto]
            for first, last in ranges:
                numbers += [first, last]
                if not 0 < first <= last:
                    raise FormatError("range")
        except (TypeError, ValueError):
            raise FormatError("not a receipt")
        if [1 for n in numbers if not is_number(n)]:
            raise FormatError("not a receipt")
        return time_s, log, upto, ranges


class CommandOpener(Opener):
    """key: the node's command key."""

    def __init__(self, key, node_id: str):
        Opener.__init__(self, "command", key, node_id)

    def open(self, message: bytes):
        """(number, verb, [argument, …]); FormatError, OpenError, KeyMissing."""
        fields = self._fields(message)
        if len(fields) < 2 or not is_number(fields[0]) or not isinstance(fields[1], str):
            raise FormatError("not a command")
        return fields[0], fields[1], fields[2:]
