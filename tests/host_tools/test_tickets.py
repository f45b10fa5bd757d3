# SPDX-License-Identifier: MIT
"""Tickets: what is in one, that it works once, and what is refused, with each reason."""

import contextlib
import dataclasses
import json
import shutil
import time

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from host_tools.commands.node_source import node_source
from host_tools.commands.verify import _keys as keys_of_nodes
from host_tools.errors import ToolError
from host_tools.handover import document
from host_tools.handover.receipts import decode_receipts
from host_tools.handover.tickets import SealedTicket, read_tickets
from host_tools.technician import technician_file
from host_tools.technician.ticket_nodes import TicketNodes
from host_tools.times import short
from host_tools.vault.sealed_file import SealedFile
from tests.host_tools.city_place import City, lamppost, refused
from tests.host_tools.vault_place import PASSPHRASE, argon2id  # noqa: F401

DAY_S = 86_400
MAC, OTHER, THIRD = "24:0a:c4:11:22:33", "24:0a:c4:11:22:34", "24:0a:c4:11:22:35"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    city = City(tmp_path_factory.mktemp("made")).fill()
    city.issue(3)
    return city


@pytest.fixture
def city(made, tmp_path):
    shutil.copytree(made.folder, tmp_path / "city")
    return City(tmp_path / "city")


def tickets_of(city):
    with SealedFile.open(city.anna, PASSPHRASE, city.key, read_only=True) as file:
        return read_tickets(city.tickets, technician_file.office_of(file).sign)


def why_not(city, *boards, **how) -> str:
    with pytest.raises(ToolError) as err:
        city.install(*boards, **how)
    assert err.value.hint
    return err.value.message


def test_a_ticket_has_one_nodes_keys_and_no_root(city):
    first, second, third = city.install(MAC, OTHER, THIRD)
    assert len({parts.ticket.node_id for parts in (first, second, third)}) == 3
    with city.open() as file:
        roots = dict(file.db.execute("SELECT id, root FROM nodes"))
        for parts in (first, second, third):
            data = parts.encode()
            assert not any(root in data for root in roots.values())
            others = set(roots) - {parts.ticket.node_id}
            assert not any(node.encode() in data for node in others)
            subject = parts.identity.certificate.subject.rfc4514_string()
            assert subject == f"OU=node,CN={parts.ticket.node_id}"
            assert parts.identity.key.public_key() == parts.identity.certificate.public_key()
    files = first.files(("ssid", "password"), {})  # which checks the policy's signature
    assert files["config.json"].count(b"broker.test") == 1
    for name in ("seal", "receipt", "command"):
        assert getattr(first.ticket, name) != getattr(second.ticket, name)


def test_the_vault_notes_what_it_has_issued(city):
    nodes = city.nodes()
    assert {row["state"] for row in nodes.values()} == {"issued"}
    tickets = tickets_of(city).tickets
    assert {ticket.node_id: ticket.id.hex() for ticket in tickets} == {
        node: row["ticket"] for node, row in nodes.items()
    }
    assert all(t.expires_s - t.issued_s == 30 * DAY_S for t in tickets)


def test_each_works_once_and_the_same_board_gets_its_own(city):
    (first,) = city.install(MAC)
    (again,) = city.install(MAC.upper())
    assert again.ticket.node_id == first.ticket.node_id
    (other,) = city.install(OTHER)
    assert other.ticket.node_id != first.ticket.node_id
    city.install(THIRD)
    assert "no ticket left: 3 used" in why_not(city, "24:0a:c4:11:22:36")
    assert city.install(MAC)[0].ticket.node_id == first.ticket.node_id
    told = city.ok("technician", "tickets", city.anna, city.tickets, *city.opening())
    assert [row["state"] for row in told["tickets"]] == ["used"] * 3


def test_it_is_used_before_the_board_is_written_to(city):
    """take() returns when it is on the disk, so a laptop that dies then has it used."""
    with SealedFile.open(city.anna, PASSPHRASE, city.key) as file:
        taken = TicketNodes(file, city.tickets).take(MAC)
        copy = city.folder / "copy.technician"
        shutil.copy(city.anna, copy)
    assert city.install(MAC, technician=copy)[0].ticket.node_id == taken.ticket.node_id


