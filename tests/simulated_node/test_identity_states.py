# SPDX-License-Identifier: MIT
"""A node on its flash, its office and its broker: whatever comes, is cut off or does not serve,
the node finds a certificate that the broker takes, if the office revokes none too early."""

import json

import cbor2
from flash_fixture import fresh_flash
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from host_tools.provisioning.command import certificate_parts
from host_tools.provisioning.nvs_image import nvs_image
from host_tools.provisioning.ticket import make_ticket
from node.device import flash_file, keys
from node.errors import LinkError
from node.link import identity, identity_parts
from node.pipeline.down import CommandOpener
from simulator.world.flash import TORN, PowerCut
from tests.simulated_node.nvs_cuts import board, flash_of, image_of

NODE = "0123456789"
TICKET = make_ticket(bytes(range(32)), NODE, 20_000)
POINT = bytes(range(64))
ALERT = LinkError("tls", -0x7780)
CUTS = st.tuples(st.integers(1, 90), st.sampled_from(TORN))


class Link:
    context, serial, newest, turn, session, arriving = None, 0, 0, None, None, None


class NodeOfficeBroker(RuleBasedStateMachine):
    """A certificate is its number and a filling; what TLS would make of it is played."""

    def __init__(self):
        super().__init__()
        self._before = keys.esp32, flash_file.CONFIG, identity.make_context
        identity.make_context = lambda ca, certificate, key: bytes(certificate)
        flash_file.CONFIG = "/data/lp-"
        fresh_flash()
        self._taken_by_broker = {self._certificate(0)}
        for name, data in (("ca.der", b"ca"), ("node.der", self._certificate(0)),
                           ("node.key.der", POINT),
                           ("config.json", json.dumps({"node": NODE}).encode())):  # fmt: skip
            flash_file.replace(flash_file.CONFIG + name, data)
        self._opener = CommandOpener(TICKET.command, NODE)
        self._flash = flash_of(nvs_image(TICKET, 0x4000))
        self._sent = []  # all parts that were ever sent
        self._serial = 0
        self._restart()

    def teardown(self):
        keys.esp32, flash_file.CONFIG, identity.make_context = self._before

    @staticmethod
    def _certificate(serial, filling=0):
        return b"%d of " % serial + NODE.encode() + POINT + bytes(filling)

    def _restart(self):
        self._flash = flash_of(image_of(self._flash))
        keys.esp32 = board(self._flash)
        self._link = Link()
        self._link.nvs = keys.Keys().nvs
        identity.run(self._link, None)

    def _receive(self, message):
        number, verb, arguments = self._opener.open(message)
        assert (number, verb) == (0, "certificate")
        identity_parts.run(self._link, arguments)
        if self._link.turn == identity.NEW:
            identity.run(self._link, LinkError("a new certificate"))

    @rule(step=st.integers(1, 3), filling=st.integers(0, 900), serves=st.booleans(), cut=CUTS)
    def rotate(self, step, filling, serves, cut):
        """The power may fail meanwhile; then the office has the commands sent again."""
        self._serial += step
        certificate = self._certificate(self._serial, filling)
        if serves:
            self._taken_by_broker.add(certificate)
        content = cbor2.dumps([certificate, b"key" + POINT])
        parts = certificate_parts(TICKET.command, NODE, self._serial, content)
        self._sent += parts
        self._flash.cut(*cut)
        try:
            for part in parts:
                self._receive(part)
            self._flash.cut(0, "all")
        except PowerCut:
            self._restart()
            self._connect()
            for part in parts:
                self._receive(part)

    @rule(data=st.data())
    def old_parts_again(self, data):
        newest = self._link.newest
        for _ in range(4 if self._sent else 0):
            self._receive(data.draw(st.sampled_from(self._sent)))
        assert self._link.newest >= newest

    @rule()
    def restart(self):
        self._restart()

    @rule()
    def the_network_is_away(self):
        self._link.session = None
        before = self._link.serial
        identity.run(self._link, LinkError("network", 113))
        assert self._link.serial == before or before != self._link.newest

    @rule()
    def done(self):
        """The office revokes what is older than what it has seen."""
        if self._link.serial:
            self._taken_by_broker &= {self._link.context}

    @invariant()
    def it_has_the_newest_and_connects(self):
        assert self._link.newest == self._serial
        self._connect()

    def _connect(self):
        """After one refusal of each at most."""
        link, tries = self._link, 0
        while link.context not in self._taken_by_broker:
            link.session = None
            identity.run(link, ALERT)
            tries += 1
            assert tries <= 3
        link.session = False
        assert link.context.startswith(b"%d of " % link.serial)


TestNodeOfficeBroker = NodeOfficeBroker.TestCase
TestNodeOfficeBroker.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
