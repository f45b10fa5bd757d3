# SPDX-License-Identifier: MIT
"""What everybody may have of a controller: the key that checks its tokens, and the one to which
roots are sealed on their way to it. ../controller/README.md has the layout.

Sealed is by HPKE (RFC 9180) with ML-KEM-768 and X25519 together, HKDF-SHA-256, AES-256-GCM: who
records the file today opens it neither with a quantum computer, nor when ML-KEM should fall.
"""

import dataclasses
import hashlib
from pathlib import Path

import cbor2
from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)

from host_tools.errors import ToolError
from host_tools.provisioning.ed25519_key import is_verifying_key

LABEL = "lp1 controller key"
_KEM_PUBLIC = 1184
_NAME_MAX = 64


@dataclasses.dataclass(frozen=True)
class ControllerKey:
    """name: the office's; signing: 32 bytes (Ed25519); sealing: 1,216 bytes (ML-KEM-768 ‖
    X25519)."""

    name: str
    signing: bytes
    sealing: bytes

    def encode(self) -> bytes:
        return cbor2.dumps([LABEL, self.name, self.signing, self.sealing], canonical=True)

    def fingerprint(self) -> str:
        """To be compared by telephone: 32 hexadecimal digits in fours."""
        digits = hashlib.sha256(self.encode()).hexdigest()[:32]
        return " ".join(digits[at : at + 4] for at in range(0, 32, 4))

    def verifier(self) -> Ed25519PublicKey:
        """What checks its tokens: see documents.Token.verify."""
        return Ed25519PublicKey.from_public_bytes(self.signing)

    def seal(self, plaintext: bytes, info: bytes) -> bytes:
        """For the eyes of this controller only."""
        kem, curve = self.sealing[:_KEM_PUBLIC], self.sealing[_KEM_PUBLIC:]
        parts = MLKEM768PublicKey.from_public_bytes(kem), X25519PublicKey.from_public_bytes(curve)
        return _suite().encrypt(plaintext, MLKEM768X25519PublicKey(*parts), info)


def decode(encoded: bytes, name: str = "the key") -> ControllerKey:
    """ToolError unless these bytes are the one encoding of a controller's key."""
    try:
        label, *fields = cbor2.loads(encoded)
        key = ControllerKey(*fields)
        if label == LABEL and _is_whole(key) and key.encode() == encoded:
            key.verifier()
            MLKEM768PublicKey.from_public_bytes(key.sealing[:_KEM_PUBLIC])
            return key
    except (cbor2.CBORError, ValueError, TypeError):
        pass
    message = f"{name} is not the public key of a controller"
    raise ToolError(message, "it is controller.public in the controller's folder") from None


def read_key(path: Path) -> ControllerKey:
    """The key in a file controller.public."""
    try:
        encoded = Path(path).read_bytes()
    except OSError as err:
        raise ToolError(f"{path}: {err.strerror}", "give the controller's public key") from err
    return decode(encoded, str(path))


def is_name(text: str) -> bool:
    """Whether an office may have this name: it is shown to people, in tokens and in the log."""
    return text.isprintable() and len(text.strip()) > 0 and len(text) <= _NAME_MAX


def _is_whole(key: ControllerKey) -> bool:
    texts = type(key.name) is str and is_name(key.name)
    keys = type(key.signing) is bytes and type(key.sealing) is bytes
    sizes = keys and len(key.sealing) == _KEM_PUBLIC + 32
    return texts and sizes and is_verifying_key(key.signing)


def _suite() -> Suite:
    """ToolError where the library was built without ML-KEM."""
    try:
        return Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
    except UnsupportedAlgorithm as err:
        message = "this machine's cryptography library knows no ML-KEM"
        hint = "take the wheel of PyPI: pip install --upgrade cryptography"
        raise ToolError(message, hint) from err


def new_sealing_secret() -> bytes:
    """ML-KEM-768 seed ‖ X25519 key."""
    kem, curve = MLKEM768PrivateKey.generate(), X25519PrivateKey.generate()
    return kem.private_bytes_raw() + curve.private_bytes_raw()


def sealing_public(secret: bytes) -> bytes:
    kem, curve = _parts(secret)
    return kem.public_key().public_bytes_raw() + curve.public_key().public_bytes_raw()


def unseal(sealed: bytes, secret: bytes, info: bytes) -> bytes | None:
    """What was sealed for the holder of `secret`; None when it was not, or is damaged."""
    try:
        return _suite().decrypt(sealed, MLKEM768X25519PrivateKey(*_parts(secret)), info)
    except (InvalidTag, ValueError):
        return None


def _parts(secret: bytes):
    kem, curve = secret[:64], secret[64:]
    return MLKEM768PrivateKey.from_seed_bytes(kem), X25519PrivateKey.from_private_bytes(curve)
