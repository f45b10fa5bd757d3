# SPDX-License-Identifier: MIT
"""`lamppost read`: what a collector has stored."""

from pathlib import Path

import rich_click as click

from host_tools import console
from host_tools.errors import ToolError

_BARS = "▁▂▃▄▅▆▇█"
_WIDTH = 24
_GAP = "·"
_FIELDS = ("node", "stream", "quantity", "statistic", "unit", "slot_start", "window_s", "value")


@click.command()
@click.option("--store", "path", type=click.Path(path_type=Path), metavar="PATH",
              help="The store. Default: the one written last.")  # fmt: skip
@click.option("--node", "nodes", multiple=True, metavar="ID",
              help="Only this node. May be given again.")  # fmt: skip
@click.option("--quantity", "quantities", multiple=True, metavar="NAME",
              help="Only this quantity, such as co2_ppm. May be given again.")  # fmt: skip
@click.option("--since", metavar="TIME",
              help="ISO time (UTC), or 30m, 2h, 1d before the newest entry.")  # fmt: skip
@click.option("--refused", is_flag=True, help="What was refused, and why.")
@click.option("--events", is_flag=True, help="New outboxes, losses and the like.")
@click.option("--retention", is_flag=True,
              help="What is held, for how long, why, and what goes when.")  # fmt: skip
@click.option("--csv", "form", flag_value="csv", help="CSV, one value per line.")
@click.option("--json", "form", flag_value="json", help="One JSON object.")
def read(path, nodes, quantities, since, refused, events, retention, form):
    """Show what a collector has stored.

    A value stands for the window that begins at its time (UTC). An empty one was withheld, or
    could not be measured.

    \b
    lamppost read
    lamppost read --store city.sqlite --node 0a1b2c3d4e --quantity co2_ppm \\
        --since 2h
    lamppost read --csv > values.csv
    """
    from host_tools.collector.read_store import StoreReader
    from host_tools.state_folder import store_written_last

    what = _what(refused=refused, events=events, retention=retention)
    path = path or store_written_last()
    with StoreReader(path) as store:
        _check(path, nodes, store.node_ids(), "node")
        if what in _NOTED:
            rows = _noted(store, what, nodes, since)
            _show_noted(path, what, rows, form)
            return
        _check(path, quantities, store.quantities(), "quantity")
        if what == "retention":
            if since is not None:
                raise ToolError("--retention takes no --since", "leave --since out", 2)
            _show_holdings(path, store.holdings(nodes, quantities), form)
            return
        newest_s = store.newest_s()
        series = store.series(nodes, quantities, _since(since, newest_s))
        accounts, masked = store.accounts(nodes), store.masked(nodes, quantities)
        if newest_s is None and not accounts:
            raise ToolError(f"{path}: the store is empty", "let a node send, or run a demo")
    if form == "json":
        console.result_json(_as_object(path, series, accounts, masked))
    elif form == "csv":
        console.result_csv([_FIELDS, *_rows(series)])
    else:
        _show(path, series, accounts, masked)


def _what(**flags: bool) -> str | None:
    """Which of them is given; UsageError for two, since each is an answer of its own."""
    given = [name for name, is_given in flags.items() if is_given]
    if given[1:]:
        raise click.UsageError(f"--{given[0]} and --{given[1]} do not go together: ask one by one")
    return given[0] if given else None


def _check(path: Path, chosen: tuple, known: list, noun: str):
    for name in chosen:
        if name not in known:
            hint = "there are " + ", ".join(known) if known else "the store is empty"
            raise ToolError(f"{path}: there is no {noun} {name!r}", hint)


def _since(text: str | None, newest_s: int | None) -> int | None:
    from host_tools.times import parse_since

    return None if text is None else parse_since(text, newest_s or 0, "--since")


def _rows(series: list):
    """One row per value, as _FIELDS says."""
    from host_tools.times import iso

    for one in series:
        for slot_start_s, value in one.points:
            yield (one.node_id, one.stream, one.quantity, one.statistic, one.unit,
                   iso(slot_start_s), one.window_s, one.shown(value))  # fmt: skip


def _as_object(path: Path, series: list, accounts: list, masked: list) -> dict:
    from host_tools.times import iso

    values = []
    for row in _rows(series):
        value = dict(zip(_FIELDS, row, strict=True))
        text = value["value"]
        value["value"] = None if text == "" else float(text) if "." in text else int(text)
        values.append(value)
    nodes = [
        {
            "node": account.node_id, "opened": account.opened, "duplicates": account.duplicates,
            "refused": account.refused, "kept_sealed": account.kept,
            "lost": account.lost_count(), "lost_numbers": account.lost,
            "heard": None if account.heard_s is None else iso(account.heard_s),
        }
        for account in accounts
    ]  # fmt: skip
    hidden = [
        {"node": one.node_id, "stream": one.stream, "quantity": one.quantity,
         "policy": one.policy, "version": one.version, "values": one.values}
        for one in masked
    ]  # fmt: skip
    return {"store": str(path), "nodes": nodes, "values": values, "masked": hidden}


