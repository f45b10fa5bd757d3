# SPDX-License-Identifier: MIT
"""How the verbs tell what is to be done next: whole commands, in the order that counts. A store
has what a node will use before the node has it, so nothing comes that does not open."""

from collections.abc import Iterable

from host_tools import console


def take(store: str, grant) -> str:
    """At the store, with what it was given."""
    return f"at {store}: lamppost keyring take {store}.json {grant}, and delete {grant}"


def update(path, stores: Iterable[str]) -> list[str]:
    """For each store a file, and there the keyring takes it."""
    steps = []
    for store in stores:
        grant = f"{store}.grant"
        steps += [f"lamppost vault update {path} --to {store} -o {grant}", take(store, grant)]
    return steps


def broker(path, has_issued: bool = False) -> str:
    """has_issued: tickets are out whose nodes are to get in."""
    more = " --with-issued" if has_issued else ""
    return f"lamppost vault broker {path}{more} -o DIR, and restart the broker"


def commands(file, path) -> list[str]:
    """What brings a vault's commands to the nodes. file: the open vault, path: as it was named."""
    from host_tools.city.vault_keys import place_of

    (host, port), target = place_of(file)[0], f"{path.stem}.commands"
    return [
        f"lamppost vault commands {path} -o {target}",
        f"lamppost send {target} --broker {host}:{port} --tls-dir DIR --name CN",
    ]


def show(steps: Iterable[str]):
    for number, step in enumerate(steps):
        console.note(("then: " if number else "next: ") + step)
