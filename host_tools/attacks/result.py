# SPDX-License-Identifier: MIT
"""What an attack found, in the same words for each."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Result:
    """attack: a key of questions.ATTACKS; question: what the observer wants to know; measure: of
    what the numbers are; interval: 95 % of `with_policy`; wanted: the bound in words, "" where the
    figure is only reported; met: whether it holds; details: what a plot and JSON need beside;
    by_chance: the bound holds, though `with_policy` is beyond it: so much is chance."""

    attack: str
    policy: str
    question: str
    measure: str
    without: float | None
    with_policy: float
    chance: float
    interval: tuple[float, float]
    wanted: str = ""
    met: bool = True
    details: dict = dataclasses.field(default_factory=dict)
    by_chance: bool = False

    @property
    def verdict(self) -> str:
        """In a word or three; "" where nothing is wanted."""
        if not self.wanted:
            return ""
        if not self.met:
            return "missed"
        return "reached (within chance)" if self.by_chance else "reached"

    def as_object(self) -> dict:
        """For JSON; without what only a picture needs."""
        details = {key: value for key, value in self.details.items() if key != "example"}
        return {**dataclasses.asdict(self), "details": details}


def clopper_pearson(hits: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """The exact interval of a probability; each end alone fails with (1 − confidence) / 2."""
    from scipy.stats import binomtest

    interval = binomtest(hits, trials).proportion_ci(confidence, "exact")
    return float(interval.low), float(interval.high)


def share_interval(share: float, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """The exact interval of a share of so many trials."""
    return clopper_pearson(round(share * trials), trials, confidence)
