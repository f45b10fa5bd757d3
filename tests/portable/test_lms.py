# SPDX-License-Identifier: MIT
"""node/crypto/lms.py: RFC 8554's own signature, pyhsslms's, and that nothing else is accepted.

Here some bytes are changed; tests/host_tools/test_lms_tree.py changes each.
"""

import unittest
from io import BytesIO

from vectors_fixture import unhex, vectors

from node.crypto import lms
from node.errors import FormatError, OpenError

STEP = 41  # every so many bytes; no divisor of a field's length


class Parts:
    """A stream that gives at most `size` bytes at once, as a file or a socket may."""

    def __init__(self, data, size):
        self._stream, self._size = BytesIO(data), size

    def readinto(self, buffer):
        return self._stream.readinto(memoryview(buffer)[: self._size])


class Broken:
    def readinto(self, buffer):
        raise OSError(5)


def changed(data, at):
    """One bit of the byte at `at` turned round."""
    data = bytearray(data)
    data[at] ^= 1 << at % 8
    return bytes(data)


class TestLms(unittest.TestCase):
    def setUp(self):
        found = vectors("lms")
        self.assertTrue(len(found) >= 7)
        self.all = [
            (unhex(v["public_key"]), unhex(v["message"]), unhex(v["signature"])) for v in found
        ]
        self.rfc = self.all[0]

    def refused(self, error, public_key, message, signature):
        with self.assertRaises(error):
            lms.verify(public_key, [message], BytesIO(signature))

    def test_vectors(self):
        for public_key, message, signature in self.all:
            self.assertEqual(len(signature), lms.SIGNATURE_LENGTH)
            self.assertEqual(len(public_key), lms.PUBLIC_KEY_LENGTH)
            lms.verify(public_key, [message], BytesIO(signature))

    def test_in_parts(self):
        for size in (1, 7, 33, 512):
            public_key, message, signature = self.all[3]
            chunks = (message[at : at + size] for at in range(0, len(message), size))
            lms.verify(public_key, chunks, Parts(signature, size))
            for end in (0, 1, 43, 44, 75, 2187, 2188, 2191, 2511):
                with self.assertRaises(FormatError):
                    lms.verify(public_key, [message], Parts(signature[:end], size))
            with self.assertRaises(FormatError):
                lms.verify(public_key, [message], Parts(signature + b"\0", size))

    def test_changed_bytes(self):
        public_key, message, signature = self.rfc
        either = (FormatError, OpenError)
        for at in range(len(public_key)):
            error = FormatError if at < 12 else OpenError
            self.refused(error, changed(public_key, at), message, signature)
        for at in range(len(message)):
            self.refused(OpenError, public_key, changed(message, at), signature)
        for at in range(0, len(signature), STEP):
            self.refused(either, public_key, message, changed(signature, at))

    def test_other_lengths(self):
        public_key, message, signature = self.rfc
        for end in range(0, len(signature), STEP):
            self.refused(FormatError, public_key, message, signature[:end])
        self.refused(FormatError, public_key, message, signature + b"\0")
        for end in range(len(public_key)):
            self.refused(FormatError, public_key[:end], message, signature)
        self.refused(FormatError, public_key + b"\0", message, signature)
        for end in range(len(message)):
            self.refused(OpenError, public_key, message[:end], signature)
        self.refused(OpenError, public_key, message + b"\0", signature)

    def test_other_kinds(self):
        """Levels, leaf and types of the signature; levels and types of the key."""
        public_key, message, signature = self.rfc
        for at, values in (
            (0, (1, 2, 1 << 31)), (4, (1024, 1027, 65_539, (1 << 24) + 3, (1 << 31) + 3)),
            (8, (0, 1, 2, 4, 7, 11)), (2188, (0, 5, 7, 8, 9, 11, 16)),
        ):  # fmt: skip
            for value in values:
                other = signature[:at] + value.to_bytes(4, "big") + signature[at + 4 :]
                self.refused(FormatError, public_key, message, other)
                if at < 12:  # before the message is read: None cannot be
                    with self.assertRaises(FormatError):
                        lms.verify(public_key, None, BytesIO(other))
        for at, values in ((0, (0, 2, 8)), (4, (0, 5, 7, 11, 16)), (8, (0, 1, 2, 4, 7, 11))):
            for value in values:
                other = public_key[:at] + value.to_bytes(4, "big") + public_key[at + 4 :]
                self.refused(FormatError, other, message, signature)

    def test_what_belongs_to_another(self):
        public_key, message, signature = self.rfc
        for other_key, other_message, other_signature in self.all[1:]:
            self.refused(OpenError, other_key, message, signature)
            self.refused(OpenError, public_key, other_message, signature)
            self.refused(OpenError, public_key, message, other_signature)
        for leaf in (0, 2, 4, 1023):
            other = signature[:4] + leaf.to_bytes(4, "big") + signature[8:]
            self.refused(OpenError, public_key, message, other)

    def test_trouble_of_the_flash_is_no_answer(self):
        public_key, message, _ = self.rfc
        with self.assertRaises(OSError):
            lms.verify(public_key, [message], Broken())


if __name__ == "__main__":
    unittest.main()