def test_expired(city):
    (first,) = city.install(MAC)
    later = time.time() + 31 * DAY_S
    assert "2 expired, 1 used" in why_not(city, OTHER, clock=lambda: later)
    (again,) = city.install(MAC, clock=lambda: later)  # a board that has become it already
    assert again.ticket.node_id == first.ticket.node_id
    assert city.install(OTHER, clock=lambda: time.time() + 29 * DAY_S)


def test_a_clock_that_is_behind_opens_nothing(city):
    early = time.time() - 2 * DAY_S
    assert "later than it is now" in why_not(city, MAC, clock=lambda: early)


def test_another_technicians(city):
    message = why_not(city, MAC, technician=city.bob)
    assert "is for anna" in message


def test_another_key_of_the_same_name(city):
    """Who calls themselves anna, too, opens nothing."""
    path = city.folder / "again.technician"
    words = ("--name", "anna", "--office", city.folder / "city.office", *city.opening())
    city.ok("technician", "init", path, *words, "-o", city.folder / "x.card")
    assert "another key" in why_not(city, MAC, technician=path)
    err = refused("vault", "technician", "add", city.path, city.folder / "x.card",
                  *city.opening())  # fmt: skip
    assert "another technician anna" in err


def test_another_offices(city, tmp_path):
    other = City(tmp_path / "other")
    other.folder.mkdir()
    other.fill()
    other.issue(1)
    message = why_not(city, MAC, tickets=other.tickets)
    assert "not signed by your office" in message


def test_altered_anywhere(city):
    data = city.tickets.read_bytes()
    changed = city.folder / "changed.tickets"
    for at in range(0, len(data), 997):
        changed.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        why_not(city, MAC, tickets=changed)
    for length in (0, 10, 64, 1000, len(data) - 1):
        changed.write_bytes(data[:length])
        why_not(city, MAC, tickets=changed)
    city.install(MAC)


def test_a_box_that_was_moved_to_another_ticket(city):
    """Also by the office's own key: a box is bound to its ticket."""
    file = tickets_of(city)
    with city.open() as vault:
        secret = vault.db.execute("SELECT secret FROM keys WHERE name = 'office'").fetchone()[0]
    first, second, _ = file.tickets
    for swapped in (
        [first.id, first.node_id, first.kit, first.issued_s, first.expires_s, second.box],
        [first.id, first.node_id, first.kit, first.issued_s, first.expires_s + 1, first.box],
        [first.id, first.node_id, "noise", first.issued_s, first.expires_s, first.box],
    ):
        head = file.office, file.technician, file.public
        data = document.sign(secret, document.TICKETS, *head, [swapped])
        changed = city.folder / "changed.tickets"
        changed.write_bytes(data)
        assert "does not open" in why_not(city, MAC, tickets=changed)
    with SealedFile.open(city.anna, PASSPHRASE, city.key) as technician:
        assert technician_file.uses(technician) == []  # none of it was used up


ROW = [bytes(16), "0123456789", "air", 1_771_200_000, 1_773_800_000, bytes(80)]
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9) | st.binary(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.integers(), inner, max_size=3),
)


def signed_rows(city, rows, technician="anna", public=bytes(32)):
    """A file that the office itself signed, with these rows."""
    with city.open(read_only=True) as vault:
        query = "SELECT secret, public FROM keys WHERE name = 'office'"
        secret, office = vault.db.execute(query).fetchone()
    path = city.folder / "rows.tickets"
    path.write_bytes(document.sign(secret, document.TICKETS, office, technician, public, rows))
    return path, office


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 5), ANY, st.integers(0, 20))
def test_a_ticket_of_another_form_is_refused(made, index, value, more):
    """Whoever signed it: a laptop shows what is in it, and stops at nothing but ToolError."""
    row = list(ROW)
    row[index] = value
    path, office = signed_rows(made, [row] * more)
    try:
        file = read_tickets(path, office)
    except ToolError:
        return
    for ticket in file.tickets:
        assert ticket.kit.isprintable() and short(ticket.issued_s) and short(ticket.expires_s)
        with pytest.raises(ToolError, match="does not open"):
            ticket.open("anna", bytes(range(32)))


