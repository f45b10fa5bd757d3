# SPDX-License-Identifier: MIT
"""vault/fido2_token.py: a token's secret is its own, and each way of asking has another."""

import cbor2
import pytest

from host_tools.errors import ToolError
from host_tools.vault.fido2_token import Token
from host_tools.vault.sealed_file import SealedFile
from tests.host_tools.soft_token import SoftToken

PASSPHRASE = "seven grey herons on the weir"
SALT = bytes(range(32))


class Desk:
    """A person with tokens, of which some are plugged in."""

    def __init__(self, *plugged: SoftToken, pin: str = "1234"):
        self.plugged, self.pin = list(plugged), pin
        self.said = []

    def token(self, label: str = "") -> Token:
        return Token(self.ask_pin, self.said.append, label, lambda: iter(self.plugged))

    def ask_pin(self) -> str:
        self.said.append("PIN")
        return self.pin


@pytest.mark.parametrize("protocol", [1, 2])
@pytest.mark.parametrize("pin", [None, "1234"])
def test_a_secret_is_the_same_each_time_and_another_for_each_salt(protocol, pin):
    desk = Desk(SoftToken(pin, protocol))
    kept = desk.token().enrol()
    assert cbor2.loads(kept)[1] is (pin is not None)
    secret = desk.token().secret(SALT, kept)
    assert len(secret) == 32
    assert desk.token().secret(SALT, kept) == secret
    assert desk.token().secret(bytes(32), kept) != secret
    assert desk.token().secret(SALT, desk.token().enrol()) != secret
    assert "touch the token" in desk.said
    assert ("PIN" in desk.said) is (pin is not None)


def test_with_and_without_pin_are_different_secrets():
    device = SoftToken()
    desk = Desk(device)
    kept = desk.token().enrol()
    secret = desk.token().secret(SALT, kept)
    credential, _ = cbor2.loads(kept)
    device.pin = "1234"
    other = desk.token().secret(SALT, cbor2.dumps([credential, True], canonical=True))
    assert other != secret
    assert desk.token().secret(SALT, kept) == secret  # without, as it was enrolled
    device.always_verifies = True
    with pytest.raises(ToolError, match="enrolled without PIN"):
        desk.token().secret(SALT, kept)


def test_a_token_that_does_not_know_the_slot_needs_no_touch():
    device, other = SoftToken(), SoftToken()
    kept = Desk(device).token().enrol()
    assert Desk(other).token().secret(SALT, kept) is None
    assert other.touches == 0
    assert Desk(other, device).token().secret(SALT, kept) is not None
    assert other.touches == 0


@pytest.mark.parametrize("kept", [b"", b"\x01", b"\xff", b"\x82\x01\x02"])
def test_what_a_slot_keeps_may_be_rubbish(kept):
    assert Desk(SoftToken()).token().secret(SALT, kept) is None


def test_what_can_go_wrong_is_told():
    with pytest.raises(ToolError, match="no token is plugged in"):
        Desk().token().enrol()
    with pytest.raises(ToolError, match="several tokens"):
        Desk(SoftToken(), SoftToken()).token().enrol()
    with pytest.raises(ToolError, match="no hmac-secret"):
        Desk(SoftToken(extensions=())).token().enrol()
    device = SoftToken("1234")
    kept = Desk(device).token().enrol()
    with pytest.raises(ToolError, match="refuses the PIN") as err:
        Desk(device, pin="9876").token().secret(SALT, kept)
    assert "9876" not in err.value.message + err.value.hint
    device.is_touched = False
    with pytest.raises(ToolError, match="was not touched"):
        Desk(device).token().secret(SALT, kept)


def test_a_vault_opens_with_each_of_two_tokens_and_with_no_third(tmp_path):
    path, first, second = tmp_path / "vault", SoftToken(), SoftToken("1234")
    with SealedFile.create(path, PASSPHRASE, Desk(first).token("a"), "CREATE TABLE t (a);") as one:
        with pytest.raises(ToolError, match="enrolled already"):
            one.add_factor(PASSPHRASE, Desk(first).token("b"))
        assert one.add_factor(PASSPHRASE, Desk(first, second).token("b")) == 2
    touches = first.touches
    with SealedFile.open(path, PASSPHRASE, Desk(second).token()) as file:
        assert file.slot_number == 2
        assert [(slot.kind, slot.label) for slot in file.slots] == [("token", "a"), ("token", "b")]
    assert first.touches == touches
    with SealedFile.open(path, PASSPHRASE, Desk(first).token()) as file:
        assert file.slot_number == 1
    for passphrase, device in ((PASSPHRASE, SoftToken()), ("another one", first)):
        with pytest.raises(ToolError, match="a factor is wrong, or the file is damaged"):
            SealedFile.open(path, passphrase, Desk(device).token())
    with SealedFile.open(path, PASSPHRASE, Desk(first).token()) as file:
        file.remove_factor(2)  # the second is lost: it need not be there
    with pytest.raises(ToolError, match="a factor is wrong"):
        SealedFile.open(path, PASSPHRASE, Desk(second).token())
