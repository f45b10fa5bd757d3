# SPDX-License-Identifier: MIT
"""node/link/identity.py, identity_parts.py, new_identity.py: a new certificate comes in parts, and
where it does not serve, one before does. Real certificates, loaded by the TLS library."""

import hashlib
import json
import unittest

from bench_fixture import fresh_bench
from flash_fixture import fresh_flash
from vectors_fixture import unhex, vectors

from node import cbor
from node.device import flash_file
from node.device.keys import Keys
from node.errors import CommandError, LinkError
from node.link import identity, identity_parts
from node.pipeline.down import CommandOpener

FORM, CHANGED, OTHER, UNFIT, NOT_KEPT = 1, 2, 3, 4, 5  # why one is refused: firmware/README.md
MADE = {v["name"]: v for v in vectors("certificate")}
CERTIFICATE = {name: unhex(MADE[name]["certificate"]) for name in MADE}
CONTENT = {name: unhex(MADE[name]["content"]) for name in MADE}
ALERT = ("tls", -0x7780)
MAKE_CONTEXT, KEEP = identity.make_context, identity._keep


def parts(content, serial, size=100):
    """A certificate's command arguments."""
    tag = hashlib.sha256(content).digest()[:8]
    return [
        [serial, tag, len(content), at, content[at : at + size]]
        for at in range(0, len(content), size)
    ]


class Link:
    """What the certificates of a link are noted on."""

    context, serial, newest, turn, session = None, 0, 0, None, False


class Case(unittest.TestCase):
    def setUp(self):
        fresh_flash()
        self.bench = fresh_bench()
        self.before = flash_file.CONFIG
        flash_file.CONFIG = "/data/lp-"  # a filesystem of its own on a board
        first = MADE["provisioned"]
        files = {"ca.der": unhex(first["authority"]), "node.der": CERTIFICATE["provisioned"],
                 "node.key.der": unhex(first["private"]),
                 "config.json": json.dumps({"node": first["node"]}).encode()}  # fmt: skip
        for name in files:
            flash_file.replace(flash_file.CONFIG + name, files[name])
        self.loaded = []  # what contexts were made of
        identity.make_context = self.make_context
        self.said = []
        identity.say = lambda where, what: self.said.append(what.args[0])
        self.nvs = Keys().nvs
        self.link = self.start()

    def tearDown(self):
        identity.make_context, identity._keep = MAKE_CONTEXT, KEEP
        flash_file.CONFIG = self.before

    def make_context(self, ca, certificate, key):
        context = MAKE_CONTEXT(ca, certificate, key)
        self.loaded.append(bytes(certificate))
        return context

    def start(self):
        link = Link()
        link.nvs = self.nvs
        identity.run(link, None)
        return link

    def part(self, arguments, link=None):
        """A part comes; with the last one the link ends. Whether it was the last."""
        link = link or self.link
        identity_parts.run(link, arguments)
        if link.turn != identity.NEW:
            return False
        identity.run(link, LinkError("a new certificate"))
        return True

    def take(self, name, serial, link=None):
        return [self.part(arguments, link) for arguments in parts(CONTENT[name], serial)]

    def uses(self, name, serial, turn, link=None):
        link = link or self.link
        self.assertEqual((link.serial, link.turn), (serial, turn))
        self.assertEqual(self.loaded[-1], CERTIFICATE[name])
        self.assertTrue(link.context is not None)


