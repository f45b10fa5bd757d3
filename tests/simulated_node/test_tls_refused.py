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
_HANDSHAKE, _APPLICATION_DATA = 22, 23  # record types, RFC 5246 §6.2.1


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

    def __init__(self, folder, authority, kind="ec", tls="1.2", ciphers=None, **options):
        key = ec.generate_private_key(ec.SECP256R1())
        if kind == "rsa":
            key = rsa.generate_private_key(65537, 2048)
        if options.pop("self_signed", False):
            options["issuer"] = key
        subject = options.pop("subject", _name("broker"))
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
                return
            connection.sendall(outgoing.read())
            data = connection.recv(65536)
            if not data:
                return
            self.received += data
            incoming.write(data)


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
