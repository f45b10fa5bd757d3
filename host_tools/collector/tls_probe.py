# SPDX-License-Identifier: MIT
"""Says why a connection over mutual TLS fails: MQTT libraries only say that it timed out."""

import socket
import ssl
from pathlib import Path

from host_tools.errors import ToolError

_WITHIN_S = 5
_ALERTS = {
    "UNKNOWN_CA": "does not know the authority of our certificate",
    "CERTIFICATE_EXPIRED": "finds our certificate expired",
    "CERTIFICATE_REVOKED": "finds our certificate revoked",
    "BAD_CERTIFICATE": "refuses our certificate",
    "CERTIFICATE_UNKNOWN": "refuses our certificate",
    "CERTIFICATE_REQUIRED": "asks for a client certificate",
    "HANDSHAKE_FAILURE": "asks for a client certificate, or for other ciphers",
    "ACCESS_DENIED": "refuses our certificate",
}

_OURS = ("CERTIFICATE_EXPIRED", "CERTIFICATE_REVOKED")
_ANEW = "have a new one made: lamppost vault certificate; and see that the clocks are right"
_TRUST = "it must trust the authority that made our certificate"


class NamedContext(ssl.SSLContext):
    """A context that checks the server's certificate for `server_name`, however it is reached."""

    server_name = ""

    def wrap_socket(self, sock, **options):
        return super().wrap_socket(sock, **{**options, "server_hostname": self.server_name})


def mutual_tls(ca: Path, certificate: Path, key: Path, server_name: str) -> NamedContext:
    """TLS 1.2, as boards speak it; both sides show a certificate. All files are PEM."""
    context = NamedContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.server_name = server_name
    try:
        context.load_verify_locations(ca)
        context.load_cert_chain(certificate, key)
    except ssl.SSLError as err:
        message = f"{ca}, {certificate} or {key} is not PEM, or the last two are no pair"
        raise ToolError(message, "make them anew") from err
    except OSError as err:
        raise ToolError(f"{ca}, {certificate}, {key}: {err.strerror}", "check the paths") from err
    return context


def explain(host: str, port: int, context: NamedContext) -> ToolError | None:
    """What is wrong with the way to the broker, found by trying; None when TLS is fine."""
    where = f"{host}:{port}"
    try:
        with socket.create_connection((host, port), _WITHIN_S) as plain:
            context.wrap_socket(plain).close()
    except socket.gaierror:
        return ToolError(f"{where}: there is no such host", "check the name")
    except ssl.SSLCertVerificationError as err:
        message = f"{where}: its certificate is not good for {context.server_name}"
        return ToolError(f"{message}: {err.verify_message}", "check the authority and the name")
    except TimeoutError:
        hint = "check address and firewall, and that the port speaks TLS"
        return ToolError(f"{where}: no answer within {_WITHIN_S} s", hint)
    except (ssl.SSLError, ConnectionResetError) as err:
        return _alert(where, getattr(err, "reason", None) or "connection broken")
    except OSError as err:
        reason = err.strerror or str(err)
        return ToolError(f"{where}: cannot be reached: {reason}", "start the broker")
    return None


def _alert(where: str, reason: str) -> ToolError:
    if reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "TLSV1_ALERT_PROTOCOL_VERSION"):
        return ToolError(f"{where}: does not speak TLS 1.2", "give the port of its TLS listener")
    for alert, words in _ALERTS.items():
        if reason.endswith("ALERT_" + alert):
            hint = _ANEW if alert in _OURS else _TRUST
            return ToolError(f"{where}: the broker {words}", hint)
    hint = "it may not know the authority of our certificate, or this is not its TLS port"
    return ToolError(f"{where}: breaks off the TLS handshake ({reason})", hint)
