# SPDX-License-Identifier: MIT
"""What a city's vault holds. Beside these tables is the log's (host_tools/chained_log.py)."""

import sqlite3

SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO meta VALUES ('schema', 'lp1 city vault 3');
CREATE TABLE nodes (
    id TEXT PRIMARY KEY CHECK (length(id) = 10),
    root BLOB NOT NULL CHECK (length(root) = 32),
    day0 INTEGER NOT NULL,  -- the UTC day since 1970 that is epoch 0
    kit TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('made', 'issued', 'active', 'revoked'))
) WITHOUT ROWID;
CREATE TABLE keys (
    name TEXT PRIMARY KEY,
    kind TEXT NOT NULL,  -- 'authority': DER of key and certificate; 'office': Ed25519;
                         -- 'signer': seed, public part
    secret BLOB NOT NULL,
    public BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE technicians (
    name TEXT PRIMARY KEY,
    box BLOB NOT NULL CHECK (length(box) = 32),    -- X25519, for tickets
    sign BLOB NOT NULL CHECK (length(sign) = 32),  -- Ed25519, of receipts
    state TEXT NOT NULL CHECK (state IN ('active', 'revoked'))
) WITHOUT ROWID;
CREATE TABLE policies (
    digest BLOB NOT NULL,  -- of the rules, which more than one key may have signed
    key BLOB NOT NULL CHECK (length(key) = 60),  -- that signed them: LMS, as nodes know it
    published BLOB NOT NULL,
    PRIMARY KEY (digest, key)
) WITHOUT ROWID;
CREATE TABLE tickets (
    id BLOB PRIMARY KEY CHECK (length(id) = 16),
    node TEXT NOT NULL UNIQUE REFERENCES nodes,
    technician TEXT NOT NULL REFERENCES technicians,
    policy BLOB NOT NULL,
    policy_key BLOB NOT NULL,  -- that the node knows, for all its life
    issued_s INTEGER NOT NULL,
    expires_s INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('issued', 'used', 'revoked')),
    used_s INTEGER,
    use BLOB,
    accepted INTEGER,  -- the log entry by which it was
    FOREIGN KEY (policy, policy_key) REFERENCES policies (digest, key)
) WITHOUT ROWID;
CREATE TABLE sent_policies (  -- to nodes, after that of their ticket
    node TEXT NOT NULL REFERENCES nodes,
    policy BLOB NOT NULL,
    policy_key BLOB NOT NULL,
    PRIMARY KEY (node, policy),
    FOREIGN KEY (policy, policy_key) REFERENCES policies (digest, key)
) WITHOUT ROWID;
CREATE VIEW node_policies AS  -- no node has one twice; UNION would be built for each search
    SELECT node, policy, policy_key FROM tickets
    UNION ALL SELECT node, policy, policy_key FROM sent_policies;
CREATE TABLE certificates (
    serial TEXT PRIMARY KEY,  -- hex: it has up to 160 bits
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    store TEXT REFERENCES stores,  -- whose collector it is, if it is one's
    technician TEXT REFERENCES technicians,  -- whose reader it is, if it is one's
    until_s INTEGER NOT NULL,
    revoked_s INTEGER
) WITHOUT ROWID;
CREATE TABLE rotations (
    node TEXT NOT NULL REFERENCES nodes,
    serial INTEGER NOT NULL CHECK (serial > 0),  -- as the node tells it; its ticket's has 0
    certificate TEXT NOT NULL REFERENCES certificates,
    content BLOB,  -- CBOR [certificate, its key] until the node is known to have it
    PRIMARY KEY (node, serial)
) WITHOUT ROWID;
CREATE TABLE stores (
    name TEXT PRIMARY KEY,
    box BLOB NOT NULL CHECK (length(box) = 32),  -- X25519, for keys
    kind TEXT NOT NULL CHECK (kind IN ('home', 'reader')),
    state TEXT NOT NULL CHECK (state IN ('active', 'revoked')),
    serial INTEGER NOT NULL  -- of the last file of keys; also rises when a backup is put back
) WITHOUT ROWID;
CREATE TABLE grants (
    node TEXT NOT NULL REFERENCES nodes,
    store TEXT NOT NULL REFERENCES stores,
    epoch INTEGER NOT NULL CHECK (epoch >= 0),  -- the first whose seal the store gets
    PRIMARY KEY (node, store)
) WITHOUT ROWID;
CREATE TABLE mixes (
    node TEXT NOT NULL REFERENCES nodes,
    epoch INTEGER NOT NULL CHECK (epoch > 0),
    a BLOB NOT NULL CHECK (length(a) = 32),
    PRIMARY KEY (node, epoch)
) WITHOUT ROWID;
CREATE TABLE commands (
    node TEXT NOT NULL REFERENCES nodes,
    number INTEGER NOT NULL CHECK (number > 0),  -- as serial in stores
    fields BLOB NOT NULL,  -- CBOR [verb, argument, …]
    until_s INTEGER NOT NULL,  -- when it is of no use any more
    PRIMARY KEY (node, number)
) WITHOUT ROWID;
CREATE TABLE outgoing (  -- files that are not known to be written
    asked TEXT PRIMARY KEY,  -- by which command
    path TEXT NOT NULL,
    data BLOB NOT NULL
) WITHOUT ROWID;
"""
CLAIMS = """
CREATE TABLE IF NOT EXISTS claims (  -- who put a node up
    node TEXT PRIMARY KEY REFERENCES nodes,
    technician TEXT NOT NULL REFERENCES technicians,
    post TEXT NOT NULL,  -- as they call it, or ''
    claimed_s INTEGER NOT NULL
) WITHOUT ROWID;
"""
SCHEMA += CLAIMS  # and, as it came later, made where a vault of this version lacks it


def inventory(db: sqlite3.Connection) -> dict[str, int]:
    """{table: how many rows}, of any vault's tables but the log's and meta."""
    names = db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
    names = [name for (name,) in names if name not in ("log", "meta")]
    names = [name for name in names if not name.startswith("sqlite_")]
    quoted = {name: name.replace('"', '""') for name in names}
    return {
        name: db.execute(f'SELECT count(*) FROM "{quoted[name]}"').fetchone()[0] for name in names
    }
