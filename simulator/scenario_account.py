# SPDX-License-Identifier: MIT
"""What a scenario did to its nodes: the account as `lamppost sim --json` prints it, and as a
person reads it."""

import collections

from rich.table import Table
from rich.text import Text

from simulator.durations import shown
from simulator.expectations import COUNTS, USUAL, broken

_DETAILS = ("unstated", "kept_sealed", "unsealed", "disordered", "memory_errors", "formats",
            "safe_starts", "new_policies", "old_seals", "sensor_faults", "data_cuts",
            "nvs_cuts")  # fmt: skip
_FIRST_EVENT = "new outbox"  # of each node, once


def make_account(run) -> dict:
    """run: a ScenarioRun that was played."""
    scenario, city = run.scenario, run.city
    nodes = [_node(run, node) for node in city.nodes[: city.count]]
    events = collections.Counter()
    for node in nodes:
        events.update(node["events"])
    account = {
        "scenario": scenario.name,
        "title": scenario.title,
        "seed": scenario.seed,
        "interpreter": scenario.interpreter,
        "broker": scenario.broker,
        "simulated_s": city.conductor.now_ms // 1000,
        "wall_s": round(run.wall_s, 3),
        **{name: sum(node[name] for node in nodes) for name in COUNTS},
        "events": dict(events),
        "refused_because": _sum(node["refused_because"] for node in nodes),
        "nodes": nodes,
        "faults": _faults(run),
        "recoveries": run.recoveries.rows,
        "trouble": run.trouble,
        "store": str(city.store_path),
    }
    account["broken"] = [list(pair) for pair in broken(scenario.expect, account)]
    return account


def _sum(counters) -> dict:
    total = collections.Counter()
    for counter in counters:
        total.update(counter)
    return dict(total)


def _node(run, node) -> dict:
    """All boards of one identity count together."""
    city, node_id = run.city, node.node_id
    boards = [board for board in city.nodes if board.node_id == node_id]
    ledger = city.services.ledger
    waiting = set()
    for board in boards:
        outbox = ledger.harvest(node_id, board.folder / "data.img")
        if outbox is not None and board.status["waiting"] and board not in city.off:
            waiting |= {(outbox.log, number) for number in _unreceipted(run, node_id, outbox)}
    balance = ledger.balance(node_id, city.store_path, waiting)
    refused = dict(run.rows(
        "SELECT reason, count(*) FROM refused WHERE node = ? GROUP BY reason", node_id
    ))  # fmt: skip
    events = collections.Counter(dict(run.rows(
        "SELECT kind, count(*) FROM event WHERE node = ? GROUP BY kind", node_id
    )))  # fmt: skip
    events[_FIRST_EVENT] -= 1
    notes = _sum(run.notes[board].lines for board in boards)
    causes = _sum(board.causes for board in boards)
    return {
        "node": node_id,
        "kit": node.kit["kit"],
        **{name: getattr(balance, name) for name in
           ("sealed", "stored", "lost", "unstated", "repeated", "disordered")},
        "waiting": sum(board.status["waiting"] for board in boards if board not in city.off),
        "duplicates": city.services.count("duplicates", node_id),
        "refused": sum(refused.values()),
        "refused_because": refused,
        "kept_sealed": run.rows("SELECT count(*) FROM sealed WHERE node = ?", node_id)[0][0],
        "unsealed": sum(board.total("unsealed") for board in boards),
        "slots_twice": events["slot came again"],
        "events": {kind: count for kind, count in sorted(events.items()) if count > 0},
        "resets": sum(causes.values()),
        "resets_by_cause": causes,
        "power_resets": causes.get("power", 0),
        "watchdog_resets": causes.get("wdt", 0),
        "boots": sum(causes.values()) + len(boards),
        "data_cuts": sum(board.cuts["data"] for board in boards),
        "nvs_cuts": sum(board.cuts["nvs"] for board in boards),
        "memory_errors": notes.get("memory_errors", 0),
        "formats": notes.get("formats", 0),
        "safe_starts": notes.get("safe_starts", 0),
        "new_policies": notes.get("new_policies", 0),
        "old_seals": sum(board.status.get("old_seals", 0) for board in boards),
        "sensor_faults": sum(board.total("faults") for board in boards),
        "last_words": list(run.notes[node].last)[-5:],
    }  # fmt: skip


