# SPDX-License-Identifier: MIT
"""The node's own exceptions: they exist to be caught, each by one place in the cycle.

No message carries a reading, a key or a place. Trouble on a bus stays OSError.
"""


class LamppostError(Exception):
    """Base of all below."""


class FormatError(LamppostError):
    """Bytes are not what their format says (CBOR, envelope, receipt, policy)."""


class PolicyError(LamppostError):
    """A policy may not be used. args: (code, why): one of the codes below, and words."""


# Codes of PolicyError, told as the health quantity `policy_refused`.
BAD_FORM = 1
BAD_SIGNATURE = 2
BAD_VERSION = 3
BAD_KIT = 4
BAD_QUANTITY = 5
ENDED = 6
BAD_PART = 7
NOT_KEPT = 8


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
