# SPDX-License-Identifier: MIT
"""`lamppost policy attack`: table, JSON, pictures, exit codes."""

import copy
import json
from pathlib import Path

import pytest

import boards
from host_tools.attacks import firmware_stages
from host_tools.attacks.extra import check_extra
from host_tools.attacks.questions import ATTACKS, has_energy
from host_tools.attacks.result import Result
from host_tools.attacks.run import Sizes
from host_tools.attacks.run import run as attack_all
from host_tools.cli import run
from host_tools.commands.policy.attack import _show as show
from host_tools.errors import ToolError

KITS = Path(boards.__path__[0]) / "kits"


def test_table_and_pictures(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    out = tmp_path / "pictures"
    policy = str(KITS / "traffic" / "policy.toml")
    assert run(["policy", "attack", policy, "--only", "night", "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "reached" in shown and "missed" not in shown
    head, first, below, *_ = shown.splitlines()
    assert head.split() == ["attack", "policy", "without", "with", "chance"]
    assert first.split()[:2] == ["night", "policy"] and below.startswith("  people_rightward: ")
    assert max(map(len, shown.splitlines())) <= 80
    assert "night-policy.svg" not in shown
    (picture,) = out.iterdir()
    assert picture.name == "night-policy.svg" and picture.read_text().count("<path") > 10


def test_the_same_seed_gives_the_same(capsys):
    arguments = ["policy", "attack", str(KITS / "traffic" / "policy.toml"), "--only", "night",
                 "--json"]  # fmt: skip
    said = []
    for seed in (5, 5, 6):
        assert run([*arguments, "--seed", str(seed)]) == 0
        said.append(json.loads(capsys.readouterr().out))
    assert said[0] == said[1] != said[2]
    assert [row["met"] for row in said[0]["results"]] == [True] * 3


def test_a_policy_that_tells_too_much_ends_with_1(tmp_path, capsys):
    text = (KITS / "traffic" / "policy.toml").read_text()
    lines = [line for line in text.splitlines() if not line.startswith(("k =", "noise ="))]
    file = tmp_path / "loose.toml"
    file.write_text("\n".join(lines))
    assert run(["policy", "attack", str(file), "--only", "night"]) == 1
    assert "learn more" in capsys.readouterr().err


def test_usage(capsys):
    assert run(["policy", "attack", "--only", "mind"]) == 2
    assert "no attack 'mind'" in capsys.readouterr().err
    air = str(KITS / "air" / "policy.toml")
    assert run(["policy", "attack", air, "--only", "night"]) == 1
    assert "no attack fits" in capsys.readouterr().err


def test_a_figure_above_its_bound_does_not_look_like_one_that_holds(capsys, monkeypatch):
    def result(**more):
        return Result("night", "a" * 40, "who?", "right guesses", None, 0.511, 0.5, (0.49, 0.53),
                      **more)  # fmt: skip

    assert result().verdict == ""
    assert result(wanted="at most 0.510", by_chance=True).verdict == "reached (within chance)"
    assert result(wanted="at most 0.520").verdict == "reached"
    assert result(wanted="at most 0.510", met=False).verdict == "missed"
    monkeypatch.setenv("COLUMNS", "80")
    show([result(wanted="at most 0.510, by its epsilon", by_chance=True)], ["b" * 50])
    shown = capsys.readouterr().out
    assert "0.511    0.500  reached (within chance)" in shown and "not run" in shown
    assert "…" in shown and max(map(len, shown.splitlines())) <= 80


def test_the_night_says_where_only_chance_lifts_it():
    from host_tools.attacks import night
    from host_tools.attacks.built_in import built_in

    stream = built_in()["traffic"].streams[1]
    rows = [one for seed in range(6) for one in night.attack_stream("t", stream, 300, seed)]
    bound = night.allowed(stream)
    assert {one.by_chance for one in rows} == {True, False}
    for one in rows:
        assert one.by_chance == (one.wanted != "" and one.met and one.with_policy > bound)


@pytest.fixture
def unattackable(monkeypatch):
    """No attack can begin: what is wrong must be found before."""
    monkeypatch.setattr("host_tools.attacks.run.run", None)


@pytest.mark.parametrize("out", ["/proc/x", "/proc/1/x/y", "file", "file/x"])
def test_a_folder_for_pictures_that_cannot_be_is_told_first(tmp_path, capsys, unattackable, out):
    (tmp_path / "file").write_text("no folder")
    policy = str(KITS / "traffic" / "policy.toml")
    args = ["policy", "attack", policy, "--only", "night", "--out", str(tmp_path / out)]
    assert run(args) == 1
    assert "hint: take a folder that can be written" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["none.toml"], "none.toml: No such file"),
        (["--data", "none"], "energy_minutely.csv: No such file"),
        ([str(KITS / "energy" / "policy.toml"), "--data", "none"], "energy_minutely.csv"),
    ],
)
def test_what_is_not_there_is_told_first(tmp_path, monkeypatch, capsys, unattackable, args, said):
    monkeypatch.chdir(tmp_path)
    assert run(["policy", "attack", *args]) == 1
    assert said in capsys.readouterr().err


def test_blanks_between_names_are_no_part_of_them(capsys):
    policy = str(KITS / "traffic" / "policy.toml")
    assert run(["policy", "attack", policy, "--only", " night , night", "--json"]) == 0
    assert {row["attack"] for row in json.loads(capsys.readouterr().out)["results"]} == {"night"}
    assert run(["policy", "attack", policy, "--only", "night,"]) == 2


def test_without_recordings_energy_is_shown_as_not_run(monkeypatch, capsys):
    monkeypatch.delenv("LAMPPOST_RECORDINGS", raising=False)
    energy = str(KITS / "energy" / "policy.toml")
    assert run(["policy", "attack", energy, "--only", "energy"]) == 1
    told = capsys.readouterr()
    assert "not run" in told.out and "energy needs recordings" in told.err
    assert run(["policy", "attack", energy, "--only", "energy", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["not_run"] == [
        {"attack": "energy", "policy": "policy"}
    ]


def test_a_missing_library_is_told_with_a_command_that_works_here(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ToolError, match="numpy") as err:
        check_extra()
    assert err.value.hint == ".venv/bin/pip install -e '.[attack]'"


def test_what_is_masked_cannot_be_read_singly(policies):
    """Messages are looked at, and a street with its curve; noise on values there is none."""
    policy = policies["energy-dwelling"]
    masked = [stream for stream in policy.streams if stream.bins is not None]
    assert masked and [s.number for s in firmware_stages.readable(policy).streams] == [1]
    alone = copy.copy(policy)
    alone.streams = masked
    assert has_energy(policy) and has_energy(alone)
    names = tuple(name for name in ATTACKS if name != "network")
    found = attack_all({"masked": alone}, names, Sizes(), 1, None, str)
    assert found == []
