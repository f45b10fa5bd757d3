# SPDX-License-Identifier: MIT
"""One picture for each attack, as SVG."""

from pathlib import Path

from host_tools.attacks.result import Result

# Okabe and Ito's colours, which people who see few colours can tell apart.
_BAD, _GOOD, _CHANCE, _OTHER = "#D55E00", "#0072B2", "#666666", "#E69F00"


def draw_all(results: list[Result], folder: Path) -> list[Path]:
    """Writes the pictures of what was attacked; returns their paths."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams.update({
        "svg.hashsalt": "lamppost", "font.size": 10, "axes.spines.top": False,
        "axes.spines.right": False, "figure.constrained_layout.use": True,
    })  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for result in results:
        draw = _DRAW.get(result.attack)
        if draw is None or not result.details:
            continue
        figure = draw(result)
        if figure is None:
            continue
        path = folder / f"{result.attack}-{result.policy}.svg"
        if path not in written:
            figure.savefig(path, metadata={"Date": None})
            written.append(path)
        matplotlib.pyplot.close(figure)
    return written


def _axes(title: str, x: str, y: str, width: float = 7.5, height: float = 4.2):
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(width, height))
    axes.set_title(title, loc="left")
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    return figure, axes


def _network(result: Result):
    """Sizes and times of two streets: without policy, and as they leave."""
    if "example" not in result.details or result.question != "busy or quiet":
        return None
    from matplotlib import pyplot

    figure, rows = pyplot.subplots(2, 1, figsize=(8.5, 5.2), sharex=True)
    for axes, kind, said in zip(rows, ("plain", "sealed"), ("without policy: JSON",
                                "with policy: sealed envelopes"), strict=True):  # fmt: skip
        runs = result.details["example"][kind]
        start_s = min(run[0][0] for run in result.details["example"]["sealed"])
        hours = [[(time - start_s) / 3600 for time, _ in run] for run in runs]
        axes.plot(hours[1], [size for _, size in runs[1]], "o", color=_BAD, markersize=4,
                  label="busy street")  # fmt: skip
        axes.plot(hours[0], [size for _, size in runs[0]], "x", color=_GOOD, markersize=6,
                  label="quiet street")  # fmt: skip
        share = result.without if kind == "plain" else result.with_policy
        axes.set_title(f"{said}; the best guess is right in {share:.0%} of cases", loc="left")
        axes.set_ylabel("bytes")
        sizes = [size for run in runs for _, size in run]
        axes.set_ylim(min(sizes) - 5, max(sizes) + 5)
        axes.set_xlim(-0.3, 6.3)
    rows[0].legend(loc="upper left", bbox_to_anchor=(1, 1))
    rows[1].set_xlabel("hours")
    return figure


def _energy(result: Result):
    """F1 by window, or of one feeder."""
    details = result.details
    groups = [group for group, score in details["habit"].items() if score is not None]
    if "curve" not in details:
        figure, axes = _axes(result.question, "", "F1")
        kinds = (("raw", "the sum, each minute", _BAD), ("policy", "with policy", _GOOD),
                 ("habit", "guessed from habit", _CHANCE))  # fmt: skip
        for at, (kind, said, colour) in enumerate(kinds):
            scores = [details[kind][group] for group in groups]
            bars = axes.bar([x + 0.27 * (at - 1) for x in range(len(groups))], scores, 0.25,
                            color=colour, label=said)  # fmt: skip
            axes.bar_label(bars, fmt="%.2f", padding=2)
        axes.set_xticks(range(len(groups)), groups)
        axes.set_ylim(0, 1)
        axes.legend(loc="upper left")
        return figure
    figure, axes = _axes(result.question, "length of the windows that leave the node",
                         "F1 (1: always right)")  # fmt: skip
    windows = sorted(details["curve"])
    names = {60: "1 min", 900: "15 min", 1800: "30 min", 3600: "1 h", 86_400: "1 day (policy)"}
    for group, colour, marker in zip(groups, (_BAD, _GOOD, _OTHER), "os^", strict=False):
        axes.plot(range(len(windows)), [details["curve"][w][group] for w in windows],
                  marker=marker, color=colour, label=group)  # fmt: skip
        axes.axhline(details["habit"][group], color=colour, linestyle=":",
                     label=f"{group}, guessed from habit")  # fmt: skip
    axes.set_xticks(range(len(windows)), [names.get(w, f"{w} s") for w in windows])
    axes.set_ylim(0, 1.05)
    axes.legend(loc="lower left", ncols=2)
    return figure


def _averaging(result: Result):
    curve = result.details["curve"]
    days = [point["days"] for point in curve]
    figure, axes = _axes(f"the mean of so many days, {result.details['quantity']}", "days",
                         "error of the mean (standard deviation)")  # fmt: skip
    axes.plot(days, [point["error"] for point in curve], "o", color=_BAD, label="measured")
    axes.plot(days, [point["allowed"] for point in curve], color=_GOOD,
              label="what independent draws allow")  # fmt: skip
    axes.set_xticks(days)
    axes.set_ylim(0)
    axes.legend()
    return figure


def _night(result: Result):
    details = result.details
    figure, axes = _axes("was one person there tonight?",
                         "others who passed, known to who guesses", "share of right guesses")
    for kind, said, colour, marker in (
        ("without", "raw counts", _BAD, "o"),
        ("k only", f"k = {details['k']}, no noise", _OTHER, "^"),
        ("policy", "the policy", _GOOD, "s"),
    ):
        axes.plot(details["others"], details["curves"][kind], marker=marker, color=colour,
                  label=said, markersize=5)  # fmt: skip
    axes.axhline(0.5, color=_CHANCE, linestyle=":", label="chance")
    axes.set_ylim(0.4, 1.05)
    axes.set_xticks(range(0, len(details["others"]), 5))
    axes.legend(loc="center right")
    return figure


def _epsilon(result: Result):
    details = result.details
    if details["units"] == 1:
        return None
    figure, axes = _axes(result.question + f", {details['runs']:,} runs", "", "epsilon", 5.5)
    bars = axes.bar(("shown of the node", "shown of a node with half the noise"),
                    (result.with_policy, details["broken"]), 0.5, color=(_GOOD, _BAD))  # fmt: skip
    axes.bar_label(bars, fmt="%.2f", padding=3)
    axes.axhline(details["stated"], color=_CHANCE, linestyle=":",
                 label=f"stated: {details['stated']:.4g}")  # fmt: skip
    axes.legend(loc="upper left")
    return figure


_DRAW = {"network": _network, "energy": _energy, "averaging": _averaging, "night": _night,
         "epsilon": _epsilon}  # fmt: skip
