# SPDX-License-Identifier: MIT
"""What passes between who wants a sum and the controller: a request, and the token that answers
it. Deterministic CBOR (RFC 8949 §4.2); README.md here has the layouts.

The same request has the same bytes, so it is known by their digest. A token is signed (Ed25519,
RFC 8032), and names the digest of its request: it opens no other sum.
"""

import dataclasses
import hashlib
import itertools

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from host_tools.errors import ToolError
from host_tools.provisioning.ticket import is_node_id

REQUEST, TOKEN = "lp1 sum request", "lp1 sum token"
RANGES_MAX = 3000  # a month of quarters of an hour
POLICIES_MAX = 200
NODES_MAX = 10_000  # the largest population: what a policy's sums are checked against
DAYS_MAX = 366  # the longest range
MODULUS = 1 << 64
TIME_END_S = 1 << 37  # Unix time, in the year 6325: what every calendar can show
_SIGNATURE = 64
_TEXT_MAX = 200
_SCALE_END = 1 << 128  # of its parts: a policy's largest noise, with its epsilon's parts, is below


@dataclasses.dataclass(frozen=True)
class Request:
    """stream: its number; ranges: ((from_s, to_s), …), Unix time, rising and apart; nodes: sorted
    ids; policies: the digests under which their records were made, sorted; purpose: a DPV term."""

    stream: int
    ranges: tuple[tuple[int, int], ...]
    nodes: tuple[str, ...]
    policies: tuple[bytes, ...]
    purpose: str

    def __post_init__(self):
        """ToolError for what is no request."""
        spans = self.ranges
        if not (0 < len(spans) <= RANGES_MAX and all(0 <= a < b < TIME_END_S for a, b in spans)):
            raise _wrong("has no ranges, or none that end after they begin, or too many")
        if any(before[1] > after[0] for before, after in itertools.pairwise(spans)):
            raise _wrong("has ranges that do not follow each other")
        if spans[-1][1] - spans[0][0] > DAYS_MAX * 86_400:
            raise _wrong(f"has ranges over more than {DAYS_MAX} days")
        if not (0 < self.stream < 256 and 0 < len(self.nodes) <= NODES_MAX):
            raise _wrong(f"names no stream, no node, or more than {NODES_MAX:,} nodes")
        if not all(map(is_node_id, self.nodes)) or list(self.nodes) != sorted(set(self.nodes)):
            raise _wrong("names what is no node, or a node twice")
        digests = list(self.policies)
        if not digests or digests != sorted(set(digests)) or any(len(d) != 32 for d in digests):
            raise _wrong("names no policy, or one twice")
        if len(digests) > POLICIES_MAX:
            raise _wrong(f"names more than {POLICIES_MAX} policies")
        if not is_line(self.purpose):
            raise _wrong("has no purpose, or one that is no line of text")

    def encode(self) -> bytes:
        ranges = [list(span) for span in self.ranges]
        fields = [self.stream, ranges, list(self.nodes), list(self.policies), self.purpose]
        return cbor2.dumps([REQUEST, *fields], canonical=True)

    def digest(self) -> bytes:
        return hashlib.sha256(self.encode()).digest()

    @classmethod
    def decode(cls, encoded: bytes) -> "Request":
        """ToolError unless these bytes are the one encoding of a request."""
        try:
            label, stream, ranges, nodes, policies, purpose = cbor2.loads(encoded)
            spans = tuple((_int(a), _int(b)) for a, b in ranges)
            texts = tuple(_of(str, node) for node in nodes)
            digests = tuple(_of(bytes, digest) for digest in policies)
            request = cls(_int(stream), spans, texts, digests, _of(str, purpose))
        except (cbor2.CBORError, ValueError, TypeError) as err:
            raise _wrong("cannot be read") from err
        if label != REQUEST or request.encode() != encoded:
            raise _wrong("cannot be read")
        return request


@dataclasses.dataclass(frozen=True)
class Token:
    """request: its digest; by, at_s: who gave it, and when; pads: for each range one integer per
    element, modulo 2^64, noise included; scales: for each element the scale of its noise as
    (numerator, denominator) in steps, or None; population; entry, head: number and hash of its
    entry in the controller's log."""

    request: bytes
    by: str
    at_s: int
    population: int
    pads: tuple[tuple[int, ...], ...]
    scales: tuple[tuple[int, int] | None, ...]
    entry: int
    head: bytes

    def sign(self, key: Ed25519PrivateKey) -> bytes:
        """The signed token, as it leaves the controller."""
        body = self._body()
        return body + key.sign(body)

    def _body(self) -> bytes:
        pads = [b"".join(pad.to_bytes(8, "big") for pad in row) for row in self.pads]
        scales = [None if scale is None else list(scale) for scale in self.scales]
        fields = [self.request, self.by, self.at_s, self.population, pads, scales, self.entry]
        return cbor2.dumps([TOKEN, *fields, self.head], canonical=True)

    def _is_whole(self) -> bool:
        """Whether all of it can be shown, and computed with: who signed it may have erred."""
        numbers = [self.at_s, self.population, self.entry]
        return (
            is_line(self.by)
            and type(self.head) is bytes
            and all(type(number) is int and 0 <= number < TIME_END_S for number in numbers)
            and all(0 < part < _SCALE_END for scale in self.scales if scale for part in scale)
        )

    @classmethod
    def verify(cls, signed: bytes, key: Ed25519PublicKey, request: Request) -> "Token":
        """The token that `key` gave for this request; ToolError for any other."""
        body, signature = signed[:-_SIGNATURE], signed[-_SIGNATURE:]
        try:
            key.verify(signature, body)
        except InvalidSignature as err:
            message = "the token is not signed by this controller"
            raise ToolError(message, "take the key of the controller that gave it") from err
        try:
            label, digest, by, at_s, population, pads, scales, entry, head = cbor2.loads(body)
            rows = tuple(_row(row) for row in pads)
            found = tuple(None if s is None else (_int(s[0]), _int(s[1])) for s in scales)
            token = cls(digest, by, at_s, population, rows, found, entry, head)
        except (cbor2.CBORError, ValueError, TypeError) as err:
            raise ToolError("the token cannot be read", "get it again") from err
        if label != TOKEN or token._body() != body or not token._is_whole():
            raise ToolError("the token cannot be read", "get it again")
        if digest != request.digest():
            message = "the token is for another request: other nodes, stream, range or purpose"
            raise ToolError(message, "ask for a token with this request")
        if len(rows) != len(request.ranges) or population != len(request.nodes):
            raise ToolError("the token does not fit its request", "tell the controller's office")
        if any(len(row) != len(found) for row in rows):
            raise ToolError("the token does not fit its request", "tell the controller's office")
        return token


def _wrong(what: str) -> ToolError:
    return ToolError(f"the request {what}", "make it again with `lamppost sum`")


def is_line(text) -> bool:
    """Whether it is a line that a page, a log and a terminal can show: of others' making."""
    return type(text) is str and text.isprintable() and 0 < len(text) <= _TEXT_MAX


def _of(kind: type, value):
    if type(value) is not kind:
        raise TypeError
    return value


def _int(value) -> int:
    return _of(int, value)


def _row(row: bytes) -> tuple[int, ...]:
    if len(_of(bytes, row)) % 8:
        raise ValueError
    return tuple(int.from_bytes(row[at : at + 8], "big") for at in range(0, len(row), 8))
