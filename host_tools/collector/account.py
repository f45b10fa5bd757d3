# SPDX-License-Identifier: MIT
"""What a worker has done since it started: for a person, and as one object."""

import time

from host_tools.collector.mqtt_worker import MqttWorker

_COLUMNS = ("node", "opened", "duplicates", "refused", "kept sealed", "settled")
_ROWS = 20  # of the live table; the sum of the others is one row more


class Account:
    """store: its path; group: with which the work is shared, or empty. All counts are of this
    worker alone; settled counts the numbers of a node's outbox, whoever stored them."""

    def __init__(self, worker: MqttWorker, store: str, broker: str, group: str):
        self._worker = worker
        self._head = {"store": store, "broker": broker, "name": worker.name, "share": group}
        self._began = time.monotonic()

    def as_object(self) -> dict:
        worker = self._worker
        with worker.changed:
            rows = self._rows()
            return {
                **self._head,
                "wall_s": round(time.monotonic() - self._began, 3),
                "connected": worker.connected,
                "trouble": worker.trouble,
                "received": worker.received,
                "batches": worker.batches,
                "receipts": worker.receipts,
                **{name: sum(row[name] for row in rows) for name in _names()[1:-1]},
                "nodes": rows,
            }

    def _rows(self) -> list[dict]:
        counts = [self._worker.counts[n] for n in ("opened", "duplicates", "refused", "kept")]
        settled = dict(self._worker.settled)
        nodes = sorted(set(settled).union(*counts))
        return [
            dict(zip(
                _names(), (node, *(count[node] for count in counts), settled.get(node, 0)),
                strict=True,
            ))
            for node in nodes
        ]  # fmt: skip

    def table(self):
        """The live table; a node without a name is one that the keyring does not hold."""
        from rich.table import Table

        account = self.as_object()
        table = Table(title=self.state(), title_justify="left", expand=False)
        table.add_column("node", no_wrap=True)
        for name in _COLUMNS[1:]:
            table.add_column(name, justify="right", no_wrap=True)
        rows, names = account["nodes"], _names()
        for row in rows[:_ROWS]:
            table.add_row(row["node"] or "unknown", *(str(row[name]) for name in names[1:]))
        others = rows[_ROWS:]
        if others:
            sums = (str(sum(row[name] for row in others)) for name in names[1:])
            table.add_row(f"{len(others)} more", *sums)
        return table

    def state(self) -> str:
        """One line: whether it listens, and what is wrong."""
        worker, head = self._worker, self._head
        if worker.trouble is not None:
            return f"{head['name']} at {head['broker']}: {worker.trouble}; trying again"
        share = f", sharing as {head['share']}" if head["share"] else ""
        return f"{head['name']} listens at {head['broker']}{share}"

    def closing_words(self) -> str:
        account = self.as_object()
        return (
            f"{account['name']} received {account['received']} messages in "
            f"{account['wall_s']:.0f} s: {account['opened']} stored, {account['duplicates']} came "
            f"again, {account['kept_sealed']} kept sealed, {account['refused']} refused; "
            f"{account['receipts']} receipts sent."
        )


def _names() -> tuple:
    return tuple(name.replace(" ", "_") for name in _COLUMNS)
