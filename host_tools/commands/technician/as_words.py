# SPDX-License-Identifier: MIT
"""What is read out at the telephone: the fingerprints of a technician and their office."""

from host_tools.technician import technician_file
from host_tools.vault.sealed_file import SealedFile


def fingerprints(file: SealedFile) -> dict:
    card, office = technician_file.card(file), technician_file.office_of(file)
    return {
        "technician": card.name, "fingerprint": card.fingerprint(),
        "office": office.name, "office_fingerprint": office.fingerprint(),
    }  # fmt: skip
