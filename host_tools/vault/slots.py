# SPDX-License-Identifier: MIT
"""How two factors together open a vault: one slot for each second factor that is enrolled.

    Argon2id(passphrase) ‖ the factor's secret ── HKDF ─▶ slot key ─▶ vault key, slot's X25519 key
                                                              slot's X25519 key ─▶ data key
                                             vault key ‖ data key ── HKDF ─▶ key of the image

The data key is sealed to each slot's public part (HPKE). So who removes a factor can give the
others a new data key while they lie in a safe, and nothing in the vault tells one factor's secret
to the holder of another. The vault key, in every slot, is what only they know who have once opened
the vault: without it no data key makes an image that opens.
"""

import dataclasses
import os
import unicodedata

import cbor2
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from host_tools.errors import ToolError

KEY_SIZE = 32
NONCE_SIZE = 12
_HPKE = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


@dataclasses.dataclass(frozen=True)
class Stretch:
    """How Argon2id (RFC 9106) makes a passphrase slow to guess. salt: 16 bytes, one for the vault,
    so that opening takes one call however many slots there are."""

    salt: bytes
    memory_kib: int = 128 * 1024
    passes: int = 3
    lanes: int = 4

    def is_sound(self) -> bool:
        """Whether the numbers are such as a vault has: not less than is safe, and not so much that
        a changed byte eats the machine's memory."""
        numbers = self.memory_kib, self.passes, self.lanes
        return (
            type(self.salt) is bytes
            and len(self.salt) == 16
            and all(type(number) is int for number in numbers)
            and 64 * 1024 <= self.memory_kib <= 1024 * 1024
            and 3 <= self.passes <= 16
            and 1 <= self.lanes <= 16
        )

    def of(self, passphrase: str) -> bytes:
        """32 bytes. The passphrase counts as RFC 8265 (OpaqueString) has it: Unicode NFC.
        ToolError when the machine has not the memory."""
        text = unicodedata.normalize("NFC", passphrase)
        derive = Argon2id(
            salt=self.salt, length=KEY_SIZE, iterations=self.passes,
            lanes=self.lanes, memory_cost=self.memory_kib,
        )  # fmt: skip
        try:
            return derive.derive(text.encode())
        except MemoryError:
            message = f"opening a vault takes {self.memory_kib // 1024} MiB of memory"
            raise ToolError(message, "close other programs, or use another machine") from None


@dataclasses.dataclass(frozen=True, repr=False)
class Slot:
    """One enrolled factor. number: never given twice; salt: 32 bytes, for the factor; kept: what
    its enrol() gave; wrapped: nonce ‖ sealed(vault key ‖ private part); box: the data key."""

    number: int
    kind: str
    label: str
    salt: bytes
    kept: bytes
    public: bytes
    wrapped: bytes
    box: bytes


@dataclasses.dataclass(repr=False)  # no key in a log or a traceback
class Keys:
    """What an open vault knows. vault_key never changes; data_key does when a factor goes."""

    vault_id: bytes
    vault_key: bytes
    data_key: bytes

    def image_key(self) -> bytes:
        return _derive(self.vault_key + self.data_key, b"lp1 vault image" + self.vault_id)


def new_keys() -> Keys:
    return Keys(os.urandom(16), os.urandom(KEY_SIZE), os.urandom(KEY_SIZE))


def check_label(label: str):
    """ToolError for a label that could not be shown: it stands unsealed, and anybody may change
    it."""
    if not is_label(label):
        raise ToolError("a label has at most 60 printable characters", "give a shorter --label")


def is_label(label: str) -> bool:
    return len(label) <= 60 and label.isprintable()


def make_slot(number: int, keys: Keys, stretch: Stretch, stretched: bytes, factor, kept: bytes):
    """The slot of a factor; kept: what its enrol() gave. stretched: stretch.of(passphrase)."""
    private = X25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    salt = os.urandom(KEY_SIZE)
    slot = Slot(number, factor.kind, factor.label, salt, kept, public, b"", b"")
    secret = factor.secret(salt, kept)
    if secret is None or len(secret) != KEY_SIZE:
        raise ValueError("a factor that does not know its own slot")
    key = _slot_key(keys.vault_id, stretched, secret)
    nonce = os.urandom(NONCE_SIZE)
    content = keys.vault_key + private.private_bytes_raw()
    sealed = AESGCMSIV(key).encrypt(nonce, content, _bound(keys.vault_id, stretch, slot))
    slot = dataclasses.replace(slot, wrapped=nonce + sealed)
    return with_data_key(slot, keys)


def with_data_key(slot: Slot, keys: Keys) -> Slot:
    """The slot with the present data key in its box: nothing secret of the slot is needed."""
    public = X25519PublicKey.from_public_bytes(slot.public)
    info = _box_info(keys.vault_id, slot)
    return dataclasses.replace(slot, box=_HPKE.encrypt(keys.data_key, public, info=info))


def open_slot(
    vault_id: bytes, slot: Slot, stretch: Stretch, stretched: bytes, secret: bytes
) -> Keys | None:
    """The vault's keys; None when passphrase, factor or slot are not the right ones."""
    key = _slot_key(vault_id, stretched, secret)
    nonce, sealed = slot.wrapped[:NONCE_SIZE], slot.wrapped[NONCE_SIZE:]
    try:
        content = AESGCMSIV(key).decrypt(nonce, sealed, _bound(vault_id, stretch, slot))
        private = X25519PrivateKey.from_private_bytes(content[KEY_SIZE:])
        data_key = _HPKE.decrypt(slot.box, private, info=_box_info(vault_id, slot))
    except (InvalidTag, ValueError):
        return None
    return Keys(vault_id, content[:KEY_SIZE], data_key)


def _slot_key(vault_id: bytes, stretched: bytes, secret: bytes) -> bytes:
    return _derive(stretched + secret, b"lp1 vault slot" + vault_id)


def _derive(key: bytes, info: bytes) -> bytes:
    return HKDF(hashes.SHA256(), KEY_SIZE, salt=None, info=info).derive(key)


def _bound(vault_id: bytes, stretch: Stretch, slot: Slot) -> bytes:
    """What a slot's sealed part is bound to: all else in it but the box, which changes alone."""
    parts = [vault_id, *dataclasses.astuple(stretch), slot.number, slot.kind, slot.label]
    parts += [slot.salt, slot.kept, slot.public]
    return cbor2.dumps(parts, canonical=True)


def _box_info(vault_id: bytes, slot: Slot) -> bytes:
    return b"lp1 vault data" + vault_id + slot.number.to_bytes(4)
