# SPDX-License-Identifier: MIT
"""Random bytes that the vault mixes into the seal of an epoch to come: the command
`[number, "mix", epoch, a]`. Who has the seal of today and not `a` opens nothing from then on.

Until then they wait at the end of the seal's blob, as they came: epoch (4 bytes) ‖ a (32). They
go with the step that mixes them in, and are scrubbed as the seal is, beside which they lie.

The number of the command is noted behind, not before as with others: a power cut in between leaves
it without an acknowledgement, so the broker brings it again, and what is there already may come
again. Were it noted before, a cut would lose it, and from its epoch on nobody could open a thing.

Rare, so keys.py imports it when there is one, and forgets it.
"""

from node.device.keys import MIX_BYTES, MIXES_MAX
from node.errors import CommandError, KeyMissing

# Why one is refused: firmware/README.md, "Mixes". In the log and in the health of the node.
_FORM, _BEGUN, _OTHER, _FULL = 1, 2, 3, 4  # 5: keys.py
_EPOCH = 4
_EPOCH_MAX = 0xFFFF  # of an envelope


def _each(mixes: bytes) -> list:
    """[(epoch, a), …] in the order in which they came."""
    return [
        (int.from_bytes(mixes[at : at + _EPOCH], "big"), mixes[at + _EPOCH : at + MIX_BYTES])
        for at in range(0, len(mixes), MIX_BYTES)
    ]


def _joined(pairs: list) -> bytes:
    return b"".join([epoch.to_bytes(_EPOCH, "big") + a for epoch, a in pairs])


def part(mixes: bytes, epoch: int):
    """({epoch: a} of those that are due up to `epoch`, the bytes of those that wait on)."""
    pairs = _each(mixes)
    return (
        {at: a for at, a in pairs if at <= epoch},
        _joined([(at, a) for at, a in pairs if at > epoch]),
    )


def take(keys, number: int, arguments: list):
    """Keeps [epoch, a] beside the seal. CommandError(code, why) when that cannot be, and then the
    number is noted as well: it must not come true later."""
    if number <= keys.commanded:
        raise CommandError("came before")
    if keys.seal is None:
        raise KeyMissing("seal")
    try:
        keys.keep_mixes(_added(keys.mixes, keys.epoch, arguments))
    except CommandError as err:
        keys.mix_refused = err.args[0]
        keys.use_command(number)
        raise
    keys.use_command(number)


def _added(mixes: bytes, now: int, arguments: list) -> bytes:
    """now: the present epoch."""
    if [type(argument) for argument in arguments] != [int, bytes]:
        raise CommandError(_FORM, "not a mix")
    epoch, a = arguments
    if not 0 <= epoch <= _EPOCH_MAX or len(a) != MIX_BYTES - _EPOCH:
        raise CommandError(_FORM, "not a mix")
    if epoch <= now:
        raise CommandError(_BEGUN, "its epoch has begun")
    waiting = dict(_each(mixes))
    if waiting.get(epoch, a) != a:
        raise CommandError(_OTHER, "another waits for its epoch")
    if epoch in waiting:
        return mixes
    if len(waiting) == MIXES_MAX:
        raise CommandError(_FULL, "as many wait as there is room for")
    return mixes + _joined([(epoch, a)])  # behind: of two that a cut left the longer counts
