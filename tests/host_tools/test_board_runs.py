# SPDX-License-Identifier: MIT
"""host_tools/commands/board_runs: one board does not end what is done with the others."""

import threading

import pytest

from host_tools.commands.board_runs import each, run_all


class Run:
    """Fails with `error`, or is done as soon as another run has failed."""

    def __init__(self, port: str, error: BaseException | None, failed: threading.Event):
        self.port, self.said, self.stopped = port, "", False
        self.result = {"port": port, "state": "written"}
        self._error, self._failed = error, failed

    def stop(self):
        self.stopped = True
        self._failed.set()

    def run(self) -> dict:
        if self._error:
            self._failed.set()
            raise self._error
        assert self._failed.wait(10)
        self.result["state"] = "done"
        return self.result


class Log:
    def __init__(self):
        self.entries = []

    def add(self, **fields):
        self.entries.append(fields)


@pytest.mark.parametrize(("error", "words"), [
    (RecursionError("deep"), "RecursionError"), (MemoryError(), "MemoryError"),
    (OSError(28, "No space left on device"), "No space left on device"),
])  # fmt: skip
def test_what_nobody_foresaw_fails_one_board(error, words):
    failed, log = threading.Event(), Log()
    runs = [Run("a", error, failed), Run("b", None, failed)]
    first, second = run_all(runs, log)
    assert first["state"] == "failed" and first["error"].startswith("a: ") and first["hint"]
    assert words in first["error"]
    assert second == {"port": "b", "state": "done"} and not runs[1].stopped
    assert [entry["result"] for entry in log.entries] == ["failed", "done"]
    assert words in log.entries[0]["error"]


def test_an_interrupt_stops_all():
    failed = threading.Event()
    runs = [Run("a", KeyboardInterrupt(), failed), Run("b", None, failed)]
    with pytest.raises(KeyboardInterrupt):
        each(runs, Run.run)
    assert all(run.stopped for run in runs)
