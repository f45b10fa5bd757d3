# SPDX-License-Identifier: MIT
"""What a city is, in its vault: name, authority, the key that signs tickets and grants, and where
its nodes find broker and time."""

import json
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from host_tools.errors import ToolError
from host_tools.handover.cards import Office, fingerprint
from host_tools.provisioning.certificates import Authority, Identity
from host_tools.vault.sealed_file import SealedFile

_FORMAT = "lp1 city vault 3"
_SET_UP = "set the city up first: lamppost vault setup"


def check_kind(file: SealedFile):
    """ToolError when the sealed file is not a city's vault of this version."""
    if _meta(file, "schema") != _FORMAT:
        message = f"{file.path} is not a city's vault of this version"
        raise ToolError(message, "give the file that `lamppost vault init` made")


def set_up(file: SealedFile, name: str, broker: tuple[str, int], sntp: str, policy_key: bytes,
           tls: Path | None):  # fmt: skip
    """Notes what nodes are told, and makes the keys that are not there yet. tls: a folder with
    ca.pem and ca.key, when the city has an authority; that is for the first time only."""
    check_kind(file)
    known = _row(file, "authority")
    if tls is not None:
        authority = Authority.load(tls)
        if known is not None and known[1] != authority.der()[0]:
            message = f"{file.path} has another authority than {tls}"
            raise ToolError(message, "its nodes know no other: leave out --tls-dir")
    elif known is None:
        authority = Authority.create(f"{name} authority")
    told = {"broker": json.dumps(broker), "sntp": sntp, "policy_key": policy_key.hex()}
    told["office"] = known_name = _meta(file, "office") or name
    if known_name != name:
        raise ToolError(f"{file.path} is the vault of {known_name}", "give that --name")
    if known and all(_meta(file, key) == value for key, value in told.items()):
        return
    detail = {"name": name, "broker": f"{broker[0]}:{broker[1]}", "sntp": sntp}
    with file.change("set up", {**detail, "policy_key": fingerprint(policy_key)}):
        rows = list(told.items())
        file.db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", rows)
        if known is None:
            certificate, key = authority.der()
            sign = Ed25519PrivateKey.generate()
            pair = sign.private_bytes_raw(), sign.public_key().public_bytes_raw()
            query = "INSERT INTO keys VALUES (?, ?, ?, ?)"
            file.db.execute(query, ("authority", "authority", key, certificate))
            file.db.execute(query, ("office", "office", *pair))


def authority_of(file: SealedFile) -> Authority:
    key, certificate = _needed(file, "authority")
    return Authority(
        x509.load_der_x509_certificate(certificate), serialization.load_der_private_key(key, None)
    )


def office_secret(file: SealedFile) -> bytes:
    """Ed25519: signs what goes out."""
    return _needed(file, "office")[0]


def office_of(file: SealedFile) -> Office:
    """The card for technicians and stores."""
    return Office(_meta(file, "office"), _needed(file, "office")[1])


def place_of(file: SealedFile) -> tuple[tuple[str, int], str, bytes]:
    """(broker's host and port, SNTP host, key of policies), as nodes are told them."""
    _needed(file, "office")
    host, port = json.loads(_meta(file, "broker"))
    return (host, port), _meta(file, "sntp"), bytes.fromhex(_meta(file, "policy_key"))


def note_certificate(file: SealedFile, identity: Identity, name: str, role: str,
                     store: str | None = None, technician: str | None = None):  # fmt: skip
    """Within a change: so that it can be revoked."""
    certificate = identity.certificate
    until_s = int(certificate.not_valid_after_utc.timestamp())
    row = f"{certificate.serial_number:x}", name, role, store, technician, until_s
    file.db.execute("INSERT INTO certificates VALUES (?, ?, ?, ?, ?, ?, NULL)", row)


def _needed(file: SealedFile, name: str) -> tuple[bytes, bytes]:
    check_kind(file)
    row = _row(file, name)
    if row is None:
        raise ToolError(f"{file.path} has no keys of a city yet", _SET_UP)
    return row


def _row(file: SealedFile, name: str) -> tuple[bytes, bytes] | None:
    query = "SELECT secret, public FROM keys WHERE name = ?"
    return file.db.execute(query, (name,)).fetchone()


def _meta(file: SealedFile, name: str) -> str | None:
    row = file.db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    return row and row[0]
