# SPDX-License-Identifier: MIT
"""A million masked windows by chance, half on each interpreter and both at once: what is masked
opens to the true sum, bit for bit. See tests/portable/mask_fuzz.py."""

import secrets

from tests.soak import on_both

CASES = 160_000  # streams
_WINDOWS = 6.5  # of one, at least, on average
COUNTS = ("cases", "masked", "gaps", "restarts", "failed", "days", "negative", "wrapped",
          "empty")  # fmt: skip


def run(tell, cases: int = CASES, seed: int | None = None) -> dict:
    """cases: on both interpreters together. seed: of the first process of each; by chance, and
    told, when it is None."""
    seed = secrets.randbits(20) if seed is None else seed
    tell(f"the first seed is {seed}")
    wanted = (cases + 1) // 2
    windows = int(wanted * _WINDOWS)
    report = on_both.play("mask_fuzz", COUNTS, wanted, seed, tell)
    figures = [
        {
            "figure": f"masked windows, {name}",
            "measured": f"{total['masked']} windows of {total['cases']} streams, "
            f"{len(total['found'])} findings; {total['gaps']} gaps, {total['days']} days' ends, "
            f"{total['restarts']} restarts, {total['failed']} failed writes, "
            f"{total['negative']} sums below 0, {total['wrapped']} that wrapped",
            "wanted": f"≥ {windows:,} windows, 0 findings",
            "met": total["masked"] >= windows and not total["found"],
        }
        for name, total in report.items()
    ]
    return {"seed": seed, **report, "figures": figures}
