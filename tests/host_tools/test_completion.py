# SPDX-License-Identifier: MIT
"""`lamppost completion`, in the shells that are installed."""

import os
import shutil
import subprocess
import sys

import pytest

from tests.host_tools.city_place import lamppost, refused


@pytest.mark.parametrize("shell, check", [("bash", "-n"), ("zsh", "-n"), ("fish", "--no-execute")])
def test_the_shell_takes_it(shell, check, tmp_path):
    code, out, _ = lamppost("completion", shell)
    assert code == 0 and "_LAMPPOST_COMPLETE" in out
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    path = tmp_path / "completion"
    path.write_text(out)
    subprocess.run([shell, check, path], check=True)


@pytest.mark.parametrize(
    "typed, found",
    [
        ("lamppost tech", "technician"),
        ("lamppost vault iss", "issue"),
        ("lamppost vault technician a", "add"),
        ("lamppost vault issue --exp", "--expires"),
        ("lamppost flash --tick", "--ticket"),
        ("lamppost verify --key", "--keyring"),
        ("lamppost lab", "label"),
        ("lamppost vault cl", "claim"),
        ("lamppost completion z", "zsh"),
    ],
)
def test_it_completes(typed, found):
    """What the script asks for when a person presses the tab key."""
    words = typed.split()
    ask = {"_LAMPPOST_COMPLETE": "bash_complete", "COMP_WORDS": typed,
           "COMP_CWORD": str(len(words) - 1)}  # fmt: skip
    command = [sys.executable, "-c", "from host_tools.cli import main; main()"]
    run = subprocess.run(command, env={**os.environ, **ask}, capture_output=True, text=True)
    assert found in [line.partition(",")[2] for line in run.stdout.splitlines()], run.stderr


def test_other_shells():
    refused("completion", "csh", code=2)
