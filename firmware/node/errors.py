# SPDX-License-Identifier: MIT
"""The node's own exceptions: they exist to be caught, each by one place in the cycle.

No message carries a reading, a key or a place. Trouble on a bus stays OSError.
"""


class LamppostError(Exception):
    """Base of all below."""


class FormatError(LamppostError):
    """Bytes are not what their format says (CBOR, envelope, receipt, policy)."""


class PolicyError(LamppostError):
    """A policy may not be used. args: (code, why); policy/README.md lists the codes."""


class KeyMissing(LamppostError):
    """There is no key, or no counter for it: nothing is sealed."""


class OpenError(LamppostError):
    """A sealed message does not open: wrong key, node or policy, or it was changed."""


class CommandError(LamppostError):
    """A command came before, or asks for what cannot be done."""


class OutboxError(LamppostError):
    """The outbox on flash cannot take or give an envelope."""


class LinkError(LamppostError):
    """The broker broke the protocol, refused us, or was silent past a deadline."""


class SensorFault(LamppostError):
    """A sensor answered, but not with a reading. args[0] is one of the reasons below."""


# Reasons of SensorFault: short, and free of any reading.
CHECKSUM = "checksum"
FRAME = "frame"
CHIP_ID = "chip id"
RANGE = "range"
SILENT = "silent"
FROZEN = "frozen"  # the same again and again, where it cannot be
MISFIT = "misfit"  # the kit does not fit: `lamppost boards check` says why
