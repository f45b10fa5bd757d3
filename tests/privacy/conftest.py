# SPDX-License-Identifier: MIT
import os
from pathlib import Path

import pytest

from host_tools.attacks.built_in import built_in

ROOT = Path(__file__).parents[2]
RECORDINGS = Path(os.environ.get("LAMPPOST_RECORDINGS", ROOT.parent / "shared" / "data"))


@pytest.fixture(scope="session")
def policies():
    """{name: Policy} of all kits."""
    return built_in()


@pytest.fixture
def recordings():
    """The folder with the recorded household."""
    if not (RECORDINGS / "energy_minutely.csv").exists():
        pytest.skip("no recordings: set LAMPPOST_RECORDINGS to their folder")
    return RECORDINGS
