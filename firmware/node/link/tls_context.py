# SPDX-License-Identifier: MIT
"""The TLS client context of a node: mutual TLS, and two suites that are both forward secret.

`tls`, not `ssl`: the latter's default for clients is to accept any certificate.
"""

import tls

from node.errors import LinkError

# mbedTLS says in sentences why it does not accept a certificate; each of these is in one. Only
# they are told on: the text may quote a name or a date.
REASONS = ("future", "expired", "trusted CA", "Common Name")
# mbedTLS takes the name from the subject when the certificate has no subjectAltName; RFC 6125 has
# given that up. What our check returns then comes back as the OSError's number: it is that of a
# file that cannot be read, as no certificate of ours is in a file.
_NO_NAME = -0x2900
_SUBJECT_ALT_NAME = b"\x06\x03\x55\x1d\x11"  # its object identifier, 2.5.29.17

SUITES = [
    "TLS-ECDHE-ECDSA-WITH-AES-128-GCM-SHA256",
    "TLS-ECDHE-ECDSA-WITH-AES-256-GCM-SHA384",
]


def make_context(ca_der: bytes, cert_der: bytes, key_der: bytes):
    """A tls.SSLContext that takes only brokers whose certificate comes from `ca_der`.

    All three are DER. LinkError("certificate") if one of them is missing or cannot be read.
    """
    if not (ca_der and cert_der and key_der):
        raise LinkError("certificate")
    try:
        context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
        context.verify_mode = tls.CERT_REQUIRED
        context.set_ciphers(SUITES)
        context.load_verify_locations(ca_der)
        context.load_cert_chain(cert_der, key_der)
        # It is asked for each certificate of the chain, the broker's at depth 0.
        context.verify_callback = lambda cert_der, depth: (
            0 if depth or _SUBJECT_ALT_NAME in bytes(cert_der) else _NO_NAME
        )
    except (OSError, ValueError):
        raise LinkError("certificate")  # the library's text may quote a name or a date
    return context
