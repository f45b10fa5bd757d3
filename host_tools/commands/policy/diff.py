# SPDX-License-Identifier: MIT
"""`lamppost policy diff`: what a new version lets out that the old did not, and what less."""

import dataclasses
from pathlib import Path

import rich_click as click

from host_tools import console
from host_tools.commands.policy.signature import key_option, remark
from host_tools.errors import ToolError

_HEADS = {
    "more": ("lets out more", "bold yellow"),
    "less": ("lets out less", "bold green"),
    "other": ("other changes", "bold"),
}


@click.command()
@click.argument("old_path", metavar="OLD", type=click.Path(path_type=Path))
@click.argument("new_path", metavar="NEW", type=click.Path(path_type=Path))
@key_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def diff(old_path, new_path, key, as_json):
    """Say what a new version lets out that the old did not, and what less.

    More is: a new stream or statistic, a shorter window, a finer step, a wider range, a lower k,
    less noise, a finer place, a longer time, more recipients, another purpose. --key is for each
    of the two that is published: a draft has no signature.

    \b
    lamppost policy diff air.policy boards/kits/air/policy.toml \\
        --key policy.key
    """
    from host_tools.policy.differences import differences
    from host_tools.policy.load import is_published, load

    old_key, new_key = (key if is_published(path) else None for path in (old_path, new_path))
    if key is not None and old_key is new_key is None:
        raise ToolError(f"neither {old_path} nor {new_path} is signed", "leave --key out")
    old, new = load(old_path, ended=True, key=old_key), load(new_path, key=new_key)
    found = differences(old, new)
    remark(key, old_path, new_path)
    by_kind = {kind: [one for one in found if one.kind == kind] for kind in _HEADS}
    if as_json:
        told = {
            kind: [
                {k: v for k, v in dataclasses.asdict(one).items() if k != "kind"} for one in some
            ]
            for kind, some in by_kind.items()
        }
        console.result_json({
            "old": str(old_path), "new": str(new_path),
            "signature_checked": {"old": old_key is not None, "new": new_key is not None}, **told,
        })  # fmt: skip
        return
    if not found:
        console.result("no difference")
    for kind, some in by_kind.items():
        _show(*_HEADS[kind], some)


def _show(head: str, style: str, some: list):
    from rich.text import Text

    from host_tools.policy.figures import streams

    if some:
        console.result(Text(head, style))
    by_text = {}  # what holds of several streams is said once
    for one in some:
        by_text.setdefault(one.text, []).append(one.stream)
    for text, numbers in by_text.items():
        place = "" if numbers == [None] else f"{streams(numbers)}: "
        console.result(Text(f"  {place}{text}"))
