# SPDX-License-Identifier: MIT
"""Where what the tools make is kept between runs, below the user's state folder."""

from pathlib import Path

import platformdirs

from host_tools.errors import ToolError

SUFFIX = ".sqlite"


def stores_folder() -> Path:
    """The folder of the stores of collectors; it may not be there yet."""
    return platformdirs.user_state_path("lamppost") / "stores"


def signers_folder() -> Path:
    """The folder of the witnesses of signing keys (see provisioning/lms_signer.py)."""
    return platformdirs.user_state_path("lamppost") / "signers"


def newest_store() -> Path | None:
    """The store that was written to last; None if there is none."""
    stores = list(stores_folder().glob("*" + SUFFIX))
    return max(stores, key=_written, default=None)


def store_written_last() -> Path:
    """As newest_store(); ToolError if there is none."""
    path = newest_store()
    if path is None:
        message = f"there is no store in {stores_folder()}"
        raise ToolError(message, "run `lamppost demo`, or give --store PATH")
    return path


def _written(store: Path) -> float:
    log = store.with_name(store.name + "-wal")  # what is committed lies there first
    return max(path.stat().st_mtime for path in (store, log) if path.exists())
