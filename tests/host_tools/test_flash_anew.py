# SPDX-License-Identifier: MIT
"""`lamppost flash --anew` asks before a node ends; what then becomes of the board is in
tests/simulated_node/test_flash_board.py."""

import pytest

from host_tools import console
from host_tools.flashing import flash_board
from tests.esp_image_builder import micropython
from tests.host_tools.city_place import lamppost
from tests.host_tools.prepared_fixture import prepare


@pytest.fixture
def plans(tmp_path, monkeypatch):
    """Gives a function of more words, that gives (exit code, what boards would be run with)."""
    (tmp_path / "mp.bin").write_bytes(micropython())
    prepare(tmp_path / "nodes", "air")
    monkeypatch.setenv("LAMPPOST_WIFI_SSID", "city")
    monkeypatch.setenv("LAMPPOST_WIFI_PASSWORD", "correct horse 7")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    made = []

    class Board:
        said, port = "", "p"

        def __init__(self, port, plan, show):
            made.append(plan)

        def run(self):
            return self.result

        result = {"port": "p", "state": "written"}  # noqa: RUF012

    monkeypatch.setattr(flash_board, "FlashBoard", Board)

    def run(*more):
        made.clear()
        words = "flash", "--board", "esp32-devkitc", "--nodes", tmp_path / "nodes", "--port", "p"
        code, _, err = lamppost(*words, "--firmware", tmp_path / "mp.bin", *more)
        assert code == 0 or not made, err
        return code, [plan.ends for plan in made]

    return run


def test_a_person_is_asked_and_else_it_wants_yes(plans, monkeypatch):
    asked, answers = [], [False, True]
    assert plans("--anew") == (0, [False])  # off a terminal: a node is refused
    assert plans("--anew", "--yes") == (0, [True])
    monkeypatch.setattr(console, "can_ask", lambda: True)
    monkeypatch.setattr(console, "ask_yes", lambda text: asked.append(text) or answers.pop(0))
    assert plans("--anew") == (1, [])
    assert plans("--anew") == (0, [True])
    assert len(asked) == 2 and "go for good" in asked[0]
    assert plans()[0] == 0 and plans("--anew", "--yes")[0] == 0 and len(asked) == 2
