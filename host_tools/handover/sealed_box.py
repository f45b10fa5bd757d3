# SPDX-License-Identifier: MIT
"""Seals bytes to the holder of an X25519 key: HPKE (RFC 9180), base mode, X25519, HKDF-SHA-256,
AES-256-GCM. It says nothing about who sealed them: the document around it is signed.

box = encapsulated key (32) ‖ ciphertext ‖ tag (16)
"""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

KEY_BYTES = 32
MORE_BYTES = KEY_BYTES + 16  # than what is sealed
_SUITE = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


def seal(plaintext: bytes, public: bytes, info: bytes) -> bytes:
    """info: what the box is bound to; it opens with the same alone."""
    return _SUITE.encrypt(plaintext, X25519PublicKey.from_public_bytes(public), info=info)


def unseal(box: bytes, secret: bytes, info: bytes) -> bytes | None:
    """None when it is another's, altered, or bound to something else."""
    try:
        return _SUITE.decrypt(box, X25519PrivateKey.from_private_bytes(secret), info=info)
    except (InvalidTag, ValueError):
        return None


def is_key(public) -> bool:
    """Whether something can be sealed to it: a point of low order gives no secret."""
    if type(public) is not bytes or len(public) != KEY_BYTES:
        return False
    try:
        X25519PrivateKey.generate().exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError:
        return False
    return True
