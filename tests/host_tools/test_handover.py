# SPDX-License-Identifier: MIT
"""What is read before anybody is known to have signed it: little, and at no great cost. Which keys
a card may have, and what its fingerprint covers."""

import tracemalloc

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from host_tools.errors import ToolError
from host_tools.handover import cards, command_file, document, grants, tickets
from host_tools.provisioning.controller_key import (
    ControllerKey,
    decode,
    new_sealing_secret,
    sealing_public,
)
from host_tools.provisioning.ed25519_key import is_verifying_key

P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P
BOX = X25519PrivateKey.from_private_bytes(bytes(range(32))).public_key().public_bytes_raw()
SIGNER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SIGN = SIGNER.public_key().public_bytes_raw()


def hostile(label: str, count: int, size: int) -> bytes:
    """A document whose last field is so many empty arrays."""
    head = bytes([0x80 | 1 + count]) + cbor2.dumps(label) + b"\x00" * (count - 1)
    return head + b"\x9a" + size.to_bytes(4) + b"\x80" * size


def read_tickets(path):
    return tickets.read_tickets(path, SIGN)


def read_grant(path):
    return grants.read_grant(path, SIGN, "home", bytes(32))


@pytest.mark.parametrize("read, label, count", [
    (read_tickets, document.TICKETS, 4), (read_grant, document.GRANT, 4),
    (command_file.read_commands, document.COMMANDS, 2),
    (cards.read_technician, document.TECHNICIAN, 3), (cards.read_office, document.OFFICE, 2),
    (cards.read_store, document.STORE, 2),
])  # fmt: skip
def test_what_nobody_signed_takes_no_memory(tmp_path, read, label, count):
    path, size = tmp_path / "huge", 2 << 20
    path.write_bytes(hostile(label, count, size) + bytes(64))
    tracemalloc.start()
    try:
        with pytest.raises(ToolError):
            read(path)
        peak = tracemalloc.get_traced_memory()[1]
        assert peak < document.MOST_BYTES + 6 * size  # read() asks for its bound at once
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("read, label", [
    (read_tickets, document.TICKETS), (read_grant, document.GRANT)])  # fmt: skip
def test_nothing_is_decoded_that_the_office_did_not_sign(tmp_path, monkeypatch, read, label):
    path = tmp_path / "a"
    path.write_bytes(document.sign(bytes(32), label, 1, 2, 3, 4))  # by another
    monkeypatch.setattr(document, "decode", lambda *_: pytest.fail("decoded"))
    with pytest.raises(ToolError, match="altered, or not signed by your office"):
        read(path)
    path.write_bytes(document.sign(bytes(range(32)), document.RECEIPTS, 1, 2, 3, 4))
    with pytest.raises(ToolError, match="is not a file of"):
        read(path)


ROWS = st.lists(st.tuples(st.sampled_from(["0123456789", "abcdefghjk"]), st.binary(max_size=300)))
UNTIL = st.none() | st.integers(0, 2**64 - 1)


@settings(deadline=None)
@given(ROWS, UNTIL)
def test_a_file_of_commands_is_read_as_it_was_written(tmp_path_factory, rows, until_s):
    path = tmp_path_factory.mktemp("a") / "a.commands"
    path.write_bytes(command_file.encode(rows, until_s))
    assert command_file.read_commands(path) == rows


@settings(deadline=None, max_examples=200)
@given(ROWS, UNTIL, st.integers(0, 400), st.integers(0, 255))
def test_another_file_of_commands_is_refused_or_is_one(tmp_path_factory, rows, until_s, at, byte):
    path = tmp_path_factory.mktemp("a") / "a.commands"
    data = command_file.encode(rows, until_s)
    for altered in (data[:at] + bytes([byte]) + data[at + 1 :], data[:at], data + b"\x00"):
        path.write_bytes(altered)
        try:
            found = command_file.read_commands(path)
        except ToolError as err:
            assert err.hint
            continue
        assert cbor2.loads(altered)[2] == [list(row) for row in found]


def test_more_commands_than_fit_one_file(monkeypatch):
    monkeypatch.setattr(command_file, "MOST", 2)
    rows = [("0123456789", b"sealed")] * 3
    assert command_file.encode(rows[:2])
    with pytest.raises(ToolError, match="more than fit one file"):
        command_file.encode(rows)


# keys


def add(a, b):
    """The sum of two points of edwards25519 (RFC 8032, 5.1)."""
    (x1, y1), (x2, y2) = a, b
    k = D * x1 * x2 * y1 * y2
    x3 = (x1 * y2 + x2 * y1) * pow(1 + k, -1, P)
    y3 = (y1 * y2 + x1 * x2) * pow(1 - k, -1, P)
    return x3 % P, y3 % P


def point(y):
    """One with this y; None when there is none."""
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    root = pow(square, (P + 3) // 8, P)
    for x in (root, root * pow(2, (P - 1) // 4, P)):
        if x * x % P == square:
            return x % P, y
    return None


def order_8():
    """A point of order 8: any point of the curve, times the order of its large subgroup."""
    large = 2**252 + 27742317777372353535851937790883648493
    for y in range(2, 100):
        here = point(y)
        if here is None:
            continue
        total = (0, 1)
        for bit in f"{large:b}":
            total = add(total, total)
            total = add(total, here) if bit == "1" else total
        if add(add(total, total), add(total, total)) != (0, 1):
            return total
    raise AssertionError


def small_order() -> list[bytes]:
    """All encodings of the eight points of small order, such as are not canonical, too."""
    total, base, found = (0, 1), order_8(), set()
    for _ in range(8):
        total = add(total, base)
        encoded = [y for y in (total[1], total[1] + P) if y < 2**255]
        found |= {y | sign << 255 for y in encoded for sign in (0, 1)}
    return [one.to_bytes(32, "little") for one in sorted(found)]


def test_keys_of_small_order_are_refused(tmp_path):
    keys = small_order()
    assert len(keys) == 14 and not any(map(is_verifying_key, keys))
    assert is_verifying_key(SIGN) and not is_verifying_key(SIGN + b"\x00")
    assert not is_verifying_key((P + 3).to_bytes(32, "little"))
    forged = bytes([1]) + bytes(31) + bytes(32)  # R is the neutral point, S is 0
    one = bytes([1]) + bytes(31)
    Ed25519PublicKey.from_public_bytes(one).verify(forged, b"anything")  # so it is they who must
    path = tmp_path / "a.card"
    path.write_bytes(document.encode(document.TECHNICIAN, "eve", BOX, one) + forged)
    with pytest.raises(ToolError, match="no proper name or key"):
        cards.read_technician(path)
    path.write_bytes(document.encode(document.OFFICE, "evil", one))
    with pytest.raises(ToolError, match="no proper name or key"):
        cards.read_office(path)
    with pytest.raises(ToolError, match="not the public key of a controller"):
        decode(ControllerKey("x", one, sealing_public(new_sealing_secret())).encode())


def test_a_fingerprint_covers_kind_name_and_keys():
    office, store = cards.Office("a", SIGN), cards.Store("a", SIGN)
    found = {one.fingerprint() for one in (
        office, store, cards.Office("b", SIGN), cards.Office("a", BOX), cards.Store("b", SIGN),
        cards.Technician("a", BOX, SIGN), cards.Technician("b", BOX, SIGN),
        cards.Technician("a", SIGN, SIGN), cards.Technician("a", BOX, BOX),
    )}  # fmt: skip
    assert len(found) == 9 and all(len(one) == 24 for one in found)
    assert cards.Office("a", SIGN).fingerprint() == office.fingerprint()
