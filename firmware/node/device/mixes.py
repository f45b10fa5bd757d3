# SPDX-License-Identifier: MIT
"""What is done to keys once a day or less: the seal's step, and what the vault's commands bring.

`[number, "mix", epoch, a]` brings random bytes that are mixed into a seal to come.
Until its epoch comes, `a` waits at the end of the seal's blob, as it came: epoch (4 bytes) ‖ a
(32). It goes with the step that mixes it in, and is scrubbed as the seal is, beside which it lies.

The number of a mix is noted behind, not before as with other commands: a power cut in between
leaves it without an acknowledgement, so the broker brings it again, and what is there already may
come again. Were it noted before, a cut would lose it, and from its epoch on no store could open
what the node seals. One case is left: a cut lies between, the broker lost the command, and it
comes once more when its epoch has begun. Then "its epoch has begun" (2) is told of a mix that is
in. So `lamppost send` refuses a file with a mix whose day is there, and the office goes by what
its stores open, not by the code (host_tools/city/README.md, "A mix that a node refuses").

Rare, so keys.py imports it when the seal steps or a mix comes, and forgets it.
"""

from node import forget
from node.errors import CommandError, KeyMissing

MIX_BYTES, MIXES_MAX = 36, 4  # of one, and how many may wait

# Why one is refused: firmware/README.md. In the log and in the node's health.
_FORM, _BEGUN, _OTHER, _FULL, _NOT_KEPT = 1, 2, 3, 4, 5
_EPOCH = 4
_EPOCH_MAX = 0xFFFF  # of an envelope


def part(mixes: bytes, epoch: int):
    """({epoch: a} of all that wait, the bytes of those that wait for a later epoch than this)."""
    waiting = _each(mixes)
    return dict(waiting), b"".join([_joined(at, a) for at, a in waiting if at > epoch])


def step(keys, epoch: int):
    """Moves the seal of `keys` on to `epoch`, with all that waits for an epoch up to that."""
    from node.crypto.seal_chain import seal_at  # not when a mix is taken

    try:
        mixes, waiting = part(keys.mixes, epoch)
        seal = seal_at(keys.seal, keys.epoch, epoch, mixes)
        keys.keep(epoch, keys.policy_version, seal, waiting)
    finally:
        forget("crypto", "seal_chain")


def mask(keys, number: int, arguments: list):
    """Keeps the tree of [stream, root]: see mask_keys.py. Its number is noted behind, as that of a
    mix is: a tree that a power cut took would be lost for good."""
    if number <= keys.commanded:
        raise CommandError("came before")
    keys.masks().take(arguments, keys.epoch)
    keys.use_command(number)
    keys.starts = not keys.is_masking


def mix(keys, number: int, arguments: list):
    """Keeps [epoch, a] beside the seal. CommandError(code, why) when that cannot be, and then the
    number is noted as well: it must not come true later."""
    if number <= keys.commanded:
        raise CommandError("came before")
    if keys.seal is None:
        raise KeyMissing("seal")
    try:
        mixes = _added(keys.mixes, keys.epoch, arguments)
    except CommandError as err:
        keys.mix_refused = err.args[0]
        keys.use_command(number)
        raise
    try:
        keys.keep(keys.epoch, keys.policy_version, keys.seal, mixes)
    except (OSError, MemoryError):
        keys.mix_refused = _NOT_KEPT
        raise
    keys.use_command(number)  # where that fails it is in all the same, and may come again


def _each(mixes: bytes) -> list:
    """[(epoch, a), …] in the order in which they came."""
    return [
        (int.from_bytes(mixes[at : at + _EPOCH], "big"), mixes[at + _EPOCH : at + MIX_BYTES])
        for at in range(0, len(mixes), MIX_BYTES)
    ]


def _joined(epoch: int, a: bytes) -> bytes:
    return epoch.to_bytes(_EPOCH, "big") + a


def _added(mixes: bytes, now: int, arguments: list) -> bytes:
    """now: the present epoch."""
    if [type(argument) for argument in arguments] != [int, bytes]:
        raise CommandError(_FORM, "not a mix")
    epoch, a = arguments
    if not 0 <= epoch <= _EPOCH_MAX or len(a) != MIX_BYTES - _EPOCH:
        raise CommandError(_FORM, "not a mix")
    if epoch <= now:
        raise CommandError(_BEGUN, "its epoch has begun: " + str(epoch))
    waiting = dict(_each(mixes))
    if waiting.get(epoch, a) != a:
        raise CommandError(_OTHER, "another waits for its epoch: " + str(epoch))
    if epoch in waiting:
        return mixes
    if len(waiting) == MIXES_MAX:
        raise CommandError(_FULL, "no room for one more: " + str(epoch))
    return mixes + _joined(epoch, a)  # behind: of two that a cut left the longer counts
