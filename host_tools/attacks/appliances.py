# SPDX-License-Identifier: MIT
"""Tells from a household's load which appliances run: a forest of decision trees over the level,
its steps and its surroundings, and the time of day, learned on the first days.

What it is measured against is the same forest with the time of day alone: the habits of a
household can be guessed by who sees nothing of it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import f1_score
from sklearn.model_selection import GroupKFold, cross_val_predict

from host_tools.attacks.recording import MINUTES

_SEED = 1
_STEPS = (1, 2, 5, 15, 30)  # minutes
_CLEARLY = 0.01  # better by less is chance
_DRAWS = 300
_BLOCK = 60  # minutes that stay together in choosing a threshold and in drawing anew


def time_of_day(minutes: int) -> numpy.ndarray:
    """One column: the minute of the day."""
    return (numpy.arange(minutes) % MINUTES)[:, None].astype(float)


def load_features(series: Sequence[Sequence[float]]) -> numpy.ndarray:
    """Of each of the series (a value for each minute): its level, its steps to earlier and later
    minutes, and lowest, mean and highest of what is around."""
    columns = []
    for values in series:
        values = numpy.asarray(values, dtype=float)
        columns.append(values)
        for step in _STEPS:
            early = numpy.concatenate([numpy.full(step, values[0]), values[:-step]])
            late = numpy.concatenate([values[step:], numpy.full(step, values[-1])])
            around = numpy.lib.stride_tricks.sliding_window_view(
                numpy.pad(values, step, mode="edge"), 2 * step + 1
            )
            columns += [values - early, late - values, around.min(axis=1), around.mean(axis=1),
                        around.max(axis=1)]  # fmt: skip
    return numpy.stack(columns, axis=1)


class Guess(NamedTuple):
    """f1: of guessing the later minutes; truth, guessed: of each of them, 0 or 1."""

    f1: float
    truth: numpy.ndarray
    guessed: numpy.ndarray


def guess(lines: numpy.ndarray, on: Sequence[int], learned: int) -> Guess | None:
    """The minutes after the first `learned`; None when nothing ran in either.

    Two kinds of forest are tried, and the one that does better on what it has not seen of the
    first minutes is asked: splits that look at all columns, and splits that look at half."""
    on = numpy.asarray(on)
    if not on[:learned].any() or not on[learned:].any():
        return None
    known, truth = lines[:learned], on[:learned]
    best = (-1.0, 0.0, None)
    for columns in (None, 0.5) if lines.shape[1] > 1 else (None,):
        forest = RandomForestClassifier(
            40, min_samples_leaf=10, max_features=columns, random_state=_SEED
        )
        blocks = numpy.arange(learned) // _BLOCK
        unseen = cross_val_predict(
            forest, known, truth, groups=blocks, cv=GroupKFold(4), method="predict_proba"
        )[:, -1]
        threshold = _best_threshold(unseen, truth)
        score = float(f1_score(truth, unseen >= threshold))
        if score > best[0] + _CLEARLY:
            best = (score, threshold, forest)
    _, threshold, forest = best
    likely = forest.fit(known, truth).predict_proba(lines[learned:])[:, -1]
    guessed = (likely >= threshold).astype(int)
    return Guess(float(f1_score(on[learned:], guessed)), on[learned:], guessed)


def mean_f1_interval(guesses: Sequence[Guess]) -> tuple[float, float]:
    """95 % of the mean F1 over the groups, from drawing the hours anew (a block bootstrap)."""
    chance = numpy.random.default_rng(_SEED)
    hours = len(guesses[0].truth) // _BLOCK
    means = []
    for _ in range(_DRAWS):
        drawn = chance.integers(hours, size=hours)
        means.append(numpy.mean([
            f1_score(one.truth[: hours * _BLOCK].reshape(hours, _BLOCK)[drawn].ravel(),
                     one.guessed[: hours * _BLOCK].reshape(hours, _BLOCK)[drawn].ravel(),
                     zero_division=0.0)
            for one in guesses
        ]))  # fmt: skip
    low, high = numpy.percentile(means, (2.5, 97.5))
    return float(low), float(high)


def _best_threshold(likely: numpy.ndarray, truth: numpy.ndarray) -> float:
    """That of the best F1; 0, which is to guess that it always runs, is among them."""
    candidates = numpy.concatenate([[0.0], numpy.unique(likely.round(2))])
    scores = [f1_score(truth, likely >= threshold) for threshold in candidates]
    return float(candidates[int(numpy.argmax(scores))])
