# SPDX-License-Identifier: MIT
"""The controller on the network: HTTPS with client certificates, nothing else.

POST /sum   a request (CBOR); 200: the signed token; 403: {"rule", "message", "hint"}
GET  /key   the public key (controller_key.py)
GET  /log   what was asked for, answered and refused, as JSON (log_report.py)

Who asks is the CN of the certificate, and its OU must be ROLE: not a collector's, which lies on
every machine that stores. It must not be on the list of revocations.py, if there is one. A token
leaves at a whole number of seconds after its request came, so that the time that noise took tells
nothing of it.
"""

import asyncio
import os
import ssl
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import NameOID

from host_tools.controller import ledger, log_report
from host_tools.controller.controller import Controller
from host_tools.controller.revocations import Revocations
from host_tools.controller.rules import Refusal
from host_tools.errors import ToolError
from host_tools.provisioning.controller_key import is_name

ROLE = "requester"
REQUEST_MAX = 1 << 20  # bytes; the largest request has about a quarter of it
_CBOR = "application/cbor"
_BODY_S = 60  # in which a request must have come
_AT_ONCE = 2  # answers under way: each takes a core
_CONTROLLER = web.AppKey("controller", Controller)
_LEDGER = web.AppKey("ledger", Path)
_TURNS = web.AppKey("turns", asyncio.Semaphore)
_TROUBLE = web.AppKey("trouble", Callable)
_REVOKED = web.AppKey("revoked", Revocations)
_OWN_TROUBLE = {"rule": "", "message": "something is wrong here", "hint": "tell its office"}


def make_app(controller: Controller, path: Path, trouble,
             revoked: Revocations | None = None) -> web.Application:  # fmt: skip
    """path: the controller's ledger; trouble: called with a ToolError that is for its office;
    revoked: without it, every certificate counts until it ends."""
    app = web.Application(client_max_size=REQUEST_MAX, middlewares=[_known_people])
    app[_CONTROLLER], app[_LEDGER], app[_TROUBLE] = controller, path, trouble
    app[_TURNS], app[_REVOKED] = asyncio.Semaphore(_AT_ONCE), revoked
    app.add_routes([web.post("/sum", _sum), web.get("/key", _key), web.get("/log", _log)])
    return app


def server_context(authority: bytes, certificate: bytes, key: bytes) -> ssl.SSLContext:
    """TLS 1.3, and nobody without a certificate of the authority. All PEM. ToolError when the
    pair does not fit."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        context.load_verify_locations(cadata=authority.decode())
        _load_pair(context, certificate, key)
    except (ssl.SSLError, ValueError, TypeError) as err:
        hint = "give the certificate of this controller, its key, and its authority's certificate"
        raise ToolError("the controller's certificate cannot be used", hint) from err
    return context


def check_own(certificate: bytes):
    """ToolError unless a certificate (PEM) is one with which a controller can serve."""
    found = x509.load_pem_x509_certificate(certificate)
    roles = found.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
    if [role.value for role in roles] != ["controller"]:
        said = ", ".join(str(role.value) for role in roles) or "none"
        message = f"the certificate has the role (OU) {said}, and controller is needed"
        raise ToolError(message, "give the one that was issued for this controller")
    try:
        found.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        message = "the certificate names no host, so nobody who asks would take it"
        raise ToolError(message, "have one issued with the controller's host names") from None


def _load_pair(context: ssl.SSLContext, certificate: bytes, key: bytes):
    """The library reads files only: so the key lies in one, for a moment, under a password that
    is nowhere."""
    password = os.urandom(32).hex().encode()
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    secret = serialization.load_pem_private_key(key, None)
    locked = secret.private_bytes(*form, serialization.BestAvailableEncryption(password))
    with tempfile.NamedTemporaryFile() as file:  # mode 0600
        file.write(certificate + b"\n" + locked)
        file.flush()
        context.load_cert_chain(file.name, password=password)


@web.middleware
async def _known_people(request: web.Request, handler):
    """Lets only the role in, and nobody who is revoked; a broken rule and every other refusal is
    answered in JSON."""
    try:
        name, role = _who(request)
        if role != ROLE:
            message = f"{name} has the role {role}, and {ROLE} is needed"
            raise Refusal("role", message, "show a certificate for who asks for sums")
        if _is_revoked(request):
            message = f"the certificate of {name} is revoked"
            raise Refusal("revoked", message, "show one that counts, from who gives them")
        return await handler(request)
    except Refusal as err:
        told = {"rule": err.rule, "message": err.message, "hint": err.hint}
        return web.json_response(told, status=400 if err.rule == "form" else 403)
    except ToolError as err:  # of its ledger, say: not for who asks
        request.app[_TROUBLE](err)
        return web.json_response(_OWN_TROUBLE, status=500)


def _who(request: web.Request) -> tuple[str, str]:
    """CN and OU of the certificate: one each, or it is nobody's."""
    certificate = request.transport.get_extra_info("peercert") or {}
    fields = [pair for part in certificate.get("subject", ()) for pair in part]
    names = [value for key, value in fields if key == "commonName"]
    roles = [value for key, value in fields if key == "organizationalUnitName"]
    if len(names) != 1 or len(roles) != 1 or not is_name(names[0]):
        raise Refusal("role", "the certificate has no name and role", "show another one")
    return names[0], roles[0]


def _is_revoked(request: web.Request) -> bool:
    revoked = request.app[_REVOKED]
    if revoked is None:
        return False
    return revoked.is_revoked(request.transport.get_extra_info("ssl_object").getpeercert(True))


async def _sum(request: web.Request) -> web.Response:
    name, _ = _who(request)
    encoded = await _body(request)
    began = time.monotonic()
    async with request.app[_TURNS]:
        answer = request.app[_CONTROLLER].answer
        token = await asyncio.to_thread(answer, encoded, name)
    spent = time.monotonic() - began
    await asyncio.sleep(-spent % 1)
    return web.Response(body=token, content_type=_CBOR)


async def _body(request: web.Request) -> bytes:
    """The request. Its type must be told: a page that somebody with a certificate looks at could
    have their browser send what it wants, in their name, but never under this type."""
    if request.content_type != _CBOR:
        raise Refusal("form", f"the request is not sent as {_CBOR}", "name it in Content-Type")
    try:
        async with asyncio.timeout(_BODY_S):
            return await request.read()
    except TimeoutError:
        raise Refusal("form", "the request did not come to its end", "send it again") from None


async def _key(request: web.Request) -> web.Response:
    key = request.app[_CONTROLLER].public()
    return web.Response(body=key, content_type=_CBOR)


async def _log(request: web.Request) -> web.Response:
    async with request.app[_TURNS]:
        report = await asyncio.to_thread(log_report.read, ledger.Ledger(request.app[_LEDGER]))
    return web.json_response(report.as_object())


async def serve(controller: Controller, path: Path, context, host: str, port: int, ready, trouble,
                revoked: Revocations | None = None):  # fmt: skip
    """Serves until it is cancelled. ready: called with the port, once it listens; trouble and
    revoked: see make_app. ToolError when it cannot."""
    runner = web.AppRunner(make_app(controller, path, trouble, revoked), access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, ssl_context=context)
        try:
            await site.start()
        except OSError as err:
            hint = "take another --listen, or end what listens there"
            raise ToolError(f"cannot listen on {host} port {port}: {err.strerror}", hint) from err
        ready(runner.addresses[0][1])
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()
