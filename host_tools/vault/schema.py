# SPDX-License-Identifier: MIT
"""What a city's vault holds. Beside these tables is the log's (host_tools/chained_log.py)."""

import sqlite3

SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES ('schema', 'lp1 city vault 1');
CREATE TABLE nodes (
    id TEXT PRIMARY KEY CHECK (length(id) = 10),
    root BLOB NOT NULL CHECK (length(root) = 32),
    day0 INTEGER NOT NULL,  -- the UTC day since 1970 that is epoch 0
    kit TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('made', 'active', 'revoked'))
) WITHOUT ROWID;
CREATE TABLE keys (
    name TEXT PRIMARY KEY,
    kind TEXT NOT NULL,  -- 'authority': DER of key and certificate; 'signer': seed, public part
    secret BLOB NOT NULL,
    public BLOB NOT NULL
) WITHOUT ROWID;
"""


def inventory(db: sqlite3.Connection) -> dict[str, int]:
    """{table: how many rows}, of any vault's tables but the log's and meta."""
    names = db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
    names = [name for (name,) in names if name not in ("log", "meta")]
    names = [name for name in names if not name.startswith("sqlite_")]
    quoted = {name: name.replace('"', '""') for name in names}
    return {
        name: db.execute(f'SELECT count(*) FROM "{quoted[name]}"').fetchone()[0] for name in names
    }
