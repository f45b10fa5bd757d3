# SPDX-License-Identifier: MIT
"""A file of granted keys (*.grant): what one store may open.

["lp1 grant", store's name, serial, made_s, box] ‖ the office's signature
box: CBOR [[[node, day0, epoch, seal, receipt, {epoch: mix}, [policy digest, …], since], …],
           [[published policy, key that signed it], …], [revoked node, …]], by HPKE,
           info = CBOR of label, name and serial

`seal` is that of `epoch`, or empty when the store has it already; `receipt` is empty for a
reader. `since`: the earliest epoch that the store was ever granted, as it may hold an earlier seal
than this one: what is mixed in after it is all here. `serial` rises: a store takes no file that is
older than the last.
"""

import contextlib
import dataclasses
from pathlib import Path

import cbor2

from host_tools.errors import ToolError
from host_tools.handover import document, sealed_box
from host_tools.policy.signed import PublishedPolicy, read_published
from host_tools.provisioning.ticket import is_node_id

SUFFIX = ".grant"
_AGAIN = "have it written again: lamppost vault grant"


@dataclasses.dataclass(frozen=True, repr=False)  # no key in a log or a traceback
class GrantedNode:
    """epoch: the first that is granted; seal: its seal, or b""; receipt: the key, or b"";
    mixes: {epoch: a} of all after `since`; policies: digests of the rules under which it may
    send."""

    node_id: str
    day0: int
    epoch: int
    seal: bytes
    receipt: bytes
    mixes: dict[int, bytes]
    policies: list[bytes]
    since: int


@dataclasses.dataclass(frozen=True, repr=False)
class Grant:
    """published: (policy, the key that signed it) of all that are named, as a city may have had
    more than one key; revoked: nodes that count no more."""

    nodes: tuple[GrantedNode, ...]
    published: tuple[tuple[bytes, bytes], ...]
    revoked: tuple[str, ...]

    def signed(self, store: str, public: bytes, serial: int, made_s: int, secret: bytes) -> bytes:
        """The file, sealed to the store's key and signed with the office's."""
        rows = [list(dataclasses.astuple(node)) for node in self.nodes]
        content = [rows, [list(one) for one in self.published], list(self.revoked)]
        plain = cbor2.dumps(content, canonical=True)
        box = sealed_box.seal(plain, public, _info(store, serial))
        return document.sign(secret, document.GRANT, store, serial, made_s, box)

    def policies(self) -> dict[bytes, PublishedPolicy]:
        """{digest: policy}; ToolError unless each is whole and signed by its key, and all that
        are named are there."""
        found = [read_published(policy, "a policy", key) for policy, key in self.published]
        held = {one.policy().digest: one for one in found}
        if not all(digest in held for node in self.nodes for digest in node.policies):
            raise ToolError("the grant names a policy that is not in it", _AGAIN)
        return held


def read_grant(path: Path, office: bytes, store: str, secret: bytes) -> tuple[int, Grant]:
    """(serial, what is granted). ToolError when it is altered, another's, or not whole."""
    data = document.read(path)
    fields = document.decode_signed(data, office, document.GRANT, 4, str(path), "your office")
    name, serial, _, box = fields
    if name != store:
        raise ToolError(f"{path} is for {name}, and this is {store}", "take your own file")
    plain = sealed_box.unseal(box, secret, _info(store, serial))
    grant = None
    with contextlib.suppress(cbor2.CBORError, ValueError, TypeError, RecursionError):
        rows, published, revoked = cbor2.loads(plain)
        nodes = tuple(GrantedNode(*row) for row in rows)
        grant = Grant(nodes, tuple(map(tuple, published)), tuple(revoked))
    if grant is None or type(serial) is not int or not _are_whole(grant):
        message = f"{path} does not open: it is sealed to another key than this store's"
        raise ToolError(message, _AGAIN) from None
    return serial, grant


def _are_whole(grant: Grant) -> bool:
    pairs = [[type(part) for part in pair] for pair in grant.published]
    return (
        all(map(_is_whole, grant.nodes))
        and all(pair == [bytes, bytes] for pair in pairs)
        and all(type(one) is str for one in grant.revoked)
    )


def _is_whole(node: GrantedNode) -> bool:
    return (
        type(node.node_id) is str
        and is_node_id(node.node_id)
        and type(node.mixes) is dict
        and all(map(_is_day, (node.day0, node.epoch, node.since, *node.mixes)))
        and all(_is_key(key) or key == b"" for key in (node.seal, node.receipt))
        and all(map(_is_key, node.mixes.values()))
        and type(node.policies) is list
        and all(type(digest) is bytes for digest in node.policies)
    )


def _is_day(value) -> bool:
    return type(value) is int and 0 <= value < 1 << 20


def _is_key(value) -> bool:
    return type(value) is bytes and len(value) == 32


def _info(store: str, serial: int) -> bytes:
    return cbor2.dumps([document.GRANT, store, serial], canonical=True)
