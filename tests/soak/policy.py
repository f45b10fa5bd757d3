# SPDX-License-Identifier: MIT
"""A million policies and readings by chance, half on each interpreter and both at once: nothing
leaves that the policy does not name. See tests/portable/policy_fuzz.py."""

import secrets

from tests.soak import on_both

CASES = 1_000_000
COUNTS = ("cases", "records", "values", "noisy", "withheld", "told", "totals", "hidden_totals",
          "anew", "twice", "renewed")  # fmt: skip


def run(tell, cases: int = CASES, seed: int | None = None) -> dict:
    """cases: on both interpreters together. seed: of the first process of each; by chance, and
    told, when it is None."""
    seed = secrets.randbits(20) if seed is None else seed
    tell(f"the first seed is {seed}")
    wanted = (cases + 1) // 2
    report = on_both.play("policy_fuzz", COUNTS, wanted, seed, tell)
    figures = [
        {
            "figure": f"policies and readings, {name}",
            "measured": f"{total['cases']} pairs, {len(total['found'])} findings; "
            f"{total['records']} records, {total['noisy']} draws, "
            f"{total['withheld']} withheld for k, {total['totals']} totals of withheld parts",
            "wanted": f"≥ {wanted} pairs, 0 findings",
            "met": total["cases"] >= wanted and not total["found"],
        }
        for name, total in report.items()
    ]
    return {"seed": seed, **report, "figures": figures}
