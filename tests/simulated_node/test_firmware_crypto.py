# SPDX-License-Identifier: MIT
"""The node's crypto and CBOR against independent implementations: cryptography, cbor2, pycose."""

import contextlib
import hashlib
import hmac

import cbor2
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import given
from hypothesis import strategies as st
from pycose.headers import IV
from pycose.keys import SymmetricKey
from pycose.messages import Enc0Message

from node import cbor
from node.crypto import ccm
from node.crypto.hkdf import expand
from node.crypto.hmac_sha256 import equal, hmac_sha256
from node.errors import FormatError, OpenError
from node.pipeline import envelope
from node.pipeline.seal import Sealer, series_keys
from node.policy.rules import Policy

keys = st.binary(min_size=32, max_size=32)
nonces = st.binary(min_size=13, max_size=13)
aads = st.binary(min_size=1, max_size=80)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**64), 2**64 - 1) | st.binary() | st.text(),
    lambda inner: st.lists(inner, max_size=5),
    max_leaves=20,
)
NODE = "abcdefghjk"
POLICY = Policy(
    cbor.encode(
        ["lp1 policy", "t", 1, "air", 0, 40_000,
         [[1, "co2_ppm", 300, ["mean"], 1, 350, 5000, 0, None]], bytes(32)]
    )
)


@given(keys, nonces, st.binary(max_size=300), aads)
def test_ccm_is_ccm(key, nonce, text, aad):
    sealed = ccm.encrypt(key, nonce, text, aad)
    assert sealed == AESCCM(key, 16).encrypt(nonce, text, aad)
    assert ccm.decrypt(key, nonce, sealed, aad) == text


@given(keys, nonces, st.binary(max_size=80), aads, st.integers(0))
def test_one_flipped_bit_does_not_open(key, nonce, text, aad, bit):
    sealed = bytearray(ccm.encrypt(key, nonce, text, aad))
    bit %= 8 * len(sealed)
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(OpenError):
        ccm.decrypt(key, nonce, bytes(sealed), aad)
    with pytest.raises(InvalidTag):
        AESCCM(key, 16).decrypt(nonce, bytes(sealed), aad)


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_hmac(key, message):
    assert hmac_sha256(key, message) == hmac.digest(key, message, "sha256")


@given(st.binary(max_size=20), st.binary(max_size=20))
def test_equal(a, b):
    assert equal(a, b) == (a == b)
    assert equal(a, bytes(a))


@given(keys, st.binary(max_size=60), st.integers(1, 200))
def test_hkdf(key, info, length):
    assert expand(key, info, length) == HKDFExpand(SHA256(), length, info).derive(key)


@given(values)
def test_cbor_is_deterministic_cbor(value):
    data = cbor2.dumps(value, canonical=True)
    assert cbor.encode(value) == data
    assert cbor.decode(data) == value


@given(st.binary(max_size=60))
def test_cbor_never_raises_anything_else(data):
    try:
        value = cbor.decode(data)
    except FormatError:
        return
    assert cbor.encode(value) == data  # one value, one encoding


@given(st.integers(0, 0xFFFF), st.binary(min_size=8, max_size=8), st.integers(0, 2**40 - 1),
       st.binary(min_size=16, max_size=300))  # fmt: skip
def test_envelope_layout_there_and_back(epoch, series, counter, ciphertext):
    kid = envelope.kid(epoch, series, POLICY.digest)
    packed = envelope.pack(kid, counter, ciphertext)
    assert envelope.unpack(packed) == (
        kid, epoch, series, POLICY.digest[:4], counter, ciphertext
    )  # fmt: skip
    protected, unprotected, body = cbor2.loads(packed).value
    assert (protected, body) == (b"\xa1\x01\x18\x1f", ciphertext)
    assert unprotected[4] == kid
    assert int.from_bytes(unprotected[6], "big") == counter


@given(st.binary(max_size=120))
def test_unpack_never_raises_anything_else(data):
    for message in (data, b"\xd0\x83\x44\xa1\x01\x18\x1f\xa2\x04" + data):
        for unpack in (envelope.unpack, envelope.unpack_down):
            with contextlib.suppress(FormatError):
                unpack(message)


class Keys:
    epoch = 3
    seal = hashlib.sha256(b"seal").digest()


@given(st.integers(0, 300), st.integers(350, 5000) | st.none())
def test_an_envelope_of_the_node_opens_with_pycose(skip, value):
    sealer = Sealer(Keys(), NODE, POLICY, b"\x00\x00series")
    for _ in range(min(skip, 3)):
        sealer.seal(b"log!", 1, 1, [], None)
    sealer._counter = skip
    records = [[1, 6_000_000, value]]
    sealed = sealer.seal(b"log!", 7, 2, records, 6_000_001 * 300)

    key, base_iv = series_keys(Keys.seal, b"\x00\x00series")
    # pycose 1.1 wants the list that cbor2 gave before version 6, where it gives a tuple
    protected, unprotected, ciphertext = cbor2.loads(sealed).value
    message = Enc0Message.from_cose_obj([protected, dict(unprotected), ciphertext], True)
    message.key = SymmetricKey(k=key)
    message.uhdr[IV] = envelope.nonce(base_iv, skip)
    message.external_aad = cbor2.dumps(["lp1", NODE, "up", POLICY.digest], canonical=True)
    plaintext = message.decrypt()
    assert len(plaintext) == POLICY.padded_length(6_000_001 * 300)
    fields, used = cbor.decode_first(plaintext)
    assert fields == [b"log!", 7, 2, records]
    assert not any(plaintext[used:])


def test_the_counter_starts_anew_with_each_epoch_and_never_repeats_within():
    keys = Keys()
    sealer = Sealer(keys, NODE, POLICY, b"12345678")
    counters = [envelope.unpack(sealer.seal(b"log!", 1, 1, [], None))[1:5:3] for _ in range(300)]
    assert counters == [(3, n) for n in range(300)]
    keys.epoch = 4
    assert envelope.unpack(sealer.seal(b"log!", 1, 1, [], None))[1:5:3] == (4, 0)


@given(st.lists(st.none() | st.integers(-(10**9), 10**9), min_size=1, max_size=1))
def test_no_value_makes_an_envelope_longer(value):
    stream = POLICY.streams[0]
    step = None if value[0] is None else stream.steps("mean", value[0])
    sealer = Sealer(Keys(), NODE, POLICY, b"12345678")
    sealed = sealer.seal(b"log!", 2**32 - 1, 2**32 - 1, [[1, 2**32 - 1, step]], 300)
    assert len(envelope.unpack(sealed)[5]) == POLICY.padded_length(300) + 16
