# SPDX-License-Identifier: MIT
"""A street whose load curve is masked, with all that is real: the recorded household in each
dwelling, the firmware's stages, its keys and its envelopes, a store, a controller.

Two policies of the same streams: that of the kit, and the same without noise. What the nodes mask
is the same under both; it is sealed for a store of each.
"""

import contextlib
import dataclasses
import random
import re
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

import boards
from host_tools.attacks import street
from host_tools.attacks.firmware_stages import Unsealed, node_keys, watch
from host_tools.attacks.recording import Household
from host_tools.collector.coverage import MaskedReader
from host_tools.collector.keyring import Keyring
from host_tools.collector.read_store import open_to_read
from host_tools.collector.store import Store
from host_tools.collector.sums import open_sums, plan, ranges_of
from host_tools.controller.documents import Request
from host_tools.controller.policies import allow
from host_tools.policy.compile_policy import compile_policy
from host_tools.policy.signed import PublishedPolicy
from host_tools.provisioning.mask_roots import roots_of
from host_tools.provisioning.ticket import Ticket, make_ticket
from node.pipeline.seal import Sealer
from node.policy.rules import Policy
from tests.host_tools.controller_fixture import DAY, Office, signer

QUARTER_S = 900
KIT = Path(boards.__path__[0]) / "kits" / "energy" / "policy-dwelling.toml"
_NOISE = re.compile("^noise = .*\n", re.MULTILINE)


def kit_policy(folder: Path, noise: str | None = None, **other) -> PublishedPolicy:
    """The kit's policy for one dwelling, signed. noise: what stands in place of its noise; other:
    what fields at the start of a line have in place of what they have."""
    text = KIT.read_text()
    assert len(_NOISE.findall(text)) == 1
    if noise is not None:
        text = _NOISE.sub(noise, text)
    for name, value in other.items():
        text, found = re.subn(f"^{name} = .*$", f"{name} = {value}", text, flags=re.MULTILINE)
        assert found == 1, name
    path = folder / "policy.toml"
    path.write_text(text)
    compiled = compile_policy(path)
    return PublishedPolicy(compiled.rules, compiled.terms, signer().sign(compiled.rules))


class Dwelling(NamedTuple):
    """instants: [(Unix s, records)] as they left the node; truth: {slot: [count, sum]}."""

    house: Household
    ticket: Ticket
    instants: list
    truth: dict[int, list[int]]


class Street:
    """Dwellings from the first day of the policy on, as long as the recording is. tickets: of
    their nodes, by default new ones; broken: the places of dwellings whose meter tells nothing."""

    def __init__(self, policy: Policy, houses: list[Household], seed: int, tickets=None,
                 broken: Collection[int] = ()):  # fmt: skip
        self.policy, self.stream = policy, street.masked_stream(policy)
        self.day0 = policy.from_s // DAY
        self.start_s = policy.from_s
        self.end_s = self.start_s + 60 * len(houses[0].watts)
        chance = random.Random(seed)
        numbers = [self.stream.number]
        tickets = tickets or [
            make_ticket(chance.randbytes(32), f"{at:010}", self.day0, numbers)
            for at in range(len(houses))
        ]
        self.dwellings = [
            self._live(house, ticket, chance.randbytes(32), at in broken)
            for at, (house, ticket) in enumerate(zip(houses, tickets, strict=True))
        ]

    def _live(self, house: Household, ticket: Ticket, seed: bytes, is_broken: bool) -> Dwelling:
        keys = node_keys(ticket)
        life = street.measured(house.watts, self.start_s)
        if is_broken:
            life["readings"] = ()
        instants, truth = [], {}
        for instant_s, bare, masked in watch(
            self.policy, **life, seed=seed, sealer=Unsealed(), chance=random.Random(seed),
            masks=(keys, self.day0),
        ):  # fmt: skip
            truth.update({r[1]: r[2].values for r in bare if r[0] == self.stream.number})
            instants.append((instant_s, masked))
            keys.step_to(instant_s // DAY - self.day0)
        return Dwelling(house, ticket, instants, truth)

    def nodes(self) -> list[str]:
        return sorted(one.ticket.node_id for one in self.dwellings)

    def envelopes(self, one: Dwelling, policy: Policy) -> list[tuple[int, bytes]]:
        """[(Unix s, envelope)] of a dwelling under a policy with the same streams."""
        keys = node_keys(one.ticket)
        sealer = Sealer(keys, one.ticket.node_id, policy, b"serieses")
        sealed = []
        for number, (instant_s, records) in enumerate(one.instants, 1):
            keys.step_to(instant_s // DAY - self.day0)
            sealed.append((instant_s, sealer.seal(b"LOG0", number, 1, records, instant_s)))
        return sealed

    def store(self, path: Path, published: PublishedPolicy) -> Path:
        """A store that took everything, all under this policy."""
        keyring = Keyring(path.with_suffix(".keyring"))
        for one in self.dwellings:
            keyring.add_node(one.ticket, published.rules, published.terms)
        with Store(path, keyring) as store:
            for one in self.dwellings:
                topic = f"lp/{one.ticket.node_id}/up"
                sealed = self.envelopes(one, published.policy())
                batch = [(topic, envelope) for _, envelope in sealed]
                result = store.take_batch(batch, sealed[-1][0])
                assert result.opened.total() == len(batch)
        return path

    def office(self, path: Path, *published: PublishedPolicy, seed: int = 0) -> Office:
        """A controller that was given the nodes' roots, and these policies. seed: of its noise, so
        that a test does not fail once in a while."""
        office = Office(path)
        office.keys = dataclasses.replace(office.keys, noise=seed.to_bytes(32, "big"))
        office.now = self.end_s + DAY
        for one in published:
            let(office, one)
        roots = [roots_of(one.ticket, self.policy) for one in self.dwellings]
        office.keys.nodes.update({node.node_id: node for node in roots})
        return office

    def true_sums(self, nodes=None) -> list[int]:
        """Of each window, over the dwellings (of these nodes)."""
        chosen = [d for d in self.dwellings if nodes is None or d.ticket.node_id in nodes]
        return [sum(values) for values in zip(*(
            [truth[1] for _, truth in sorted(one.truth.items())] for one in chosen
        ), strict=True)]  # fmt: skip


def let(office: Office, published: PublishedPolicy):
    """Gives a controller a policy."""
    with office.ledger.turn() as db:
        allow(db, office.now, published.encode(), "a policy", signer().public_key)


def request_of(path: Path, nodes, spans, stream: int = 2) -> Request:
    """What `lamppost sum` asks for, of those of the nodes that cover the spans."""
    with contextlib.closing(open_to_read(path)) as db:
        return plan(MaskedReader(db, stream), list(spans), nodes).request


def open_curve(path: Path, office: Office, nodes, spans, stream: int = 2):
    """What a store opens, with the controller's token, of each of the spans: its elements; and
    the scales that the token states."""
    with contextlib.closing(open_to_read(path)) as db:
        reader = MaskedReader(db, stream)
        request = plan(reader, list(spans), nodes).request
        token = office.token(request)
        return open_sums(reader, request, token), token.scales


def quarters(start_s: int, end_s: int) -> list[tuple[int, int]]:
    return ranges_of(start_s, end_s, QUARTER_S)
