# SPDX-License-Identifier: MIT
"""Prepared nodes: their file, their folder, and the Wi-Fi that they are given."""

import contextlib
import io
import json
import shutil
import threading

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from host_tools.errors import ToolError
from host_tools.flashing.prepared_nodes import PreparedNodes
from host_tools.flashing.wifi_credentials import PASSWORD, SSID, wifi_credentials
from host_tools.provisioning.kit import check_kit
from host_tools.provisioning.node_parts import (
    MOST_BYTES,
    decode_parts,
    read_parts,
    write_parts,
)
from tests.host_tools.prepared_fixture import make_parts, prepare

MACS = [f"02:00:00:00:00:0{n}" for n in range(4)]

# the file


def test_parts_are_read_as_they_were_written(tmp_path):
    parts = make_parts("energy")
    path = write_parts(tmp_path / "new", parts)
    assert path.stat().st_mode & 0o777 == 0o600
    again = read_parts(path)
    assert again.encode() == parts.encode() == path.read_bytes()
    assert again.ticket == parts.ticket and again.kit == parts.kit
    board = {"board": "b"}
    assert again.files(("s", "p"), board) == parts.files(("s", "p"), board)


ENCODED = make_parts("air", "0123456789").encode()


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(ENCODED) - 1))
def test_parts_that_are_cut_off_are_refused(length):
    with pytest.raises(ToolError, match="not a prepared node, or not whole"):
        decode_parts(ENCODED[:length], "x")


ANY = st.recursive(
    st.none() | st.integers() | st.text(max_size=9) | st.binary(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.integers(), inner, max_size=3),
)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 8), ANY)
def test_a_field_of_another_kind_is_refused(index, value):
    fields = cbor2.loads(ENCODED)
    was = fields[index]
    fields[index] = value
    data = cbor2.dumps(fields, canonical=True)
    if type(value) is not type(was) or isinstance(was, list):
        with pytest.raises(ToolError):
            decode_parts(data, "x")


STREAM, NOT_A_STREAM = 1, (0, -1, 256, 1 << 70, True, "1", b"1")


@pytest.mark.parametrize("stream", NOT_A_STREAM)
def test_a_mask_of_what_is_no_stream_is_refused(stream):
    fields = cbor2.loads(ENCODED)
    fields[MASKS] = {STREAM: bytes(16)}
    assert decode_parts(cbor2.dumps(fields, canonical=True), "x").ticket.masks == fields[MASKS]
    fields[MASKS] = {stream: bytes(16)}
    with pytest.raises(ToolError, match="not a prepared node"):
        decode_parts(cbor2.dumps(fields, canonical=True), "x")


MASKS, PLACE, KIT = 4, 6, 8
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=9), inner,
                                                                max_size=2),
    max_leaves=6,
)  # fmt: skip


def with_kit(kit) -> bytes:
    fields = cbor2.loads(ENCODED)
    fields[KIT] = kit if isinstance(kit, str) else json.dumps(kit)
    return cbor2.dumps(fields, canonical=True)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(["all", "kit", "title", "policy", "outbox_kib", "sensors", "sensor"]), JSON)
def test_a_kit_that_is_not_sound_is_refused(place, value):
    kit = json.loads(cbor2.loads(ENCODED)[KIT])
    if place == "all":
        kit = value
    elif place == "sensor":
        kit["sensors"][0] = value
    else:
        kit[place] = value
    with contextlib.suppress(ToolError):  # and never with another error
        parts = decode_parts(with_kit(kit), "x")
        check_kit("x", parts.kit)
        assert place in ("title", "policy", "kit", "outbox_kib")


@pytest.mark.parametrize("kit", ["[" * 20_000 + "]" * 20_000, "1" * 5000, '{"kit": NaN}', "[]"])
def test_a_kit_that_is_no_table_is_refused(kit):
    with pytest.raises(ToolError):
        decode_parts(with_kit(kit), "x")


@pytest.mark.parametrize("place", [
    ["a" * 254, 8883, "time"], ["", 8883, "time"], ["a b", 8883, "time"], ["a\n", 8883, "time"],
    ["a", 65_536, "time"], ["a", 0, "time"], ["a", 8883, "\x1b[2J"],
])  # fmt: skip
def test_a_place_that_is_none_is_refused(place):
    fields = cbor2.loads(ENCODED)
    fields[PLACE] = place
    with pytest.raises(ToolError, match="not a prepared node"):
        decode_parts(cbor2.dumps(fields, canonical=True), "x")


def test_parts_without_end_are_refused():
    with pytest.raises(ToolError, match="not a prepared node"):
        decode_parts(with_kit(" " * MOST_BYTES + "{}"), "x")


@given(st.binary(max_size=60))
def test_bytes_of_any_kind_are_refused(data):
    with pytest.raises(ToolError):
        decode_parts(data, "x")


def test_nothing_shows_a_key():
    parts = make_parts()
    keys = [parts.ticket.seal, parts.ticket.receipt, parts.identity.der()[1]]
    for text in (repr(parts), str(parts), f"{parts.ticket}"):
        assert not any(key.hex() in text or repr(key)[2:-1] in text for key in keys)


def test_a_file_that_others_can_read_is_refused(tmp_path):
    path = write_parts(tmp_path, make_parts())
    path.chmod(0o644)
    with pytest.raises(ToolError, match="others than its owner") as caught:
        read_parts(path)
    assert caught.value.hint == f"chmod 600 {path}"
    with pytest.raises(ToolError, match="No such file"):
        read_parts(tmp_path / "none.parts")


# the folder


