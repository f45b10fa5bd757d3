# SPDX-License-Identifier: MIT
"""Claim codes, and `lamppost vault claim`: who put a node up, at which post."""

import io

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from host_tools.errors import ToolError
from host_tools.handover.claim_code import claim_code, is_code, read_code
from host_tools.provisioning.ticket import make_ticket
from tests.host_tools.city_place import City, lamppost, refused
from tests.host_tools.test_city_killed import copy_of
from tests.host_tools.vault_place import argon2id  # noqa: F401

KEY, NODE = bytes(range(32)), "0123456789"
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
POST = "lamp 1041, Mill Street"


# the code


def by_the_book(key: bytes, node_id: str) -> str:
    """As the docstring of claim_code.py says, by another way: bits as text."""
    data = HKDF(SHA256(), 5, salt=b"", info=b"lp1 claim" + node_id.encode()).derive(key)
    bits = "".join(f"{byte:08b}" for byte in data)[:35]
    text = "".join(ALPHABET[int(bits[at : at + 5], 2)] for at in range(0, 35, 5))
    for check in ALPHABET:
        total, factor = 0, 1
        for char in reversed(text + check):
            total += sum(divmod(factor * ALPHABET.index(char), 32))
            factor = 3 - factor
        if total % 32 == 0:
            return f"{text[:4]}-{text[4:]}{check}"
    raise AssertionError


@given(st.binary(min_size=32, max_size=32), st.text("0123456789abcdefghjkmnpqrstvwxyz",
                                                    min_size=10, max_size=10))  # fmt: skip
def test_a_code_is_as_it_is_written_down(key, node_id):
    code = claim_code(key, node_id)
    assert code == by_the_book(key, node_id) and is_code(code, key, node_id)
    typed = code.lower().replace("-", " ").replace("0", "o").replace("1", "l")
    assert read_code(typed) == read_code(code) == code


def test_a_known_code():
    assert claim_code(KEY, NODE) == "Q71V-08CD"


@given(st.binary(min_size=32, max_size=32), st.integers(0, 7), st.integers(1, 31))
def test_a_wrong_character_is_found(key, at, by):
    plain = list(claim_code(key, NODE).replace("-", ""))
    plain[at] = ALPHABET[(ALPHABET.index(plain[at]) + by) % 32]
    with pytest.raises(ToolError, match="mistyped") as err:
        read_code("".join(plain))
    assert "".join(plain) not in err.value.message + err.value.hint


@given(st.binary(min_size=32, max_size=32), st.integers(0, 6))
def test_two_that_changed_places_are_found(key, at):
    plain = list(claim_code(key, NODE).replace("-", ""))
    pair = plain[at : at + 2]
    if pair[0] == pair[1] or set(pair) == {"0", "Z"}:
        return
    plain[at : at + 2] = reversed(pair)
    with pytest.raises(ToolError, match="mistyped"):
        read_code("".join(plain))


@pytest.mark.parametrize("text", ["", "ABCD", "ABCD-EFGHJ", "UUUU-UUUU", "ÄBCD-EFGH", "--------"])
def test_what_is_no_code(text):
    with pytest.raises(ToolError, match="mistyped"):
        read_code(text)


# the vault


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    city = City(tmp_path_factory.mktemp("whole") / "city")
    city.folder.mkdir()
    city.fill().issue(2)
    return city


@pytest.fixture
def city(whole, tmp_path):
    made = copy_of(whole, tmp_path / "city")
    with made.open(read_only=True) as file:
        rows = file.db.execute("SELECT id, root, day0 FROM nodes ORDER BY id").fetchall()
    made.codes = {id: claim_code(make_ticket(root, id, day0).command, id)
                  for id, root, day0 in rows}  # fmt: skip
    return made


def claim(city, node, code, *words, by="anna"):
    return "vault", "claim", city.path, node, code, "--by", by, *words, *city.opening()


def test_who_put_it_up_and_where(city, monkeypatch):
    (node, code), (other, _) = city.codes.items()
    told = city.ok(*claim(city, node, code.lower(), "--post", POST))
    assert told == {"node": node, "technician": "anna", "post": POST}
    row = city.nodes()[node]
    assert (row["claimed_by"], row["post"]) == ("anna", POST) and row["claimed_s"]
    assert city.nodes()[other]["claimed_by"] is None
    err = refused(*claim(city, node, code, by="bob"))
    assert "was claimed by anna on 20" in err and "--again" in err and POST not in err
    city.ok(*claim(city, node, code, "--again", by="bob"))
    assert (city.nodes()[node]["claimed_by"], city.nodes()[node]["post"]) == ("bob", "")
    monkeypatch.setenv("COLUMNS", "200")
    _, out, _ = lamppost("vault", "nodes", city.path, "--long", *city.opening())
    assert " bob 20" in out


def test_the_post_stays_in_the_vault(city, monkeypatch):
    (node, code), _ = city.codes.items()
    monkeypatch.setattr("sys.stdin", io.StringIO(POST + "\n"))
    city.ok(*claim(city, node, code, "--post", "-"))
    assert city.nodes()[node]["post"] == POST
    log = lamppost("vault", "log", city.path, *city.opening())[1]
    assert node in log and POST not in log and code not in log
    for verb, words in (("broker", ()), ("commands", ())):
        city.vault(verb, *words, "-o", city.folder / f"out.{verb}")
    for path in city.folder.rglob("*"):
        assert path.is_dir() or POST.encode() not in path.read_bytes(), path


def test_a_wrong_code_is_refused_and_after_ten_the_right_one(city):
    (node, code), (_, other) = city.codes.items()
    for _ in range(10):
        assert "not that of node" in refused(*claim(city, node, other))
    err = refused(*claim(city, node, code))
    assert "10 wrong codes" in err and "--force" in err
    assert "not that of node" in refused(*claim(city, node, other, "--force"))
    assert "11 wrong codes" in refused(*claim(city, node, code))
    city.ok(*claim(city, node, code, "--force"))
    assert "not that of node" in refused(*claim(city, node, other))  # counted from the start
    with city.open(read_only=True) as file:
        query = "SELECT count(*) FROM log WHERE verb = 'wrong claim code'"
        assert file.db.execute(query).fetchone() == (12,)


def test_a_typing_error_is_no_guess(city):
    (node, code), _ = city.codes.items()
    wrong = code[:-1] + ALPHABET[(ALPHABET.index(code[-1]) + 1) % 32]
    assert "mistyped" in refused(*claim(city, node, wrong))
    with city.open(read_only=True) as file:
        query = "SELECT count(*) FROM log WHERE verb = 'wrong claim code'"
        assert file.db.execute(query).fetchone() == (0,)


def test_what_cannot_be_claimed(city):
    (node, code), _ = city.codes.items()
    assert "no technician eve" in refused(*claim(city, node, code, by="eve"))
    assert "there is no node" in refused(*claim(city, "zzzzzzzzzz", code))
    refused(*claim(city, node, code, "--post", "x" * 201), code=2)
    refused(*claim(city, node, code, "--post", "a\x1b[2J"), code=2)
    city.vault("revoke", "node", node)
    assert "is revoked" in refused(*claim(city, node, code))


def test_a_vault_that_was_made_before_there_were_claims(city):
    (node, code), _ = city.codes.items()
    with city.open() as file, file.change("older", {}):
        file.db.execute("DROP TABLE claims")
    assert city.nodes()[node]["claimed_by"] is None
    city.ok(*claim(city, node, code, "--post", POST))
    assert city.nodes()[node]["post"] == POST
