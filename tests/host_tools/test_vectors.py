# SPDX-License-Identifier: MIT
"""tests/vectors: as generate.py writes them, and as the host tools and pycose see them."""

import json

import cbor2
import pytest
from pycose.headers import IV
from pycose.keys import SymmetricKey
from pycose.messages import Enc0Message

from host_tools.collector.keyring import NodeKeys
from host_tools.collector.open_envelope import Opened, open_envelope
from host_tools.collector.receipt import seal_receipt
from host_tools.provisioning.command import (
    CERTIFICATE_BYTES,
    certificate_parts,
    mask,
    mix,
    resend,
    seal_command,
)
from host_tools.provisioning.ticket import make_ticket
from node.pipeline.down import CommandOpener
from node.policy.rules import Policy
from tests.host_tools import reference_sealer as ref
from tests.vectors import generate

DAY0 = 20_500
# RFC 5869, appendix A.1 to A.3
OKM = (
    "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
    "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e"
    "09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87",
    "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
)


def vectors(name):
    return json.loads((generate.FOLDER / f"{name}.json").read_text())


@pytest.mark.parametrize("name", generate.FILES)
def test_the_files_are_what_is_generated(name):
    text = (generate.FOLDER / f"{name}.json").read_text()
    assert text == generate.text(name), "run: python -m tests.vectors.generate"


def test_there_are_enough():
    assert len(vectors("ccm")) >= 50
    assert len(vectors("envelope")) >= 20
    assert {0, 255, 256, 2**32} <= {vector["counter"] for vector in vectors("envelope")}


def test_hkdf_of_rfc_5869():
    assert tuple(vector["okm"] for vector in vectors("hkdf")[:3]) == OKM


def test_tickets_are_derived_so():
    for vector in vectors("hkdf")[3:]:
        label, node_id = vector["name"].split(" of ")
        ticket = make_ticket(bytes.fromhex(vector["ikm"]), node_id, DAY0)
        assert getattr(ticket, label.removeprefix("lp1 ")).hex() == vector["okm"]


def test_seals_are_chained_so():
    for vector in vectors("seal_chain"):
        mixes = {epoch: bytes.fromhex(a) for epoch, a in vector["mixes"]}
        keys = NodeKeys(DAY0, 0, bytes.fromhex(vector["seal_0"]), b"", [], mixes)
        assert keys.seal_at(vector["epoch"]).hex() == vector["seal"]
    assert len([v for v in vectors("seal_chain") if v["mixes"]]) >= 18


class OneNode:
    """A keyring that holds the node of one vector."""

    def __init__(self, vector):
        seal, policy = bytes.fromhex(vector["seal"]), Policy(bytes.fromhex(vector["policy"]))
        self.keys = NodeKeys(DAY0, vector["epoch"], seal, b"", [policy])

    def node(self, node_id):
        return self.keys


@pytest.mark.parametrize("vector", vectors("envelope"), ids=lambda vector: vector["counter"])
def test_envelopes_open(vector):
    now_s = max((DAY0 + vector["epoch"]) * 86_400, vector["instant_s"] or 0)
    opened = open_envelope(
        OneNode(vector), vector["node"], bytes.fromhex(vector["envelope"]), now_s
    )
    assert isinstance(opened, Opened)
    for name in ("epoch", "number", "floor", "records", "instant_s"):
        assert getattr(opened, name) == vector[name]
    assert opened.log.hex() == vector["log"]


def test_a_slot_of_the_future_is_refused():
    vector = next(v for v in vectors("envelope") if v["instant_s"] and v["epoch"] == 1)
    keyring, message = OneNode(vector), bytes.fromhex(vector["envelope"])
    keyring.keys.day0 = vector["instant_s"] // 86_400 - 8
    for ahead_s, refused in ((7 * 86_400, False), (7 * 86_400 + 1, True)):
        outcome = open_envelope(keyring, vector["node"], message, vector["instant_s"] - ahead_s)
        assert isinstance(outcome, Opened) != refused
    assert outcome.reason == "slot in the future"


@pytest.mark.parametrize("vector", vectors("envelope"), ids=lambda vector: vector["counter"])
def test_envelopes_are_cose_as_pycose_sees_it(vector):
    # pycose 1.1 wants the list that cbor2 gave before version 6, where it gives a tuple
    protected, unprotected, ciphertext = cbor2.loads(bytes.fromhex(vector["envelope"])).value
    message = Enc0Message.from_cose_obj([protected, dict(unprotected), ciphertext], True)
    message.key = SymmetricKey(k=bytes.fromhex(vector["key"]))
    message.uhdr[IV] = bytes.fromhex(vector["nonce"])  # it drops zeros that lead a base IV
    digest = bytes.fromhex(vector["policy_digest"])
    message.external_aad = ref.dumps(["lp1", vector["node"], "up", digest])
    assert message.decrypt().hex() == vector["plaintext"]


