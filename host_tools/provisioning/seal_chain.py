# SPDX-License-Identifier: MIT
"""The seals of one node, one per epoch: the host's side of firmware/node/crypto/seal_chain.py.

    seal_{e+1} = HMAC-SHA-256(seal_e, "lp1 next")
    seal_{e+1} = HMAC-SHA-256(seal_e, "lp1 mix" ‖ a), where the vault mixes 32 random bytes a in

Who has seal_e and not `a` opens nothing from e + 1 on.
"""

import hmac
from collections.abc import Mapping

EPOCH_MAX = 0xFFFF  # of an envelope
MIX_BYTES = 32


def seal_at(seal: bytes, epoch: int, wanted: int, mixes: Mapping[int, bytes]) -> bytes:
    """The seal of epoch `wanted`, which is not before `epoch`, whose seal is given. mixes: {epoch:
    what is mixed into its seal}; those outside are not looked at."""
    if wanted < epoch:
        raise ValueError("the seal of an earlier epoch is gone")
    for following in range(epoch + 1, wanted + 1):
        a = mixes.get(following)
        message = b"lp1 next" if a is None else b"lp1 mix" + a
        seal = hmac.digest(seal, message, "sha256")
    return seal
