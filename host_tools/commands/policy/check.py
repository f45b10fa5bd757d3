# SPDX-License-Identifier: MIT
"""`lamppost policy check`: what a policy lets out, and what guidance says to that."""

from pathlib import Path

import rich_click as click

from host_tools import console
from host_tools.commands.policy.signature import key_option, remark
from host_tools.errors import ToolError


@click.command()
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--kit", metavar="KIT", help="Also check it against this kit: name, or kit.json.")
@key_option
@click.option("--strict", is_flag=True, help="Warnings fail, too.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def check(path, kit, key, strict, as_json):
    """Say what a policy lets out, in sentences and numbers, and what guidance says to that.

    Exit code 1 when it is refused, or with --strict when there is a warning.

    \b
    lamppost policy check boards/kits/air/policy.toml --kit air --strict
    """
    from host_tools.policy.check import check as check_policy
    from host_tools.policy.figures import count
    from host_tools.policy.load import load, optional_kit

    found = optional_kit(kit)
    report = check_policy(*load(path, found, key=key), found)
    remark(key, path)
    if as_json:
        console.result_json(
            {
                "file": str(path),
                "signature_checked": key is not None,
                **report.as_object(),
            }
        )
    else:
        _show(path, report)
    if strict and report.warnings:
        message = f"{path}: {count(len(report.warnings), 'warning')}"
        raise ToolError(message, "mend what it says, or leave out --strict")


def _show(path: Path, report):
    from rich.text import Text

    from host_tools.policy.figures import streams

    console.note(str(path))
    console.result(Text(f"{report.id}, version {report.version}", "bold"))
    for sentence in report.sentences():
        console.result(Text(sentence))
    for stream in report.streams:
        console.result(Text(f"\n{stream.number} {stream.quantity}", "bold"))
        console.result(Text(" ".join(stream.sentences)))
    by_text = {}  # what holds of several streams is said once
    for warning in report.warnings:
        key = (warning.what, warning.why, warning.mend)
        by_text.setdefault(key, []).append(warning.stream)
    for (what, why, mend), numbers in by_text.items():
        place = "" if numbers == [None] else f"{streams(numbers)}: "
        console.result(Text(f"\nwarning: {place}{what}", "bold yellow"))
        console.result(Text(f"  why: {why}\n  mend: {mend}"))
