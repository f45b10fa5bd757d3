# SPDX-License-Identifier: MIT
"""The controller behind both factors, and `lamppost controller` from end to end."""

import hashlib
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from controller_fixture import (
    PASSPHRASE,
    START,
    WINDOW,
    VaultedOffice,
    ask_for,
    make_nodes,
    publish,
    signer,
    terms,
    write_crl,
)

from host_tools import cli
from host_tools.controller import folder, ledger
from host_tools.controller.ask import Tls, ask
from host_tools.controller.documents import Token
from host_tools.controller.key_vault import FILE, KeyVault
from host_tools.controller.ledger import Ledger
from host_tools.errors import ToolError
from host_tools.handover.cards import Office
from host_tools.provisioning.certificates import Authority
from host_tools.provisioning.mask_roots import NodeRoots, write_roots
from host_tools.vault.factors import KeyFile, make_key_file


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return VaultedOffice(tmp_path_factory.mktemp("made"))


@pytest.fixture
def office(made, tmp_path):
    """A copy of its own for each test: Argon2id is slow on purpose."""
    copy = object.__new__(VaultedOffice)
    copy.__dict__.update(made.__dict__, path=tmp_path / "office", made=tmp_path)
    shutil.copytree(made.path, copy.path)
    return copy


def request_of(office, *spans, nodes=None):
    return ask_for(nodes or office.nodes, [office.policy], *spans)


def test_both_factors_or_nothing(office, tmp_path):
    other = KeyFile(tmp_path / "other.key")
    make_key_file(other.path)
    for factors in (("a wrong passphrase", office.factor), (PASSPHRASE, other)):
        with pytest.raises(ToolError, match="does not open"):
            folder.unlock(office.path, *factors)
    controller = folder.unlock(office.path, *office.factors)
    assert controller.status()["nodes"] == 6 and controller.status()["entries"] == 1


