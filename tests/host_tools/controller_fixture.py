# SPDX-License-Identifier: MIT
"""A controller with real keys, a vault on disk, signed policies and nodes, and what a store would
have summed up: nodes whose records are masked by a few lines of this file, not the controller's.
"""

import atexit
import datetime
import functools
import os
import shutil
import tempfile
from fractions import Fraction
from pathlib import Path

import cbor2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from host_tools.controller import folder
from host_tools.controller.controller import Controller
from host_tools.controller.documents import Request, Token
from host_tools.controller.key_vault import Keys
from host_tools.controller.ledger import Ledger
from host_tools.controller.policies import allow
from host_tools.controller.rules import Refusal
from host_tools.policy.signed import PublishedPolicy, make_key
from host_tools.policy.terms import StreamTerms, Terms
from host_tools.provisioning.controller_key import new_sealing_secret
from host_tools.provisioning.mask_roots import NodeRoots, roots_of, write_roots
from host_tools.provisioning.ticket import make_ticket, new_node_id, new_root
from host_tools.public_file import write_public
from host_tools.vault.factors import KeyFile, make_key_file
from node.policy.rules import Policy

DAY = 86_400
DAY_SPAN = datetime.timedelta(days=1)
DAY0 = 20_500
START = DAY0 * DAY
WINDOW = 900
PURPOSE = "dpv:PublicBenefit"
PASSPHRASE = "a lamp post on a quiet street"
STREAM = 7
NOW = START + 400 * DAY


def terms(per_day="13", purpose=PURPOSE, streams=(STREAM,)) -> Terms:
    text = {"en": "a test"}
    budget = None if per_day is None else Fraction(per_day)
    one = StreamTerms(text, text, purpose, "eu-gdpr:A6-1-e", [text], 400, budget)
    return Terms(["en"], text, text, "a@city.example", 1000, dict.fromkeys(streams, one))


def rules(about: Terms, version=1, k=5, noise=(1000, 1, 8), statistics=("count", "sum"), bins=(),
          window_s=WINDOW, first=DAY0, last=DAY0 + 2000, identity="street", kit="energy",
          streams=(STREAM,), masked=True) -> bytes:  # fmt: skip
    """Compiled by hand, as firmware/node/policy/README.md has it."""
    fields = [window_s, list(statistics), 1, 0, 10_000, k, list(noise) if noise else None]
    one = [[n, "energy_mwh", *fields, *([list(bins)] if masked else [])] for n in streams]
    body = ["lp1 policy", identity, version, kit, first, last, one, about.digest()]
    return cbor2.dumps(body, canonical=True)


def make_nodes(count: int, policy: Policy, day0: int = DAY0, streams=(STREAM,)):
    return [
        roots_of(make_ticket(new_root(), new_node_id(), day0, streams), policy)
        for _ in range(count)
    ]


@functools.cache
def signer():
    """Who signs the policies of all tests."""
    folder_ = Path(tempfile.mkdtemp(prefix="lamppost-test-"))
    atexit.register(shutil.rmtree, folder_, ignore_errors=True)
    return make_key(folder_ / "key", folder_ / "key")


def publish(about: Terms | None = None, **fields) -> PublishedPolicy:
    """Signed as it stands: what was signed before under its id and version is not asked."""
    about = about or terms()
    compiled = rules(about, **fields)
    return PublishedPolicy(compiled, about.encode(), signer().sign(compiled))


class Office:
    """A controller whose keys are in memory: what stands behind the vault."""

    def __init__(self, path: Path):
        self.ledger = Ledger.create(path / "ledger.sqlite")
        self.now = NOW
        self.keys = Keys(
            "Data protection", signer().public_key, bytes(32), 0, os.urandom(32),
            Ed25519PrivateKey.generate(), new_sealing_secret(), None, (0, bytes(32)), {},
        )  # fmt: skip

    def allow(self, about=None, **fields) -> Policy:
        published = publish(about, **fields)
        with self.ledger.turn() as db:
            allow(db, self.now, published.encode(), "a policy", signer().public_key)
        return published.policy()

    def nodes(self, count: int, policy: Policy, **fields) -> list[NodeRoots]:
        made = make_nodes(count, policy, **fields)
        self.keys.nodes.update({node.node_id: node for node in made})
        return made

    def open(self) -> Controller:
        return Controller(self.keys, self.ledger.path, lambda: self.now)

    def token(self, request: Request, by="energy office") -> Token:
        signed = self.open().answer(request.encode(), by)
        return Token.verify(signed, self.keys.public().verifier(), request)

    def refuses(self, request: Request) -> str:
        """The rule by which it is refused."""
        with pytest.raises(Refusal) as caught:
            self.open().answer(request.encode(), "energy office")
        assert caught.value.message and caught.value.hint
        return caught.value.rule


