# SPDX-License-Identifier: MIT
"""flash.sh: a thin wrapper that works in any folder, and offline once it has been run."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "flash.sh"
ECHO = '#!/bin/sh\nfor word in "$@"; do echo "<$word>"; done\n'


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "a folder 'of' mine"
    made.mkdir()
    shutil.copy(SCRIPT, made)
    return made


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def run(folder: Path, *words, **environ):
    return subprocess.run(
        [folder / "flash.sh", *words], cwd="/", env={**os.environ, **environ},
        capture_output=True, text=True,
    )  # fmt: skip


def test_bash_reads_it():
    assert subprocess.run(["bash", "-n", SCRIPT]).returncode == 0
    assert os.access(SCRIPT, os.X_OK)


def test_words_arrive_as_they_were_given(folder):
    program(folder / ".venv" / "bin" / "lamppost", ECHO)
    done = run(
        folder, "--nodes", "my nodes", "--kit", "", PYTHON="/bin/false", PATH="/usr/bin:/bin"
    )
    assert done.stdout == "<flash>\n<--nodes>\n<my nodes>\n<--kit>\n<>\n"
    assert (done.returncode, done.stderr) == (0, "")


def test_the_exit_code_is_that_of_the_command(folder):
    program(folder / ".venv" / "bin" / "lamppost", "#!/bin/sh\nexit 2\n")
    assert run(folder).returncode == 2


FAKE_PYTHON = """#!/bin/sh
case "$1 $2" in
"-m venv") mkdir -p "$3/bin"
    echo '#!/bin/sh\n[ "$FAILS" ] && exit 1; cp "$ECHO_PROGRAM" "${0%pip}lamppost"' > "$3/bin/pip"
    chmod +x "$3/bin/pip";;
esac
"""


def test_the_first_time_it_installs_and_goes_on(folder, tmp_path):
    python = program(tmp_path / "python", FAKE_PYTHON)
    echo = program(tmp_path / "echo", ECHO)
    names = {"PYTHON": str(python), "ECHO_PROGRAM": str(echo)}
    failed = run(folder, "--dry-run", FAILS="1", **names)
    assert failed.returncode == 1 and failed.stdout == ""
    assert "could not be installed" in failed.stderr and "hint: " in failed.stderr
    done = run(folder, "--dry-run", **names)
    assert (done.returncode, done.stdout) == (0, "<flash>\n<--dry-run>\n"), done.stderr
    assert "installing" not in run(folder, **names).stderr


def test_after_an_update_it_installs_again(folder, tmp_path):
    python = program(tmp_path / "python", FAKE_PYTHON)
    names = {"PYTHON": str(python), "ECHO_PROGRAM": str(program(tmp_path / "echo", ECHO))}
    project = folder / "pyproject.toml"
    project.write_text("[project]\n")
    assert "installing" in run(folder, **names).stderr
    assert run(folder, **names).stderr == ""
    later_s = (folder / ".venv" / "bin" / "lamppost").stat().st_mtime + 5
    os.utime(project, (later_s, later_s))
    failed = run(folder, FAILS="1", **names)
    assert failed.returncode == 1 and failed.stdout == "" and "hint: " in failed.stderr
    assert "installing" in run(folder, FAILS="1", **names).stderr, "what failed was taken for done"
    os.utime(project, (later_s - 10, later_s - 10))
    assert run(folder, FAILS="1", **names).returncode == 0


def test_what_was_installed_by_hand_is_taken(folder):
    program(folder / ".venv" / "bin" / "lamppost", ECHO)
    assert run(folder, PYTHON="/bin/false").stdout == "<flash>\n"


def test_an_old_python_is_told(folder, tmp_path):
    done = run(folder, PYTHON=str(program(tmp_path / "python", "#!/bin/sh\nexit 1\n")))
    assert done.returncode == 1 and "needs Python 3.11" in done.stderr
    assert not (folder / ".venv").exists()
