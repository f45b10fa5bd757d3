# SPDX-License-Identifier: MIT
"""tests/portable once more, on MicroPython: the same files, plain unittest."""

import os
import subprocess
from pathlib import Path

import pytest

from host_tools.errors import ToolError
from host_tools.micropython_path import micropython_path
from host_tools.umqtt_source import umqtt_path, unittest_path

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "tests" / "portable").glob("test_*.py"))
HEAP = "1M"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_on_micropython(path):
    try:
        micropython = micropython_path()
    except ToolError as err:
        pytest.skip(f"{err}: {err.hint}")
    folders = (
        ROOT / "simulator" / "hal" / "on_micropython",
        ROOT / "simulator" / "hal",
        ROOT / "firmware",
        ROOT,
        umqtt_path(),
        unittest_path(),
        path.parent,
    )
    done = subprocess.run(
        [micropython, "-X", f"heapsize={HEAP}", "-c",
         f"import unittest; unittest.main('{path.stem}')"],
        env={**os.environ, "MICROPYPATH": ":".join(map(str, folders))},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\nOK" in done.stdout, done.stdout
    assert "Ran 0 tests" not in done.stdout
