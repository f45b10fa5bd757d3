# SPDX-License-Identifier: MIT
"""Runs under MicroPython on the compiled firmware: prints as JSON what checking an LMS signature
takes, and one SHA-256 in the same loop.

Peak heap: the heap is filled until so many bytes are free, and the check must still succeed.
"""

import gc
import hashlib
import json
import sys
from io import BytesIO

from utime import ticks_diff, ticks_us

ROUNDS, EACH = 30, 5  # a round has garbage enough for a collection or more
HASHES = 500
STEP = 64


def load(path):
    with open(path) as file:
        return [
            [bytes([int(v[name][i : i + 2], 16) for i in range(0, len(v[name]), 2)])
             for name in ("public_key", "message", "signature")]
            for v in json.load(file)
        ]  # fmt: skip


def best_us(work, times):
    best = None
    for _ in range(ROUNDS):
        began = ticks_us()
        for _ in range(times):
            work()
        spent = ticks_diff(ticks_us(), began)
        best = spent if best is None else min(best, spent)
    return best / times


def hashes():
    block = bytearray(55)
    for _ in range(HASHES):
        hashlib.sha256(block).digest()


def succeeds_with(free, work):
    ballast = [None] * 2000
    gc.collect()
    for size in (65_536, 4096, 256, STEP - 16):
        for at in range(len(ballast)):
            if ballast[at] is None:
                if gc.mem_free() < free + size + 16:
                    break
                try:
                    ballast[at] = bytearray(size)
                except MemoryError:  # no piece of that size is left
                    break
    try:
        work()
        return True
    except MemoryError:
        return False


def least_heap(work):
    free = STEP
    while not succeeds_with(free, work):
        free += STEP
    return free


def main():
    gc.collect()
    before = gc.mem_alloc()
    import node.errors  # noqa: F401 (a node has it anyway)

    gc.collect()
    errors = gc.mem_alloc()
    from node.crypto import lms

    gc.collect()
    module = gc.mem_alloc() - errors
    found = load(sys.argv[1])
    public_key, message, signature = found[0]
    checks = [
        (lambda key=key, text=text, sig=sig: lms.verify(key, (text,), BytesIO(sig)))
        for key, text, sig in found
    ]
    stream, chunks = BytesIO(signature), (message,)

    def once():
        stream.seek(0)
        lms.verify(public_key, chunks, stream)

    each = [best_us(check, EACH) for check in checks]
    print(json.dumps({
        "verify_us": sum(each) / len(each), "longest_us": max(each),
        "sha256_us": best_us(hashes, 1) / HASHES, "peak_bytes": least_heap(once),
        "module_bytes": module, "errors_bytes": errors - before,
    }))  # fmt: skip


main()
