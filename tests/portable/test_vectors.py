# SPDX-License-Identifier: MIT
"""tests/vectors, made by the host's side with other libraries, met by the node's."""

import unittest

from vectors_fixture import unhex, vectors

from node.crypto import ccm
from node.crypto.hkdf import expand
from node.crypto.hmac_sha256 import hmac_sha256
from node.crypto.seal_chain import seal_at
from node.crypto.series import draw_series
from node.errors import OpenError
from node.pipeline import envelope
from node.pipeline.down import CommandOpener, ReceiptOpener
from node.pipeline.seal import Sealer, series_keys
from node.policy.rules import Policy


class Keys:
    """What Sealer needs of device/keys.py."""

    def __init__(self, epoch, seal):
        self.epoch, self.seal = epoch, seal


class TestVectors(unittest.TestCase):
    def test_ccm(self):
        found = vectors("ccm")
        self.assertTrue(len(found) >= 50)
        for v in found:
            key, nonce, aad = unhex(v["key"]), unhex(v["nonce"]), unhex(v["aad"])
            plaintext, ciphertext = unhex(v["plaintext"]), unhex(v["ciphertext"])
            self.assertEqual(ccm.encrypt(key, nonce, plaintext, aad), ciphertext)
            self.assertEqual(ccm.decrypt(key, nonce, ciphertext, aad), plaintext)
            for at in (0, len(ciphertext) - 1):
                wrong = bytearray(ciphertext)
                wrong[at] ^= 1
                with self.assertRaises(OpenError):
                    ccm.decrypt(key, nonce, bytes(wrong), aad)

    def test_hkdf(self):
        found = vectors("hkdf")
        self.assertTrue(len(found) >= 3)
        for v in found:
            extracted = hmac_sha256(unhex(v["salt"]) or bytes(32), unhex(v["ikm"]))
            self.assertEqual(expand(extracted, unhex(v["info"]), v["length"]), unhex(v["okm"]))

    def test_seal_chain(self):
        for v in vectors("seal_chain"):
            mixes = {epoch: unhex(a) for epoch, a in v["mixes"]}
            seal = seal_at(unhex(v["seal_0"]), 0, v["epoch"], mixes)
            self.assertEqual(seal, unhex(v["seal"]))
            series = draw_series(unhex(v["random"]), v["boots"], v["newest_number"])
            self.assertEqual(series, unhex(v["series"]))
            self.assertEqual(series_keys(seal, series), (unhex(v["key"]), unhex(v["base_iv"])))

    def test_envelopes(self):
        found = vectors("envelope")
        self.assertTrue(len(found) >= 20)
        for v in found:
            keys = Keys(v["epoch"], unhex(v["seal"]))
            sealer = Sealer(keys, v["node"], Policy(unhex(v["policy"])), unhex(v["series"]))
            sealer.seal(unhex(v["log"]), 1, 1, [], None)  # begins the epoch
            sealer._counter = v["counter"]
            sealed = sealer.seal(
                unhex(v["log"]), v["number"], v["floor"], v["records"], v["instant_s"]
            )
            self.assertEqual(sealed, unhex(v["envelope"]))
            self.assertEqual(envelope.unpack(sealed)[4], v["counter"])

    def test_receipts(self):
        for v in vectors("receipt"):
            opener = ReceiptOpener(unhex(v["key"]), v["node"])
            self.assertEqual(
                opener.open(unhex(v["message"])),
                (v["time_s"], unhex(v["log"]), v["upto"], v["ranges"]),
            )
            with self.assertRaises(OpenError):
                ReceiptOpener(unhex(v["key"]), "another000").open(unhex(v["message"]))

    def test_commands(self):
        for v in vectors("command"):
            opener = CommandOpener(unhex(v["key"]), v["node"])
            arguments = v["arguments"]
            if arguments:
                arguments = [unhex(v["log"])] + arguments
            self.assertEqual(opener.open(unhex(v["message"])), (v["number"], v["verb"], arguments))
            with self.assertRaises(OpenError):
                CommandOpener(unhex(v["key"]), "another000").open(unhex(v["message"]))

    def test_policies(self):
        for v in vectors("policy_length"):
            policy = Policy(unhex(v["policy"]))
            self.assertEqual(policy.digest, unhex(v["digest"]))
            self.assertEqual(policy.padded_length(v["instant_s"]), v["length"])
            if v["instant_s"] is not None:
                closing = [stream.number for stream in policy.closing(v["instant_s"])]
                self.assertEqual(closing, v["closing"])


if __name__ == "__main__":
    unittest.main()
