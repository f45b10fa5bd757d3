# SPDX-License-Identifier: MIT
"""`lamppost policy attack`: what an observer learns, without a policy and with it."""

import os
from pathlib import Path

import rich_click as click

from host_tools import console
from host_tools.errors import ToolError


@click.command()
@click.argument("path", metavar="[FILE]", required=False, type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path), metavar="DIR",
              help="Recordings, for energy. Default: LAMPPOST_RECORDINGS.")  # fmt: skip
@click.option("--only", metavar="A,B", help="Some attacks: network, energy, epsilon, averaging, "
              "night.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR",
              help="Draw pictures into this folder.")  # fmt: skip
@click.option("--seed", type=int, default=1, show_default=True, help="Of all that is by chance.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def attack(path, data, only, out, seed, as_json):
    """Attack what a policy lets out, on the firmware's own code. Without FILE: the kits' policies.

    Exit code 1 when an observer learns more than a policy may tell.
    """
    from host_tools.attacks.extra import check_extra
    from host_tools.attacks.firmware_stages import load_firmware

    check_extra()
    load_firmware()
    from host_tools.attacks.run import ATTACKS, Sizes, built_in, run
    from host_tools.policy.load import load

    names = tuple(only.split(",")) if only else tuple(ATTACKS)
    for name in names:
        if name not in ATTACKS:
            raise click.UsageError(f"there is no attack {name!r}; there are {', '.join(ATTACKS)}")
    data = data or _recordings()
    policies = built_in() if path is None else {path.stem: load(path)[0]}
    if data is None and "energy" in names:
        console.note("no recordings: energy is left out (--data DIR)")
    results = run(policies, names, Sizes(), seed, data, console.note)
    if not results:
        raise ToolError("no attack fits the policy", "see host_tools/attacks/README.md")
    pictures = _draw(results, out)
    if as_json:
        rows = [result.as_object() for result in results]
        console.result_json({"results": rows, "pictures": pictures})
    else:
        console.result(_table(results))
        for picture in pictures:
            console.note(picture)
    missed = sum(not result.met for result in results)
    if missed:
        raise ToolError(f"{missed} of {len(results)} attacks learn more than they may",
                        "change the policy: windows, k, noise")  # fmt: skip


def _recordings() -> Path | None:
    folder = os.environ.get("LAMPPOST_RECORDINGS")
    return Path(folder) if folder else None


def _draw(results: list, out: Path | None) -> list[str]:
    from host_tools.attacks.plots import draw_all

    return [] if out is None else [str(path) for path in draw_all(results, out)]


def _table(results: list):
    from rich.table import Table

    table = Table("attack", "policy", "question", "measure", "without", "with", "95 %", "chance",
                  "wanted", "")  # fmt: skip
    for one in results:
        without = "∞" if one.without is None else f"{one.without:.3f}"
        low, high = one.interval
        table.add_row(
            one.attack, one.policy, one.question, one.measure, without, f"{one.with_policy:.3f}",
            f"{low:.3f} to {high:.3f}", f"{one.chance:.3f}", one.wanted,
            ("reached" if one.met else "missed") if one.wanted else "",
        )  # fmt: skip
    return table