@pytest.mark.parametrize("index, value", [
    (2, "air\x1b[2J"), (2, ""), (2, "a" * 65), (3, -1), (4, 1 << 40), (4, True),
    (5, bytes(1 << 17)),
])  # fmt: skip
def test_a_ticket_out_of_bounds_is_refused(made, index, value):
    assert read_tickets(*signed_rows(made, [ROW])).tickets
    row = list(ROW)
    row[index] = value
    with pytest.raises(ToolError, match="not as this version"):
        read_tickets(*signed_rows(made, [row]))


def test_more_tickets_than_are_issued_at_once_are_refused(made):
    assert len(read_tickets(*signed_rows(made, [ROW] * 500)).tickets) == 500
    with pytest.raises(ToolError, match="more than 500"):
        read_tickets(*signed_rows(made, [ROW] * 501))
    for changes in ({"technician": "a\nb"}, {"public": "key"}):
        with pytest.raises(ToolError):
            read_tickets(*signed_rows(made, [ROW], **changes))


def test_a_ticket_whose_kit_is_not_sound_does_not_open(city):
    """Though the office sealed and signed it."""
    for kit in ([], {}, {"kit": "air"}, {"kit": "air", "outbox_kib": 64, "sensors": [7]}):
        (parts,) = city.install(MAC)
        parts = dataclasses.replace(parts, kit=kit)
        ticket = SealedTicket(bytes(16), parts.ticket.node_id, "air", *ROW[3:5])
        secret = X25519PrivateKey.from_private_bytes(bytes(range(32)))
        sealed = ticket.sealed(parts, "anna", secret.public_key().public_bytes_raw())
        with pytest.raises(ToolError) as err:
            sealed.open("anna", secret.private_bytes_raw())
        assert "sensor 1 is not" in err.value.message or "the kit" in err.value.message
        assert parts.ticket.node_id in err.value.message and err.value.hint


def test_only_of_the_kit_that_is_asked_for(city):
    with SealedFile.open(city.anna, PASSPHRASE, city.key) as file:
        assert TicketNodes(file, city.tickets, "air").look(MAC).kit["kit"] == "air"
        with pytest.raises(ToolError, match="3 of another kit"):
            TicketNodes(file, city.tickets, "noise").look(MAC)


def test_several_boards_at_once(city):
    from concurrent.futures import ThreadPoolExecutor

    with (
        SealedFile.open(city.anna, PASSPHRASE, city.key) as file,
        ThreadPoolExecutor(3) as pool,
    ):
        nodes = TicketNodes(file, city.tickets)
        taken = list(pool.map(nodes.take, (MAC, OTHER, THIRD)))
    assert len({parts.ticket.node_id for parts in taken}) == 3


def test_nothing_of_a_board_leaves_the_laptop(city):
    city.install(MAC)
    city.ok("technician", "receipts", city.anna, *city.opening(), "-o", city.receipts)
    data = city.receipts.read_bytes()
    with SealedFile.open(city.anna, PASSPHRASE, city.key) as file:
        board = file.db.execute("SELECT board FROM used").fetchone()[0]
        log = [row[3] for row in file.db.execute("SELECT * FROM log")]
    raw = bytes.fromhex(MAC.replace(":", ""))
    for hidden in (board, board[:8], raw, MAC.encode(), raw.hex().encode()):
        assert hidden not in data
        assert hidden not in "".join(log).encode()
    assert len(decode_receipts(data, "it").uses[0].use) == 16


def test_two_flashes_at_a_time_are_one_command(city):
    words = ("--ticket", city.tickets, "--technician", city.anna, *city.opening())
    source = dict(zip(("tickets", "technician", "key_file", "passphrase_file"), words[1::2],
                      strict=True))  # fmt: skip
    second = node_source(None, False, folder=None, use_token=False, **source)
    with SealedFile.open(city.anna, PASSPHRASE, city.key), pytest.raises(ToolError) as err, second:
        pass
    assert "open in another process" in err.value.message
    assert "--port A --port B" in err.value.hint


def test_whether_a_ticket_was_used_is_known(city):
    (parts,) = city.install(MAC)
    with SealedFile.open(city.anna, PASSPHRASE, city.key, read_only=True) as file:
        nodes = TicketNodes(file, city.tickets)
        used = {ticket.node_id: nodes.is_used(ticket.node_id) for ticket, _ in nodes.states()}
    assert [node for node, was in used.items() if was] == [parts.ticket.node_id]


