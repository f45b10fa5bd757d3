# SPDX-License-Identifier: MIT
"""What masking costs a store: sums over a year of a thousand nodes beside the same sums of values
that everybody can read, kept in the same way; and envelopes with a masked stream beside envelopes
with a plain one of as many numbers.

`python -c "from tests.bench import sums; print(sums.run(nodes=100, days=30))"` is a small one.
"""

import contextlib
import hashlib
import random
import sqlite3
import statistics
import tempfile
import time
from pathlib import Path

from host_tools.collector.coverage import MaskedReader
from host_tools.collector.keyring import Keyring
from host_tools.collector.masked import Masked, MaskedRecord
from host_tools.collector.store import Store
from host_tools.provisioning.ticket import make_ticket
from node.policy.rules import Policy
from tests.host_tools import reference_sealer as ref
from tests.host_tools.reference_policy import masked, policy, stream

NODES, DAYS = 1000, 365
SLOT_S, DAY_S = 900, 86_400
START_S = 20_500 * DAY_S
MODULUS = 1 << 64
ROUNDS, RANGES = 15, 8  # of each kind, in turn
SLOWER = 1.05
ROOT = bytes(range(32))
LIMITS = ["count", "sum"], 1, 0, 65_535
MASKED, MASKED_TERMS = policy(masked(7, "energy_mwh", SLOT_S, *LIMITS))
PLAIN, PLAIN_TERMS = policy(stream(7, "energy_mwh", SLOT_S, *LIMITS))
_PLAIN_TABLE = """
CREATE TABLE plain (
    node TEXT NOT NULL, stream INTEGER NOT NULL, from_s INTEGER NOT NULL, end_s INTEGER NOT NULL,
    segment INTEGER NOT NULL, count INTEGER NOT NULL, total INTEGER NOT NULL,
    count_run INTEGER NOT NULL, total_run INTEGER NOT NULL,
    policy INTEGER NOT NULL, PRIMARY KEY (node, stream, from_s)) WITHOUT ROWID;
"""
_PLAIN_ENDS = """
SELECT one.value, a.policy, b.policy, b.count_run - a.count_run + a.count,
    b.total_run - a.total_run + a.total FROM json_each(?) AS one
CROSS JOIN plain AS a ON a.node = one.value AND a.stream = ? AND a.from_s = ?
CROSS JOIN plain AS b ON b.node = one.value AND b.stream = a.stream AND b.from_s = (
    SELECT max(from_s) FROM plain WHERE node = one.value AND stream = a.stream AND from_s < ?)
WHERE b.end_s = ? AND b.segment = a.segment
"""


def run(nodes: int = NODES, days: int = DAYS) -> dict:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        figures, found = _sums(folder, nodes, days)
        more, ingest = _ingest(folder)
    return {"nodes": nodes, "days": days, **found, **ingest, "figures": figures + more}


def _sums(folder: Path, nodes: int, days: int) -> tuple[list, dict]:
    raise NotImplementedError
