# SPDX-License-Identifier: MIT
"""provisioning/lms_tree.py and the node's check: RFC 8554, pyhsslms, and each byte changed."""

import json
import os
from io import BytesIO

import pyhsslms.pyhsslms as hss
import pytest

from host_tools.provisioning.lms_tree import LEAVES, LmsTree
from node.crypto import lms
from node.errors import FormatError, OpenError
from tests.vectors import generate, rfc_8554

VECTORS = json.loads((generate.FOLDER / "lms.json").read_text())


def tree_of(vector) -> LmsTree:
    return LmsTree(bytes.fromhex(vector["seed"]), bytes.fromhex(vector["identifier"]))


@pytest.fixture(scope="module")
def trees():
    """{identifier: tree} of the vectors; there are two."""
    return {v["identifier"]: tree_of(v) for v in (VECTORS[0], VECTORS[-1])}


@pytest.fixture(scope="module")
def peer():
    """A new key of pyhsslms, with our parameters."""
    return hss.LmsPrivateKey(hss.lms_sha256_m32_h10, hss.lmots_sha256_n32_w4)


def verify(public_key, message, signature):
    lms.verify(public_key, [message], BytesIO(signature))


def one_level(key, message):
    """(public key, signature) of an LMS key of pyhsslms as the only level of HSS."""
    return hss.u32(1) + key.publicKey().serialize(), hss.u32(0) + key.sign(message)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_vectors(trees, vector):
    tree = trees[vector["identifier"]]
    message, randomizer = bytes.fromhex(vector["message"]), bytes.fromhex(vector["randomizer"])
    assert tree.public_key.hex() == vector["public_key"]
    assert tree.sign(vector["leaf"], message, randomizer).hex() == vector["signature"]
    assert tree.is_leaf_right(vector["leaf"])


def test_the_rfc_is_what_pyhsslms_accepts():
    key = hss.LmsPublicKey.deserialize(bytes.fromhex(VECTORS[0]["public_key"])[4:])
    assert key.K.hex() == rfc_8554.ROOT
    message, signature = (bytes.fromhex(text) for text in (rfc_8554.MESSAGE, rfc_8554.SIGNATURE))
    assert key.verify(message, signature)


def test_each_leaf(trees):
    """pyhsslms accepts 64 of them, the node all."""
    tree = trees[VECTORS[0]["identifier"]]
    key = hss.HssPublicKey.deserialize(tree.public_key)
    for leaf in range(LEAVES):
        message = os.urandom(leaf % 200)
        signature = tree.sign(leaf, message, os.urandom(32))
        verify(tree.public_key, message, signature)
        if leaf % 16 == 7:
            assert key.verify(message, signature)


def test_the_node_accepts_pyhsslms(peer):
    for leaf in (0, 1, 2, 511, 512, 767, 1022, 1023):
        for size in (0, 1, 23, 24, 5000):
            message = os.urandom(size)
            peer.q = leaf
            peer.ots_priv[leaf]._signatures_remaining = 1  # a test may use a leaf again
            public_key, signature = one_level(peer, message)
            verify(public_key, message, signature)
            with pytest.raises(OpenError):
                verify(public_key, message + b"\0", signature)


@pytest.mark.parametrize("vector", (VECTORS[0], VECTORS[3]), ids=lambda vector: vector["name"])
def test_each_byte_changed_and_each_length(vector):
    public_key, message, signature = (
        bytes.fromhex(vector[name]) for name in ("public_key", "message", "signature")
    )
    verify(public_key, message, signature)
    refused = 0

    def refuse(*arguments):
        nonlocal refused
        with pytest.raises((FormatError, OpenError)):
            verify(*arguments)
        refused += 1

    def others(data):
        for at in range(len(data)):
            yield data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :]
        for end in range(len(data)):
            yield data[:end]
        yield data + b"\0"

    for other in others(public_key):
        refuse(other, message, signature)
    for other in others(message):
        refuse(public_key, other, signature)
    for other in others(signature):
        refuse(public_key, message, other)
    assert refused == 2 * (60 + len(message) + 2512) + 3


@pytest.mark.parametrize("height, width", ((5, 4), (5, 8), (5, 2), (5, 1)))
def test_other_parameters_are_refused(height, width):
    lms_type, lmots_type = hss.u32(height), hss.u32({1: 1, 2: 2, 4: 3, 8: 4}[width])
    key = hss.LmsPrivateKey(lms_type, lmots_type)
    public_key, signature = one_level(key, b"message")
    assert hss.HssPublicKey.deserialize(public_key).verify(b"message", signature)
    ours = bytes.fromhex(VECTORS[0]["public_key"])
    for other in (public_key, ours[:12] + public_key[12:]):
        with pytest.raises(FormatError):
            verify(other, b"message", signature)


def test_two_levels_are_refused(trees):
    """A signature of HSS as the RFC's test cases are: our tree signs the key that signs."""
    tree = trees[VECTORS[0]["identifier"]]
    below = hss.LmsPrivateKey(hss.lms_sha256_m32_h5, hss.lmots_sha256_n32_w4)
    below_key = below.publicKey().serialize()
    above = tree.sign(5, below_key, os.urandom(32))
    signature = hss.u32(1) + above[4:] + below_key + below.sign(b"message")
    public_key = hss.u32(2) + tree.public_key[4:]
    assert hss.HssPublicKey.deserialize(public_key).verify(b"message", signature)
    for key in (public_key, tree.public_key):
        for message in (b"message", below_key):
            with pytest.raises(FormatError):
                verify(key, message, signature)
    verify(tree.public_key, below_key, above)


def test_what_is_no_key(trees):
    tree = trees[VECTORS[0]["identifier"]]
    for seed, identifier, leaves in (
        (bytes(31), bytes(16), tree.leaves), (bytes(32), bytes(15), tree.leaves),
        (bytes(32), bytes(16), tree.leaves[:-1]),
    ):  # fmt: skip
        with pytest.raises(ValueError):
            LmsTree(seed, identifier, leaves)
    for leaf, randomizer in ((-1, bytes(32)), (LEAVES, bytes(32)), (0, bytes(31))):
        with pytest.raises(ValueError):
            tree.sign(leaf, b"", randomizer)
