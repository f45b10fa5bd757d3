# SPDX-License-Identifier: MIT
"""Asks a controller for a token, over HTTPS with a client certificate."""

import dataclasses
import http.client
import json
import ssl
import urllib.parse
from pathlib import Path

from host_tools.controller.documents import Request
from host_tools.errors import ToolError
from host_tools.provisioning.controller_key import ControllerKey

_CONNECT_S = 15
_ANSWER_S = 900  # a month of quarters of an hour of 10,000 nodes takes minutes
_ANSWER_MAX = 8 << 20  # bytes


@dataclasses.dataclass(frozen=True)
class Tls:
    """Files, PEM: the authority that both sides trust, and the certificate and key of who asks
    (role requester)."""

    authority: Path
    certificate: Path
    key: Path


def ask(url: str, request: Request, tls: Tls) -> bytes:
    """The signed token for a request (check it with documents.Token.verify). url: https://HOST:PORT
    of the controller. ToolError when it is down, refuses, or one of both certificates is wrong."""
    status, body = _exchange(url, "POST", "/sum", request.encode(), tls)
    if status == 200:
        return body
    raise _refused(url, status, body)


def get(url: str, path: str, tls: Tls) -> bytes:
    """What the controller tells everybody who may ask: "/key" or "/log"."""
    status, body = _exchange(url, "GET", path, None, tls)
    if status == 200:
        return body
    raise _refused(url, status, body)


def check_key(url: str, key: ControllerKey, tls: Tls):
    """ToolError unless the controller has this key: before it is asked for what costs."""
    shown = get(url, "/key", tls)
    if shown != key.encode():
        message = f"{url} is not the controller {key.name} of this key ({key.fingerprint()})"
        hint = "nothing was asked for; look at the address, or get its controller.public again"
        raise ToolError(message, hint)


def _exchange(url: str, method: str, path: str, body, tls: Tls) -> tuple[int, bytes]:
    host, port = _address(url)
    connection = http.client.HTTPSConnection(host, port, timeout=_CONNECT_S, context=_context(tls))
    try:
        connection.connect()
        connection.sock.settimeout(_ANSWER_S)
        headers = {"Content-Type": "application/cbor"} if body else {}
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        data = answer.read(_ANSWER_MAX + 1)
    except ssl.SSLCertVerificationError as err:
        message = f"{url} shows a certificate that does not hold: {err.verify_message}"
        raise ToolError(message, "look at the address, and whose authority it is") from err
    except ssl.SSLError as err:
        message = f"{url} does not take the certificate {tls.certificate}"
        raise ToolError(message, "show one of its authority that is still valid") from err
    except (OSError, http.client.HTTPException) as err:
        hint = "is it up, and your certificate one of its authority? Ask later"
        raise ToolError(f"{url} does not answer: {_reason(err)}", hint) from err
    finally:
        connection.close()
    if len(data) > _ANSWER_MAX:
        raise ToolError(f"{url} answers with too much", "is this the controller's address?")
    return answer.status, data


def _address(url: str) -> tuple[str, int]:
    try:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme == "https" and parts.hostname and parts.path in ("", "/"):
            return parts.hostname, parts.port or 443
    except ValueError:
        pass
    raise ToolError(f"{url!r} is not the address of a controller", "give https://HOST:PORT", 2)


def _context(tls: Tls) -> ssl.SSLContext:
    for file in (tls.authority, tls.certificate, tls.key):
        if not Path(file).is_file():
            raise ToolError(f"{file}: there is no such file", "give the certificate and its key")
    try:
        context = ssl.create_default_context(cafile=tls.authority)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        # An empty password: a locked key fails, and nobody is asked for one in between.
        context.load_cert_chain(tls.certificate, tls.key, password="")
    except (ssl.SSLError, OSError) as err:
        message = f"{tls.certificate} and {tls.key} are no pair of certificate and key"
        raise ToolError(message, "give both in PEM, the key without a password") from err
    return context


def _refused(url: str, status: int, body: bytes) -> ToolError:
    """What the controller says, as an error of ours."""
    try:
        told = json.loads(body)
        rule, message, hint = (str(told[key]) for key in ("rule", "message", "hint"))
    except (ValueError, KeyError, TypeError):
        return ToolError(f"{url} answers with HTTP {status}", "is this the controller's address?")
    head = f"the controller refuses ({rule}): " if rule else "the controller cannot answer: "
    return ToolError(head + message, hint)


def _reason(err: Exception) -> str:
    return getattr(err, "strerror", None) or str(err) or type(err).__name__
