# SPDX-License-Identifier: MIT
import os
import random
from pathlib import Path
from types import SimpleNamespace

import pytest

from host_tools.attacks import street
from host_tools.attacks.built_in import built_in
from host_tools.attacks.recording import read_household
from tests.privacy.masked_street import Street, kit_policy

ROOT = Path(__file__).parents[2]
RECORDINGS = Path(os.environ.get("LAMPPOST_RECORDINGS", ROOT.parent / "shared" / "data"))
DWELLINGS = 16


@pytest.fixture(scope="session")
def policies():
    """{name: Policy} of all kits."""
    return built_in()


@pytest.fixture(scope="session")
def recordings():
    """The folder with the recorded household."""
    if not (RECORDINGS / "energy_minutely.csv").exists():
        pytest.skip("no recordings: set LAMPPOST_RECORDINGS to their folder")
    return RECORDINGS


@pytest.fixture(scope="session")
def recorded(recordings, tmp_path_factory):
    """16 dwellings of the recorded household. noisy, exact: the kit's policy, and that without
    noise; of each a store that took everything, under its policy: noisy_store, exact_store."""
    folder = tmp_path_factory.mktemp("street")
    noisy, exact = kit_policy(folder), kit_policy(folder, noise="")
    houses = street.dwellings(read_household(recordings), DWELLINGS, random.Random(1))
    home = Street(noisy.policy(), houses, 1)
    return SimpleNamespace(
        street=home, noisy=noisy, exact=exact,
        noisy_store=home.store(folder / "noisy.sqlite", noisy),
        exact_store=home.store(folder / "exact.sqlite", exact),
    )  # fmt: skip