def test_lengths():
    for vector in vectors("policy_length"):
        policy = Policy(bytes.fromhex(vector["policy"]))
        assert policy.digest.hex() == vector["digest"]
        assert policy.padded_length(vector["instant_s"]) == vector["length"]
        if vector["instant_s"] is not None:
            closing = [stream.number for stream in policy.closing(vector["instant_s"])]
            assert closing == vector["closing"]


def test_receipts_are_sealed_so(monkeypatch):
    for vector in vectors("receipt"):
        monkeypatch.setattr("os.urandom", lambda size, iv=vector["iv"]: bytes.fromhex(iv)[:size])
        message = seal_receipt(
            bytes.fromhex(vector["key"]), vector["node"], vector["time_s"],
            bytes.fromhex(vector["log"]), vector["upto"], vector["ranges"],
        )  # fmt: skip
        assert message.hex() == vector["message"]


def test_commands_are_sealed_so(monkeypatch):
    for vector in vectors("command"):
        monkeypatch.setattr("os.urandom", lambda size, iv=vector["iv"]: bytes.fromhex(iv)[:size])
        key, number = bytes.fromhex(vector["key"]), vector["number"]
        if vector["verb"] == "resend":
            log = bytes.fromhex(vector["log"])
            message = resend(key, vector["node"], number, log, *vector["arguments"])
        else:
            message = seal_command(key, vector["node"], number, vector["verb"])
        assert message.hex() == vector["message"]


def test_what_is_no_command():
    key, node_id = bytes(32), "0123456789"
    for number in (0, -1, 2**32):
        with pytest.raises(ValueError, match="is not the number of a command"):
            resend(key, node_id, number, b"LOG0", 1)
    for log, first in ((b"LOG", 1), (b"LOG0", -1), (b"LOG0", 2**32)):
        with pytest.raises(ValueError, match="not an outbox"):
            resend(key, node_id, 1, log, first)


def test_the_root_of_a_tree_is_a_command():
    key, node_id, root = bytes(range(32)), "0123456789", bytes(range(16))
    message = mask(key, node_id, 7, 255, root)
    assert CommandOpener(key, node_id).open(message) == (7, "mask", [255, root])
    for stream, wrong in ((0, root), (256, root), (1, root[1:]), (1, root + b"x")):
        with pytest.raises(ValueError, match="not the number of a stream"):
            mask(key, node_id, 7, stream, wrong)


def test_what_is_mixed_in_is_a_command():
    key, node_id, a = bytes(range(32)), "0123456789", bytes(range(32))
    message = mix(key, node_id, 7, 0xFFFF, a)
    assert CommandOpener(key, node_id).open(message) == (7, "mix", [0xFFFF, a])
    assert len(message) < 200  # a node takes packets of 512 bytes
    for epoch, wrong in ((0, a), (0x10000, a), (1, a[1:]), (1, a + b"x")):
        with pytest.raises(ValueError, match="not an epoch to come"):
            mix(key, node_id, 7, epoch, wrong)


def test_a_certificate_comes_in_parts(monkeypatch):
    for vector in vectors("certificate")[1:]:
        ivs = iter(bytes.fromhex(part["iv"]) for part in vector["parts"])
        monkeypatch.setattr("os.urandom", lambda size, ivs=ivs: next(ivs)[:size])
        key, content = bytes.fromhex(vector["key"]), bytes.fromhex(vector["content"])
        parts = certificate_parts(key, vector["node"], vector["serial"], content)
        assert [part.hex() for part in parts] == [part["message"] for part in vector["parts"]]
    monkeypatch.undo()
    longest = certificate_parts(bytes(32), "0123456789", 2**16 - 1, bytes(CERTIFICATE_BYTES))
    assert max(map(len, longest)) < 450  # a node takes packets of 512 bytes
    for serial, content in ((0, b"x"), (2**16, b"x"), (1, bytes(CERTIFICATE_BYTES + 1))):
        with pytest.raises(ValueError, match="not the serial of a certificate"):
            certificate_parts(bytes(32), "0123456789", serial, content)


def test_each_command_has_an_iv_of_its_own():
    assert len({resend(bytes(32), "0123456789", 1, b"LOG0", 1) for _ in range(100)}) == 100


def test_each_receipt_has_an_iv_of_its_own():
    messages = {seal_receipt(bytes(32), "0123456789", 0, b"LOG0", 1, []) for _ in range(100)}
    assert len(messages) == 100


def test_a_receipt_fits_a_nodes_buffer():
    ranges = [[2**32 - 2 * n, 2**32 - 2 * n] for n in range(16, 0, -1)]
    message = seal_receipt(bytes(32), "0123456789", 2**32 - 1, b"LOG0", 2**31, ranges)
    assert len(message) < 1024 - 64
