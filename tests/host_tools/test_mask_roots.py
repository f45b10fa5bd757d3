# SPDX-License-Identifier: MIT
"""Roots on their way from the vault to the controller, and the key they are sealed to."""

import hashlib

import cbor2
import pytest
from controller_fixture import make_nodes, rules, terms
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from host_tools.controller.documents import Request
from host_tools.errors import ToolError
from host_tools.provisioning.controller_key import (
    ControllerKey,
    decode,
    new_sealing_secret,
    read_key,
    sealing_public,
    unseal,
)
from host_tools.provisioning.mask_roots import read_roots, write_roots
from node.policy.rules import Policy

POLICY = Policy(rules(terms()))
OFFICE = Ed25519PrivateKey.generate()
BELIEVED = OFFICE.public_key().public_bytes_raw()


@pytest.fixture(scope="module")
def secret():
    return new_sealing_secret()


@pytest.fixture(scope="module")
def key(secret):
    return ControllerKey("Data protection", bytes(range(32)), sealing_public(secret))


def test_they_arrive_whole(tmp_path, key, secret):
    nodes = sorted(make_nodes(3, POLICY, streams=(7, 8)), key=lambda node: node.node_id)
    write_roots(tmp_path / "a.roots", nodes, key, OFFICE)
    assert read_roots(tmp_path / "a.roots", secret, key, BELIEVED) == nodes
    sealed = (tmp_path / "a.roots").read_bytes()
    for node in nodes:
        assert node.node_id.encode() not in sealed
        assert all(root not in sealed for root in node.roots.values())
        assert all(root.hex() not in repr(node) for root in node.roots.values())


def test_nobody_else_opens_them(tmp_path, key):
    write_roots(tmp_path / "a.roots", make_nodes(1, POLICY), key, OFFICE)
    with pytest.raises(ToolError, match="another controller, or is damaged"):
        read_roots(tmp_path / "a.roots", new_sealing_secret(), key, BELIEVED)


def test_one_bit_anywhere(tmp_path, key, secret):
    path = tmp_path / "a.roots"
    write_roots(path, make_nodes(1, POLICY), key, OFFICE)
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :])
        with pytest.raises(ToolError):
            read_roots(path, secret, key, BELIEVED)
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(ToolError):
            read_roots(path, secret, key, BELIEVED)


def test_only_the_office_that_is_believed(tmp_path, key, secret):
    path = tmp_path / "a.roots"
    write_roots(path, make_nodes(1, POLICY), key, Ed25519PrivateKey.generate())
    with pytest.raises(ToolError, match="not signed by the office"):
        read_roots(path, secret, key, BELIEVED)


def test_what_the_office_signed_for_another_controller(tmp_path, key, secret):
    """Who can open it there can seal it anew."""
    path, head = tmp_path / "a.roots", b"lp1 sealed mask roots\n"
    other = ControllerKey("Another", bytes(32), sealing_public(secret))
    write_roots(path, make_nodes(1, POLICY), other, OFFICE)
    plaintext = unseal(path.read_bytes()[len(head) :], secret, head)
    path.write_bytes(head + key.seal(plaintext, head))
    with pytest.raises(ToolError, match="no list of roots"):
        read_roots(path, secret, key, BELIEVED)


BROKEN = (
    [], {}, ["lp1 mask roots"], ["lp1 mask root", []], ["lp1 mask roots", [[1]]],
    ["lp1 mask roots", [["0123456789", 1, "street", "energy", {7: bytes(15)}]]],
    ["lp1 mask roots", [["0123456789", 1, "street", "energy", {0: bytes(16)}]]],
    ["lp1 mask roots", [["0123456789", -1, "street", "energy", {7: bytes(16)}]]],
    ["lp1 mask roots", [["not a node", 1, "street", "energy", {7: bytes(16)}]]],
    ["lp1 mask roots", [["0123456789", 1, b"street", "energy", {7: bytes(16)}]]],
)  # fmt: skip


@pytest.mark.parametrize("content", BROKEN)
def test_what_was_sealed_and_is_no_list(tmp_path, key, secret, content):
    head = b"lp1 sealed mask roots\n"
    path = tmp_path / "a.roots"
    if content and len(content) > 1:
        content = [content[0], hashlib.sha256(key.encode()).digest(), content[1]]
    plaintext = cbor2.dumps(content, canonical=True)
    path.write_bytes(head + key.seal(OFFICE.sign(plaintext) + plaintext, head))
    with pytest.raises(ToolError, match="no list of roots"):
        read_roots(path, secret, key, BELIEVED)


def test_a_key_is_read_as_it_was_written(tmp_path, key):
    path = tmp_path / "controller.public"
    path.write_bytes(key.encode())
    assert read_key(path) == key
    assert key.fingerprint() == decode(key.encode()).fingerprint()
    assert len(key.fingerprint()) == 39
    with pytest.raises(ToolError, match="give the controller's public key"):
        try:
            read_key(tmp_path / "nothing")
        except ToolError as err:
            raise ToolError(err.hint) from None


def test_what_is_no_key(key):
    whole = key.encode()
    for wrong in (b"", b"\x00", whole[:-1], whole + b"\x00", cbor2.dumps(["lp1", "a", b"", b""])):
        with pytest.raises(ToolError, match="not the public key"):
            decode(wrong)
    shown = ControllerKey("a\nb", key.signing, key.sealing).encode()
    with pytest.raises(ToolError):
        decode(shown)


def test_random_bytes_are_no_request():
    """A small form of what arrives from the network: nothing but ToolError."""
    import random

    chance = random.Random(7)
    whole = Request(7, ((0, 900),), ("0123456789",), (bytes(32),), "dpv:PublicBenefit").encode()
    for _ in range(20_000):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            kind, at = chance.randint(0, 2), chance.randrange(len(data))
            if kind == 0:
                data[at] ^= 1 << chance.randint(0, 7)
            elif kind == 1:
                del data[at : at + chance.randint(1, 9)]
                data += bytes(1)
            else:
                data[at:at] = chance.randbytes(chance.randint(1, 9))
        try:
            request = Request.decode(bytes(data))
        except ToolError:
            continue
        assert request.encode() == bytes(data)