def test_verify_says_that_a_ticket_is_unused(city, capsys):
    (parts,) = city.install(MAC)
    source = {"tickets": city.tickets, "technician": city.anna, "key_file": city.key.path,
              "passphrase_file": city.passphrase, "folder": None, "use_token": False}  # fmt: skip
    keys_of_nodes((parts.ticket.node_id,), None, source)
    assert "unused" not in capsys.readouterr().err
    other = next(node for node in city.nodes() if node != parts.ticket.node_id)
    keys_of_nodes((other,), None, source)
    assert f"node {other}: no board got its keys from these tickets" in capsys.readouterr().err


def test_the_list_of_nodes_fits_a_terminal(city, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    node, row = next(iter(city.nodes().items()))
    _, out, _ = lamppost("vault", "nodes", city.path, *city.opening())
    assert all(len(line) <= 80 for line in out.splitlines())
    for other, one in city.nodes().items():
        assert f"{other} " in out and f" {one['ticket'][:6]} " in out
    assert "mixes" not in out and row["ticket"] not in out
    _, out, _ = lamppost("vault", "nodes", city.path, "--long", *city.opening())
    assert out.count("state       issued") == 3
    _, out, _ = lamppost("vault", "nodes", city.path, node, *city.opening())
    assert out.count("issued") == 1
    assert "state       issued" in out and "technician  anna" in out
    told = city.ok("vault", "nodes", city.path, node, *city.opening())
    assert told["nodes"] == [row]
    refused("vault", "nodes", city.path, "0000000000", *city.opening())


def test_issue_says_what_is_wrong(city):
    words = ("vault", "issue", city.path, *city.opening(), "--kit", "air", "--to", "anna")
    policy = ("--policy", city.folder / "air.policy")
    new = ("-o", city.folder / "new.tickets")
    for more, said in (
        ((*policy, "-o", city.tickets), "is there already"),
        ((*policy, *new, "--to", "eve"), "no technician eve"),
        ((*policy, *new, "--kit", "noise"), "the policy is for kit air"),
        (("--policy", city.tickets, *new), "not a published policy"),
    ):
        assert said in refused(*words, *more)
    odd = ("-o", city.folder / "new")
    assert "does not end in .tickets" in refused(*words, *policy, *odd, code=2)
    link = city.folder / "link.tickets"
    link.symlink_to(city.folder / "nowhere.tickets")
    assert "is there already" in refused(*words, *policy, "-o", link)
    assert not (city.folder / "nowhere.tickets").exists()
    assert "not a span" in refused(*words, *policy, *new, "--expires", "soon", code=2)
    assert not (city.folder / "new.tickets").exists()
    assert len(city.nodes()) == 3


def test_a_policy_of_another_key_is_not_issued(city):
    path = city.folder / "air.policy"
    label, rules, terms, signature = cbor2.loads(path.read_bytes())
    changed = signature[:-1] + bytes([signature[-1] ^ 1])
    path.write_bytes(cbor2.dumps([label, rules, terms, changed], canonical=True))
    words = ("vault", "issue", city.path, *city.opening(), "--kit", "air", "--to", "anna")
    err = refused(*words, "--policy", path, "-o", city.folder / "new.tickets")
    assert "not signed by this key" in err


def test_a_vault_is_no_technicians_file_and_the_other_way_round(city):
    words = ("technician", "status", city.path, *city.opening())
    assert "is not a technician's file" in refused(*words)
    words = ("vault", "nodes", city.anna, *city.opening())
    assert "is not a city's vault" in refused(*words)


def test_status_says_whose_it_is(city):
    told = city.ok("technician", "status", city.anna, *city.opening())
    assert told["technician"] == "anna" and told["used"] == 0
    card = city.folder / "anna-2.card"
    city.ok("technician", "status", city.anna, *city.opening(), "--card", card)
    assert card.read_bytes() == (city.folder / "anna.card").read_bytes()
    code, out, _ = lamppost("technician", "status", city.anna, *city.opening())
    assert code == 0 and told["fingerprint"] in out


def uses(city) -> list[bytes]:
    with SealedFile.open(city.anna, PASSPHRASE, city.key, read_only=True) as file:
        return [use.use for use in technician_file.uses(file)]


@contextlib.contextmanager
def ticket_nodes(city):
    with SealedFile.open(city.anna, PASSPHRASE, city.key) as file:
        yield TicketNodes(file, city.tickets)


def write_receipts(city):
    city.ok("technician", "receipts", city.anna, *city.opening(), "-o", city.receipts)


def test_a_board_that_was_whole_gets_its_keys_once_more_only_when_that_is_asked(city):
    with ticket_nodes(city) as nodes:
        first = nodes.take(MAC)
        assert nodes.take(MAC).ticket == first.ticket  # the cable came out
        (use,) = uses(city)
        nodes.note_whole(MAC.upper())
        for get in (nodes.look, nodes.take):
            with pytest.raises(ToolError, match="was written whole") as err:
                get(MAC)
            assert "--yes" in err.value.hint
        assert nodes.bound_to(MAC).ticket == first.ticket  # which writes no keys
        assert nodes.take(OTHER).ticket != first.ticket and len(uses(city)) == 2
        assert nodes.look(MAC, again=True).ticket == first.ticket and len(uses(city)) == 2
        assert nodes.take(MAC, again=True).ticket == first.ticket
        assert uses(city)[0] == use and len(set(uses(city))) == 3
        assert nodes.take(MAC).ticket == first.ticket and len(uses(city)) == 3  # cut once more
    told = city.ok("technician", "status", city.anna, *city.opening())
    assert told["used"] == 2
    write_receipts(city)
    code, out, _ = lamppost("vault", "accept", city.path, city.receipts, "-o", city.keys,
                            *city.opening(), "--json")  # fmt: skip
    assert code == 1
    (why,) = json.loads(out)["refused"].values()
    assert "used twice" in why


def test_a_board_whose_receipt_has_gone_out_gets_its_keys_once_more_only_when_that_is_asked(city):
    with ticket_nodes(city) as nodes:
        first = nodes.take(MAC)
    write_receipts(city)
    with ticket_nodes(city) as nodes, pytest.raises(ToolError, match="has its receipt"):
        nodes.take(MAC)
    city.vault("accept", city.receipts, "-o", city.keys)
    with ticket_nodes(city) as nodes:
        assert nodes.take(MAC, again=True).ticket == first.ticket
    write_receipts(city)
    code, out, _ = lamppost("vault", "accept", city.path, city.receipts, "-o", city.keys,
                            *city.opening(), "--json")  # fmt: skip
    told = json.loads(out)
    assert code == 1 and told["known"] == [first.ticket.node_id]
    assert all("used twice" in why for why in told["refused"].values())


def test_receipts_that_cannot_be_written_are_no_less_out(city):
    """The mark comes first: else a power cut could leave receipts that the file does not know."""
    city.install(MAC)
    words = ("technician", "receipts", city.anna, *city.opening())
    refused(*words, "-o", city.folder / "no-folder" / "x.receipts")
    with ticket_nodes(city) as nodes, pytest.raises(ToolError, match="has its receipt"):
        nodes.take(MAC)


VERBS = st.sampled_from(("take", "again", "whole", "receipts"))
STEPS = st.lists(st.tuples(VERBS, st.sampled_from((MAC, OTHER))), max_size=12)


@settings(max_examples=25, deadline=None)
@given(STEPS)
def test_keys_go_out_once_for_each_use(made, steps):
    """Whatever comes in which order: since a board was whole, or receipts were written, its keys
    go out again only as another use, and that only when it is asked."""
    path = made.folder / "steps.technician"
    shutil.copy(made.anna, path)
    done, count = (
        {MAC: None, OTHER: None},
        0,
    )  # None: no node yet; False: begun; True: whole or out
    with SealedFile.open(path, PASSPHRASE, made.key) as file:
        nodes = TicketNodes(file, made.tickets)
        for step, mac in steps:
            if step in ("take", "again"):
                if step == "take" and done[mac]:
                    with pytest.raises(ToolError, match="once more"):
                        nodes.take(mac)
                    continue
                nodes.take(mac, step == "again")
                count += done[mac] is not False
                done[mac] = False
            elif step == "whole":
                nodes.note_whole(mac)
                done[mac] = done[mac] is not None or None
            else:
                technician_file.signed_receipts(file, 0)
                done = {mac: one is not None or None for mac, one in done.items()}
            assert len({use.use for use in technician_file.uses(file)}) == count
            assert len(technician_file.used_tickets(file)) == sum(
                one is not None for one in done.values()
            )
