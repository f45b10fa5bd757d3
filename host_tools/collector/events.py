# SPDX-License-Identifier: MIT
"""What the events of a store mean, in words, and what to do about them."""

from host_tools.collector.open_envelope import NO_LONGER_OPENS, NOT_MIXED

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
    "masked ranges overlap": (
        _NUMBERS,
        "It holds a masked value for a time that one is stored for: the first stays, and is what"
        " sums are made of; this one is kept aside, in no sum. An old flash image may have been"
        " restored, or somebody forges records.",
    ),
    "kept sealed": (
        "{*}",
        "It came and cannot be opened yet: kept as it is, for up to 400 days, without a receipt,"
        " and tried again when the keyring changes.",
    ),
    "came too late": (
        _OUTBOX,
        "It brought values that its policy no longer lets anybody keep: receipted, so that the"
        " node lets go of them, and not stored.",
    ),
    "deleted": (
        "{2} values of stream {1} on {0}",
        "They had been kept as long as their policy allows, and are gone from the store. That"
        " their envelopes came stays known.",
    ),
    "deleted sealed": (
        "{1} envelopes on {0}",
        "They had been kept sealed for 400 days, and nobody gave the keyring what opens them. What"
        " the node still holds comes again.",
    ),
    "not rewritten": (
        "on {0}",
        "What was deleted is overwritten, but the store's file could not be written anew, and may"
        " hold copies of some of it. It needs as much free disk again as the store takes; tried"
        " again the next day.",
    ),
    "policy ends": (
        "version {0}, last day {1}",
        "After that day the node tells nothing until it has the next policy. Sign one with a"
        " higher version: `lamppost vault policy` brings it to stores and nodes.",
    ),
    "epoch forgotten": (
        "{*}",
        "It came from a day whose key is forgotten: refused. After a restore, put the keyring of"
        " the same backup beside the store.",
    ),
}
# What to do, where it depends on the detail.
_TO_DO = {
    ("kept sealed", "unknown policy"): "The node has a policy that the keyring does not hold for"
    " it: add the rules and terms of that one. If you know of none, find out who signed it.",
    ("kept sealed", "unknown node"): "Add the node to the keyring, with its keys and its policy.",
    ("kept sealed", NOT_MIXED): "The node did not take the vault's command, or somebody who does"
    " not hold what was mixed in forges its envelopes. If the node never took it, drop it from the"
    " keyring, and mix in something new.",
    ("kept sealed", NO_LONGER_OPENS): "Of what was to be mixed in, the node took a part only, or"
    " the keyring holds something else than the node was sent.",
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
    to_do = _TO_DO.get((kind, detail))
    return text, meaning if to_do is None else f"{meaning} {to_do}"
