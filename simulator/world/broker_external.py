# SPDX-License-Identifier: MIT
"""A broker that somebody else runs: found by HOST:PORT, and checked before it is used."""

import socket
import ssl
from pathlib import Path

from host_tools.errors import ToolError

_WITHIN_S = 5


def parse_address(text: str) -> tuple[str, int]:
    """("host", port) from HOST:PORT or [IPv6]:PORT."""
    host, _, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        host = ""
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        hint = "embedded, mosquitto, or for instance broker.city.example:8883"
        raise ToolError(f"{text!r} is not HOST:PORT", hint, 2)
    return host, int(port)


class ExternalBroker:
    """address: HOST:PORT; ca: PEM file of the CA that must have signed the broker's certificate;
    certificate, key: PEM files to present to it; name: in its certificate, if it is not HOST.

    Who may do what is up to its own configuration.
    """

    def __init__(self, address: str, ca: Path, certificate: Path, key: Path, name: str = ""):
        self._host, self._port = parse_address(address)
        self.host_name = name or self._host
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._context.maximum_version = ssl.TLSVersion.TLSv1_2
        self._context.load_verify_locations(ca)
        self._context.load_cert_chain(certificate, key)

    def start(self) -> tuple[str, int]:
        """(host, port), once the broker has been reached over TLS."""
        where = f"{self._host}:{self._port}"
        try:
            with socket.create_connection((self._host, self._port), _WITHIN_S) as plain:
                self._shake_hands(plain, where)
        except socket.gaierror as err:
            raise ToolError(f"{where}: there is no such host", "check the name") from err
        except TimeoutError as err:
            hint = "check the address, firewall and that the port speaks TLS"
            raise ToolError(f"{where}: no answer within {_WITHIN_S} s", hint) from err
        except OSError as err:
            hint = "start the broker, or check host and port"
            raise ToolError(f"{where}: cannot be reached: {err.strerror}", hint) from err
        return self._host, self._port

    def _shake_hands(self, plain: socket.socket, where: str):
        try:
            self._context.wrap_socket(plain, server_hostname=self.host_name).close()
        except ssl.SSLCertVerificationError as err:
            message = f"{where}: its certificate is not good for {self.host_name}"
            raise ToolError(f"{message}: {err.verify_message}", "check CA and name") from err
        except (ssl.SSLError, ConnectionError) as err:
            reason = getattr(err, "reason", None) or "connection broken"
            if reason in ("WRONG_VERSION_NUMBER", "TLSV1_ALERT_PROTOCOL_VERSION"):
                hint = "give the port of its TLS listener, with TLS 1.2 allowed"
                raise ToolError(f"{where}: does not speak TLS 1.2", hint) from err
            hint = "it may not know the CA of our certificates, or this may not be its TLS port"
            message = f"{where}: breaks off the TLS handshake ({reason})"
            raise ToolError(message, hint) from err

    def stop(self):
        """Nothing of ours is running there."""

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def trouble(self) -> str | None:
        """None: what goes wrong there is not ours to see."""
        return None
