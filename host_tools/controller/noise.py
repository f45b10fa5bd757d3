# SPDX-License-Identifier: MIT
"""The noise of a token: of each range, population, element and scale it is drawn once for ever.

It follows from a key that never leaves the vault and from what it is for, so that asking again, a
restored ledger or a second controller with the same vault give the same noise: nobody averages it
away. The draw itself is the node's (node/policy/noise.py): exact, from integers.
"""

import hmac

import cbor2

from host_tools.controller.ledger import Charge, Span
from node.policy.noise import Noise


def draw(key: bytes, charged: Charge, span: Span) -> list[int]:
    """In steps, one for each element; 0 where it has no scale."""
    return [
        0 if scale is None else Noise(_seed(key, charged, span, element)).draw(*scale)
        for element, scale in enumerate(charged.scales)
    ]


def _seed(key: bytes, charged: Charge, span: Span, element: int) -> bytes:
    """32 bytes. The scale is part of it: two draws from one seed would tell of each other."""
    what = [charged.stream, *span, charged.population, element, *charged.scales[element]]
    return hmac.digest(key, cbor2.dumps(["lp1 noise", *what], canonical=True), "sha256")
