# SPDX-License-Identifier: MIT
"""Whom a city deals with: technicians, who install nodes, and stores, which open what nodes send.
A home store sends receipts; a reader cannot."""

from host_tools.city.vault_keys import check_kind
from host_tools.errors import ToolError
from host_tools.handover.cards import Store, Technician
from host_tools.vault.sealed_file import SealedFile

HOME, READER = "home", "reader"


def add_technician(file: SealedFile, card: Technician) -> bool:
    """Whether they are new; ToolError when the name is another's."""
    check_kind(file)
    query = "SELECT box, sign, state FROM technicians WHERE name = ?"
    known = file.db.execute(query, (card.name,)).fetchone()
    if known is not None:
        _check_same("technician", card.name, known == (card.box, card.sign, "active"))
        return False
    detail = {"name": card.name, "fingerprint": card.fingerprint()}
    with file.change("add technician", detail):
        query = "INSERT INTO technicians VALUES (?, ?, ?, 'active')"
        file.db.execute(query, (card.name, card.box, card.sign))
    return True


def add_store(file: SealedFile, card: Store, kind: str) -> bool:
    """Whether it is new; ToolError when the name is another's."""
    check_kind(file)
    query = "SELECT box, kind, state FROM stores WHERE name = ?"
    known = file.db.execute(query, (card.name,)).fetchone()
    if known is not None:
        _check_same("store or reader", card.name, known == (card.box, kind, "active"))
        return False
    detail = {"name": card.name, "kind": kind, "fingerprint": card.fingerprint()}
    with file.change("add store", detail):
        query = "INSERT INTO stores VALUES (?, ?, ?, 'active', 0)"
        file.db.execute(query, (card.name, card.box, kind))
    return True


def technician_of(file: SealedFile, name: str) -> Technician:
    """ToolError when there is none of this name, or they are revoked."""
    check_kind(file)
    query = "SELECT box, sign, state FROM technicians WHERE name = ?"
    row = file.db.execute(query, (name,)).fetchone()
    _check_active("technician", name, row and row[2], "lamppost vault technician add")
    return Technician(name, *row[:2])


def store_of(file: SealedFile, name: str) -> tuple[Store, str]:
    """(its card, its kind); ToolError when there is none of this name, or it is revoked."""
    check_kind(file)
    query = "SELECT box, kind, state FROM stores WHERE name = ?"
    row = file.db.execute(query, (name,)).fetchone()
    _check_active("store or reader", name, row and row[2], "lamppost vault store add")
    return Store(name, row[0]), row[1]


def home_of(file: SealedFile) -> str:
    """The home store's name: ToolError when there is not exactly one that counts."""
    check_kind(file)
    query = "SELECT name FROM stores WHERE kind = 'home' AND state = 'active'"
    names = [name for (name,) in file.db.execute(query)]
    if len(names) != 1:
        message = f"{file.path} has {len(names)} home stores, and nodes need one"
        raise ToolError(message, "add one: lamppost vault store add; or name it: --to")
    return names[0]


def _check_same(what: str, name: str, is_same: bool):
    if not is_same:
        message = f"there is another {what} {name}, or this one was revoked"
        raise ToolError(message, "have a card made with another name: a name is given once")


def _check_active(what: str, name: str, state: str | None, verb: str):
    if state is None:
        raise ToolError(f"there is no {what} {name}", f"take the card in: {verb}")
    if state != "active":
        raise ToolError(f"{what} {name} is revoked", "have a card made with another name")
