# SPDX-License-Identifier: MIT
"""What a node objects to in a broker's certificate and mbedTLS does not; and mbedTLS's words."""

# mbedTLS says in sentences why it does not accept a certificate; each of these is in one. Only
# they are told on: the text may quote a name or a date.
REASONS = ("future", "expired", "trusted CA", "Common Name")
# This comes back as the OSError's number: it is that of a file that cannot be read, as no
# certificate of ours is in a file.
_NO_NAME = -0x2900
_SUBJECT_ALT_NAME = b"\x06\x03\x55\x1d\x11"  # its object identifier, 2.5.29.17


def check_certificate(cert_der, depth: int) -> int:
    """What mbedTLS asks for each certificate of the chain, the broker's at depth 0; 0: all right.

    Without a subjectAltName it would take the name from the subject, which RFC 6125 has given up.
    """
    return 0 if depth or _SUBJECT_ALT_NAME in bytes(cert_der) else _NO_NAME
