# SPDX-License-Identifier: MIT
"""Which Ed25519 public keys count.

RFC 8032 lets a verifier take a point of small order, and OpenSSL does: a signature that nobody
made then fits messages at will, the key's own card among them. So these are refused, in each
encoding, and with them any key that is not encoded as the RFC has it.
"""

_P = 2**255 - 19
_ORDER_8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_SMALL_ORDER = {0, 1, _P - 1, _ORDER_8, _P - _ORDER_8}  # y of all eight points


def is_verifying_key(public) -> bool:
    """Whether these are 32 bytes by which signatures may be checked."""
    if type(public) is not bytes or len(public) != 32:
        return False
    y = int.from_bytes(public, "little") & (1 << 255) - 1  # above it, the sign of x
    return y < _P and y not in _SMALL_ORDER