class TestNewIdentity(Case):
    def test_at_first_there_is_the_provisioned_one(self):
        self.uses("provisioned", 0, None)

    def test_with_its_last_part_the_link_ends_and_has_the_new_one(self):
        *most, last = parts(CONTENT["second"], 1)
        for arguments in most:
            self.assertFalse(self.part(arguments))
            self.uses("provisioned", 0, None)
        self.assertEqual(identity.kept(self.nvs), [])
        self.assertTrue(self.part(last))
        self.uses("second", 1, 0)
        self.uses("second", 1, 0, self.start())

    def test_the_vaults_own_messages(self):
        made = MADE["second"]
        opener = CommandOpener(unhex(made["key"]), made["node"])
        for part in made["parts"]:
            number, verb, arguments = opener.open(unhex(part["message"]))
            self.assertEqual((number, verb), (0, "certificate"))
            self.part(arguments)
        self.uses("second", 1, 0)

    def test_parts_come_in_any_order_and_again(self):
        first, second, *rest = parts(CONTENT["second"], 1)
        for arguments in list(reversed(rest)) + [second, second]:
            self.assertFalse(self.part(arguments))
        self.assertTrue(self.part(first))
        self.uses("second", 1, 0)
        for link in (self.link, self.start()):
            self.assertFalse(True in self.take("second", 1, link))
            self.uses("second", 1, 0, link)

    def test_a_later_one_takes_the_place_of_one_that_arrives(self):
        older, newer = parts(CONTENT["second"], 1), parts(CONTENT["third"], 2)
        for arguments in [older[0], newer[0], older[1]] + newer[1:] + older:
            self.part(arguments)
        self.uses("third", 2, 0)
        self.assertEqual(len(identity.kept(self.nvs)), 1)

    def test_a_later_one_that_begins_before_the_link_has_ended(self):
        older, newer = parts(CONTENT["second"], 1), parts(CONTENT["third"], 2)
        for arguments in older + newer[:1]:
            identity_parts.run(self.link, arguments)
        identity.run(self.link, LinkError("a new certificate"))
        self.assertEqual((self.link.serial, self.said), (0, []))
        for arguments in newer[1:]:
            self.part(arguments)
        self.uses("third", 2, 0)

    def test_no_recording_brings_back_an_old_one(self):
        self.take("second", 4)
        self.take("third", 6)
        for serial in (1, 4, 5, 6):
            for link in (self.link, self.start()):
                self.take("fourth", serial, link)
                self.uses("third", 6, 0, link)

    def test_what_is_no_part_is_refused(self):
        whole = parts(CONTENT["second"], 1, 1000)[0]
        for arguments in (
            [], whole[:-1], whole + [0], [0] + whole[1:], [1 << 16] + whole[1:],
            [True] + whole[1:], [1, whole[1][1:]] + whole[2:], [1, whole[1], 10] + whole[3:],
            [1, whole[1], 1395, 0, b"x"], whole[:3] + [-1, b"x"], whole[:3] + [0, b""],
            whole[:3] + ["0", b"x"], whole[:4] + ["x"],
        ):  # fmt: skip
            try:
                self.part(arguments)
                self.fail("it is taken: " + str(arguments))
            except CommandError as err:
                self.assertEqual(err.args[0], FORM)
            self.uses("provisioned", 0, None)

    def test_a_part_is_long_or_the_last(self):
        """So few that are short cannot fill the memory, and no serial uses up all."""
        for size, at in ((63, 0), (1, 0), (63, 100), (1, 8)):
            whole = parts(CONTENT["second"], 1)[0]
            arguments = whole[:3] + [at, bytes(size)]
            with self.assertRaises(CommandError):
                self.part(arguments)
        with self.assertRaises(CommandError):
            self.part(parts(CONTENT["second"], 1 << 16)[0])
        self.assertTrue(getattr(self.link, "arriving", None) is None)
        for arguments in parts(CONTENT["second"], (1 << 16) - 1, 64):
            self.part(arguments)
        self.uses("second", 65_535, 0)

    def test_what_is_no_certificate_is_refused_and_the_one_before_goes_on(self):
        pair = cbor.decode(CONTENT["second"])
        private = unhex(MADE["third"]["private"])
        damaged = bytearray(pair[0])
        damaged[3] ^= 1
        for code, content in (
            (FORM, b"\xff"), (FORM, cbor.encode([])), (FORM, cbor.encode(pair + [1])),
            (FORM, cbor.encode(7)), (FORM, cbor.encode(["x", pair[1]])),
            (OTHER, CONTENT["of another node"]), (UNFIT, cbor.encode([pair[0], private])),
            (UNFIT, cbor.encode([pair[0], b"x"])),
            (UNFIT, cbor.encode([bytes(damaged), pair[1]])),
            (UNFIT, cbor.encode([pair[0], pair[1][1:]])),
        ):  # fmt: skip
            self.refused(code, parts(content, 1, 1000)[0])
        whole = parts(CONTENT["second"], 1, 1000)[0]
        self.refused(CHANGED, [1, bytes(8)] + whole[2:])
        self.take("second", 1)  # the same serial may come again
        self.uses("second", 1, 0)

    def refused(self, code, arguments):
        self.assertTrue(self.part(arguments))
        self.assertEqual((self.said, identity.kept(self.nvs)), ([code], []))
        self.said.clear()
        self.assertEqual(self.link.serial, 0)
        self.assertEqual(self.loaded[0], CERTIFICATE["provisioned"])

    def test_what_nvs_does_not_take_may_come_again(self):
        write = self.bench.nvs.set

        def failing(*arguments):
            raise OSError(-0x1105)

        self.bench.nvs.set = failing
        self.take("second", 1)
        self.assertEqual((self.link.serial, self.said), (0, [NOT_KEPT]))
        self.bench.nvs.set = write
        self.link.nvs = Keys().nvs  # what was not written is forgotten
        self.take("second", 1)
        self.uses("second", 1, 0)

    def test_without_memory_to_look_at_it_the_link_goes_on(self):
        self.take("second", 1)
        identity._keep = self.no_memory
        with self.assertRaises(MemoryError):
            self.take("third", 2)
        identity._keep = KEEP
        self.uses("second", 1, 0)
        self.take("third", 2)
        self.uses("third", 2, 0)

    def no_memory(self, link):
        raise MemoryError


