# SPDX-License-Identifier: MIT
"""What the events of a store mean, in words, and what to do about them."""

_OUTBOX = "outbox {0}"
_NUMBERS = "outbox {0}, envelope {1}"
# kind: (what the detail holds, what it means)
_EVENTS = {
    "new outbox": (
        _OUTBOX,
        "The node began a new outbox: at its first start, or because its flash was lost or erased."
        " What it still held in an older one is gone.",
    ),
    "lost": (
        _NUMBERS,
        "The node no longer holds this and it never arrived: its outbox was full, or its flash"
        " damaged. A copy that is still on its way is taken when it comes.",
    ),
    "found": (_NUMBERS, "It was taken for lost, and has arrived after all."),
    "other bytes": (
        _NUMBERS,
        "Another envelope with a number that is stored already: refused. Two boards may have the"
        " same keys, or an old flash image was restored.",
    ),
    "policy lowered": (
        "from version {0} to {2}",
        "The node used a lower policy version than before: refused. Its NVS may have been set"
        " back, or somebody did so.",
    ),
    "slot came again": (
        _NUMBERS,
        "It holds values for a window that has values: the first stay. The node's clock may have"
        " been set back.",
    ),
    "kept sealed": (
        "{*}",
        "It came and cannot be opened yet: kept as it is, without a receipt, and tried again when"
        " the keyring changes. Add the node or the policy.",
    ),
    "epoch forgotten": (
        "{*}",
        "It came from a day whose key is forgotten: refused. After a restore, put the keyring of"
        " the same backup beside the store.",
    ),
}
KINDS = tuple(_EVENTS)


def words(kind: str, detail: str) -> tuple[str, str]:
    """(the detail, what it means), both for a person."""
    if kind not in _EVENTS:
        return detail, ""
    form, meaning = _EVENTS[kind]
    text = form.replace("{*}", detail)
    for at, word in enumerate(detail.split(" ")):
        text = text.replace(f"{{{at}}}", word)
    if "–" in detail:
        text = text.replace("envelope", "envelopes")
    return text, meaning
