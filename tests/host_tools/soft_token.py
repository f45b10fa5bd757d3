# SPDX-License-Identifier: MIT
"""A FIDO2 authenticator in software, which speaks CTAP 2.1 with the fido2 library: getInfo,
clientPIN, makeCredential, getAssertion, hmac-secret. Nothing of it asks the code under test."""

import hmac
import os
import struct

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2 import cbor
from fido2.cose import ES256
from fido2.ctap import STATUS, CtapDevice, CtapError
from fido2.ctap2.pin import PinProtocolV1, PinProtocolV2
from fido2.hid import CAPABILITY
from fido2.webauthn import Aaguid, AttestedCredentialData, AuthenticatorData

ERR, FLAG = CtapError.ERR, AuthenticatorData.FLAG


class SoftToken(CtapDevice):
    """pin: None when none is set; protocol: of PIN and hmac-secret, 1 or 2."""

    capabilities = CAPABILITY.CBOR

    def __init__(self, pin: str | None = None, protocol: int = 2, extensions=("hmac-secret",)):
        self.pin, self.extensions = pin, list(extensions)
        self.always_verifies = False
        self.touches = 0
        self.is_touched = True
        self._protocol = {1: PinProtocolV1, 2: PinProtocolV2}[protocol]()
        self._agreement = ec.generate_private_key(ec.SECP256R1())
        self._pin_token = os.urandom(32)
        self._credentials = {}  # id: (key, hmac-secret without and with user verification)

    @classmethod
    def list_devices(cls):
        return iter(())

    def call(self, cmd, data=b"", event=None, on_keepalive=None):
        command, request = data[0], cbor.decode(data[1:]) if data[1:] else {}
        commands = {1: self._make_credential, 2: self._get_assertion, 4: self._info, 6: self._pin}
        self._on_keepalive = on_keepalive
        try:
            answer = commands[command](request)
        except CtapError as err:
            return bytes([err.code])
        return b"\0" + cbor.encode(answer)

    def _info(self, _):
        options = {"rk": True, "up": True, "clientPin": self.pin is not None,
                   "pinUvAuthToken": True, "makeCredUvNotRqd": True,
                   "alwaysUv": self.always_verifies}  # fmt: skip
        return {1: ["FIDO_2_0", "FIDO_2_1"], 2: self.extensions, 3: bytes(16), 4: options,
                6: [self._protocol.VERSION]}  # fmt: skip

    def _pin(self, request):
        if request[2] == 2:  # getKeyAgreement
            key = ES256.from_cryptography_key(self._agreement.public_key())
            return {1: {**key, 3: -25}}
        shared = self._shared(request[3])
        digest = hashes.Hash(hashes.SHA256())
        digest.update((self.pin or "").encode())
        if self._protocol.decrypt(shared, request[6]) != digest.finalize()[:16]:
            raise CtapError(ERR.PIN_INVALID)
        return {2: self._protocol.encrypt(shared, self._pin_token)}

    def _shared(self, theirs):
        numbers = ec.EllipticCurvePublicNumbers(
            int.from_bytes(theirs[-2]), int.from_bytes(theirs[-3]), ec.SECP256R1()
        )
        return self._protocol.kdf(self._agreement.exchange(ec.ECDH(), numbers.public_key()))

    def _verified(self, auth, client_data_hash) -> bool:
        if auth is None:
            if self.always_verifies:
                raise CtapError(ERR.PUAT_REQUIRED)
            return False
        if not hmac.compare_digest(
            auth, self._protocol.authenticate(self._pin_token, client_data_hash)
        ):
            raise CtapError(ERR.PIN_AUTH_INVALID)
        return True

    def _touch(self):
        if self._on_keepalive:
            self._on_keepalive(STATUS.UPNEEDED)
        if not self.is_touched:
            raise CtapError(ERR.USER_ACTION_TIMEOUT)
        self.touches += 1

    def _make_credential(self, request):
        is_verified = self._verified(request.get(8), request[1])
        self._touch()
        key, name = ec.generate_private_key(ec.SECP256R1()), os.urandom(48)
        made = {}
        if request.get(6, {}).get("hmac-secret") and "hmac-secret" in self.extensions:
            made["hmac-secret"] = True
        self._credentials[name] = key, (os.urandom(32), os.urandom(32))
        public = ES256.from_cryptography_key(key.public_key())
        credential = AttestedCredentialData.create(Aaguid(bytes(16)), name, public)
        data = self._auth_data(request[2]["id"], is_verified, True, made, credential)
        return {1: "none", 2: data, 3: {}}

    def _get_assertion(self, request):
        is_present = request.get(5, {}).get("up", True)
        known = [one["id"] for one in request.get(3, ()) if one["id"] in self._credentials]
        if not known:
            if is_present:
                self._touch()
            raise CtapError(ERR.NO_CREDENTIALS)
        is_verified = is_present and self._verified(request.get(6), request[2])
        if is_present:
            self._touch()
        key, secrets = self._credentials[known[0]]
        made = {}
        if "hmac-secret" in request.get(4, {}):
            made["hmac-secret"] = self._hmac(request[4]["hmac-secret"], secrets[is_verified])
        data = self._auth_data(request[1], is_verified, is_present, made)
        signature = key.sign(data + request[2], ec.ECDSA(hashes.SHA256()))
        return {1: {"id": known[0], "type": "public-key"}, 2: data, 3: signature}

    def _hmac(self, asked, secret: bytes) -> bytes:
        shared = self._shared(asked[1])
        if self._protocol.authenticate(shared, asked[2]) != asked[3]:
            raise CtapError(ERR.INVALID_PARAMETER)
        salt = self._protocol.decrypt(shared, asked[2])
        return self._protocol.encrypt(shared, hmac.digest(secret, salt, "sha256"))

    def _auth_data(self, rp_id, is_verified, is_present, made, credential=b""):
        digest = hashes.Hash(hashes.SHA256())
        digest.update(rp_id.encode())
        flags = FLAG.UP * is_present | FLAG.UV * is_verified | FLAG.ED * bool(made)
        flags |= FLAG.AT * bool(credential)
        extensions = cbor.encode(made) if made else b""
        return digest.finalize() + struct.pack(">BI", flags, 0) + credential + extensions