class TestTurns(Case):
    def dropped(self, *reason):
        identity.run(self.link, LinkError(*reason))

    def test_where_one_is_refused_the_others_have_their_turn(self):
        self.take("second", 1)
        self.take("third", 2)
        self.link.session = None
        for name, serial, turn in (("second", 1, 1), ("provisioned", 0, 2), ("third", 2, 3),
                                   ("second", 1, 4)):  # fmt: skip
            self.dropped(*ALERT)
            self.uses(name, serial, turn)

    def test_what_is_no_word_on_the_certificate_changes_nothing(self):
        self.take("second", 1)
        self.link.session = None
        made = len(self.loaded)
        for reason in (("network", 113), ("network", -202), ("closed",), ("tls",), ("tls", 110),
                       ("tls", -0x2900), ("certificate", "expired"), ("no answer",), ("name",),
                       ("wifi",), ("puback",), ("malformed",)):  # fmt: skip
            self.dropped(*reason)
            self.uses("second", 1, 0)
        self.assertEqual(len(self.loaded), made)
        for turn, reason in enumerate((ALERT, ("tls", 104), ("tls", 32), ("tls", -0x7280),
                                       ("refused",), ("subscribe",))):  # fmt: skip
            self.dropped(*reason)
            self.assertEqual(self.link.turn, turn + 1)

    def test_after_a_connection_the_newest_is_first_again(self):
        self.take("second", 1)
        self.link.session = None
        self.dropped("tls", 104)  # as when a broker restarts
        self.uses("provisioned", 0, 1)
        self.dropped("network", 111)
        self.uses("provisioned", 0, 1)
        self.link.session = False
        self.dropped("closed")
        self.uses("second", 1, 0)

    def test_the_next_one_does_not_take_the_place_of_what_serves(self):
        """The second does not serve: the node connects with the provisioned one or the first."""
        self.take("second", 1)
        self.take("by another authority", 2)
        self.link.session = None
        self.dropped(*ALERT)
        self.uses("second", 1, 1)
        self.take("by another authority", 3)
        self.assertEqual(
            sorted([identity.serial(blob) for _, blob in identity.kept(self.nvs)]), [1, 3]
        )
        self.dropped(*ALERT)
        self.uses("second", 1, 1)
        self.take("fourth", 4)
        self.uses("fourth", 4, 0)
        self.assertEqual(
            sorted([identity.serial(blob) for _, blob in identity.kept(self.nvs)]), [1, 4]
        )

    def test_what_cannot_be_read_is_passed_over(self):
        self.take("second", 1)
        blob = b"\0\0\0\x09\0\x04" + bytes(300)
        self.bench.nvs.set("lamppost", "identity2", "blob", blob)
        self.link = self.start()
        self.uses("second", 1, 0)
        self.bench.nvs.set("lamppost", "identity", "blob", blob)
        self.link = self.start()
        self.uses("provisioned", 0, 0)
        flash_file.remove(flash_file.CONFIG + "node.key.der")
        with self.assertRaises(LinkError):
            self.start()


if __name__ == "__main__":
    unittest.main()
