# SPDX-License-Identifier: MIT
"""The end of the verbs that write what is made from a policy."""

from pathlib import Path

from host_tools import console


def write(target: Path, suffix: str, data: bytes, path: Path, kit, policy, key, as_json: bool):
    """Writes the data, made from the policy in `path` and a kit, and tells of which policy. key:
    the policy.key that it was checked with, or None."""
    from host_tools.public_file import check_target, write_public

    sources = {kit.path: "the kit", kit.policy_path: "the kit's policy", path: "the policy"}
    check_target(target, suffix, sources)
    write_public(target, data)
    told = {
        "file": str(target), "id": policy.id, "version": policy.version,
        "digest": policy.digest.hex(), "signature_checked": key is not None,
    }  # fmt: skip
    if as_json:
        console.result_json(told)
        return
    console.result(f"{target}: {policy.id} version {policy.version}")
