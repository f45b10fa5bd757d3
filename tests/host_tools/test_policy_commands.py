# SPDX-License-Identifier: MIT
"""`lamppost policy`: keygen, compile, show, diff, check, as a person uses them."""

import json

import pytest

from host_tools.cli import run
from host_tools.policy.signed import read_file, read_public_key
from host_tools.provisioning.kit import load_kit
from node.policy.rules import Policy

TRAFFIC = load_kit("traffic").policy_path


@pytest.fixture(autouse=True, scope="module")
def state(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "100")
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture
def lamppost(capsys):
    def call(*args):
        code = run(["policy", *map(str, args)])
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.fixture(scope="module")
def key(tmp_path_factory, state):
    folder = tmp_path_factory.mktemp("keys") / "key"  # which is made
    assert run(["policy", "keygen", str(folder)]) == 0
    return folder


@pytest.fixture
def other(tmp_path):
    """A version with a shorter window for vehicles, and a lower k."""
    text = TRAFFIC.read_text().replace("version = 1", "version = 2")
    path = tmp_path / "next.toml"
    path.write_text(text.replace("window_s = 900", "window_s = 300").replace("k = 10", "k = 8", 1))
    return path


def test_from_a_key_to_a_published_policy(tmp_path, lamppost, key, other):
    target = tmp_path / "traffic.policy"
    compile_args = ("compile", "--kit", "traffic", "--key", key, "-o", target)
    code, out, _ = lamppost(*compile_args, TRAFFIC, "--json")
    told = json.loads(out)
    assert (code, told["remaining"]) == (0, 1023)
    published = read_file(target, read_public_key(key))
    assert published.policy().version == 1
    assert lamppost("show", target, "--key", key)[0] == 0

    code, out, _ = lamppost(*compile_args, TRAFFIC)  # no leaf is spent on the same
    assert code == 0 and "signs 1,023 times more" in " ".join(out.split())
    assert told["signed"]
    assert told["digest"] == Policy(published.rules).digest.hex()

    assert lamppost(*compile_args, other)[0] == 0
    assert read_file(target).policy().version == 2
    code, _, err = lamppost(*compile_args, TRAFFIC)
    assert code == 1 and "has version 2, and this is version 1" in err
    assert "hint: write version = 3" in err
    assert read_file(target).policy().version == 2


def test_one_version_is_signed_once(tmp_path, lamppost):
    """Wherever it is written to: the record is with the key."""
    key, text = tmp_path / "key", TRAFFIC.read_text()
    lamppost("keygen", key)

    def signed(target, version, old="", new=""):
        path = tmp_path / "p.toml"
        path.write_text(text.replace("version = 1", f"version = {version}").replace(old, new))
        return lamppost("compile", path, "--key", key, "-o", tmp_path / target)

    assert signed("a.policy", 2)[0] == 0
    assert signed("b.policy", 2)[0] == 0  # the same
    code, out, err = signed("c.policy", 2, "k = 10", "k = 5")
    assert (code, out) == (1, "")
    what = "policy traffic-street for kit traffic version 2 was signed with another content"
    assert what in err and "hint: write version = 3" in err
    code, _, err = signed("c.policy", 1)
    assert code == 1 and "version 2 is signed, and this is version 1" in err
    assert not (tmp_path / "c.policy").exists()
    assert signed("c.policy", 3, "k = 10", "k = 5")[0] == 0
    assert signed("d.policy", 1, "traffic-street", "other-street")[0] == 0


def test_a_key_is_made_once(key, lamppost):
    assert (key / "seed").stat().st_mode & 0o777 == 0o600
    code, out, err = lamppost("keygen", key)
    assert (code, out) == (1, "") and "is there already" in err


def test_rules_without_a_key(tmp_path, lamppost):
    code, out, _ = lamppost("compile", TRAFFIC, "-o", tmp_path / "rules.cbor")
    assert code == 0 and "unsigned rules" in out
    assert Policy((tmp_path / "rules.cbor").read_bytes()).id == "traffic-street"
    code, _, err = lamppost("compile", TRAFFIC, "-o", tmp_path / "a.policy")
    assert code == 2 and "would not be signed" in err
    assert not (tmp_path / "a.policy").exists()


def test_a_failed_command_leaves_no_file(tmp_path, lamppost, key):
    bad = tmp_path / "bad.toml"
    bad.write_text(TRAFFIC.read_text().replace('"1/24"', '"1/23"', 1))
    code, out, err = lamppost("compile", bad, "--key", key, "-o", tmp_path / "bad.policy")
    assert (code, out) == (1, "")
    assert "noise has per_day = 1, but a day costs 24 × epsilon = 24/23" in err
    assert 'hint: take a longer window_s, or epsilon = "1/24" or less' in err
    assert not (tmp_path / "bad.policy").exists()
    assert lamppost("compile", TRAFFIC, "--key", tmp_path, "-o", tmp_path / "b.policy")[0] == 1
    assert lamppost("compile", TRAFFIC, "--key", key, "-o", tmp_path / "b.cbor")[0] == 2
    assert lamppost("compile", TRAFFIC)[0] == 2  # no -o


