# SPDX-License-Identifier: MIT
"""One simulated day of each kit's node on CPython: embedded broker, receipts, default policy."""

import time

from simulator.city_run import CityRun, Plan, choose_kits

LIMIT_S = 20


def run() -> dict:
    days, figures = {}, []
    for kit in ("air", "energy", "traffic"):
        began = time.monotonic()
        with CityRun(Plan(kits=choose_kits([kit], None), for_s=86_400)) as city:
            city.start()
            whole = city.run() and city.complete(city.account())
            account = city.account()
        spent = time.monotonic() - began
        node = account["nodes"][0]
        days[kit] = {"wall_s": spent, **account}
        figures += [
            {
                "figure": f"a day of {kit}",
                "measured": f"{spent:.1f} s" + ("" if whole else " (not whole)"),
                "wanted": f"≤ {LIMIT_S} s",
                "met": whole and spent <= LIMIT_S,
            },
            {
                "figure": f"{kit}: bytes on the wire",
                "measured": f"{node['wire_bytes'] / node['samples']:.1f} per reading of a sensor, "
                f"{node['wire_bytes'] / node['records']:.0f} per record",
            },
        ]
    return {"days": days, "figures": figures}
