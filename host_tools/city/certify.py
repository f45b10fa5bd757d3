# SPDX-License-Identifier: MIT
"""Certificates for all but nodes: broker, collectors, who sends commands, controllers, and who
asks those for sums."""

import contextlib
import os
from pathlib import Path

from cryptography import x509

from host_tools.city.people import HOME, store_of, technician_of
from host_tools.city.vault_keys import authority_of, note_certificate
from host_tools.errors import ToolError
from host_tools.private_file import read_bounded
from host_tools.provisioning.certificates import MOST_KEY_BYTES, Authority
from host_tools.provisioning.ticket import is_node_id
from host_tools.public_file import write_public
from host_tools.vault.sealed_file import SealedFile

SERVERS = ("broker", "controller")  # whose certificates name hosts
COLLECTORS = ("collector", "reader")  # whose certificates end with a store
_AUTHORITY = "ca"


def certify(file: SealedFile, name: str, role: str, hosts, store: str | None, folder: Path,
            technician: str | None = None) -> list[Path]:  # fmt: skip
    """Writes DIR/ca.pem, DIR/NAME.pem and DIR/NAME.key and returns their paths. The vault notes
    the certificate first, so that it can be revoked. store: whose collector it is, which it ends
    with; a reader's has the role reader, which writes to no node, and may be a technician's
    instead. ToolError when the name is another role's, its files or another authority's are
    there, or a collector is nobody's."""
    if is_node_id(name):
        raise ToolError(f"{name} could be a node's id", "give another name")
    if name.lower() == _AUTHORITY:  # on some disks CA.pem is ca.pem
        raise ToolError(f"{name} is the authority's name", "give another name")
    query = "SELECT 1 FROM certificates WHERE name = ? AND role <> ?"
    if file.db.execute(query, (name, role)).fetchone():
        raise ToolError(f"{name} has another role already", "give another name")
    _check_owner(name, role, store, technician)
    if technician is not None:
        technician_of(file, technician)
    if store is not None and store_of(file, store)[1] != HOME and role != "reader":
        raise ToolError(f"{store} is a reader, and sends no receipts", "give --role reader")
    authority = authority_of(file)
    root = Path(folder) / f"{_AUTHORITY}.pem"
    is_there = _is_there(root, authority)
    file.check_new(Path(folder) / f"{name}.key")  # written last: with it the pair is whole
    identity = authority.issue(name, role, hosts)
    detail = {"name": name, "role": role, "serial": f"{identity.certificate.serial_number:x}"}
    detail |= {"store": store, "technician": technician, "hosts": list(hosts)}
    with file.change("certify", detail):
        note_certificate(file, identity, name, role, store, technician)
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
        if not is_there:
            write_public(root, authority.pem()[0])
        files = identity.save(folder, name)
    except OSError as err:
        hint = "see that the folder can be written, and run the same command again"
        raise ToolError(f"{folder}: {err.strerror}", hint) from err
    return [root, *files]


def _check_owner(name: str, role: str, store: str | None, technician: str | None):
    if technician is not None and (role != "reader" or store is not None):
        message = f"{name} is a {role}, and no technician's" if role != "reader" else (
            f"{name} is either a store's or a technician's")  # fmt: skip
        raise ToolError(message, "--technician goes with --role reader, without --store", 2)
    if (role in COLLECTORS) != (store is not None or technician is not None):
        what = "whose it is" if role in COLLECTORS else "no store"
        hint = "give --store of a collector; --store or --technician of a reader"
        raise ToolError(f"{name} is a {role}, and needs {what}", hint, 2)


def _is_there(root: Path, authority: Authority) -> bool:
    """Whether the city's authority is in the file already. ToolError when anything else is."""
    if not os.path.lexists(root):
        return False
    found = None
    with contextlib.suppress(ValueError):
        found = x509.load_pem_x509_certificate(read_bounded(root, MOST_KEY_BYTES))
    if found != authority.certificate:
        raise ToolError(f"{root} is another authority's", "give another folder with -o")
    return True