@pytest.fixture
def mine(tmp_path):
    """A policy of one's own, in a folder with much that must not be written over."""
    (tmp_path / "keys").mkdir()
    for name in ("keys/seed", "keys/state", "keys/policy.key", "notes.txt"):
        (tmp_path / name).write_text(f"what {name} held")
    path = tmp_path / "p.toml"
    path.write_text(TRAFFIC.read_text())
    for suffix in (".html", ".json", ".policy", ".cbor"):  # other names of the policy
        (tmp_path / f"linked{suffix}").symlink_to(path)
    return path


@pytest.mark.parametrize(
    ("verb", "suffix"),
    [("notice", ".html"), ("datachain", ".json"), ("compile", ".cbor"), ("signed", ".policy")],
)
def test_no_verb_writes_over_what_it_is_made_from_or_over_a_key(
    lamppost, mine, key, verb, suffix
):
    args = ("compile", "--key", key) if verb == "signed" else (verb,)
    folder = mine.parent
    held = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for target in ("p.toml", f"linked{suffix}"):
        code, out, err = lamppost(*args, mine, "-o", folder / target)
        assert (code, out) == (1, "") and f"{target} is the policy itself" in err
        assert "hint: give another name with -o" in err
    for target in ("keys/seed", "keys/state", "keys/policy.key", "notes.txt", "new.odd"):
        code, out, err = lamppost(*args, mine, "-o", folder / target)
        assert (code, out) == (2, "") and f"does not end in {suffix}" in err
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == held
    assert lamppost(*args, mine, "-o", folder / f"new{suffix}")[0] == 0


def test_a_data_chain_is_not_written_over_the_kit(lamppost, tmp_path):
    kit = tmp_path / "kit.json"
    kit.write_text(TRAFFIC.with_name("kit.json").read_text())
    (tmp_path / "policy.toml").write_text(TRAFFIC.read_text())
    before = kit.read_text()
    code, _, err = lamppost("datachain", TRAFFIC, "--kit", tmp_path, "-o", kit)
    assert code == 1 and "kit.json is the kit itself" in err and kit.read_text() == before


def test_another_published_policy_is_not_written_over(lamppost, tmp_path, key):
    target = tmp_path / "a.policy"
    assert lamppost("compile", TRAFFIC, "--key", key, "-o", target)[0] == 0
    before = target.read_bytes()
    left = json.loads(lamppost("compile", TRAFFIC, "--key", key, "-o", target, "--json")[1])
    other = tmp_path / "other.toml"
    text = TRAFFIC.read_text().replace("version = 1", "version = 9")
    other.write_text(text.replace('id = "traffic-street"', 'id = "other"'))
    for path, args, wrong in ((other, ("--key", key), 1), (other, (), 2), (TRAFFIC, (), 2)):
        code, out, err = lamppost("compile", path, *args, "-o", target)
        assert (code, out, target.read_bytes()) == (wrong, "", before)
        assert ("is the policy 'traffic-street', and this is 'other'" in err) == bool(args)
    again = json.loads(lamppost("compile", TRAFFIC, "--key", key, "-o", target, "--json")[1])
    assert again["remaining"] == left["remaining"]
    code, _, err = lamppost("compile", target, "--key", key, "-o", tmp_path / "b.policy")
    assert code == 1 and "a.policy is published already" in err and "give its TOML file" in err


@pytest.mark.parametrize("target", ["no/such/folder/a.policy", "file/a.policy", "/proc/a.policy"])
def test_no_signature_is_spent_on_what_cannot_be_written(lamppost, tmp_path, key, target):
    (tmp_path / "file").write_text("no folder")
    state = (key / "state").read_bytes()
    code, out, err = lamppost("compile", TRAFFIC, "--key", key, "-o", tmp_path / target)
    assert (code, out) == (1, "") and "hint: take a path that can be written" in err
    assert (key / "state").read_bytes() == state


def test_check(lamppost, tmp_path):
    code, out, _ = lamppost("check", TRAFFIC, "--kit", "traffic")
    told = " ".join(out.split())
    assert code == 0
    assert "releases 360 records a day, in 96 messages" in told
    assert "warning: stream 1: k without noise is no differential privacy" in told
    assert "why: " in told and "mend: " in told
    code, out, err = lamppost("check", TRAFFIC, "--strict")
    assert code == 1 and "policy.toml: 1 warning\n" in err
    code, out, _ = lamppost("check", TRAFFIC, "--json")
    assert json.loads(out)["warnings"][0]["code"] == "k-is-not-dp"
    assert lamppost("check", load_kit("air").policy_path, "--strict")[0] == 0
    code, _, err = lamppost("check", TRAFFIC, "--kit", "air")
    assert code == 1 and "is for the kit 'traffic', not 'air'" in err


