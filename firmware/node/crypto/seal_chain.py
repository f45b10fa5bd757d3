# SPDX-License-Identifier: MIT
"""The chain of seals, one per epoch (a UTC day).

    seal_{e+1} = HMAC-SHA-256(seal_e, "lp1 next")
    seal_{e+1} = HMAC-SHA-256(seal_e, "lp1 mix" ‖ a), where the vault mixes 32 random bytes a in

The chain runs one way: who steals today's seal cannot open yesterday's envelopes; and who has it
and not `a` opens nothing from the epoch on into which `a` is mixed.
"""

from node.crypto.hmac_sha256 import hmac_sha256


def seal_at(seal: bytes, epoch: int, wanted: int, mixes: dict) -> bytes:
    """The seal (32 bytes) of epoch `wanted` ≥ `epoch`; ValueError for an earlier one, which is
    gone. mixes: {epoch: the 32 bytes that are mixed into its seal}; others are not looked at."""
    if wanted < epoch:
        raise ValueError("the seal of an earlier epoch is gone")
    while epoch < wanted:
        epoch += 1
        seal = hmac_sha256(seal, b"lp1 mix" + mixes[epoch] if epoch in mixes else b"lp1 next")
    return seal
