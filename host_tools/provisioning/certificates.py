# SPDX-License-Identifier: MIT
"""A small certificate authority (X.509, EC P-256, SHA-256) for a city's broker and its clients.

The subject's CN is the name, its OU the role: node, collector, reader, vault or broker; of sums
that are masked, controller or requester, who have no business at a broker. A city that has an
authority of its own uses that; what counts is CN and OU.
"""

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from host_tools.errors import ToolError
from host_tools.private_file import read_private, write_private

ROLES = ("node", "collector", "reader", "vault", "broker", "controller", "requester")
MOST_KEY_BYTES = 1 << 16  # of a PEM file
_DAY = datetime.timedelta(days=1)
_AUTHORITY_DAYS = 7300
_DAYS = 3650
_USAGES = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
    "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip


def _usage(*allowed: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{name: name in allowed for name in _USAGES})


class Identity:
    """A certificate and its private key, as PEM for the host and as DER for a node."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey):
        self.certificate = certificate
        self.key = key

    def _encoded(self, encoding) -> tuple[bytes, bytes]:
        form = serialization.PrivateFormat.TraditionalOpenSSL  # SEC 1, which mbedTLS reads always
        secret = self.key.private_bytes(encoding, form, serialization.NoEncryption())
        return self.certificate.public_bytes(encoding), secret

    def pem(self) -> tuple[bytes, bytes]:
        """(certificate, key)"""
        return self._encoded(serialization.Encoding.PEM)

    def der(self) -> tuple[bytes, bytes]:
        """(certificate, key)"""
        return self._encoded(serialization.Encoding.DER)

    def save(self, folder: Path, stem: str) -> tuple[Path, Path]:
        """Writes STEM.pem and STEM.key, for their owner only; returns the two paths."""
        paths = Path(folder) / f"{stem}.pem", Path(folder) / f"{stem}.key"
        paths[0].parent.mkdir(parents=True, exist_ok=True)
        for path, data in zip(paths, self.pem(), strict=True):
            write_private(path, data)
        return paths


class Authority(Identity):
    """Signs. create() makes a new one; load() takes ca.pem and ca.key from a folder."""

    @classmethod
    def create(cls, name: str = "Lamppost authority") -> "Authority":
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = _builder(subject, subject, key.public_key(), key.public_key(), _AUTHORITY_DAYS)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        builder = builder.add_extension(_usage("key_cert_sign", "crl_sign"), True)
        return cls(builder.sign(key, hashes.SHA256()), key)

    @classmethod
    def load(cls, folder: Path) -> "Authority":
        """ToolError when the two files are not there, do not belong together, are no authority's,
        or when others can read the key."""
        files = Path(folder) / "ca.pem", Path(folder) / "ca.key"
        try:
            certificate = x509.load_pem_x509_certificate(files[0].read_bytes())
            key = serialization.load_pem_private_key(read_private(files[1], MOST_KEY_BYTES), None)
        except OSError as err:
            hint = "it must hold ca.pem and ca.key, which the broker's authority has"
            raise ToolError(f"{err.filename}: {err.strerror}", hint) from err
        except (ValueError, TypeError) as err:
            hint = "both must be PEM, and the key without a passphrase"
            raise ToolError(f"{folder}: ca.pem or ca.key cannot be read", hint) from err
        if certificate.public_key() != key.public_key():
            raise ToolError(f"{folder}: ca.key is not the key of ca.pem", "give the pair")
        if not _may_sign(certificate):
            hint = "give that of the authority itself, which has BasicConstraints CA"
            raise ToolError(f"{files[0]} is the certificate of no authority", hint)
        return cls(certificate, key)

    def issue(self, name: str, role: str, host_names=(), days: int = _DAYS) -> Identity:
        """A certificate for CN `name`, OU `role`; host_names: DNS names and IP addresses."""
        if role not in ROLES:
            raise ValueError(f"{role} is not a role")
        key = ec.generate_private_key(ec.SECP256R1())
        parts = [(NameOID.COMMON_NAME, name), (NameOID.ORGANIZATIONAL_UNIT_NAME, role)]
        subject = x509.Name([x509.NameAttribute(oid, text) for oid, text in parts])
        issuer = self.certificate.subject
        builder = _builder(subject, issuer, key.public_key(), self.key.public_key(), days)
        usages = ExtendedKeyUsageOID
        purpose = usages.SERVER_AUTH if host_names else usages.CLIENT_AUTH
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        builder = builder.add_extension(_usage("digital_signature"), True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), False)
        if host_names:
            names = x509.SubjectAlternativeName([_host_name(host) for host in host_names])
            builder = builder.add_extension(names, False)
        return Identity(builder.sign(self.key, hashes.SHA256()), key)


def _may_sign(certificate: x509.Certificate) -> bool:
    """Whether others take what it signs (RFC 5280, 4.2.1.3 and 4.2.1.9)."""
    try:
        extensions = certificate.extensions
        if not extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            return False
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound as err:
        return err.oid == x509.KeyUsage.oid  # without one it may do all
    except (ValueError, x509.DuplicateExtension):
        return False
    return usage.key_cert_sign and usage.crl_sign


def _builder(subject, issuer, public_key, issuer_key, days: int) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder(issuer, subject, public_key, x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + days * _DAY)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), False)
    )


def _host_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
