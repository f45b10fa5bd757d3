# SPDX-License-Identifier: MIT
"""Anything that may arrive on `down`, by chance: raw bytes from a broker, sealed messages that are
not what they should be, and what a store or a vault would have to be mad to send.

A Fuzzer has a real client, publisher, openers and outbox; below the client is the scripted broker
of test_mqtt.py. case() plays one case and raises Finding when something happens that must not:
another error than LinkError, a call that takes long, an outbox that believes what it should not.
The same seed makes the same cases on one interpreter; MicroPython's random has others.
"""

import random

from bench_fixture import fresh_bench, write_nvs
from flash_fixture import fresh_flash
from test_mqtt import CONNACK, Client

from node import cbor
from node.crypto import ccm
from node.device.keys import Keys
from node.device.mixes import MIX_BYTES, MIXES_MAX
from node.errors import CommandError, FormatError, LinkError
from node.link import identity, identity_parts, mqtt
from node.pipeline import envelope, publish
from node.pipeline.down import CommandOpener, ReceiptOpener
from node.pipeline.outbox import Outbox
from node.pipeline.publish import Publisher
from node.policy.store import PolicyStore

NODE = "0123456789"
DOWN = b"lp/0123456789/down"
RECEIPT_KEY, COMMAND_KEY = bytes(range(32)), bytes(range(1, 33))
ENVELOPES = 24
CALL_MS = 30_000
_HEADS = (0x10, 0x20, 0x30, 0x31, 0x32, 0x33, 0x34, 0x3A, 0x3D, 0x40, 0x50, 0x62, 0x70, 0x90,
          0xB0, 0xC0, 0xD0, 0xE0, 0xF0, 0x00, 0x41)  # fmt: skip
_NUMBERS = (0, 1, 2, 3, 23, 24, 25, 255, 256, 1000, 65_535, 65_536, (1 << 31) - 1, 1 << 31,
            (1 << 32) - 1, 1 << 32, (1 << 62), (1 << 64) - 1, -1, -24, -(1 << 31),
            -(1 << 64))  # fmt: skip


class Finding(Exception):
    """Something happened that must not."""


def seal(body: bytes, word="receipt", iv=bytes(13), node=NODE) -> bytes:
    """A message that opens: body is what is in it, CBOR or not."""
    key = RECEIPT_KEY if word == "receipt" else COMMAND_KEY
    aad = envelope.enc_structure(envelope.aad(node, word, None))
    return envelope.pack_down(word[:1].encode(), iv, ccm.encrypt(key, iv, body, aad))


def packet(message: bytes, head=0x32, topic=DOWN, packet_id=7, size=None) -> bytes:
    """A PUBLISH; size: what it says its length is, if not the truth."""
    body = len(topic).to_bytes(2, "big") + topic
    if head >> 1 & 3:
        body += packet_id.to_bytes(2, "big")
    body += message
    size = len(body) if size is None else size
    length = b""
    while True:
        length += bytes([size & 0x7F | (0x80 if size > 127 else 0)])
        size >>= 7
        if not size:
            return bytes([head]) + length + body


