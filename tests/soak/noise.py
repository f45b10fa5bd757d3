# SPDX-License-Identifier: MIT
"""Ten million draws of the node's own noise, from its generator, against the exact distribution;
and beside them as many of OpenDP's sampler, which the extra `soak` installs.

A p-value is below 0.001 by chance once in 1,000 times, so that one run in 70 misses some figure by
chance; the same figure missed twice is a fault.
"""

import hashlib
import os
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from fractions import Fraction
from importlib.util import find_spec

from node.policy.noise import Noise
from tests.privacy.laplace import Laplace

SCALES = [Fraction(scale) for scale in ("1", "10", "24", "100/7", "9600")]
SAMPLES = 10_000_000  # in all
EACH = 200_000  # of one job
LEAST = 1 / 1000  # of a bin's probability
P_WANTED = 0.001
PROCESSES = 2


def _ours(scale: Fraction, seed: bytes) -> list:
    draw = Noise(seed).draw
    return [draw(scale.numerator, scale.denominator) for _ in range(EACH)]


def _opendp(scale: Fraction, seed: bytes) -> list:
    """OpenDP seeds itself; many at once, since a call from Python costs it most."""
    import opendp.prelude as dp  # an optional extra

    dp.enable_features("contrib")
    domain = dp.vector_domain(dp.atom_domain(T=int)), dp.l1_distance(T=int)
    measurement = dp.m.make_laplace(*domain, scale=float(scale))
    return measurement([0] * EACH)


_SAMPLERS = {"node": _ours, "opendp": _opendp}


def _job(name: str, scale: Fraction, seed: bytes):
    began = time.process_time()
    drawn = _SAMPLERS[name](scale, seed)
    return name, scale, Counter(drawn), time.process_time() - began


def _draw_all(names, samples: int, seed: bytes, tell) -> tuple:
    """({(sampler, scale): samples}, {(sampler, scale): seconds of computing})."""
    drawn, spent_s, done = {}, {}, 0
    with ProcessPoolExecutor(PROCESSES) as pool:
        jobs = [
            pool.submit(_job, name, scale, hashlib.sha256(seed + b"%d" % index).digest())
            for index in range(samples // EACH // len(SCALES))
            for scale in SCALES for name in names
        ]  # fmt: skip
        for job in as_completed(jobs):
            name, scale, counts, job_s = job.result()
            drawn.setdefault((name, scale), Counter()).update(counts)
            spent_s[name, scale] = spent_s.get((name, scale), 0) + job_s
            done += 1
            if done % 20 == 0:
                tell(f"{done} of {len(jobs)} jobs, {EACH} draws each")
    return drawn, spent_s


def _figure(name: str, p: float, more="") -> dict:
    return {
        "figure": name, "measured": f"p = {p:.4f}{more}", "wanted": f"p > {P_WANTED}",
        "met": p > P_WANTED,
    }  # fmt: skip


def _figures(scale: Fraction, names, drawn, spent_s) -> list:
    exact, figures = Laplace(scale, LEAST), []
    for name in names:
        mine = drawn[name, scale]
        mean, variance = exact.deviations(mine)
        us = spent_s[name, scale] / mine.total() * 1e6
        more = f", {len(exact.probabilities())} bins, {us:.1f} µs a draw"
        figures.append(_figure(f"{name}, scale {scale}", exact.p_value(mine), more))
        figures.append({
            "figure": f"{name}, scale {scale}: mean, variance",
            "measured": f"{mean:+.2f}, {variance:+.2f} standard errors off",
            "wanted": "within 4", "met": abs(mean) < 4 and abs(variance) < 4,
        })  # fmt: skip
    if len(names) == 2:
        both = exact.p_value_of_two(*(drawn[name, scale] for name in names))
        figures.append(_figure(f"node and opendp, scale {scale}", both))
    return figures


def run(tell, samples: int = SAMPLES, seed: bytes | None = None) -> dict:
    """seed: of the node's generators; by chance, and told, when it is None."""
    seed = os.urandom(32) if seed is None else seed
    tell(f"the seed is {seed.hex()}")
    names = [name for name in _SAMPLERS if name == "node" or find_spec(name)]
    drawn, spent_s = _draw_all(names, samples, seed, tell)
    figures = [row for scale in SCALES for row in _figures(scale, names, drawn, spent_s)]
    for name in names:
        total = sum(drawn[name, scale].total() for scale in SCALES)
        us = sum(spent_s[name, scale] for scale in SCALES) / total * 1e6
        figures.append({
            "figure": f"{name}: draws in all", "measured": f"{total}, {us:.1f} µs each",
            "wanted": f"≥ {samples}", "met": total >= samples,
        })  # fmt: skip
    if "opendp" not in names:
        figures.append({
            "figure": "opendp's sampler", "measured": "not installed: pip install '.[soak]'",
            "wanted": "compared", "met": False,
        })  # fmt: skip
    return {"seed": seed.hex(), "figures": figures}