def test_check_says_the_same_of_the_published_one(tmp_path, lamppost, key):
    target = tmp_path / "t.policy"
    lamppost("compile", TRAFFIC, "--key", key, "-o", target)
    one, two = (json.loads(lamppost("check", path, "--json")[1]) for path in (TRAFFIC, target))
    assert {**one, "file": ""} == {**two, "file": ""}
    one, two = (json.loads(lamppost("show", path, "--json")[1]) for path in (TRAFFIC, target))
    assert {**one, "file": ""} == {**two, "file": ""}
    assert lamppost("diff", TRAFFIC, target)[1] == (
        "other changes\n  version 1 is not higher than 1: no node takes it\n"
    )


def test_show(lamppost):
    code, out, _ = lamppost("show", TRAFFIC)
    assert code == 0
    assert "Traffic in the street" in out and "people_leftward" in out and "1/24" in out
    assert "streams 240 to 248: dpv:RepairImpairments" in " ".join(out.split())
    code, out, _ = lamppost("show", TRAFFIC, "--language", "de")
    assert "Verkehr in der Straße" in out and "Traffic in the street" not in out
    code, _, err = lamppost("show", TRAFFIC, "--language", "fr")
    assert code == 1 and "there are en, de" in err
    told = json.loads(lamppost("show", TRAFFIC, "--json")[1])
    assert told["streams"][1]["noise"] == {"sensitivity": 1, "epsilon": "1/24"}
    assert (told["valid_from"], told["valid_until"]) == ("2026-01-01", "2030-12-31")
    code, _, err = lamppost("show", TRAFFIC, "--key", "policy.key")
    assert code == 1 and "is not signed" in err


def test_diff(lamppost, other):
    code, out, _ = lamppost("diff", TRAFFIC, other)
    told = " ".join(out.split())
    assert code == 0
    assert told.startswith("lets out more stream 1: it leaves each 5 min, it was each 15 min")
    assert "lets out less" not in told
    told = json.loads(lamppost("diff", other, TRAFFIC, "--json")[1])
    assert [one["field"] for one in told["less"]] == ["window_s", "k"]
    assert [one["field"] for one in told["other"]] == ["version"]
    assert told["more"] == []


def test_the_old_one_may_have_ended(lamppost, tmp_path, other):
    ended = tmp_path / "ended.toml"
    text = TRAFFIC.read_text().replace("valid_from = 2026", "valid_from = 2025")
    ended.write_text(text.replace("valid_until = 2030", "valid_until = 2025"))
    assert lamppost("show", ended)[0] == 0
    assert lamppost("diff", ended, other)[0] == 0
    for args in (("diff", other, ended), ("check", ended)):
        code, _, err = lamppost(*args)
        assert code == 1 and "has ended" in err


def test_a_kit_that_is_nearly_one_of_ours_is_warned_of(lamppost, tmp_path):
    path = tmp_path / "p.toml"
    path.write_text(TRAFFIC.read_text().replace('kit = "traffic"', 'kit = "trafic"'))
    code, out, _ = lamppost("check", path)
    told = " ".join(out.split())
    assert code == 0 and "no kit 'trafic' comes with Lamppost, but 'traffic' does" in told
    assert 'write kit = "traffic"' in told
    code, _, err = lamppost("compile", path, "-o", tmp_path / "p.cbor")
    assert code == 0 and "warning: no kit 'trafic'" in err
    assert lamppost("compile", TRAFFIC, "-o", tmp_path / "q.cbor")[2] == ""
    path.write_text(TRAFFIC.read_text().replace('kit = "traffic"', 'kit = "harbour"'))
    assert "unknown-kit" not in lamppost("check", path, "--json")[1]  # a kit of their own
    code, _, err = lamppost("check", TRAFFIC, "--kit", "trafic")
    assert code == 1 and "did you mean traffic? Or give the path of a folder" in err


def test_a_message_names_what_it_is_about(lamppost, tmp_path):
    path = tmp_path / "p.toml"
    path.write_text(TRAFFIC.read_text().replace("valid_until = 2030", "valid_until = 2025"))
    _, _, err = lamppost("check", path)
    assert "p.toml: line 8: the policy has valid_until = 2025-12-31" in err
    path.write_text(TRAFFIC.read_text().replace("version = 1", 'version = "1"'))
    _, _, err = lamppost("check", path)
    assert "the policy has version = '1'" in err and "without quotes" in err


def test_each_verb_is_there(lamppost):
    from host_tools.commands.policy import VERBS

    for verb in VERBS:
        code, out, _ = lamppost(verb, "--help")
        assert code == 0 and f"policy {verb}" in " ".join(out.split())