def _show(path: Path, series: list, accounts: list, masked: list):
    from rich.text import Text

    console.note(str(path))
    for account in accounts:
        console.result(Text(_headline(account), "bold" if not account.lost else "bold yellow"))
        mine = [one for one in series if one.node_id == account.node_id]
        hidden = [one for one in masked if one.node_id == account.node_id]
        if mine:
            console.result(_table(mine))
        for one in hidden:
            console.result(f"  {one.quantity}: {one.values} masked values; see `lamppost sum`")
        if not mine and not hidden:
            console.result("  nothing to show\n")


def _headline(account) -> str:
    from host_tools.times import short

    parts = [account.node_id, f"{account.opened} envelopes"]
    if account.heard_s is not None:
        parts.append(f"last {short(account.heard_s)} UTC")
    for number, word in ((account.lost_count(), "lost"), (account.refused, "refused"),
                         (account.kept, "kept sealed")):  # fmt: skip
        if number:
            parts.append(f"{number} {word}")
    return "  ".join(parts)


def _table(series: list):
    from rich.table import Table

    from host_tools.times import short

    table = Table(box=None, pad_edge=True, header_style="dim")
    for name, justify in (("quantity", "left"), ("", "left"), ("last", "right"), ("unit", "left"),
                          ("window began", "left"), ("course", "left")):  # fmt: skip
        table.add_column(name, justify=justify, no_wrap=True)
    before = None
    for one in series:
        slot_start_s, value = one.points[-1]
        name = "" if one.stream == before else one.quantity
        before = one.stream
        values = [point for _, point in one.points]
        table.add_row(
            name, one.statistic, one.shown(value) or _GAP, one.unit, short(slot_start_s),
            sparkline(values, one.resolution),
        )  # fmt: skip
    return table


def sparkline(values: list, resolution: int = 1) -> str:
    """The last values as bars between their lowest and highest; · where there is none.

    A bar is at least one step of the resolution, so that a flicker does not look like a storm.
    """
    values = values[-_WIDTH:]
    there = [value for value in values if value is not None]
    if not there:
        return _GAP * len(values)
    top = len(_BARS) - 1
    low = min(there)
    span = max(max(there) - low, top * resolution)
    return "".join(
        _GAP if value is None else _BARS[(value - low) * top // span] for value in values
    )


_NOTED = {
    "refused": ("time", "node", "topic", "reason", "size"),
    "events": ("time", "node", "kind", "detail", "meaning"),
}


def _noted(store, what: str, nodes: tuple, since: str | None) -> list:
    table = "refused" if what == "refused" else "event"
    rows = getattr(store, what)(nodes, _since(since, store.newest_s(table)))
    from host_tools.collector.events import words
    from host_tools.times import iso

    if what == "refused":
        return [(iso(time_s), *rest) for time_s, *rest in rows]
    return [
        (iso(time_s), node_id, kind, detail, words(kind, detail)[1])
        for time_s, node_id, kind, detail in rows
    ]


def _show_noted(path: Path, what: str, rows: list, form: str | None):
    head = _NOTED[what]
    if form == "json":
        console.result_json(
            {"store": str(path), what: [dict(zip(head, row, strict=True)) for row in rows]}
        )
    elif form == "csv":
        console.result_csv([head, *rows])
    else:
        console.note(str(path))
        if not rows:
            console.note("nothing refused" if what == "refused" else "no events")
            return
        console.result(_noted_table(what, head, rows))


def _noted_table(what: str, head: tuple, rows: list):
    """One row per entry; below the first event of a kind, what it means."""
    from rich.table import Table

    from host_tools.collector.events import words

    if what == "refused":
        table = Table(*head, box=None, pad_edge=False, header_style="dim")
        for row in rows:
            table.add_row(*map(str, row))
        return table
    table = Table("time", "node", "what happened", box=None, pad_edge=False, header_style="dim")
    explained = set()
    for time, node_id, kind, detail, meaning in rows:
        text = f"{kind}: {words(kind, detail)[0]}"
        if kind not in explained and meaning:
            text += "\n" + meaning
        explained.add(kind)
        table.add_row(time, node_id or "all", text)
    return table


_HELD = ("node", "stream", "quantity", "policy", "version", "values", "oldest", "retention_days",
         "goes", "purpose", "legal_basis")  # fmt: skip


def _show_holdings(path: Path, holdings: list, form: str | None):
    from host_tools.collector.holdings import holdings_table, why_held
    from host_tools.times import iso

    rows = [
        (one.node_id, one.stream, one.quantity, one.policy, one.version, one.values,
         iso(one.oldest_s), one.retention_days, iso(one.goes_s), one.purpose, one.legal_basis)
        for one in holdings
    ]  # fmt: skip
    if form == "json":
        held = [dict(zip(_HELD, row, strict=True)) for row in rows]
        console.result_json({"store": str(path), "retention": held})
    elif form == "csv":
        console.result_csv([_HELD, *rows])
    else:
        console.note(str(path))
        if not rows:
            console.note("no values are held")
            return
        console.result(holdings_table(holdings))
        console.result(why_held(holdings))
