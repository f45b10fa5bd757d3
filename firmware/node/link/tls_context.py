# SPDX-License-Identifier: MIT
"""The TLS client context of a node: mutual TLS, and two suites that are both forward secret.

`tls`, not `ssl`: the latter's default for clients is to accept any certificate.
"""

import tls

from node.errors import LinkError
from node.link.tls_check import check_certificate

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
        context.verify_callback = check_certificate
    except (OSError, ValueError):
        raise LinkError("certificate")  # the library's text may quote a name or a date
    return context
