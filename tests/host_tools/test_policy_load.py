# SPDX-License-Identifier: MIT
"""host_tools/policy/load.py: a published policy meets the checks that its TOML would have met, and
what nobody checked is said."""

import hashlib
import json

import cbor2
import pytest

from host_tools.cli import run
from host_tools.policy.compile_policy import compile_policy
from host_tools.policy.signed import PublishedPolicy, make_key, publish, write_file
from host_tools.provisioning.kit import load_kit
from node.crypto import lms

TRAFFIC = load_kit("traffic").policy_path
OUT = {"notice": "out.html", "datachain": "out.json"}
VERBS = ("check", "show", "notice", "datachain", "diff")


@pytest.fixture(scope="module")
def compiled():
    return compile_policy(TRAFFIC)


@pytest.fixture(scope="module")
def signed(tmp_path_factory, compiled):
    """(a published policy, the key that signed it, another key)."""
    folder = tmp_path_factory.mktemp("signed")
    keys = [folder / name for name in ("key", "other")]
    signers = [make_key(key, folder / "witness") for key in keys]
    write_file(folder / "t.policy", publish(signers[0], compiled.rules, compiled.terms))
    return folder / "t.policy", *keys


@pytest.fixture
def lamppost(tmp_path, capsys):
    def call(verb, path, *args):
        if verb in OUT:
            args = (*args, "-o", tmp_path / OUT[verb])
        old = (TRAFFIC,) if verb == "diff" else ()
        code = run(["policy", verb, *map(str, (*old, path, *args))])
        out, err = capsys.readouterr()
        return code, out, " ".join(err.split())

    return call


def forged(folder, compiled, change):
    """A *.policy whose rules and terms belong together, after change(rules, terms)."""
    rules, (label, terms) = cbor2.loads(compiled.rules), cbor2.loads(compiled.terms)
    change(rules, terms)
    terms = cbor2.dumps([label, terms], canonical=True)
    rules[-1] = hashlib.sha256(terms).digest()
    path = folder / "forged.policy"
    rules = cbor2.dumps(rules, canonical=True)
    write_file(path, PublishedPolicy(rules, terms, bytes(lms.SIGNATURE_LENGTH)))
    return path


def of_stream(number, *values):
    """Sets fields of one stream's rules: (place, value)."""

    def change(rules, _):
        for at, value in values:
            next(one for one in rules[6] if one[0] == number)[at] = value

    return change


def of_terms(number, **fields):
    return lambda _, terms: terms["streams"][number].update(fields)


def one_stream_more(rules, terms):
    rules[6].insert(3, [4, "people_leftward", 7200, *rules[6][2][3:]])
    terms["streams"][4] = terms["streams"][3]


FORGED = {
    "sensitivity": (of_terms(2, contribution=2), "noise has sensitivity = 1, but a unit can ch"),
    "no contribution": (lambda _, terms: terms["streams"][2].pop("contribution"),
                        "a unit can change a value by 5000"),
    "budget": (of_terms(2, per_day=[1, 2]), "noise has per_day = 1/2, but a day costs 24 ×"),
    "no budget": (lambda _, terms: terms["streams"][2].pop("per_day"), "noise has no per_day"),
    "one budget": (one_stream_more, "of all 2 streams of people_leftward costs epsilon = 3/2"),
    "two windows": (of_stream(3, (1, "people_rightward")), "has quantity and window_s of stream"),
    "noise beside none": (of_stream(2, (1, "vehicles")), "has noise beside stream number 1"),
    "range": (of_stream(1, (6, 10**9)), "which is more than physics allows"),
    "k": (of_stream(240, (3, ["sum"]), (7, 10)), "but resets_power is not counted"),
    "statistics": (of_stream(1, (3, ["sum", "sum"])), "names a statistic twice"),
    "epsilon": (of_stream(2, (8, [1, 2, 48])), "is not what the language compiles to"),
    "terms of noise": (of_terms(1, per_day=[1, 1]), "is not what the language compiles to"),
    "purpose": (of_terms(1, purpose="dpv:Anything"), "which DPV does not have"),
    "contact": (lambda _, terms: terms["controller"].update(contact="nobody"), "nobody can be"),
    "last day": (lambda rules, _: rules.__setitem__(5, 10**8), "beyond the year 9999"),
}  # fmt: skip


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("name", FORGED)
def test_what_compile_refuses_is_refused_when_published(tmp_path, lamppost, compiled, name, verb):
    change, words = FORGED[name]
    code, out, err = lamppost(verb, forged(tmp_path, compiled, change))
    assert (code, out) == (1, "")
    assert words in err and "hint: " in err
    assert not list(tmp_path.glob("out.*"))


def test_what_has_ended_is_refused_but_shown(tmp_path, lamppost, compiled):
    path = forged(tmp_path, compiled, lambda rules, _: rules.__setitem__(5, rules[4]))
    for verb in ("check", "notice", "datachain", "diff"):
        code, _, err = lamppost(verb, path)
        assert code == 1 and "it has ended" in err
    assert lamppost("show", path)[0] == 0


@pytest.mark.parametrize("verb", ["check", "notice", "datachain"])
def test_the_kit(tmp_path, lamppost, compiled, signed, verb):
    code, _, err = lamppost(verb, signed[0], "--kit", "air")
    assert code == 1 and "for kit 'traffic', not 'air'" in err.replace("the kit", "kit")
    assert lamppost(verb, signed[0], "--kit", "traffic")[0] == 0
    window = forged(tmp_path, compiled, of_stream(1, (2, 1)))  # s; the kit counts more seldom
    code, _, err = lamppost(verb, window, "--kit", "traffic")
    assert code == 1 and "stream 1 (number 1) has window_s = 1 hint: take a multiple of" in err


@pytest.mark.parametrize("verb", VERBS)
def test_the_signature(lamppost, signed, verb):
    path, key, other = signed
    code, _, err = lamppost(verb, path)
    assert code == 0 and f"{path}: signature not checked" in err
    code, _, err = lamppost(verb, path, "--key", key)
    assert code == 0 and "not checked" not in err
    code, out, err = lamppost(verb, path, "--key", other / "policy.key")
    assert (code, out) == (1, "") and "t.policy is not signed by this key" in err
    for args, checked in (((), False), (("--key", key), True)):
        told = json.loads(lamppost(verb, path, "--json", *args)[1])["signature_checked"]
        assert told == ({"old": False, "new": checked} if verb == "diff" else checked)
    code, _, err = lamppost(verb, TRAFFIC, "--key", key)
    assert code == 1 and (" is signed" if verb == "diff" else " is not signed") in err


def test_a_draft_has_no_signature_to_speak_of(lamppost):
    for verb in VERBS:
        code, _, err = lamppost(verb, TRAFFIC)
        assert code == 0 and "signature" not in err
