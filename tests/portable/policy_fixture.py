# SPDX-License-Identifier: MIT
"""Rules of a policy for tests, compiled: only what a test is about need be named."""

from node import cbor
from node.errors import PolicyError

ALWAYS = (0, 40_000)  # days: to 2079
TERMS = bytes(32)  # the digest of terms that nobody has written


def stream(number=1, quantity="co2_ppm", window_s=300, statistics=("mean",), resolution=1, low=0,
           high=99_999, k=0, noise=None):  # fmt: skip
    return [number, quantity, window_s, list(statistics), resolution, low, high, k, noise]


def rules(*streams, id="test", version=1, kit="air", days=ALWAYS, terms=TERMS, label="lp1 policy"):
    """The compiled rules of these streams; of one that measures CO2 without any."""
    lines = list(streams) or [stream()]
    return cbor.encode([label, id, version, kit, days[0], days[1], lines, terms])


def refusal(function, *arguments):
    """The code of the PolicyError that it raises; None when it raises none."""
    try:
        function(*arguments)
    except PolicyError as err:
        return err.args[0]
    return None
