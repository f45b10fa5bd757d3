# SPDX-License-Identifier: MIT
"""How the verbs tell a vault's newest log entry, which tells it from an older copy."""


def as_object(newest: tuple[int, bytes]) -> dict:
    return {"newest_entry": newest[0], "newest_hash": newest[1].hex()}


def as_text(newest: tuple[int, bytes]) -> str:
    return f"entry {newest[0]:,}, hash {newest[1].hex()}"