class Fuzzer:
    """seed: of the cases."""

    def __init__(self, seed: int):
        random.seed(seed)
        self.said = {}  # what was refused, and how often
        self.cases = self.lost = self.settled = 0
        self.answers = True  # whether the broker answers what the client sends
        publish.say = mqtt.say = self._say
        fresh_bench()
        write_nvs(seal=bytes(40))
        fresh_flash()
        self.outbox = Outbox(64 * 1024)
        self.log = self.outbox.log
        self.begun_anew = 0
        self._fill()
        self.client = client = Client()
        self.publisher = Publisher(
            NODE, self.outbox, client, ReceiptOpener(RECEIPT_KEY, NODE), self._confirm,
            CommandOpener(COMMAND_KEY, NODE), self._use_command, self._take_policy,
            client.clock.uptime_ms,
        )  # fmt: skip
        self.keys = Keys()
        self.publisher.take_key = self._take_key
        client.nvs = self.keys.nvs
        client.rarely = self._rarely
        client.set_callback(self.publisher.on_message)
        client.on_puback = self.publisher.on_puback

    def _say(self, where, what):
        text = str(what)
        self.said[text] = self.said.get(text, 0) + 1
        if len(self.said) > 60:
            raise Finding("it says too many things: " + text)

    def _confirm(self, utc_s, age_ms):
        if not 0 <= utc_s < 1 << 32:
            raise Finding("a time that cannot be")

    def _use_command(self, number):
        if not 0 <= number < 1 << 32:
            raise Finding("a command's number that cannot be")

    def _take_key(self, verb, number, arguments):
        self._use_command(number)
        if verb != "mix":
            return
        waiting = self.keys.mixes
        try:
            self.keys.take("mix", number % 1000 + self.keys.commanded, arguments)
        except CommandError:
            if self.keys.mixes != waiting:
                raise Finding("a mix that is refused and taken")
            raise
        if len(self.keys.mixes) > MIX_BYTES * MIXES_MAX or self.keys.seal != bytes(32):
            raise Finding("a mix that should be refused")
        if len(self.keys.mixes) == MIX_BYTES * MIXES_MAX:
            self.keys.keep(0, 0, bytes(32), b"")

    def _rarely(self, name, arguments):
        identity_parts.run(self.client, arguments)
        if self.client.turn == identity.NEW:
            identity.run(self.client, LinkError("a new certificate"))
        if identity.kept(self.keys.nvs):
            raise Finding("a certificate that should be refused")

    def _take_policy(self, arguments):
        PolicyStore(None, "air", {}).take_part(arguments, 1_800_000_000)

    # cases

    def case(self):
        """Plays one, by chance a wire or a message."""
        self.cases += 1
        if self.cases % 4:
            self.message(self.any_message())
        else:
            self.answers = random.getrandbits(2) > 0
            self.wire(self.any_bytes(), random.choice((1, 2, 5, 64, 4096)))
        if random.getrandbits(4) == 0:
            self.client.close()
        if random.getrandbits(1):  # so that there is something to settle again
            self.outbox.resend(1)

    def _fill(self):
        self.outbox.append(*[b"envelope %03d" % n for n in range(ENVELOPES)])

    def wire(self, data: bytes, at_once=4096):
        """Gives the client `data` as the broker's bytes, on a connection that stands."""
        client = self.client
        if not client.connected:
            client.hello = CONNACK
            self._call(client.connect)
            client.broker.answer = self._answer
            self._call(self.publisher.on_connect)
        before = self.outbox.waiting()
        broker = client.broker
        broker.at_once, broker.inbox = at_once, broker.inbox + data
        broker.answer = self._answer if self.answers else None
        left = len(data) + 1
        while client.connected and broker.inbox and left:
            self._call(lambda: client.poll(1000))
            left -= 1
        self._call(client.tick)
        self._call(lambda: self.publisher.step(client.clock.now_ms))
        broker.writes.clear()
        broker.buffers.clear()
        self._check(before)

    def message(self, message: bytes):
        """Gives the publisher a message on `down`."""
        before = self.outbox.waiting()
        self.publisher.on_message(DOWN, message)
        self._check(before)

    @staticmethod
    def _answer(sent) -> bytes:
        """What a broker says to a whole packet."""
        first, at = sent[0], 2 + (sent[1] > 127)
        if first == 0xC0:
            return b"\xd0\x00"
        if first == 0x82:
            return b"\x90\x03" + sent[at : at + 2] + b"\x01"
        if first & 0xF2 == 0x32:
            at += 2 + (sent[at] << 8 | sent[at + 1])
            return b"\x40\x02" + sent[at : at + 2]
        return b""

    def _call(self, function):
        began_ms = self.client.clock.now_ms
        try:
            function()
        except LinkError:
            self.lost += 1
            if self.client.connected or self.client.sock is not None:
                raise Finding("a LinkError that leaves the connection open")
        if self.client.clock.now_ms - began_ms > CALL_MS:
            raise Finding("a call of %d ms" % (self.client.clock.now_ms - began_ms))

    def _check(self, before):
        outbox = self.outbox
        waiting, number = 0, outbox.waiting_from(0)
        while number is not None:
            waiting += 1
            number = outbox.waiting_from(number + 1)
        if outbox.next_number == 1 and outbox.log != self.log:  # the store knew more than we
            self.begun_anew += 1
            self.log = outbox.log
            self._fill()
            self.publisher._first = outbox.next_number
            return
        if outbox.next_number != ENVELOPES + 1 or outbox.waiting() != waiting:
            raise Finding("the outbox has lost count")
        last = outbox.settled_upto
        for first, upto in outbox._beyond:
            if not last + 1 < first <= upto < outbox.next_number:
                raise Finding("settled ranges are out of order")
            last = upto
        if waiting < before:
            self.settled += 1

    # what arrives

    def any_message(self) -> bytes:
        kind = random.getrandbits(3)
        if kind == 0:
            return self._noise(random.getrandbits(7))
        word = "command" if kind & 1 else "receipt"
        if kind < 4:
            message = seal(self._any_cbor(), word)
        elif kind < 6:
            message = seal(cbor.encode(self._likely(word)), word)
        else:
            return self._broken(seal(cbor.encode(self._likely(word)), word))
        return message[:1000]

    def any_bytes(self) -> bytes:
        """One to three packets, whole or broken, or noise."""
        data, long = b"", random.getrandbits(3) == 0  # longer than the client's buffer
        for _ in range(1 + random.getrandbits(1)):
            kind = random.getrandbits(2)
            if kind == 0:
                data += self._noise(random.getrandbits(6))
            elif kind == 1:
                data += bytes([random.choice(_HEADS)])
                data += bytes([random.getrandbits(8) for _ in range(random.getrandbits(2))])
                data += self._noise(random.getrandbits(5))
            else:
                size = None
                if random.getrandbits(2) == 0:
                    size = random.choice((0, 1, 2, 19, 127, 128, 1021, 1025, 16_384, 2_097_152,
                                          268_435_455, 1 << 28, 1 << 35))  # fmt: skip
                topic = DOWN if random.getrandbits(2) else self._noise(random.getrandbits(5))
                head = 0x30 | random.getrandbits(4)
                data += packet(self.any_message(), head, topic, random.getrandbits(2), size)
        if long:
            size = random.choice((1025, 1100, 5000, 2_097_152))
            data += packet(b"x" * 1100, random.choice((0x30, 0x32, 0x3A)), DOWN, 9, size)
        if random.getrandbits(2) == 0:
            data = self._broken(data)
        return data

    def _noise(self, size) -> bytes:
        noise = bytearray(size)
        for at in range(size):
            noise[at] = random.getrandbits(8)
        return bytes(noise)

    def _broken(self, data) -> bytes:
        """A byte changed, taken out or put in; or the end is missing, or is doubled."""
        if not data:
            return data
        at, kind = random.getrandbits(12) % len(data), random.getrandbits(3)
        if kind < 4:
            return data[:at] + bytes([random.getrandbits(8)]) + data[at + 1 :]
        if kind == 4:
            return data[:at]
        if kind == 5:
            return data[:at] + data[at + 1 :]
        if kind == 6:
            return data[:at] + self._noise(1 + random.getrandbits(2)) + data[at:]
        return data + data[at:]

    def _any_cbor(self) -> bytes:
        """A value of any shape; or bytes that only begin like one: deep, long, or neither."""
        kind = random.getrandbits(3)
        if kind == 0:
            return b"\x81" * random.getrandbits(8) + b"\x00"
        if kind == 1:  # a head that promises more than there is
            head = random.choice((0x5A, 0x7A, 0x9A, 0x5B, 0x7B, 0x9B, 0xBA, 0xDA, 0x98, 0x58))
            return bytes([head]) + self._noise(random.getrandbits(4))
        if kind == 2:
            return b"\x98\xff" + bytes(random.getrandbits(8))
        if kind == 3:
            return self._broken(cbor.encode(self._likely("receipt")))
        try:
            return cbor.encode(self._value(3))
        except FormatError:
            return self._noise(20)

    def _number(self) -> int:
        kind = random.getrandbits(2)
        if kind == 0:
            return random.choice(_NUMBERS)
        return random.getrandbits(5) if kind < 3 else random.getrandbits(30)

    def _value(self, depth):
        kind = random.getrandbits(3)
        if kind < 3 or depth == 0:
            return self._number()
        if kind == 3:
            return self._noise(random.getrandbits(4))
        if kind == 4:
            return random.choice(("", "resend", "é" * 5, "reset", "mix", "certificate"))
        if kind == 5:
            return random.choice((None, True, False))
        return [self._value(depth - 1) for _ in range(random.getrandbits(3))]

    def _likely(self, word) -> list:
        """The fields of a receipt or a command, with numbers that may be absurd."""
        if word == "receipt" and random.getrandbits(1):
            return self._plausible()
        log = self.outbox.log if random.getrandbits(2) else self._noise(random.getrandbits(2))
        if word == "command":
            verb = "resend" if random.getrandbits(2) else self._value(1)
            fields = [self._number(), verb, log, self._number()]
            if random.getrandbits(2) == 0:
                a = self._noise(32) if random.getrandbits(2) else self._value(2)
                fields[1:] = ["mix", self._number(), a]
            elif random.getrandbits(2) == 0:
                at, tag = self._number(), self._noise(8)
                part = self._noise(random.getrandbits(6)) if random.getrandbits(3) else None
                fields[1:] = ["certificate", self._number(), tag, self._number(), at, part]
        else:
            ranges = []
            for _ in range(random.choice((0, 1, 2, 5, 60))):
                first = self._number()
                ranges.append([first, first + random.getrandbits(3)])
            upto = random.getrandbits(5) if random.getrandbits(1) else self._number()
            fields = [self._number(), log, upto, ranges]
        if random.getrandbits(3) == 0:
            fields[random.getrandbits(2)] = self._value(2)
        if random.getrandbits(4) == 0:
            fields.pop()
        try:
            cbor.encode(fields)
        except FormatError:  # a number beyond 64 bits
            return []
        return fields

    def _plausible(self) -> list:
        """A receipt that a store might send, or nearly so."""
        ranges = []
        for _ in range(random.getrandbits(2)):
            first = 1 + random.getrandbits(4)
            ranges.append([first, first + random.getrandbits(3)])
        return [random.getrandbits(30), self.outbox.log, random.getrandbits(4), ranges]
