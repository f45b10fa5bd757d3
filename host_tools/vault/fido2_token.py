# SPDX-License-Identifier: MIT
"""A FIDO2 token (USB) as the second factor, by its hmac-secret extension (CTAP 2.1 §12.5).

The token has a secret of its own for each credential and for each way of asking, with user
verification (PIN or finger) and without. The slot keeps the credential's id and which way it was;
the credential lies on no token (it is not discoverable), so a token alone does not know of vaults.
"""

import contextlib
import os
from collections.abc import Callable, Iterable, Sequence

import cbor2
from fido2.client import (
    ClientError,
    DefaultClientDataCollector,
    Fido2Client,
    UserInteraction,
)
from fido2.ctap import CtapDevice, CtapError
from fido2.ctap2 import Ctap2
from fido2.ctap2.extensions import HmacSecretExtension
from fido2.hid import CtapHidDevice
from fido2.webauthn import AuthenticatorData

from host_tools.errors import ToolError

_RP = {"id": "lamppost.vault", "name": "Lamppost vault"}
_ORIGIN = "https://lamppost.vault"
_ES256 = {"type": "public-key", "alg": -7}
_TOUCH_MS = 60_000
_ERR = CtapError.ERR
# What a token answers: what to tell, what to do.
_TOLD = {
    _ERR.PIN_INVALID: ("the token refuses the PIN", "try again: after 8 times it locks itself"),
    _ERR.PIN_AUTH_BLOCKED: ("the token takes no more PINs now", "pull it out and put it in again"),
    _ERR.PIN_BLOCKED: ("the token's PIN is blocked", "use another factor that is enrolled"),
    _ERR.PIN_POLICY_VIOLATION: ("the token refuses the PIN", "its PIN must be changed first"),
    _ERR.OPERATION_DENIED: ("the token was not touched", "touch it when it blinks"),
    _ERR.USER_ACTION_TIMEOUT: ("the token was not touched", "touch it when it blinks"),
    _ERR.ACTION_TIMEOUT: ("the token was not touched", "touch it when it blinks"),
    _ERR.KEEPALIVE_CANCEL: ("the token was not touched", "touch it when it blinks"),
}


