# SPDX-License-Identifier: MIT
"""A wheel holds all that the demo needs: firmware with boot.py and main.py, boards, kits."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def pip(*words):
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *words]
    return subprocess.run([str(word) for word in command], capture_output=True, text=True)


def test_the_demo_runs_from_a_wheel(tmp_path):
    sources = tmp_path / "sources"  # a build leaves traces in the tree
    subprocess.run(["git", "clone", "-q", ROOT, sources], check=True)
    built = pip("wheel", "--no-deps", "-w", tmp_path, sources)
    if built.returncode and "No matching distribution found for setuptools" in built.stderr:
        pytest.skip("no network to fetch setuptools")
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("lamppost-*.whl")
    site = tmp_path / "site"
    done = pip("install", "--no-deps", "--target", site, wheel)
    assert done.returncode == 0, done.stderr
    command = [sys.executable, "-P", "-m", "host_tools.cli", "demo", "--headless", "--json"]
    run = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(site), "XDG_STATE_HOME": str(tmp_path / "state")},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    account = json.loads(run.stdout)
    assert {node["kit"] for node in account["nodes"]} == {"air", "energy", "traffic"}
    assert all(node["envelopes"] == node["receipted"] > 1 for node in account["nodes"])
