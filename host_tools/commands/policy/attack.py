# SPDX-License-Identifier: MIT
"""`lamppost policy attack`: what an observer learns, without a policy and with it."""

import os
import tempfile
from pathlib import Path

import rich_click as click

from host_tools import console
from host_tools.errors import ToolError

_NAME_WIDTH = 17  # of a policy; longer ones are cut


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

    \b
    lamppost policy attack boards/kits/traffic/policy.toml \\
        --only network,averaging
    """
    from host_tools.attacks.extra import check_extra
    from host_tools.attacks.firmware_stages import load_firmware

    names = _names(only)
    load_firmware()
    policies = _policies(path)
    data = data or _recordings()
    not_run = _check_data(names, policies, data)
    check_extra()
    if out is not None:
        _check_out(out)
    from host_tools.attacks.run import Sizes, run

    results = run(policies, names, Sizes(), seed, data, console.note)
    if not results and not not_run:
        raise ToolError("no attack fits the policy", "see host_tools/attacks/README.md")
    pictures = _draw(results, out)
    if as_json:
        rows = [result.as_object() for result in results]
        left_out = [{"attack": "energy", "policy": name} for name in not_run]
        console.result_json({"results": rows, "not_run": left_out, "pictures": pictures})
    else:
        _show(results, not_run)
        for picture in pictures:
            console.note(picture)
    if not results:
        raise ToolError("nothing was run: energy needs recordings", "name them with --data DIR")
    missed = sum(not result.met for result in results)
    if missed:
        raise ToolError(f"{missed} of {len(results)} attacks learn more than they may",
                        "change the policy: windows, k, noise")  # fmt: skip


def _names(only: str | None) -> tuple[str, ...]:
    from host_tools.attacks.questions import ATTACKS

    if only is None:
        return tuple(ATTACKS)
    names = dict.fromkeys(name.strip() for name in only.split(","))
    for name in names:
        if name not in ATTACKS:
            raise click.UsageError(f"there is no attack {name!r}; there are {', '.join(ATTACKS)}")
    return tuple(names)


def _policies(path: Path | None) -> dict:
    """{name: Policy} of this file, or of all kits."""
    from host_tools.policy.load import load

    if path is not None:
        return {path.stem: load(path)[0]}
    from host_tools.attacks.built_in import built_in

    return built_in()


def _recordings() -> Path | None:
    folder = os.environ.get("LAMPPOST_RECORDINGS")
    return Path(folder) if folder else None


def _check_data(names: tuple, policies: dict, data: Path | None) -> list[str]:
    """The policies of which energy cannot be attacked, since no recordings are there. ToolError
    when they are there and cannot be read."""
    from host_tools.attacks.questions import has_energy
    from host_tools.attacks.recording import read_household

    wanted = [name for name, policy in policies.items() if has_energy(policy)]
    if "energy" not in names or not wanted:
        return []
    if data is None:
        console.note("no recordings: energy is not run (--data DIR)")
        return wanted
    read_household(data)
    return []


def _check_out(folder: Path):
    """Makes the folder, before the attacks take their time."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as err:
        raise ToolError(f"{folder}: {err.strerror}", "take a folder that can be written") from err


def _draw(results: list, out: Path | None) -> list[str]:
    if out is None:
        return []
    from host_tools.attacks.plots import draw_all

    try:
        return [str(path) for path in draw_all(results, out)]
    except OSError as err:
        raise ToolError(f"{out}: {err.strerror}", "take a folder that can be written") from err


def _show(results: list, not_run: list[str]):
    """Two lines each, within 80 columns: the numbers, and below what was asked."""
    policies = [result.policy for result in results] + not_run
    width = min(_NAME_WIDTH, max(len("policy"), *map(len, policies)))

    def line(attack: str, policy: str, *rest: str) -> str:
        if len(policy) > width:
            policy = policy[: width - 1] + "…"
        *numbers, last = rest
        return f"{attack:9}  {policy:{width}}  {'  '.join(f'{n:>7}' for n in numbers)}  {last}"

    _line(line("attack", "policy", "without", "with", "chance", ""), "dim")
    for one in results:
        without = "∞" if one.without is None else f"{one.without:.3f}"
        numbers = (without, f"{one.with_policy:.3f}", f"{one.chance:.3f}")
        style = "" if one.met else "bold yellow"
        _line(line(one.attack, one.policy, *numbers, one.verdict), style)
        low, high = one.interval
        wanted = f"; wanted: {one.wanted}" if one.wanted else ""
        _below(f"{one.question}; {one.measure}: {low:.3f} to {high:.3f} (95 %){wanted}")
    for name in not_run:
        _line(line("energy", name, "–", "–", "–", "not run"), "")
        _below("which appliances run; it needs recordings: --data DIR")


def _line(text: str, style: str):
    from rich.text import Text

    console.result(Text(text.rstrip(), style, no_wrap=True))


def _below(text: str):
    import textwrap

    from rich.text import Text

    for part in textwrap.wrap(text, 76):
        console.result(Text("  " + part, "dim", no_wrap=True))