class VaultedOffice:
    """A controller in a folder, behind both factors."""

    def __init__(self, path: Path):
        self.path, self.made = path / "office", path
        self.factor = KeyFile(path / "stick.key")
        make_key_file(self.factor.path)
        self.factors = PASSPHRASE, self.factor
        key = signer().public_key
        self.vault = Ed25519PrivateKey.generate()
        believed = self.vault.public_key().public_bytes_raw()
        self.public = folder.make(self.path, *self.factors, "Data protection", key, believed)
        self.policy = self.allow(publish())
        self.nodes = make_nodes(6, self.policy)
        self.add(self.nodes)

    def allow(self, published: PublishedPolicy) -> Policy:
        path = self.made / "street.policy"
        path.write_bytes(published.encode())
        folder.allow_policy(self.path, *self.factors, path)
        return published.policy()

    def add(self, nodes) -> tuple[int, int]:
        path = self.made / "street.roots"
        write_roots(path, nodes, self.public, self.vault)
        return folder.add(self.path, *self.factors, path)


def write_crl(path: Path, authority, revoked: list[Path], until=DAY_SPAN, critical=None):
    """An authority's list of these certificates in the place of `path`. until: when it is too old,
    from now on; critical: an extension."""
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.certificate.subject)
        .last_update(now - 2 * DAY_SPAN)
        .next_update(now + until)
    )
    if critical is not None:
        builder = builder.add_extension(critical, True)
    for one in revoked:
        certificate = x509.load_pem_x509_certificate(one.read_bytes())
        entry = x509.RevokedCertificateBuilder(certificate.serial_number)
        builder = builder.add_revoked_certificate(entry.revocation_date(now).build())
    crl = builder.sign(authority.key, hashes.SHA256())
    write_public(path, crl.public_bytes(serialization.Encoding.PEM))


def ask_for(nodes, policies, *spans, stream=STREAM, purpose=PURPOSE) -> Request:
    """spans: (first, last) windows since START, the last one not included."""
    ranges = tuple((START + a * WINDOW, START + b * WINDOW) for a, b in spans)
    ids = tuple(sorted(node.node_id for node in nodes))
    return Request(stream, ranges, ids, tuple(sorted(p.digest for p in policies)), purpose)


def mask(root: bytes, day0: int, instant_s: int, elements: int) -> list[int]:
    """F of one node, by the words of README.md alone."""
    index, seed = (instant_s - day0 * DAY) // 60, root
    for level in range(24):
        both = AESCCM(seed).encrypt(bytes(13), bytes(32), None)
        seed = both[16:32] if index >> (23 - level) & 1 else both[:16]
    blocks = AESCCM(seed).encrypt(bytes(13), bytes(16 * elements), None)
    return [
        int.from_bytes(blocks[16 * j : 16 * j + 8], "big")
        ^ int.from_bytes(blocks[16 * j + 8 : 16 * j + 16], "big")
        for j in range(elements)
    ]


def masked_sum(nodes, span, stream: int, truth: dict) -> list[int]:
    """Σ c over the nodes and the range, one record each: what a store has. truth: {node: [m of
    each element]}."""
    total = None
    for node in nodes:
        m, root = truth[node.node_id], node.roots[stream]
        start, end = (mask(root, node.day0, at, len(m)) for at in span)
        c = [(v + a - b) % 2**64 for v, a, b in zip(m, start, end, strict=True)]
        total = c if total is None else [(x + y) % 2**64 for x, y in zip(total, c, strict=True)]
    return total


def opened(summed: list[int], pads) -> list[int]:
    found = [(c + pad) % 2**64 for c, pad in zip(summed, pads, strict=True)]
    return [value - 2**64 if value >> 63 else value for value in found]