def test_each_board_becomes_one_node(tmp_path):
    prepare(tmp_path, "air", "energy", "air")
    nodes = PreparedNodes(tmp_path, "air")
    assert nodes.bound_to(MACS[0]) is None
    assert nodes.look(MACS[0]).ticket.node_id == nodes.look(MACS[1]).ticket.node_id == "0000000000"
    assert nodes.take(MACS[0]).ticket.node_id == "0000000000"
    again = PreparedNodes(tmp_path, "air")
    assert again.take(MACS[1]).ticket.node_id == "0000000002"
    assert again.bound_to(MACS[0]).ticket.node_id == "0000000000"
    with pytest.raises(ToolError, match="no node with the kit air is left") as caught:
        again.take(MACS[2])
    assert "energy" in caught.value.hint
    assert PreparedNodes(tmp_path).take(MACS[2]).kit["kit"] == "energy"
    with pytest.raises(ToolError, match="no prepared node is left"):
        PreparedNodes(tmp_path).take(MACS[3])
    assert len(json.loads((tmp_path / "bound.json").read_text())) == 3


def test_a_board_that_was_whole_gets_its_keys_once_more_only_when_that_is_asked(tmp_path):
    prepare(tmp_path, "air", "air")
    nodes, node_id = PreparedNodes(tmp_path), "0000000000"
    nodes.note_whole(MACS[0])  # it is none of these: nothing
    assert nodes.take(MACS[0]).ticket.node_id == node_id
    assert nodes.take(MACS[0]).ticket.node_id == node_id  # the cable came out
    nodes.note_whole(MACS[0])
    for get in (nodes.look, PreparedNodes(tmp_path).take):
        with pytest.raises(ToolError, match="was written whole") as caught:
            get(MACS[0])
        assert "--yes" in caught.value.hint
    assert nodes.bound_to(MACS[0]).ticket.node_id == node_id  # which writes no keys
    assert nodes.take(MACS[1]).ticket.node_id != node_id
    assert nodes.take(MACS[0], again=True).ticket.node_id == node_id
    assert nodes.take(MACS[0]).ticket.node_id == node_id  # cut once more


def test_who_was_bound_before_wholes_were_noted_counts_as_whole(tmp_path):
    prepare(tmp_path, "air")
    (tmp_path / "bound.json").write_text(json.dumps({"0000000000": MACS[0]}))
    nodes = PreparedNodes(tmp_path)
    assert nodes.bound_to(MACS[0]).ticket.node_id == "0000000000"
    with pytest.raises(ToolError, match="was written whole"):
        nodes.take(MACS[0])


@pytest.mark.parametrize("one", [7, None, [], {}, {"board": MACS[0]}, {"board": 1, "whole": True}])
def test_who_is_bound_to_what_cannot_be_told_is_not_used(tmp_path, one):
    prepare(tmp_path, "air")
    (tmp_path / "bound.json").write_text(json.dumps({"0000000000": one}))
    with pytest.raises(ToolError, match=r"bound.json cannot be read"):
        PreparedNodes(tmp_path).take(MACS[0])


def test_boards_at_once_do_not_get_the_same_node(tmp_path):
    prepare(tmp_path, *["air"] * 6)
    taken = []

    def take(number):
        taken.append(PreparedNodes(tmp_path).take(f"mac {number}").ticket.node_id)

    threads = [threading.Thread(target=take, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(taken)) == 6


def test_a_copy_of_a_node_is_no_other_node(tmp_path):
    (parts,) = prepare(tmp_path, "air")
    path = tmp_path / f"{parts.ticket.node_id}.parts"
    assert PreparedNodes(tmp_path).take(MACS[0]).ticket == parts.ticket
    shutil.copy(path, tmp_path / "copy.parts")
    with pytest.raises(ToolError, match=r"copy.parts holds the node 0000000000"):
        PreparedNodes(tmp_path).take(MACS[1])


def test_a_folder_that_is_damaged_is_not_used(tmp_path):
    prepare(tmp_path, "air")
    (tmp_path / "bound.json").write_text("[")
    with pytest.raises(ToolError, match=r"bound.json cannot be read"):
        PreparedNodes(tmp_path).take(MACS[0])
    with pytest.raises(ToolError, match="no such folder"):
        PreparedNodes(tmp_path / "none")


# Wi-Fi


def test_the_wifi_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv(SSID, "Stadt")
    monkeypatch.setenv(PASSWORD, "geheim 123")
    assert wifi_credentials(None) == ("Stadt", "geheim 123")
    monkeypatch.delenv(PASSWORD)
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    with pytest.raises(ToolError, match=f"{PASSWORD} is not set"):
        wifi_credentials(None)


def test_the_wifi_comes_from_a_file(tmp_path, monkeypatch):
    path = tmp_path / "wifi"
    path.write_text("Stadt\ngeheim 123\n")
    with pytest.raises(ToolError, match="others can read it"):
        path.chmod(0o640)
        wifi_credentials(path)
    path.chmod(0o600)
    assert wifi_credentials(path) == ("Stadt", "geheim 123")
    monkeypatch.setattr("sys.stdin", io.StringIO("Stadt\r\ngeheim 456"))
    assert wifi_credentials("-") == ("Stadt", "geheim 456")


@pytest.mark.parametrize("text", [
    "", "Stadt\n", "Stadt\nshort\n", "Stadt\ngeheim 123\nmore\n", "\ngeheim 123\n",
    "Stadt\n" + 64 * "x" + "\n", 33 * "S" + "\ngeheim 123\n",
])  # fmt: skip
def test_what_no_network_has_is_refused_without_showing_it(tmp_path, text):
    path = tmp_path / "wifi"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(ToolError) as caught:
        wifi_credentials(path)
    shown = caught.value.message + caught.value.hint
    assert all(line not in shown for line in text.splitlines() if len(line) > 5)
