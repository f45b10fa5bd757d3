# SPDX-License-Identifier: MIT
"""A simulated board of its own for each test of a module that imports a_bench."""

import pytest

from simulator.hal.bench import bench
from simulator.hal.on_cpython import vfs
from tests.soak.data_run import reset_bench


@pytest.fixture(autouse=True)
def a_bench():
    before = dict(vars(bench))
    reset_bench()
    yield
    vars(bench).clear()
    vars(bench).update(before)
    vfs.mounted.clear()
