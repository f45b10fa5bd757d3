# SPDX-License-Identifier: MIT
"""A broker that somebody else runs: found by HOST:PORT, and checked before it is used."""

from pathlib import Path

from host_tools.collector.tls_probe import explain, mutual_tls
from host_tools.errors import ToolError


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
        self._context = mutual_tls(ca, certificate, key, self.host_name)

    def start(self) -> tuple[str, int]:
        """(host, port), once the broker has been reached over TLS."""
        trouble = explain(self._host, self._port, self._context)
        if trouble is not None:
            raise trouble
        return self._host, self._port

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
