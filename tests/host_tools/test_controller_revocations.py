# SPDX-License-Identifier: MIT
"""controller/revocations.py: who is on the list asks for nothing, and without a good list nobody
does; by real certificates, and the list that a vault writes."""

import pytest
from controller_fixture import DAY_SPAN, Office, VaultedOffice, ask_for, write_crl
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from host_tools.cli import run
from host_tools.controller.ask import Tls, ask, get
from host_tools.controller.revocations import Revocations
from host_tools.errors import ToolError
from host_tools.provisioning.certificates import Authority
from tests.host_tools.city_place import City as VaultCity
from tests.host_tools.city_place import refused
from tests.host_tools.test_controller_service import City, Running
from tests.host_tools.vault_place import argon2id  # noqa: F401


@pytest.fixture
def city(tmp_path):
    city = City(tmp_path / "tls")
    city.issue("transport-office", "requester")
    city.crl = city.folder / "crl.pem"
    write(city, [])
    return city


@pytest.fixture
def office(tmp_path):
    return Office(tmp_path)


@pytest.fixture
def running(office, city):
    served = Running(office, city.context(), revocations(city))
    yield served
    served.close()


def revocations(city) -> Revocations:
    return Revocations(city.crl, (city.folder / "ca.pem").read_bytes())


def write(city, names, authority=None, **options):
    certificates = [city.folder / f"{name}.pem" for name in names]
    write_crl(city.crl, authority or city.authority, certificates, **options)


def test_who_is_revoked_asks_for_nothing_at_once(running, office, city):
    policy = office.allow(noise=None)
    request = ask_for(office.nodes(5, policy), [policy], (0, 4))
    ask(running.url, request, city.tls())
    entries = office.open().status()["entries"]
    write(city, ["energy-office"])
    for work in (
        lambda: ask(running.url, request, city.tls()),
        lambda: get(running.url, "/key", city.tls()),
        lambda: get(running.url, "/log", city.tls()),
    ):
        with pytest.raises(ToolError, match=r"refuses \(revoked\).*energy-office is revoked"):
            work()
    assert office.open().status()["entries"] == entries
    assert ask(running.url, request, city.tls("transport-office"))
    assert running.trouble == []


def without_a_file(city):
    city.crl.unlink()


def by_a_stranger(city):
    write(city, [], authority=Authority.create())


def by_a_namesake(city):
    """Of the authority's name, and not by its key."""
    stranger = Authority(city.authority.certificate, Authority.create().key)
    write(city, [], authority=stranger)


BAD = {
    "no such file": (without_a_file, "No such file"),
    "no list": (lambda city: city.crl.write_bytes(b"soon"), "is not a list"),
    "half": (lambda city: city.crl.write_bytes(city.crl.read_bytes()[:200]), "is not a list"),
    "empty": (lambda city: city.crl.write_bytes(b""), "is not a list"),
    "too old": (lambda city: write(city, [], until=-DAY_SPAN), "is too old"),
    "a stranger's": (by_a_stranger, "is not signed by the authority"),
    "a namesake's": (by_a_namesake, "is not signed by the authority"),
    "of changes only": (
        lambda city: write(city, [], critical=x509.DeltaCRLIndicator(1)), "is not the whole list",
    ),
}  # fmt: skip


@pytest.mark.parametrize("spoil, said", BAD.values(), ids=BAD)
def test_without_a_good_list_nobody_is_let_in(running, city, spoil, said):
    assert get(running.url, "/key", city.tls())
    spoil(city)
    for _ in range(2):
        with pytest.raises(ToolError, match="something is wrong here"):
            get(running.url, "/key", city.tls())
    assert len(running.trouble) == 2 and all(said in err.message for err in running.trouble)
    assert all("lamppost vault broker" in err.hint for err in running.trouble)
    with pytest.raises(ToolError, match=said):
        revocations(city)
    write(city, [])
    assert get(running.url, "/key", city.tls())


def test_the_list_of_one_authority_says_nothing_of_anothers_certificates(city):
    other = Authority.create("Another authority")
    city.issue("stranger", "requester", authority=other)
    both = (city.folder / "ca.pem").read_bytes() + other.pem()[0]
    revoked, shown = Revocations(city.crl, both), {}
    for name in ("stranger", "energy-office"):
        pem = (city.folder / f"{name}.pem").read_bytes()
        certificate = x509.load_pem_x509_certificate(pem)
        shown[name] = certificate.public_bytes(serialization.Encoding.DER)
    assert revoked.is_revoked(shown["energy-office"]) is False
    with pytest.raises(ToolError, match="is another authority's"):
        revoked.is_revoked(shown["stranger"])


def test_the_list_of_a_vault_and_its_certificates(tmp_path):
    """As an office works: `vault certificate`, `controller certificate`, `vault revoke`."""
    city = VaultCity(tmp_path / "city")
    city.folder.mkdir()
    city.fill()
    tls = city.folder / "tls"
    make = "vault", "certificate", city.path, *city.opening(), "-o", tls
    city.ok(*make, "controller", "--role", "controller", "--host", "127.0.0.1")
    for name in ("energy-office", "transport-office"):
        city.ok(*make, name, "--role", "requester")
    city.vault("broker", "-o", city.folder / "broker")
    authority, pair = tls / "ca.pem", (tls / "controller.pem", tls / "controller.key")
    from host_tools.controller.service import server_context

    context = server_context(*(path.read_bytes() for path in (authority, *pair)))
    crl = Revocations(city.folder / "broker" / "crl.pem", authority.read_bytes())
    served = Running(Office(tmp_path), context, crl)
    try:
        shown = {name: Tls(authority, tls / f"{name}.pem", tls / f"{name}.key")
                 for name in ("energy-office", "transport-office")}  # fmt: skip
        assert all(get(served.url, "/key", one) for one in shown.values())
        city.vault("revoke", "certificate", "energy-office")
        city.vault("broker", "-o", city.folder / "broker")
        with pytest.raises(ToolError, match="energy-office is revoked"):
            get(served.url, "/key", shown["energy-office"])
        assert get(served.url, "/key", shown["transport-office"])
    finally:
        served.close()


def test_a_list_that_cannot_be_read_stops_serve_before_it_listens(tmp_path):
    office, tls = VaultedOffice(tmp_path), tmp_path / "tls"
    authority = Authority.create()
    authority.save(tls, "ca")
    authority.issue("controller", "controller", ["127.0.0.1"]).save(tls, "controller")
    passphrase = tmp_path / "passphrase"
    passphrase.write_text(office.factors[0] + "\n")
    passphrase.chmod(0o600)
    opening = "--key-file", str(office.factor.path), "--passphrase-file", str(passphrase)
    certificate = "controller", "certificate", office.path, "--tls-dir", tls, "--cn", "controller"
    assert run([str(word) for word in (*certificate, *opening)]) == 0
    err = refused("controller", "serve", office.path, "--listen", "127.0.0.1:0", "--crl",
                  tmp_path / "none.pem", *opening)  # fmt: skip
    assert "none.pem: No such file" in err
