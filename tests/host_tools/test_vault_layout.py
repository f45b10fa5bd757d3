# SPDX-License-Identifier: MIT
"""vault/layout.py, vault/slots.py: no bit of a sealed file can be changed, and no rubbish read."""

import dataclasses
import random

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_tools.errors import ToolError
from host_tools.vault import layout, slots
from host_tools.vault.factors import KeyFile, make_key_file
from host_tools.vault.sealed_file import SealedFile
from tests.host_tools.vault_place import PASSPHRASE, Place, argon2id  # noqa: F401

bytes_of = st.binary
SHOWN = st.text(st.characters(codec="utf-8").filter(str.isprintable), max_size=20)
NUMBERS = st.integers(1, (1 << 32) - 1)


@pytest.fixture
def place(tmp_path):
    place = Place(tmp_path).fill()
    with place.open() as file:
        file.remove_factor(2)
        file.add_factor(PASSPHRASE, place.other)
    return place


def slot(number):
    sized = {name: bytes_of(min_size=n, max_size=n) for name, n in layout._SIZES.items()}
    return st.builds(
        slots.Slot, number=st.just(number), kind=SHOWN, label=SHOWN,
        kept=bytes_of(max_size=99), **sized,
    )  # fmt: skip


@st.composite
def headers(draw):
    numbers = draw(st.lists(NUMBERS, min_size=1, max_size=5, unique=True))
    stretch = slots.Stretch(
        draw(bytes_of(min_size=16, max_size=16)), draw(st.integers(1 << 16, 1 << 20)),
        draw(st.integers(3, 16)), draw(st.integers(1, 16)),
    )  # fmt: skip
    newest = draw(st.integers(1, 1 << 62)), draw(bytes_of(min_size=32, max_size=32))
    vault_id = draw(bytes_of(min_size=16, max_size=16))
    return layout.Header(vault_id, stretch, newest, tuple(draw(slot(n)) for n in numbers))


@given(headers(), bytes_of(min_size=28, max_size=99))
def test_what_was_written_is_read(header, rest):
    head = header.encode()
    parts = layout.decode(head + rest)
    assert (parts.header, parts.head) == (header, head)
    assert parts.nonce + parts.sealed == rest


@given(bytes_of(max_size=300))
def test_rubbish_is_none(data):
    assert layout.decode(data) is None
    assert layout.decode(layout.MAGIC + len(data).to_bytes(4) + data + bytes(28)) is None


