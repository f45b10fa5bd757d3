# SPDX-License-Identifier: MIT
"""What is signed, and what is published.

signed policy     rules ‖ LMS signature (2,512 bytes): what a node is given
published policy  ["lp1 published policy", rules, terms, signature], deterministic CBOR, in a
                  file *.policy: what a store is given, and anybody who asks
key folder        seed (secret: seed and identifier of the LMS key), state (what is used up of
                  it), policy.key (60 bytes: the public key that nodes are given)
"""

import contextlib
import dataclasses
import hashlib
import io
import os
from pathlib import Path

import cbor2

from host_tools.errors import ToolError
from host_tools.policy.names import check_names
from host_tools.policy.terms import Terms, read_terms
from host_tools.private_file import write_private
from host_tools.provisioning.lms_signer import Signer
from host_tools.public_file import write_public
from node.crypto import lms
from node.errors import FormatError, OpenError, PolicyError
from node.policy.rules import Policy

LABEL = "lp1 published policy"
SUFFIX = ".policy"
SEED, STATE, PUBLIC_KEY = "seed", "state", "policy.key"
_SEED_LENGTH, _IDENTIFIER_LENGTH = 32, 16
_AGAIN = "get it again from who published it"


@dataclasses.dataclass(frozen=True)
class PublishedPolicy:
    """Rules, their terms, and the signature of the rules; checked when read."""

    rules: bytes
    terms: bytes
    signature: bytes

    def signed(self) -> bytes:
        """As a node is given it."""
        return self.rules + self.signature

    def encode(self) -> bytes:
        return cbor2.dumps([LABEL, self.rules, self.terms, self.signature], canonical=True)

    def policy(self) -> Policy:
        return Policy(self.rules)

    def read_terms(self) -> Terms:
        return read_terms(self.terms)


def make_key(folder: Path, witness_folder: Path | None = None) -> Signer:
    """A new key in a folder, which is made where it is missing. ToolError when there is one."""
    folder = Path(folder)
    seed_path = folder / SEED
    if seed_path.exists():
        raise ToolError(f"{seed_path} is there already", "take a new folder for a new key")
    secret = os.urandom(_SEED_LENGTH + _IDENTIFIER_LENGTH)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # The seed last: with it the key is whole.
        signer = Signer.create(*_parts(secret), folder / STATE, witness_folder)
        write_public(folder / PUBLIC_KEY, signer.public_key)
        write_private(seed_path, secret)
    except OSError as err:
        raise ToolError(f"{folder}: {err.strerror}", "take a folder that can be written") from err
    return signer


def load_key(folder: Path, witness_folder: Path | None = None) -> Signer:
    """The key of a folder. ToolError when it is not whole."""
    folder = Path(folder)
    try:
        secret = (folder / SEED).read_bytes()
    except OSError as err:
        hint = "make a key with `lamppost policy keygen`, or give its folder"
        raise ToolError(f"{folder / SEED}: {err.strerror}", hint) from err
    if len(secret) != _SEED_LENGTH + _IDENTIFIER_LENGTH:
        raise ToolError(f"{folder / SEED} is damaged", "bring it back from the vault")
    return Signer(*_parts(secret), folder / STATE, witness_folder)


def read_public_key(path: Path) -> bytes:
    """The 60 bytes of a policy.key, or of the one in a key folder."""
    path = Path(path)
    path = path / PUBLIC_KEY if path.is_dir() else path
    try:
        key = path.read_bytes()
    except OSError as err:
        raise ToolError(f"{path}: {err.strerror}", f"give a {PUBLIC_KEY}") from err
    if len(key) != lms.PUBLIC_KEY_LENGTH:
        raise ToolError(f"{path} is no public key", f"it has {lms.PUBLIC_KEY_LENGTH} bytes")
    return key


def sign(signer: Signer, rules: bytes) -> bytes:
    """The signed policy: rules ‖ signature. It takes one of the key's 1,024 signatures. ToolError
    when this key has signed other rules as this version, or a higher version."""
    try:
        policy = Policy(rules)
    except PolicyError as err:
        message = "these are no rules, so no node would take them"
        raise ToolError(message, "compile the policy again") from err
    check_names(policy, "the policy")
    title = f"policy {policy.id} for kit {policy.kit}", policy.version
    return rules + signer.sign(rules, title)


def publish(signer: Signer, rules: bytes, terms: bytes) -> PublishedPolicy:
    """The published policy of what was compiled."""
    signature = sign(signer, rules)[len(rules) :]
    return read_published(
        PublishedPolicy(rules, terms, signature).encode(), "the policy", signer.public_key
    )


def rules_of(signed: bytes) -> bytes:
    """The rules of a signed policy, unchecked."""
    return signed[: -lms.SIGNATURE_LENGTH]


def check_signature(rules: bytes, signature: bytes, public_key: bytes, name: str = "the policy"):
    """ToolError unless the key signed the rules, by the check that a node makes."""
    try:
        lms.verify(public_key, (rules,), io.BytesIO(signature))
    except (FormatError, OpenError) as err:
        message = f"{name} is not signed by this key"
        raise ToolError(message, "take the key of who published it, or get it again") from err


def read_published(
    encoded: bytes, name: str = "the policy", public_key: bytes | None = None
) -> PublishedPolicy:
    """Checked: form, rules, that the terms are theirs, and with a key the signature. name: how
    messages name it."""
    parts = _decoded(encoded)
    if parts is None:
        raise ToolError(f"{name} is not a published policy", _AGAIN)
    published = PublishedPolicy(*parts)
    try:
        policy = published.policy()
    except PolicyError as err:
        raise ToolError(f"{name} has rules that no node takes", _AGAIN) from err
    if hashlib.sha256(published.terms).digest() != policy.terms_digest:
        raise ToolError(f"{name} has terms that are not those of its rules", _AGAIN)
    check_names(policy, name)
    terms = published.read_terms()
    if sorted(terms.streams) != [stream.number for stream in policy.streams]:
        raise ToolError(f"{name} has terms for other streams than its rules", _AGAIN)
    if public_key is not None:
        check_signature(published.rules, published.signature, public_key, name)
    return published


def _decoded(encoded: bytes) -> list | None:
    """Rules, terms and signature; None unless these bytes are their one encoding."""
    with contextlib.suppress(cbor2.CBORError, ValueError, TypeError):
        label, *parts = cbor2.loads(encoded)
        if label != LABEL or [type(part) for part in parts] != [bytes] * 3:
            return None
        if PublishedPolicy(*parts).encode() == encoded and len(parts[2]) == lms.SIGNATURE_LENGTH:
            return parts
    return None


def read_file(path: Path, public_key: bytes | None = None) -> PublishedPolicy:
    """The published policy in a file *.policy."""
    path = Path(path)
    try:
        encoded = path.read_bytes()
    except OSError as err:
        raise ToolError(f"{path}: {err.strerror}", "check the path") from err
    return read_published(encoded, str(path), public_key)


def write_file(path: Path, published: PublishedPolicy):
    """Whole or not at all."""
    write_public(path, published.encode())


def _parts(secret: bytes) -> tuple[bytes, bytes]:
    return secret[:_SEED_LENGTH], secret[_SEED_LENGTH:]
