# SPDX-License-Identifier: MIT
"""Runs under MicroPython: prints as JSON the µs that masking a record takes, from a tree as NVS
holds it, for one element and for 21; the µs that sealing 200 bytes takes; and the heap of what
masks. Best of several rounds."""

import gc
import json

from utime import ticks_diff, ticks_us

from node.crypto import ccm

ROUNDS, EACH = 20, 100
DAY, AT = 200 * 1440, 200 * 1440 + 1000  # the tree's first leaf, and where a window begins


def heap():
    gc.collect()
    return gc.mem_alloc()


def best_us(work):
    best = None
    for _ in range(ROUNDS):
        began = ticks_us()
        for _ in range(EACH):
            work()
        spent = ticks_diff(ticks_us(), began)
        best = spent if best is None else min(best, spent)
    return best / EACH


def main():
    before = heap()
    from node.crypto import mask

    mask_bytes = heap() - before
    tree = mask.from_root(bytes(range(16)))
    tree.move_to(DAY)
    kept = tree.encode()
    found = {"heap_bytes": mask_bytes}
    for name, values in (("one_us", [7]), ("many_us", list(range(21)))):
        found[name] = best_us(lambda v=values: mask.mask(mask.decode(kept), AT, AT + 15, v))
    key, nonce, text, aad = bytes(range(32)), bytes(13), bytes(200), bytes(60)
    found["seal_us"] = best_us(lambda: ccm.encrypt(key, nonce, text, aad))
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    mask.mask(mask.decode(kept), AT, AT + 15, [7])
    found["passing_bytes"] = gc.mem_alloc() - before  # no collection in between
    print(json.dumps(found))


main()