def test_no_secret_outside_the_vault(office):
    with KeyVault.open(office.path, *office.factors) as vault:
        keys = vault.keys()
    signing = keys.signing.private_bytes_raw()
    secrets = [keys.noise, keys.sealing, signing, *(n.roots[7] for n in keys.nodes.values())]
    controller = folder.unlock(office.path, *office.factors)
    controller.answer(request_of(office, (0, 1)).encode(), "energy office")
    files = [path for path in office.path.rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {FILE, "controller.public", "ledger.sqlite"}
    for path in files:
        content = path.read_bytes()
        assert not any(secret in content or secret.hex().encode() in content for secret in secrets)
    assert not any(secret.hex() in repr(vars(controller)) for secret in secrets)
    assert not any(repr(secret)[2:-1] in repr(keys) for secret in secrets)


def test_a_node_is_never_given_another_root(office):
    known = office.nodes[0]
    for changed in (
        NodeRoots(known.node_id, known.day0, known.policy, known.kit, {7: bytes(16)}),
        NodeRoots(known.node_id, known.day0 + 1, known.policy, known.kit, known.roots),
        NodeRoots(known.node_id, known.day0, "other", known.kit, known.roots),
    ):
        fresh = make_nodes(1, office.policy)
        with pytest.raises(ToolError, match="known with another"):
            office.add([*fresh, changed])
    assert folder.unlock(office.path, *office.factors).status()["nodes"] == 6
    assert office.add(office.nodes) == (6, 0)
    one_more = NodeRoots(known.node_id, known.day0, known.policy, known.kit, {8: bytes(16)})
    assert office.add([one_more]) == (1, 1)
    with KeyVault.open(office.path, *office.factors) as vault:
        assert vault.keys().nodes[known.node_id].roots == {**known.roots, 8: bytes(16)}


def test_a_policy_of_somebody_else_or_a_second_one_of_a_version(office, tmp_path):
    with pytest.raises(ToolError, match="another policy is street version 1"):
        office.allow(publish(k=1))
    from host_tools.policy.signed import make_key
    from host_tools.policy.signed import publish as sign_and_publish

    stranger = make_key(tmp_path / "stranger", tmp_path / "stranger")
    about = terms()
    from controller_fixture import rules

    forged = sign_and_publish(stranger, rules(about, version=2, k=1), about.encode())
    with pytest.raises(ToolError, match="not signed by this key"):
        office.allow(forged)
    path = tmp_path / "again.policy"
    path.write_bytes(publish().encode())
    allowed, fresh = folder.allow_policy(office.path, *office.factors, path)
    assert not fresh and allowed.policy.digest == office.policy.digest


def test_an_older_ledger_and_how_to_go_on(office):
    backup = (office.path / ledger.FILE).read_bytes()
    controller = folder.unlock(office.path, *office.factors)
    asked = request_of(office, (0, 1))
    token = Token.verify(controller.answer(asked.encode(), "a"), office.public.verifier(), asked)
    folder.unlock(office.path, *office.factors)  # notes how far it is
    with pytest.raises(ToolError, match="no older than"):
        folder.restore(office.path, *office.factors)
    for path in office.path.glob("ledger.sqlite*"):
        path.unlink()
    (office.path / ledger.FILE).write_bytes(backup)
    with pytest.raises(ToolError, match="older than it was") as caught:
        folder.unlock(office.path, *office.factors)
    assert "restore" in caught.value.hint
    assert folder.restore(office.path, *office.factors) == (1, 2)
    controller = folder.unlock(office.path, *office.factors)
    with pytest.raises(ToolError) as caught:
        controller.answer(asked.encode(), "a")
    assert caught.value.rule == "restored"
    assert token.entry == 2


def test_a_vault_that_was_not_made_to_the_end(office, monkeypatch, tmp_path):
    monkeypatch.setattr(KeyVault, "_keep", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        folder.make(tmp_path / "half", *office.factors, "Half", bytes(60), bytes(32))
    monkeypatch.undo()
    with pytest.raises(ToolError, match="not made to the end"):
        folder.unlock(tmp_path / "half", *office.factors)


# the command line


@pytest.fixture
def secret_file(tmp_path):
    path = tmp_path / "passphrase"
    path.write_text(PASSPHRASE + "\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def run(office, secret_file, capsys):
    """Runs a verb on the office, with both factors; (exit code, stdout, stderr)."""

    def run(verb, *arguments, factors=True):
        options = ["--passphrase-file", secret_file, "--key-file", office.factor.path]
        line = ["controller", verb, office.path, *arguments, *(options if factors else [])]
        code = cli.run([str(one) for one in line])
        return code, *capsys.readouterr()

    return run


def test_init_and_what_it_says(tmp_path, secret_file, capsys):
    key = tmp_path / "policy.key"
    key.write_bytes(signer().public_key)
    card = tmp_path / "city.office"
    card.write_bytes(Office("data-office", bytes(range(32))).encode())
    words = hashlib.sha256(b"\x83\x6alp1 office\x6bdata-office\x58\x20" + bytes(range(32)))
    line = ["controller", "init", tmp_path / "new", "--name", "An office", "--policy-key", key,
            "--new-key-file", tmp_path / "new.key", "--passphrase-file", secret_file,
            "--office", card]  # fmt: skip
    assert cli.run([*map(str, line), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["office"] == "data-office"
    assert told["office_fingerprint"].replace(" ", "") == words.hexdigest()[:20]
    assert told["name"] == "An office" and re.fullmatch("([0-9a-f]{4} ?){8}", told["fingerprint"])
    assert cli.run([*map(str, line)]) == 1
    assert "there already" in capsys.readouterr().err
    secret_file.write_text("password\n")
    line[2], line[8] = tmp_path / "weak", tmp_path / "weak.key"
    assert cli.run([*map(str, line)]) == 1
    assert not (tmp_path / "weak.key").exists() and not (tmp_path / "weak").exists()


def test_status_and_the_wrong_passphrase(run, secret_file):
    code, out, _ = run("status", "--json")
    told = json.loads(out)
    assert code == 0 and told["nodes"] == 6 and told["policies"] == "street version 1"
    secret_file.write_text("another lamp on a street")
    code, out, err = run("status")
    assert code == 1 and out == "" and "error:" in err and "hint:" in err
    assert PASSPHRASE not in err


def test_a_token_by_files(run, office, tmp_path):
    asked = request_of(office, (0, 4))
    (tmp_path / "street.request").write_bytes(asked.encode())
    line = tmp_path / "street.request", "-o", tmp_path / "street.token", "--by", "Energy office"
    code, out, _ = run("token", *line, "--json")
    assert code == 0 and json.loads(out)["token"] == str(tmp_path / "street.token")
    signed = (tmp_path / "street.token").read_bytes()
    token = Token.verify(signed, office.public.verifier(), asked)
    assert (token.by, token.population) == ("Data protection", 6)
    assert run("token", *line)[0] == 1  # there already
    few = request_of(office, (0, 4), nodes=office.nodes[:4])
    (tmp_path / "few.request").write_bytes(few.encode())
    line = tmp_path / "few.request", "-o", tmp_path / "few.token", "--by", "Energy office"
    code, out, err = run("token", *line)
    assert code == 1 and "4 nodes" in err and not (tmp_path / "few.token").exists()
    code, out, _ = run("log", "--json", factors=False)
    told = json.loads(out)
    assert code == 0 and told["verified"]
    assert [entry["verb"] for entry in told["entries"]] == ["allowed", "answered", "refused"]
    code, out, _ = run("log", factors=False)
    assert "electrical" in out and "refused" in out


def test_the_log_as_a_page_and_verified(run, office, tmp_path):
    controller = folder.unlock(office.path, *office.factors)
    by = "<script>alert(1)</script>"
    controller.answer(request_of(office, (0, 1), (1, 2)).encode(), by)
    page = tmp_path / "log.html"
    assert run("log", "--html", page, factors=False)[0] == 0
    text = page.read_text()
    assert "<script" not in text and "&lt;script&gt;" in text
    assert "electrical energy of 6 nodes" in text and "2 sums opened, 0.125 epsilon each" in text
    assert not any(node.node_id in text for node in office.nodes)
    code, out, _ = run("log", "--verify", factors=False)
    assert code == 0 and out.startswith("entries: 2, newest hash: ")
    with sqlite3.connect(office.path / ledger.FILE) as db:
        db.execute("UPDATE log SET detail = replace(detail, 'street', 'square')")
    db.close()
    code, out, err = run("log", "--verify", factors=False)
    assert code == 1 and "entry 1 of its log" in err
    assert run("log", "--html", page, factors=False)[0] == 1
    assert "does not hold together" in page.read_text()
    assert run("token", page, "-o", tmp_path / "no.token", "--by", "me")[0] == 1
    for nobody in ("", " ", "a\x1b[31mb", "a" * 65):
        code, _, err = run("token", page, "-o", tmp_path / "no.token", "--by", nobody)
        assert code == 2 and "--by" in err


def test_a_folder_without_a_ledger(run, office):
    (office.path / ledger.FILE).unlink()
    for verb, factors in (("log", False), ("status", True)):
        code, _, err = run(verb, factors=factors)
        assert code == 1 and "there is no ledger" in err and "backup" in err
    assert not (office.path / ledger.FILE).exists()


def test_add_and_allow(run, office, tmp_path):
    more = tmp_path / "more.roots"
    write_roots(more, make_nodes(3, office.policy), office.public, office.vault)
    code, out, _ = run("add", more, "--json")
    assert code == 0 and json.loads(out)["new"] == 3
    (tmp_path / "two.policy").write_bytes(publish(version=2).encode())
    code, out, _ = run("allow", tmp_path / "two.policy", "--json")
    told = json.loads(out)
    assert code == 0 and told["version"] == 2 and told["masked_streams"] == [7]
    code, _, err = run("add", tmp_path / "two.policy")
    assert code == 1 and "no sealed roots" in err
    assert run("add", tmp_path / "nothing")[0] == 1
    assert run("allow", tmp_path / "more.roots")[0] == 1


@pytest.mark.parametrize("verb", ["init", "add", "allow", "certificate", "serve", "token", "log",
                                  "status", "restore"])  # fmt: skip
def test_help(verb, capsys):
    assert cli.run(["controller", verb, "--help"]) == 0
    assert "DIR" in capsys.readouterr().out
    assert cli.run(["controller", verb]) == 2


def test_serve_in_a_process(run, office, secret_file, tmp_path):
    tls = tmp_path / "tls"
    authority = Authority.create()
    authority.save(tls, "ca")
    authority.issue("controller", "controller", ["127.0.0.1"]).save(tls, "controller")
    authority.issue("energy-office", "requester").save(tls, "energy-office")
    assert run("serve")[0] == 1  # no certificate yet
    authority.issue("deaf", "controller").save(tls, "deaf")
    for name, said in (("nobody", "no such file"), ("energy-office", "role (OU) requester"),
                       ("deaf", "names no host")):  # fmt: skip
        code, _, err = run("certificate", "--tls-dir", tls, "--cn", name)
        assert code == 1 and said in err
    assert run("serve")[0] == 1  # and none was taken
    assert run("certificate", "--tls-dir", tls, "--cn", "controller")[0] == 0
    (tls / "controller.key").unlink()
    crl = tmp_path / "crl.pem"
    write_crl(crl, authority, [])
    line = [sys.executable, "-m", "host_tools.cli", "controller", "serve", office.path, "--crl",
            crl, "--listen", "127.0.0.1:0", "--key-file", office.factor.path]  # fmt: skip
    environment = {**os.environ, "LAMPPOST_PASSPHRASE_FILE": str(secret_file)}
    served = subprocess.Popen(line, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        told = served.stderr.readline()
        port = int(re.search(r"port (\d+)", told)[1])
        names = tls / "ca.pem", tls / "energy-office.pem", tls / "energy-office.key"
        asked = request_of(office, (0, 4))
        signed = ask(f"https://127.0.0.1:{port}", asked, Tls(*names))
        assert Token.verify(signed, office.public.verifier(), asked).population == 6
        write_crl(crl, authority, [names[1]])
        with pytest.raises(ToolError, match="energy-office is revoked"):
            ask(f"https://127.0.0.1:{port}", asked, Tls(*names))
        assert PASSPHRASE.encode() not in Path(f"/proc/{served.pid}/cmdline").read_bytes()
    finally:
        served.send_signal(signal.SIGTERM)
        rest = served.communicate(timeout=60)[1]
    assert served.returncode == 0 and "ended" in rest
    with Ledger(office.path / ledger.FILE).reading() as db:
        assert db.execute("SELECT from_s, to_s FROM answered").fetchall() == [
            (START, START + 4 * WINDOW)
        ]
