# SPDX-License-Identifier: MIT
"""host_tools/policy/signed.py: keys, signed policies, and the published file."""

import io
import stat

import cbor2
import pytest

from host_tools.errors import ToolError
from host_tools.policy import signed
from host_tools.policy.compile_policy import compile_policy
from host_tools.policy.terms import read_terms
from host_tools.provisioning.kit import load_kit
from node.crypto import lms
from node.policy.rules import Policy


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return tmp_path_factory.mktemp("key"), tmp_path_factory.mktemp("witness")


@pytest.fixture(scope="module")
def signer(folders):
    return signed.make_key(*folders)


@pytest.fixture(scope="module")
def compiled():
    return compile_policy(load_kit("traffic").policy_path)


@pytest.fixture(scope="module")
def published(signer, compiled):
    return signed.publish(signer, compiled.rules, compiled.terms)


def test_a_key_folder(signer, folders):
    folder, witness = folders
    assert {path.name for path in folder.iterdir()} >= {"seed", "state", "policy.key"}
    assert stat.S_IMODE((folder / "seed").stat().st_mode) == 0o600
    assert (folder / "policy.key").read_bytes() == signer.public_key
    assert signed.read_public_key(folder) == signer.public_key
    assert signed.read_public_key(folder / "policy.key") == signer.public_key
    assert signed.load_key(folder, witness).public_key == signer.public_key
    with pytest.raises(ToolError, match="is there already"):
        signed.make_key(folder, witness)


def test_a_key_that_is_not_whole(signer, folders, tmp_path):
    with pytest.raises(ToolError, match="No such file"):
        signed.load_key(tmp_path, folders[1])
    (tmp_path / "seed").write_bytes(bytes(47))
    with pytest.raises(ToolError, match="damaged"):
        signed.load_key(tmp_path, folders[1])
    (tmp_path / "policy.key").write_bytes(bytes(59))
    with pytest.raises(ToolError, match="no public key"):
        signed.read_public_key(tmp_path)


def test_two_keys_differ(signer, tmp_path, folders):
    other = signed.make_key(tmp_path / "other", folders[1])
    assert other.public_key[12:28] != signer.public_key[12:28]


def test_a_node_takes_what_is_signed(signer, compiled):
    both = signed.sign(signer, compiled.rules)
    assert signed.rules_of(both) == compiled.rules
    assert len(both) - len(compiled.rules) == lms.SIGNATURE_LENGTH
    lms.verify(signer.public_key, (compiled.rules,), io.BytesIO(both[len(compiled.rules) :]))


def test_the_published_file(signer, published, compiled, tmp_path):
    path = tmp_path / "traffic.policy"
    signed.write_file(path, published)
    label, rules, terms, signature = cbor2.loads(path.read_bytes())
    assert (label, rules, terms) == ("lp1 published policy", compiled.rules, compiled.terms)
    again = signed.read_file(path, signer.public_key)
    assert again == published
    assert again.signed() == rules + signature
    assert again.policy().digest == Policy(rules).digest
    assert again.read_terms().title["de"] == "Verkehr in der Straße"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def with_parts(published, **parts):
    fields = {"label": signed.LABEL, "rules": published.rules, "terms": published.terms,
              "signature": published.signature, **parts}  # fmt: skip
    return cbor2.dumps(list(fields.values()), canonical=True)


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def test_what_is_no_published_policy(signer, published, compiled):
    other = compile_policy(load_kit("air").policy_path)
    for data, words in (
        (b"", "not a published policy"),
        (b"\xff", "not a published policy"),
        (published.encode()[:-1], "not a published policy"),
        (published.encode() + b"\0", "not a published policy"),
        (with_parts(published, label="lp1 policy"), "not a published policy"),
        (with_parts(published, signature=bytes(2511)), "not a published policy"),
        (with_parts(published, terms="text"), "not a published policy"),
        (with_parts(published, rules=b"\x80"), "has rules that no node takes"),
        (with_parts(published, terms=other.terms), "terms that are not those of its rules"),
        (with_parts(published, rules=other.rules, terms=other.terms), "not signed by this key"),
        (with_parts(published, signature=flipped(published.signature, 2000)), "not signed"),
    ):
        with pytest.raises(ToolError, match=words) as caught:
            signed.read_published(data, "x.policy", signer.public_key)
        assert caught.value.message.startswith("x.policy") and caught.value.hint
    # without a key nobody's signature is asked for
    assert signed.read_published(with_parts(published, signature=bytes(2512)))


def test_nothing_is_signed_that_no_node_takes(signer):
    before = signer.remaining()
    with pytest.raises(ToolError, match="no node would take"):
        signed.sign(signer, b"\x80")
    assert signer.remaining() == before


@pytest.mark.parametrize(
    ("at", "value", "words"),
    [
        ((1,), "../air", "an id or a kit that is no name"),
        ((1,), "a\x1b[2J", "an id or a kit that is no name"),
        ((1,), ["air"], "has rules that no node takes"),
        ((3,), 7, "has rules that no node takes"),
        ((6, 0, 1), "speed_mmps", "a quantity that is not known, in stream 1"),
        ((6, 0, 1), ["vehicles"], "has rules that no node takes"),
    ],
)
def test_rules_that_nobody_could_be_shown(published, at, value, words):
    rules = cbor2.loads(published.rules)
    _set(rules, at, value)
    data = with_parts(published, rules=cbor2.dumps(rules, canonical=True))
    with pytest.raises(ToolError, match=words):
        signed.read_published(data, "x.policy")


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (("title", "en"), 7), (("title", "en"), ""), (("title", "en"), "a\x1b[2J"),
        (("title",), {"en": "Traffic"}), (("controller", "contact"), None),
        (("place_precision_m",), 0), (("place_precision_m",), True), (("languages",), []),
        (("streams", 1, "retention_days"), 1.5), (("streams", 1, "purpose"), b"x"),
        (("streams", 1, "recipients"), [{"en": "All"}]), (("streams", 2, "per_day"), [0, 1]),
        (("streams", 2, "per_day"), [1, 0]), (("streams", 2, "contribution"), -1),
        (("streams", 1, "more"), 1),
    ],
)  # fmt: skip
def test_terms_that_nobody_could_be_shown(compiled, at, value):
    terms = cbor2.loads(compiled.terms)
    _set(terms[1], at, value)
    with pytest.raises(ToolError, match="not the terms of a policy"):
        read_terms(cbor2.dumps(terms, canonical=True))


def _set(inner, at: tuple, value):
    for key in at[:-1]:
        inner = inner[key]
    inner[at[-1]] = value
