# SPDX-License-Identifier: MIT
"""`lamppost controller log`: what was asked for, and what came of it."""

from pathlib import Path

import rich_click as click

from host_tools import console
from host_tools.commands.controller.folder_argument import folder_argument
from host_tools.commands.vault.factor_options import json_option
from host_tools.errors import ToolError


@click.command()
@folder_argument
@click.option("--verify", is_flag=True, help="Only say whether it holds together; 1 if not.")
@click.option("--html", "page", type=click.Path(path_type=Path), metavar="FILE",
              help="Write a page for the public.")  # fmt: skip
@json_option
def log(folder, verify, page, as_json):
    """Show what was asked for, and what came of it. No factor is needed: nothing in it is secret.

    Exit code 1 when an entry does not follow from those before it. That the newest ones are all
    there shows the next unlocking, which knows the last hash of its own.

    \b
    lamppost controller log office --verify
    lamppost controller log office --html log.html
    """
    from host_tools.controller import ledger, log_report
    from host_tools.public_file import check_target, write_public

    report = log_report.read(ledger.Ledger(folder / ledger.FILE))
    if page is not None:
        check_target(page, ".html", {})
        write_public(page, report.page(_name(folder)))
        console.note(f"{page}: the page for the public")
    if as_json:
        told = report.as_object()
        console.result_json({k: v for k, v in told.items() if not (verify and k == "entries")})
    elif verify:
        console.result(f"entries: {len(report.entries):,}, newest hash: {report.head.hex()}")
    elif page is None:
        _show(report)
    if report.wrong:
        raise ToolError(f"{folder / ledger.FILE}: {report.wrong}", "bring back its newest copy")


def _name(folder: Path) -> str:
    from host_tools.controller.folder import PUBLIC
    from host_tools.provisioning.controller_key import read_key

    return read_key(folder / PUBLIC).name


def _show(report):
    from rich.table import Table

    table = Table("", "when (UTC)", "who", "what", "outcome", box=None, header_style="dim")
    for entry in report.entries:
        who = entry.detail.get("by", "–")
        table.add_row(str(entry.number), entry.time, who, entry.what(), entry.outcome())
    console.result(table)
