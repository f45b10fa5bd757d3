# SPDX-License-Identifier: MIT
"""Whose certificate counts no more: a list of the authority (RFC 5280), such as the crl.pem of
`lamppost vault broker`.

It is looked at for each request, so a list that takes its place counts at once, also for who is
connected. Fails closed: by a list that cannot be read, is another authority's, or is too old,
nobody is let in.
"""

import datetime
from pathlib import Path

from cryptography import x509

from host_tools.errors import ToolError

_HINT = "write it again: lamppost vault broker"


class Revocations:
    """path: PEM; authority: its certificate or certificates, PEM. ToolError as is_revoked()."""

    def __init__(self, path: Path, authority: bytes):
        self._path = Path(path)
        self._authorities = x509.load_pem_x509_certificates(authority)
        self._seen = self._crl = None
        self._read_again()

    def is_revoked(self, certificate: bytes) -> bool:
        """certificate: DER. ToolError when the list does not say."""
        self._read_again()
        shown = x509.load_der_x509_certificate(certificate)
        if shown.issuer != self._crl.issuer:
            raise self._error("is another authority's than the certificate that is shown")
        found = self._crl.get_revoked_certificate_by_serial_number(shown.serial_number)
        return found is not None

    def _read_again(self):
        try:
            info = self._path.stat()
            state = info.st_ino, info.st_mtime_ns, info.st_size
            if state != self._seen:
                self._crl = self._read(self._path.read_bytes())
                self._seen = state
        except OSError as err:
            self._seen = None
            raise ToolError(f"{self._path}: {err.strerror}", _HINT) from err
        except ToolError:
            self._seen = None
            raise
        until = self._crl.next_update_utc
        if until is None or until <= datetime.datetime.now(datetime.UTC):
            raise self._error("is too old")

    def _read(self, data: bytes) -> x509.CertificateRevocationList:
        try:
            crl = x509.load_pem_x509_crl(data)
            is_whole = not any(extension.critical for extension in crl.extensions)
        except (ValueError, x509.DuplicateExtension):
            raise self._error("is not a list of revoked certificates (PEM)") from None
        if not any(_signed(crl, authority) for authority in self._authorities):
            raise self._error("is not signed by the authority of who asks")
        if not is_whole:  # of some certificates only, or of changes
            raise self._error("is not the whole list")
        return crl

    def _error(self, what: str) -> ToolError:
        return ToolError(f"{self._path} {what}", _HINT)


def _signed(crl: x509.CertificateRevocationList, authority: x509.Certificate) -> bool:
    try:
        return authority.subject == crl.issuer and crl.is_signature_valid(authority.public_key())
    except (TypeError, ValueError):  # a key of another kind
        return False
