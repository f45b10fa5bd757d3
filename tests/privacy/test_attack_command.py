# SPDX-License-Identifier: MIT
"""`lamppost policy attack`: table, JSON, pictures, exit codes."""

import json
from pathlib import Path

import boards
from host_tools.cli import run

KITS = Path(boards.__path__[0]) / "kits"


def test_table_and_pictures(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "250")
    out = tmp_path / "pictures"
    policy = str(KITS / "traffic" / "policy.toml")
    assert run(["policy", "attack", policy, "--only", "night", "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "reached" in shown and "missed" not in shown
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
