# SPDX-License-Identifier: MIT
"""A demo whose policy masks something: its sums open with the controller in its folder."""

import json
import re
import subprocess
import sys

import pytest

START = "2026-06-01T05:00:00Z"
SPAN = ("--from", "2026-06-01T05:30Z", "--to", "2026-06-01T06:30Z")
NODES = 15  # k of the kit's policy


def lamppost(*words):
    line = [sys.executable, "-m", "host_tools.cli", *map(str, words)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=280)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "city"
    code, _, err = lamppost("demo", "--headless", "--start", START, "--for", "90m", "--kit",
                            "energy-p1", "--nodes", NODES, "--dir", folder)  # fmt: skip
    assert code == 0, err
    assert f"lamppost controller serve {folder}" in err
    (folder / "said").write_text(err)
    return folder


@pytest.fixture
def opened(city, tmp_path):
    """Function of nodes: the opened sum by way of files, or what was refused."""
    factors = ("--key-file", city / "controller.key",
               "--passphrase-file", city / "controller.passphrase")  # fmt: skip
    request, token = tmp_path / "a.request", tmp_path / "a.token"

    def opened(*nodes):
        some = ("--nodes", ",".join(nodes)) if nodes else ()
        asked = ("--store", city / "store.sqlite", "--quantity", "energy_mwh", *SPAN)
        code, _, err = lamppost("sum", *asked, *some, "--request", request)
        if code:
            return code, err
        line = ("controller", "token", city / "controller", request, "-o", token)
        code, _, err = lamppost(*line, "--by", "office", *factors)
        if code:
            return code, err
        key = city / "controller" / "controller.public"
        code, out, err = lamppost("sum", "--store", city / "store.sqlite", "--request", request,
                                  "--token", token, "--controller-key", key, "--json")  # fmt: skip
        return code, json.loads(out) if code == 0 else err

    return opened


def test_the_sum_of_all_and_of_no_fewer(city, opened):
    nodes = [node["node"] for node in json.loads((city / "city.json").read_text())["nodes"]]
    code, told = opened()
    assert code == 0, told
    assert told["population"] == NODES
    figures = {one["statistic"]: one["value"] for one in told["sums"][0]["figures"]}
    assert figures["count"] > 0 and figures["sum"] > 0
    code, err = opened(*nodes[:-1])
    assert code == 1 and "15" in err


def test_what_the_demo_says_to_type_names_a_time_that_all_nodes_cover(city, tmp_path):
    said = re.search(r"lamppost sum (--store .*) --controller https", (city / "said").read_text())
    code, out, err = lamppost("sum", *said[1].split(), "--request", tmp_path / "r", "--json")
    assert code == 0, err
    told = json.loads(out)
    assert (told["population"], told["left_out"]) == (NODES, [])
    assert told["ranges"][0][1] == "2026-06-01T06:30:00Z"


def test_both_factors_lie_beside_it_and_are_needed(city):
    for missing in ("--key-file", "--passphrase-file"):
        factors = {"--key-file": city / "controller.key",
                   "--passphrase-file": city / "controller.passphrase"}  # fmt: skip
        factors[missing] = city / "city.json"
        line = [part for pair in factors.items() for part in pair]
        assert lamppost("controller", "status", city / "controller", *line)[0] == 1
