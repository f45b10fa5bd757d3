# SPDX-License-Identifier: MIT
"""The code by which who puts a node up says which one it was: on its label, and known to the vault
and to the laptop with its ticket. It tells nothing of a key.

7 characters = the first 35 bits of HKDF-SHA-256 (RFC 5869; the node's `command` key, no salt,
info "lp1 claim" ‖ node id), in Crockford's base32; an eighth is their check by Luhn's algorithm
modulo 32. Written ABCD-EFGH. The check finds a wrong character, and two that changed places,
unless they are 0 and Z.
"""

import hmac

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from host_tools.errors import ToolError

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LOOK_ALIKE = str.maketrans("OIL", "011", "- ")
_CODE, _BITS = 7, 5


def claim_code(command_key: bytes, node_id: str) -> str:
    """command_key: the node's, 32 bytes."""
    info = b"lp1 claim" + node_id.encode()
    bits = int.from_bytes(HKDF(SHA256(), 5, salt=None, info=info).derive(command_key))
    bits >>= 40 - _CODE * _BITS
    values = [bits >> _BITS * place & 31 for place in reversed(range(_CODE))]
    text = "".join(_ALPHABET[value] for value in (*values, _check(values)))
    return f"{text[:4]}-{text[4:]}"


def read_code(text: str) -> str:
    """What somebody typed, as claim_code() writes it. ToolError when it cannot be a code: the
    message does not repeat it."""
    plain = text.upper().translate(_LOOK_ALIKE)
    values = [_ALPHABET.find(char) for char in plain]
    if len(values) != _CODE + 1 or -1 in values or _check(values[:-1]) != values[-1]:
        message = "the code is mistyped: it has 8 characters, of which the last is a check"
        raise ToolError(message, "read it again from the node's label: ABCD-EFGH")
    return f"{plain[:4]}-{plain[4:]}"


def is_code(text: str, command_key: bytes, node_id: str) -> bool:
    """text: from read_code()."""
    return hmac.compare_digest(text, claim_code(command_key, node_id))


def _check(values: list[int]) -> int:
    total = 0
    for at, value in enumerate(reversed(values)):
        doubled = value * (2 if at % 2 == 0 else 1)
        total += doubled // 32 + doubled % 32
    return -total % 32
