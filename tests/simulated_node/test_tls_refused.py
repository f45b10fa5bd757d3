# SPDX-License-Identifier: MIT
"""What a node's TLS refuses, and what it is refused for: no connection, the exact error, and not
one byte of application data on the wire; on MicroPython, and on CPython with the look-alikes.

The server is OpenSSL, fed by hand: so every record that the node sent can be looked at.
"""

import datetime
import socket
import ssl
import threading
from contextlib import contextmanager
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from tests.bench.mqtt import NODE

DAY = datetime.timedelta(days=1)
_APPLICATION_DATA = 23  # record type, RFC 5246 §6.2.1


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Authority:
    """A certificate authority whose certificates may be wrong in one way."""

    def __init__(self):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = _name("authority")
        self.certificate = self.sign(self.name, self.key, address=None, ca=True)

    def sign(self, subject, key, address="127.0.0.1", begins=-2 * DAY, ends=DAY, ca=False,
             issuer=None):  # fmt: skip
        """A certificate for `key`; issuer: key that signs it, if not this authority's."""
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject if issuer else self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + begins)
            .not_valid_after(now + ends)
            .add_extension(x509.BasicConstraints(ca, None), critical=True)
        )
        if address:
            name = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))])
            builder = builder.add_extension(name, critical=False)
        return builder.sign(issuer or self.key, hashes.SHA256())

    def der(self):
        return self.certificate.public_bytes(serialization.Encoding.DER)

    def pem(self):
        return self.certificate.public_bytes(serialization.Encoding.PEM)


def _key_bytes(key, encoding):
    form = serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(encoding, form, serialization.NoEncryption())


class Server:
    """One TLS server for one connection on 127.0.0.1, from the options of a case."""

    def __init__(self, folder, authority, kind="ec", tls="1.2", ciphers=None, hangs_up=False,
                 **options):  # fmt: skip
        key = ec.generate_private_key(ec.SECP256R1())
        if kind == "rsa":
            key = rsa.generate_private_key(65537, 2048)
        if options.pop("self_signed", False):
            options["issuer"] = key
        subject = _name(options.pop("name", "broker"))
        certificate = authority.sign(subject, key, **options)
        pem = serialization.Encoding.PEM
        (folder / "server.pem").write_bytes(certificate.public_bytes(pem) + _key_bytes(key, pem))
        self.context = context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers(ciphers or "DEFAULT@SECLEVEL=0")
        version = ssl.TLSVersion["TLSv" + tls.replace("1.0", "1").replace(".", "_")]
        context.minimum_version = context.maximum_version = version
        context.load_cert_chain(folder / "server.pem")
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=authority.pem().decode())
        self.hangs_up = hangs_up
        self.received = b""  # as it came over TCP
        self.complete = False  # the handshake, as this server sees it
        self.taken = b""  # what it could decrypt

    def serve(self, connection):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self.context.wrap_bio(incoming, outgoing, server_side=True)
        connection.settimeout(20)
        while True:
            try:
                if not self.complete:
                    tls.do_handshake()
                    self.complete = True
                self.taken += tls.read()
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError:
                connection.sendall(outgoing.read())  # the alert
                if self.hangs_up:
                    return
                tls = _Deaf()  # until the node hangs up, or its writes might meet a closed socket
            connection.sendall(outgoing.read())
            data = connection.recv(65536)
            if not data:
                return
            self.received += data
            incoming.write(data)


class _Deaf:
    """TLS that is over: it takes bytes and gives none."""

    def do_handshake(self):
        raise ssl.SSLWantReadError


class Plain:
    """A server that does not speak TLS."""

    complete = False
    taken = received = b""

    def serve(self, connection):
        self.received = connection.recv(65536)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        connection.settimeout(20)
        while data := connection.recv(65536):
            self.received += data


@contextmanager
def listening(server):
    """Its port; on leaving, the connection has ended."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(60)

    def accept():
        try:
            connection, _ = listener.accept()
            with connection:
                server.serve(connection)
        except OSError:
            pass  # the node hung up, or never came

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        thread.join(30)
        listener.close()
        assert not thread.is_alive()


def record_types(data):
    """The types of the TLS records in `data`."""
    types, at = [], 0
    while at + 5 <= len(data):
        types.append(data[at])
        at += 5 + int.from_bytes(data[at + 3 : at + 5], "big")
    return types


# What MicroPython 1.26 raises through mbedTLS, and the look-alike as well.
INVALID_RECORD, FATAL_ALERT = -0x7200, -0x7780
GCM_RSA = "AES128-GCM-SHA256:AES256-GCM-SHA384:@SECLEVEL=0"
CBC = "ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA384:@SECLEVEL=0"
SCRIPT = """
import tls
context = make_context(CA, CERT, KEY)
if not HAS_CERTIFICATE:
    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(CA)