def _unreceipted(run, node_id: str, outbox) -> set:
    """What a board holds and the store does not: there is still hope for it."""
    rows = run.rows("SELECT number FROM envelope WHERE node = ? AND log = ?", node_id, outbox.log)
    return set(outbox.envelopes) - {number for (number,) in rows}


def _faults(run) -> list:
    """Per kind of fault: how often it began, and how long until nodes delivered again."""
    times = collections.Counter()
    for fault in run.scenario.faults:
        times[fault.what] += len(fault.moments_ms)
    never, rows = run.recoveries.never(), []
    for what, count in times.items():
        took = run.recoveries.took_ms.get(what, [])
        rows.append({
            "what": what,
            "times": count,
            "recovered": len(took),
            "median_s": sorted(took)[len(took) // 2] // 1000 if took else None,
            "slowest_s": max(took) // 1000 if took else None,
            "not_delivering": never[what],
        })  # fmt: skip
    return rows


# for a person

_COLUMNS = {
    "sealed": "sealed", "stored": "stored", "lost": "lost", "repeated": "repeated",
    "refused": "refused", "waiting": "waiting", "duplicates": "again", "resets": "resets",
}  # fmt: skip


def account_tables(account: dict) -> list:
    """What is shown at the end, for 80 columns."""
    return [_node_table(account["nodes"]), *_fault_table(account["faults"])]


def _node_table(nodes: list) -> Table:
    table = Table(expand=False, box=None, padding=(0, 1, 0, 0))
    for name in ("node", "kit"):
        table.add_column(name, no_wrap=True)
    for title in _COLUMNS.values():
        table.add_column(title, justify="right", no_wrap=True)
    for node in nodes:
        cells = [
            Text(str(node[name]), style="red" if node[name] and USUAL.get(name) == 0 else "")
            for name in _COLUMNS
        ]
        table.add_row(node["node"], node["kit"], *cells)
    return table


def _fault_table(faults: list) -> list:
    if not faults:
        return []
    table = Table(expand=False, box=None, padding=(0, 1, 0, 0))
    table.add_column("fault", no_wrap=True)
    for title in ("times", "delivering again after", "at most", "not again"):
        table.add_column(title, justify="right", no_wrap=True)
    for fault in faults:
        median, slowest = (
            "–" if fault[name] is None else shown(fault[name] * 1000)
            for name in ("median_s", "slowest_s")
        )
        table.add_row(
            fault["what"], str(fault["times"]), median, slowest, str(fault["not_delivering"] or "")
        )
    return [table]


def details(account: dict) -> list[str]:
    """One line for each thing besides the tables that is not zero."""
    lines = []
    for node in account["nodes"]:
        facts = [f"{count} × {kind}" for kind, count in node["events"].items()]
        facts += [f"{count} refused: {why}" for why, count in node["refused_because"].items()]
        resets = node["resets_by_cause"].items()
        facts += [f"{count} × reset by {cause}" for cause, count in resets]
        for name in _DETAILS:
            if node[name]:
                facts.append(f"{name.replace('_', ' ')} {node[name]}")
        if facts:
            lines.append(f"{node['node']}: " + ", ".join(facts))
    return lines


def closing_words(account: dict) -> str:
    """One sentence."""
    return (
        f"{shown(account['simulated_s'] * 1000)} of simulated time in {account['wall_s']:.1f} s "
        f"on {account['interpreter']}, broker {account['broker']}: {account['sealed']} sealed, "
        f"{account['stored']} stored, {account['lost']} lost, {account['repeated']} repeated, "
        f"{account['refused']} refused."
    )

