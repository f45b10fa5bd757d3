# SPDX-License-Identifier: MIT
"""What the newest envelopes tell at a start: up to when records were released. Used once, and
forgotten."""

from node import cbor
from node.crypto import ccm
from node.errors import FormatError, OpenError
from node.pipeline import envelope
from node.pipeline.seal import series_keys


def instant_s(sealer, sealed: bytes):
    """When the records of an envelope that this node sealed were released (Unix time). None when
    it has none, or is of another epoch or policy, so that it does not open."""
    keys, policy = sealer.keys, sealer.policy
    try:
        _, epoch, series, _, counter, ciphertext = envelope.unpack(sealed)
        if keys.seal is None or policy.digest is None or epoch != keys.epoch:
            return None
        key, base_iv = series_keys(keys.seal, series)
        nonce = envelope.nonce(base_iv, counter)
        plaintext = ccm.decrypt(key, nonce, ciphertext, sealer.aad)
    except (FormatError, OpenError):
        return None
    records = cbor.decode_first(plaintext)[0][3]
    for stream in policy.streams:
        if records and stream.number == records[0][0]:
            return (records[0][1] + 1) * stream.window_s
    return None