@given(headers(), st.data())
def test_a_changed_header_is_none_or_another(header, data):
    head = bytearray(header.encode() + bytes(28))
    bit = data.draw(st.integers(0, len(head) * 8 - 1))
    head[bit // 8] ^= 1 << bit % 8
    parts = layout.decode(bytes(head))
    assert parts is None or (parts.header, parts.head, parts.nonce, parts.sealed) != (
        header, header.encode(), bytes(12), bytes(16))  # fmt: skip


@pytest.mark.parametrize("changed", [
    {"memory_kib": 1 << 15}, {"memory_kib": 1 << 31}, {"passes": 1}, {"passes": 1 << 20},
    {"lanes": 0}, {"lanes": 1 << 20}, {"salt": bytes(8)},
])  # fmt: skip
def test_a_cost_that_is_too_low_or_would_stop_the_machine_is_not_tried(place, changed):
    data = place.path.read_bytes()
    header = layout.decode(data).header
    header = dataclasses.replace(header, stretch=dataclasses.replace(header.stretch, **changed))
    assert layout.decode(header.encode() + bytes(99)) is None


def test_a_header_of_other_types_is_none(place):
    data = place.path.read_bytes()
    end = 12 + int.from_bytes(data[8:12])
    assert layout.decode(data) is not None
    for at, value in (
        (0, "s" * 16), (0, dict.fromkeys(range(16))), (0, [0] * 16), (0, None), (1, 131_072.0),
        (1, "a"), (2, 3.0), (2, None), (3, True), (3, 4.0), (3, float("nan")),
    ):  # fmt: skip
        head = cbor2.loads(data[12:end])
        head[1][at] = value
        content = cbor2.dumps(head, canonical=True)
        altered = data[:8] + len(content).to_bytes(4) + content + data[end:]
        assert layout.decode(altered) is None, (at, value)
        place.path.write_bytes(altered)
        with pytest.raises(ToolError, match="does not open"):
            place.open()


def test_no_bit_of_header_and_slots_can_be_changed(place):
    """Each bit before the image, opened with each of both factors; of Argon2id's salt each eighth:
    they all are one input of one call."""
    data = place.path.read_bytes()
    parts = layout.decode(data)
    salt = data.index(parts.header.stretch.salt)
    bits = [bit for bit in range((len(parts.head) + 12) * 8)
            if not (salt <= bit // 8 < salt + 16 and bit % 8)]  # fmt: skip
    assert len(bits) > 4000
    opened = [bit for bit in bits for factor in (place.key, place.other)
              if opens(place, flipped(data, bit), factor)]  # fmt: skip
    assert opened == []
    assert opens(place, data, place.key) and opens(place, data, place.other)


def test_no_bit_of_the_image_can_be_changed_nor_its_length(place):
    data = place.path.read_bytes()
    start = len(layout.decode(data).head) + 12
    chosen = random.Random(1).sample(range(start * 8, len(data) * 8), 2000)
    chosen += [start * 8, len(data) * 8 - 1]  # the first, and the tag's last
    assert [bit for bit in chosen if opens(place, flipped(data, bit), place.key)] == []
    for cut in (data[:-1], data + b"\0", data[:start], data[: start + 16], b""):
        assert not opens(place, cut, place.key)


def test_parts_of_an_older_image_or_of_another_vault_do_not_fit(place, tmp_path):
    old = place.path.read_bytes()
    with place.open() as file, file.change("nothing", {}):
        pass
    new = place.path.read_bytes()
    (tmp_path / "second").mkdir()
    make_key_file(tmp_path / "second" / "x")
    second = tmp_path / "second" / "vault"
    SealedFile.create(second, PASSPHRASE, place.key, "CREATE TABLE t (a);").close()
    other = second.read_bytes()
    ends = {name: len(layout.decode(data).head) for name, data in
            (("old", old), ("new", new), ("other", other))}  # fmt: skip
    assert not opens(place, old[: ends["old"]] + new[ends["new"] :], place.key)
    assert not opens(place, new[: ends["new"]] + old[ends["old"] :], place.key)
    assert not opens(place, new[: ends["new"]] + other[ends["other"] :], place.key)
    assert not opens(place, other[: ends["other"]] + new[ends["new"] :], place.key)


def test_slots_cannot_be_swapped_dropped_or_taken_from_an_older_file(place):
    old = layout.decode(place.path.read_bytes()).header
    with place.open() as file:
        file.remove_factor(3)
        file.add_factor(PASSPHRASE, KeyFile(place.other.path, "another"))
    data = place.path.read_bytes()
    parts = layout.decode(data)
    first, second = parts.header.slots
    for changed in (
        (first,), (second, first), (first, second, old.slots[1]), (first, old.slots[1]),
        (dataclasses.replace(first, box=second.box), second),
        (dataclasses.replace(first, number=2), second),
        (first, dataclasses.replace(second, label="forged")),
    ):  # fmt: skip
        head = dataclasses.replace(parts.header, slots=changed).encode()
        for factor in (place.key, place.other):
            assert not opens(place, head + data[len(parts.head) :], factor)


def test_who_knows_a_slots_public_part_cannot_make_an_image_that_opens(place):
    """A data key of the forger's own, sealed to each slot, with an image under it."""
    parts = layout.decode(place.path.read_bytes())
    forged = slots.Keys(parts.header.vault_id, bytes(32), bytes(32))
    changed = tuple(slots.with_data_key(one, forged) for one in parts.header.slots)
    head = dataclasses.replace(parts.header, slots=changed).encode()
    image = slots.AESGCMSIV(forged.image_key()).encrypt(bytes(12), bytes(4096), head)
    assert not opens(place, head + bytes(12) + image, place.key)


def flipped(data: bytes, bit: int) -> bytes:
    return data[: bit // 8] + bytes([data[bit // 8] ^ 1 << bit % 8]) + data[bit // 8 + 1 :]


def opens(place, data: bytes, factor) -> bool:
    place.path.write_bytes(data)
    try:
        place.open(factor=factor, read_only=True).close()
        return True
    except ToolError as err:
        assert "damaged" in err.message
        return False