client = MQTTClient(NODE, HOST, PORT, context, Clock, connect_ms=LIMIT_MS)
try:
    client.connect()
except LinkError as err:
    print(err.args)
"""
# what is wrong: (options of the server, what the node raises)
CASES = {
    "another CA": ({}, ("certificate", "trusted CA")),
    "self-signed": ({"self_signed": True}, ("certificate", "trusted CA")),
    "expired": ({"ends": -DAY}, ("certificate", "expired")),
    "not yet valid": ({"begins": DAY / 2}, ("certificate", "future")),
    "wrong host name": ({"address": "127.0.0.2"}, ("certificate", "Common Name")),
    "no SAN": ({"address": None}, None),
    "no SAN, but the CN": ({"address": None, "name": "localhost"}, None),
    "no SAN, but the CN, of an address": ({"address": None, "name": "127.0.0.1"}, None),
    "another CA, expired": ({"ends": -DAY}, None),
    "no client certificate": ({}, ("tls", FATAL_ALERT)),
    "client certificate of another CA": ({}, ("tls", FATAL_ALERT)),
    "client certificate that is refused by hanging up": ({"hangs_up": True}, None),
    "TLS 1.0": ({"tls": "1.0"}, ("tls", FATAL_ALERT)),
    "TLS 1.1": ({"tls": "1.1"}, ("tls", FATAL_ALERT)),
    "TLS 1.3": ({"tls": "1.3"}, ("tls", FATAL_ALERT)),
    "RSA key exchange": ({"kind": "rsa", "ciphers": GCM_RSA}, ("tls", FATAL_ALERT)),
    "CBC": ({"ciphers": CBC}, ("tls", FATAL_ALERT)),
    "no TLS": (None, ("tls", INVALID_RECORD)),
}  # fmt: skip
# Where the libraries differ: OpenSSL takes no name from the subject, where mbedTLS needs a check
# of ours, which has a number of its own (see tls_check.py); mbedTLS tells of all that is wrong,
# OpenSSL of what it finds first; and a peer that hangs up behind its alert may be met by a write
# before the alert is read.
NO_SAN = ("no SAN", "no SAN, but the CN", "no SAN, but the CN, of an address")
LIBRARIES_DIFFER = {
    **{(case, "micropython"): [("tls", -0x2900)] for case in NO_SAN},
    **{(case, "cpython"): [("certificate", "Common Name")] for case in NO_SAN},
    ("another CA, expired", "micropython"): [("certificate", "expired", "trusted CA")],
    ("another CA, expired", "cpython"): [("certificate", "trusted CA")],
    ("client certificate that is refused by hanging up", "micropython"): [
        ("tls", 32), ("tls", 104), ("tls", FATAL_ALERT)],
    ("client certificate that is refused by hanging up", "cpython"): [
        ("tls", 32), ("tls", 104), ("tls", FATAL_ALERT)],
}  # fmt: skip


def connect(run, folder, case, limit_ms=20_000):
    """Lets a node meet the server of a case: (the server, the LinkError's arguments as text)."""
    options, _ = CASES.get(case, ({}, None))
    ours, theirs = Authority(), Authority()
    key = ec.generate_private_key(ec.SECP256R1())
    der = serialization.Encoding.DER
    issuer = theirs if case.startswith("client certificate") else ours
    (folder / "ca.der").write_bytes((theirs if case.startswith("another CA") else ours).der())
    (folder / "node.der").write_bytes(issuer.sign(_name(NODE), key, None).public_bytes(der))
    (folder / "node.key.der").write_bytes(_key_bytes(key, der))
    server = Plain() if options is None else Server(folder, ours, **options)
    has_certificate = case != "no client certificate"
    host = "localhost" if options and options.get("name") == "localhost" else "127.0.0.1"
    with listening(server) as port:
        lines = run(SCRIPT, folder, PORT=port, HOST=host, HAS_CERTIFICATE=has_certificate,
                    LIMIT_MS=limit_ms)  # fmt: skip
    return server, lines[-1]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of TLS 1.0 and 1.1: they are meant
@pytest.mark.parametrize("case", CASES)
def test_refused(run, tmp_path, case):
    server, raised = connect(run, tmp_path, case)
    expected = LIBRARIES_DIFFER.get((case, run.interpreter), [CASES[case][1]])
    assert raised in [str(arguments) for arguments in expected]
    assert not server.complete and not server.taken
    assert server.received[:1] == b"\x16"  # a ClientHello came
    assert _APPLICATION_DATA not in record_types(server.received)
    assert b"MQTT" not in server.received


def test_what_is_right_is_taken(run, tmp_path):
    """Else the cases above would show nothing."""
    server, raised = connect(run, tmp_path, "right", limit_ms=2000)
    assert raised == str(("no answer",))  # the server speaks no MQTT
    assert server.complete and server.taken.startswith(b"\x10")
    assert _APPLICATION_DATA in record_types(server.received)
