# SPDX-License-Identifier: MIT
"""What a city's broker is given: who may connect and do what (acl_file), and which certificates
count no more (crlfile, RFC 5280). Made of the vault as it is, as often as one likes."""

import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from host_tools import chained_log
from host_tools.city.vault_keys import authority_of
from host_tools.vault.sealed_file import SealedFile

_DAYS = 400  # OpenSSL refuses everybody when the list is older than it says
_DAY_S = 86_400
_KEPT_S = 366 * _DAY_S  # beyond its end a revoked certificate stays on the list: clocks differ


def broker_files(file: SealedFile, now_s: int, with_issued: bool = False) -> dict[str, bytes]:
    """{file name: content}. with_issued: nodes may connect whose tickets are out and not
    receipted."""
    from simulator.world.broker_rules import mosquitto_acl

    states = ("active", "issued") if with_issued else ("active",)
    nodes = [n for n, state in file.db.execute("SELECT id, state FROM nodes") if state in states]
    query = (
        "SELECT DISTINCT certificates.name, iif(kind = 'reader', kind, role)"
        " FROM certificates LEFT JOIN stores ON stores.name = store"
        " WHERE role IN ('collector', 'reader', 'vault') AND revoked_s IS NULL AND until_s > ?"
    )
    roles = dict(file.db.execute(query, (now_s,)))
    authority = authority_of(file)
    return {
        "acl": mosquitto_acl(roles, sorted(nodes)).encode(),
        "ca.pem": authority.pem()[0],
        "crl.pem": _revocations(file, authority, now_s),
    }


def count_issued(file: SealedFile) -> int:
    """Nodes whose tickets are out and not receipted."""
    return file.db.execute("SELECT count(*) FROM nodes WHERE state = 'issued'").fetchone()[0]


def is_clock_far(file: SealedFile, now_s: int) -> bool:
    """Whether nothing was done with the vault for so long that the clock may be wrong: by one that
    is ahead, certificates seem to have ended."""
    return now_s > chained_log.newest_s(file.db) + _DAYS * _DAY_S


def _revocations(file: SealedFile, authority, now_s: int) -> bytes:
    now = datetime.datetime.fromtimestamp(now_s, datetime.UTC)
    # Not by a clock that is ahead: OpenSSL refuses everybody before the list begins, too.
    began_s = min(now_s, chained_log.newest_s(file.db))
    began = datetime.datetime.fromtimestamp(began_s, datetime.UTC)
    number = file.newest[0] + 1  # rises with each change
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.certificate.subject)
        .last_update(began)
        .next_update(now + datetime.timedelta(days=_DAYS))
        .add_extension(x509.CRLNumber(number), False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), False
        )
    )
    query = (
        "SELECT serial, revoked_s FROM certificates"
        " WHERE revoked_s IS NOT NULL AND until_s > ? ORDER BY serial"
    )
    for serial, revoked_s in file.db.execute(query, (now_s - _KEPT_S,)):
        entry = x509.RevokedCertificateBuilder(int(serial, 16))
        revoked = datetime.datetime.fromtimestamp(revoked_s, datetime.UTC)
        builder = builder.add_revoked_certificate(entry.revocation_date(revoked).build())
    crl = builder.sign(authority.key, hashes.SHA256())
    return crl.public_bytes(serialization.Encoding.PEM)
