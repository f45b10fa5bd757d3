# SPDX-License-Identifier: MIT
"""Several boards at once, each on its own: one that fails does not stop the others."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import rich_click as click

from host_tools.errors import ToolError


def _once(context, parameter, ports: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(ports)) != len(ports):
        raise click.UsageError("a port is named twice")
    return ports


ports_option = click.option(
    "--port", "ports", multiple=True, metavar="PORT", callback=_once,
    help="Where the board is. Again for more. Default: the only one.",
)  # fmt: skip


def check_chip(image, name: str, board: dict):
    """ToolError when the image (of the file `name`) is for another chip than the board's."""
    if image.chip != board["chip"]:
        message = f"{name} is for {image.chip}, and {board['board']} has {board['chip']}"
        raise ToolError(message, "download the image for that chip from micropython.org/download")


def each(runs: list, do: Callable) -> list[dict]:
    """What do(run) gives for each; when it is interrupted all are stopped. What nobody foresaw
    fails one board: what a board says is not ours."""
    with ThreadPoolExecutor(len(runs)) as pool:
        futures = [pool.submit(_alone, do, run) for run in runs]
        try:
            return [future.result() for future in futures]
        except BaseException:
            for run in runs:
                run.stop()
            raise


def _alone(do: Callable, run) -> dict:
    try:
        return do(run)
    except Exception as err:
        words = getattr(err, "strerror", None) or f"nobody foresaw this: {type(err).__name__}"
        hint = "run the command again for this board; when it stays so, put the board aside"
        run.result.update(state="failed", error=f"{run.port}: {words}", hint=hint)
        return run.result


def run_all(runs: list, log) -> list[dict]:
    """run() of each; the log gets an entry of each, however it ends."""
    try:
        return each(runs, lambda run: run.run())
    finally:
        for run in runs:
            told = {key: run.result.get(key) for key in ("port", "chip", "mac", "stage")}
            error = run.result.get("error", "")
            log.add(**told, result=run.result["state"], error=error, esptool=run.said)