class Token:
    """ask_pin: gives the token's PIN, when it wants one; say: told what to do, as touching it;
    devices: those that are plugged in."""

    kind = "token"

    def __init__(
        self,
        ask_pin: Callable[[], str],
        say: Callable[[str], None],
        label: str = "",
        devices: Callable[[], Iterable[CtapDevice]] = CtapHidDevice.list_devices,
    ):
        self.label = label
        self._person = _Person(ask_pin, say)
        self._devices = devices

    def enrol(self, others: Sequence[bytes] = ()) -> bytes:
        """Makes a credential on the token that is plugged in and does not know one of `others`;
        returns CBOR [credential id, whether its user is verified]. ToolError when there is none,
        or one that cannot do it."""
        known = [_kept(kept)[0] for kept in others]
        with self._plugged() as devices, _told():
            new = [one for one in devices if not any(_knows(one, name) for name in known)]
            if not new:
                message = "the token that is plugged in is enrolled already"
                raise ToolError(message, "plug in the new one, too")
            if len(new) > 1:
                raise ToolError("several tokens are plugged in", "leave the one to enrol")
            return self._make_credential(new[0])

    def secret(self, salt: bytes, kept: bytes) -> bytes | None:
        """32 bytes, for the credential in `kept`; None when no token here knows it."""
        credential, is_verified = _kept(kept)
        with self._plugged() as devices, _told():
            for device in devices:
                if _knows(device, credential):
                    return self._secret(device, salt, credential, is_verified)
        return None

    def _make_credential(self, device: CtapDevice) -> bytes:
        client = self._client(device)
        options = {
            "rp": _RP,
            "user": {"id": os.urandom(32), "name": "vault", "displayName": "Lamppost vault"},
            "challenge": os.urandom(32),
            "pubKeyCredParams": [_ES256],
            "timeout": _TOUCH_MS,
            "authenticatorSelection": {
                "residentKey": "discouraged",
                "userVerification": "discouraged",  # the secret's way of asking counts
            },
            "extensions": {"hmacCreateSecret": True},
        }
        if "hmac-secret" not in client.info.extensions:
            message = "this token has no hmac-secret"
            raise ToolError(message, "take one with FIDO2 and hmac-secret, or a key file")
        made = client.make_credential(options)
        if made.client_extension_results.get("hmacCreateSecret") is not True:
            raise ToolError("this token makes no secret", "take another one, or a key file")
        is_verified = bool(client.info.options.get("clientPin") or client.info.options.get("uv"))
        return cbor2.dumps([made.raw_id, is_verified], canonical=True)

    def _secret(self, device, salt: bytes, credential: bytes, is_verified: bool) -> bytes:
        options = {
            "challenge": os.urandom(32),
            "rpId": _RP["id"],
            "allowCredentials": [{"type": "public-key", "id": credential}],
            "userVerification": "required" if is_verified else "discouraged",
            "timeout": _TOUCH_MS,
            "extensions": {"hmacGetSecret": {"salt1": salt}},
        }
        got = self._client(device).get_assertion(options).get_response(0)
        flags = got.response.authenticator_data.flags
        if bool(flags & AuthenticatorData.FLAG.UV) != is_verified:
            way = "with" if is_verified else "without"
            message = f"the token was enrolled {way} PIN or finger, and does not do so now"
            raise ToolError(message, "set the token as it was, or use another factor")
        output = got.client_extension_results.hmac_get_secret
        if output is None:
            raise ToolError("the token gave no secret", "try again, or use another factor")
        return bytes(output.output1)

    def _client(self, device: CtapDevice) -> Fido2Client:
        return Fido2Client(
            device,
            client_data_collector=DefaultClientDataCollector(_ORIGIN),
            user_interaction=self._person,
            extensions=[HmacSecretExtension(allow_hmac_secret=True)],
        )

    @contextlib.contextmanager
    def _plugged(self):
        with contextlib.ExitStack() as stack:
            with _told():
                devices = [stack.enter_context(device) for device in self._devices()]
            if not devices:
                message = "no token is plugged in, or it cannot be read"
                raise ToolError(message, "plug it in; on Linux its udev rule lets you read it")
            yield devices


class _Person(UserInteraction):
    def __init__(self, ask_pin: Callable[[], str], say: Callable[[str], None]):
        self._ask_pin, self._say = ask_pin, say

    def prompt_up(self):
        self._say("touch the token")

    def request_pin(self, permissions, rp_id):
        return self._ask_pin()

    def request_uv(self, permissions, rp_id):
        self._say("show the token that it is you")
        return True


def _kept(kept: bytes) -> tuple[bytes, bool]:
    try:
        credential, is_verified = cbor2.loads(kept)
        if type(credential) is bytes and type(is_verified) is bool:
            return credential, is_verified
    except (ValueError, TypeError, cbor2.CBORError):
        pass
    return b"", False  # no token knows that


def _knows(device: CtapDevice, credential: bytes) -> bool:
    """Whether the token made it; asks without a touch, so that other tokens need none."""
    try:
        ctap = Ctap2(device)
    except ValueError:  # a token of the time before FIDO2
        return False
    allowed = [{"type": "public-key", "id": credential}]
    try:
        ctap.get_assertion(_RP["id"], bytes(32), allowed, options={"up": False})
    except CtapError as err:
        if err.code in (_ERR.NO_CREDENTIALS, _ERR.INVALID_CREDENTIAL):
            return False
        raise
    return True


@contextlib.contextmanager
def _told():
    """What a token or its driver says, as a ToolError."""
    try:
        yield
    except (ClientError, CtapError) as err:
        cause = getattr(err, "cause", err)
        code = getattr(cause, "code", None)
        message, hint = _TOLD.get(code, ("the token does not do it", "try again, or another one"))
        name = getattr(code, "name", "")
        raise ToolError(f"{message} ({name})" if name else message, hint) from None
    except ValueError:  # as the library says it of an answer that is no CTAP
        raise ToolError("the token gives a wrong answer", "use another one") from None
    except OSError as err:
        hint = "plug the token in again; on Linux its udev rule lets you read it"
        raise ToolError(f"the token cannot be read: {err.strerror}", hint) from None
