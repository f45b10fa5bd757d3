# SPDX-License-Identifier: MIT
"""node/link/new_identity.py on NVS as it is: a power cut at any operation leaves the certificate
in use, and the new one comes again; seals are scrubbed beside certificates."""

import hashlib
import json
import os

import pytest
from flash_fixture import fresh_flash
from vectors_fixture import vectors

from host_tools.provisioning.nvs_image import nvs_image
from host_tools.provisioning.ticket import make_ticket
from node.crypto.seal_chain import seal_at
from node.device import flash_file, keys, nvs_scrub
from node.errors import LinkError
from node.link import identity, identity_parts
from tests.simulated_node.nvs_cuts import board, each_cut, flash_of, image_of
from tests.simulated_node.test_nvs_scrub import filled, scrub_all, traces

TICKET = make_ticket(bytes(range(32)), "0123456789", 20_000)
MADE = {vector["name"]: vector for vector in vectors("certificate")}
EVERY = 1 if os.environ.get("LAMPPOST_LONG") == "1" else 7  # cuts; the long form takes them all
SIZES = [0x4000, 0x6000]
NAMES = ["provisioned", "second", "third", "fourth"]  # by serial
ALERT = LinkError("tls", -0x7780)


class Link:
    context, serial, newest, turn, session = None, 0, 0, None, None


@pytest.fixture
def start(monkeypatch):
    """start(flash): a board's start; returns (keys, link, scrub)."""
    fresh_flash()
    monkeypatch.setattr(flash_file, "CONFIG", "/data/lp-")
    first = MADE["provisioned"]
    for name, data in (("ca.der", first["authority"]), ("node.der", first["certificate"]),
                       ("node.key.der", first["private"])):  # fmt: skip
        flash_file.replace("/data/lp-" + name, bytes.fromhex(data))
    flash_file.replace("/data/lp-config.json", json.dumps({"node": first["node"]}).encode())

    def run(flash):
        esp32 = board(flash)
        for module in (keys, nvs_scrub):
            monkeypatch.setattr(module, "esp32", esp32)
        its_keys, link = keys.Keys(), Link()
        link.nvs = its_keys.nvs
        identity.run(link, None)
        return its_keys, link, nvs_scrub.NvsScrub()

    return run


def take(its_keys, link, serial):
    content = bytes.fromhex(MADE[NAMES[serial]]["content"])
    tag = hashlib.sha256(content).digest()[:8]
    bring(its_keys, link, [serial, tag, len(content), 0, content])


def bring(its_keys, link, arguments):
    identity_parts.run(link, arguments)
    identity.run(link, LinkError("a new certificate"))


def serials(its_keys):
    return sorted(identity.serial(blob) for _, blob in identity.kept(its_keys.nvs))


@pytest.mark.parametrize("before, refused, full", [
    (0, 0, False), (1, 0, True), (1, 1, False), (2, 0, False), (2, 0, True), (2, 1, True),
])  # fmt: skip
def test_a_cut_anywhere_leaves_the_one_in_use(start, before, refused, full):
    flash = flash_of(nvs_image(TICKET, SIZES[1]))
    its_keys, link, _ = start(flash)
    for serial in range(1, before + 1):
        take(its_keys, link, serial)
    image, new = filled(image_of(flash), full), before + 1

    def connected(flash):
        """A node that has found by its refusals which one serves."""
        its_keys, link, _ = start(flash)
        for _ in range(refused if before else 0):
            identity.run(link, ALERT)
        return its_keys, link

    used = connected(flash_of(image))[1].serial
    assert used == max(0, before - refused)
    seen = set()
    for where, left in each_cut(image, lambda flash: take(*connected(flash), new), EVERY):
        flash = flash_of(left)
        its_keys, link = connected(flash)
        assert (its_keys.missing(), its_keys.seal) == ([], TICKET.seal), where
        assert used in [0, *serials(its_keys)], where
        seen.add(tuple(serials(its_keys)))
        take(its_keys, link, new)
        again, link, _ = start(flash_of(image_of(flash)))
        assert (link.serial, max(serials(again))) == (new, new), where
    has_it = {new in found for found in seen}
    assert has_it == {False, True} if EVERY == 1 else False in has_it


@pytest.mark.parametrize("full", [False, True], ids=["empty", "full"])
@pytest.mark.parametrize("size", SIZES)
def test_seals_are_scrubbed_beside_certificates(start, size, full):
    flash = flash_of(nvs_image(TICKET, size))
    its_keys, link, _ = start(flash)
    for serial in (1, 2, 3):
        take(its_keys, link, serial)
    seal = TICKET.seal
    image = filled(image_of(flash), full)
    for epoch in (1, 2, 3):
        flash = flash_of(image)
        its_keys, link, scrub = start(flash)
        its_keys.step_to(epoch)
        assert traces(image_of(flash), seal)
        scrub_all(scrub, epoch)
        image = image_of(flash)
        assert (scrub.stale, traces(image, seal)) == (0, 0)
        assert (link.serial, serials(its_keys)) == (3, [2, 3])
        seal = seal_at(seal, epoch - 1, epoch, {})


def test_many_rotations_fit(start):
    """Each erases the one before the last: their places are used again."""
    flash = flash_of(filled(nvs_image(TICKET, SIZES[0]), False))
    its_keys, link, _ = start(flash)
    content = bytes.fromhex(MADE["second"]["content"])
    tag = hashlib.sha256(content).digest()[:8]
    for serial in range(1, 200):
        bring(its_keys, link, [serial, tag, len(content), 0, content])
    again, link, _ = start(flash_of(image_of(flash)))
    assert (link.serial, serials(again), again.missing()) == (199, [198, 199], [])
