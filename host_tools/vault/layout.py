# SPDX-License-Identifier: MIT
"""The bytes of a sealed file: magic ‖ length of the header (4, big-endian) ‖ header ‖ nonce (12) ‖
the image, sealed with all before the nonce as associated data.

The header is deterministic CBOR:

    [vault id (16 bytes),
     [salt (16 bytes), memory in KiB, passes, lanes],                      Argon2id
     [number of the newest log entry, its hash (32 bytes)],
     [[number, kind, label, salt (32), kept, public (32), wrapped (92), box (80)], …]]    slots
"""

import dataclasses

import cbor2

from host_tools.vault.slots import NONCE_SIZE, Slot, Stretch, is_label

MAGIC = b"lp1vault"
MOST_BYTES = 256 << 20  # of a file: that of 10,000 nodes has 754 kB
_LONGEST = 64 * 1024  # of a header
MOST_SLOTS = 32
_SIZES = {"salt": 32, "public": 32, "wrapped": 12 + 64 + 16, "box": 32 + 32 + 16}
_TYPES = {"number": int, "kind": str, "label": str, "kept": bytes} | dict.fromkeys(_SIZES, bytes)


@dataclasses.dataclass(frozen=True, repr=False)
class Header:
    """What stands unsealed at the beginning. newest: (number, hash) of the newest log entry. It is
    true only if the image opens."""

    vault_id: bytes
    stretch: Stretch
    newest: tuple[int, bytes]
    slots: tuple[Slot, ...]

    def encode(self) -> bytes:
        """The bytes before the nonce. ValueError when they are more than decode() takes."""
        content = cbor2.dumps([
            self.vault_id, list(dataclasses.astuple(self.stretch)), list(self.newest),
            [list(dataclasses.astuple(slot)) for slot in self.slots],
        ], canonical=True)  # fmt: skip
        if len(content) > _LONGEST or len(self.slots) > MOST_SLOTS:
            raise ValueError("too many slots, or too long labels")
        return MAGIC + len(content).to_bytes(4) + content


@dataclasses.dataclass(frozen=True, repr=False)
class Parts:
    """head: the bytes that the header was read from; sealed: the image."""

    header: Header
    head: bytes
    nonce: bytes
    sealed: bytes


def decode(data: bytes) -> Parts | None:
    """None when these are not the bytes of a sealed file. What is in it is not known to be true
    until the image opens with `head` as associated data."""
    start = len(MAGIC) + 4
    end = start + int.from_bytes(data[len(MAGIC) : start])
    if not data.startswith(MAGIC) or end - start > _LONGEST or len(data) < end + NONCE_SIZE + 16:
        return None
    try:
        vault_id, stretch, (number, digest), slots = cbor2.loads(data[start:end])
        header = Header(vault_id, Stretch(*stretch), (number, digest), _slots(slots))
        if header.encode() != data[:end] or not _is_sound(header):
            return None
    except (ValueError, TypeError, LookupError, OverflowError, RecursionError, cbor2.CBORError):
        return None
    return Parts(header, data[:end], data[end : end + NONCE_SIZE], data[end + NONCE_SIZE :])


def _slots(rows: list) -> tuple[Slot, ...]:
    return tuple(Slot(*row) for row in rows)


def _is_sound(header: Header) -> bool:
    number, digest = header.newest
    numbers = [slot.number for slot in header.slots]
    return (
        type(header.vault_id) is type(digest) is bytes
        and len(header.vault_id) == 16
        and len(digest) == 32
        and type(number) is int
        and number > 0
        and all(map(_is_sound_slot, header.slots))
        and 0 < len(numbers) == len(set(numbers))
        and header.stretch.is_sound()
    )


def _is_sound_slot(slot: Slot) -> bool:
    right = all(type(getattr(slot, name)) is kind for name, kind in _TYPES.items())
    right = right and all(len(getattr(slot, name)) == size for name, size in _SIZES.items())
    return right and 0 < slot.number < 1 << 32 and is_label(slot.kind) and is_label(slot.label)
