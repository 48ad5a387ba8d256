"""Figures of an evaluation: curves over thresholds, reliability of scores, and figures by group.

Points and bars carry intervals of 95 %: Wilson's for shares, Garwood's for rates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter

from loxo.evaluation import EVENT_RULES, Evaluation, Group, by_hour, by_site, by_snr
from loxo.events import EVENT_LABELS, Interval
from loxo.metrics import Curve, Reliability
from loxo.report.panels import DPI, colour
from loxo.report.words import drawable
from loxo.storage import replacing

__all__ = ["draw_figures", "precision_recall"]

LINES: Mapping[str, str] = dict(zip(EVENT_RULES, ("-", "--"), strict=True))
RULE = EVENT_RULES[0]
"""Of the figures that show one rule."""
LEAST_PER_HOUR = 0.1
"""False positives per hour from which on the axis is logarithmic."""
MOST_POINTS = 2000
MOST_SITES = 40


def draw_figures(evaluation: Evaluation, folder: Path) -> list[Path]:
    """Write the figures that an evaluation has the data for, as PNG files; returns those written.

    `pr.png` precision against recall; `false_positives.png` recall against false positives per hour; `reliability.png` the share of
    detections that are true against their score; `by_snr.png`, `by_site.png` and `by_hour.png` recall, and false positives per hour, by
    group, under `overlap10`.

    Raises:
        OSError: if a figure cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, figure in _figures(evaluation):
        with replacing(folder / name) as passing:
            figure.savefig(passing, format="png")
        written.append(folder / name)
    return written


def _figures(evaluation: Evaluation) -> Iterator[tuple[str, Figure]]:
    curves = {(label, rule): evaluation.curve(label, rule) for label in EVENT_LABELS for rule in EVENT_RULES}
    drawn = {key: curve.thinned(MOST_POINTS) for key, curve in curves.items() if curve is not None and curve.events and curve.found.size}
    if drawn:
        yield "pr.png", precision_recall(drawn)
    if drawn and evaluation.audio_seconds:
        yield "false_positives.png", _recall_by_rate(drawn)
    known = {label: found for label in EVENT_LABELS if (found := evaluation.reliability(label)) is not None and found.bins}
    if known:
        yield "reliability.png", _reliability(known)
    for name, grouped in (("by_snr", by_snr), ("by_site", by_site), ("by_hour", by_hour)):
        groups = {label: grouped(evaluation, label, RULE) for label in EVENT_LABELS}
        if max(map(len, groups.values())) > 1:
            yield f"{name}.png", _by_group(groups, name.removeprefix("by_"))


# ---- over thresholds


def _new(width_in: float, height_in: float, rows: int = 1) -> tuple[Figure, list[Axes]]:
    figure = Figure((width_in, height_in), DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, [figure.add_subplot(rows, 1, row + 1) for row in range(rows)]


def precision_recall(curves: Mapping[tuple[str, str], Curve]) -> Figure:
    """Curves by label and rule, from the highest score on."""
    figure, (axes,) = _new(7.0, 6.0)
    for (label, rule), curve in curves.items():
        text = f"{label}, {rule}: average precision {curve.average_precision or 0:.2f}"
        # A step is as high as the precision that its gain in recall was bought at, so that the area below is the average precision.
        recall, precision = np.append(0.0, curve.recall), np.append(curve.precision[:1], curve.precision)
        axes.step(recall, precision, LINES[rule], where="pre", color=colour(label), label=text)
        if curve.best is not None:
            axes.plot(curve.recall[curve.best], curve.precision[curve.best], "o", color=colour(label))
    axes.set(xlim=(0, 1.01), ylim=(0, 1.02), xlabel="Recall", ylabel="Precision", title="Every threshold; dots: the best F1")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, loc="lower left")
    return figure


def _recall_by_rate(curves: Mapping[tuple[str, str], Curve]) -> Figure:
    figure, (axes,) = _new(7.0, 5.0)
    for (label, rule), curve in curves.items():
        axes.step(curve.false_positives_per_hour, curve.recall, LINES[rule], where="post", color=colour(label), label=f"{label}, {rule}")
    axes.set_xscale("symlog", linthresh=LEAST_PER_HOUR)
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))  # powers would be set with fonts that are not everywhere
    axes.set(ylim=(0, 1.02), xlabel="False positives per hour", ylabel="Recall", title="Every threshold")
    axes.set_xlim(left=0)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, loc="best")
    return figure


def _reliability(by_label: Mapping[str, Reliability]) -> Figure:
    figure, (axes,) = _new(6.0, 6.0)
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1, label="a score that means what it says")
    for label, found in by_label.items():
        shares = [(b.true_share, b.interval) for b in found.bins]
        text = f"{label}: mean distance {found.error or 0:.2f}"
        _whiskers(axes, [b.mean_score for b in found.bins], shares, label, text=text, joined="-")
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="Score", ylabel="Share of detections that are true", title=f"By the rule {RULE}")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, loc="upper left")
    return figure


# ---- by group


def _by_group(groups: Mapping[str, Sequence[Group]], what: str) -> Figure:
    """Recall, and below it false positives per hour where they are known, of each group and label."""
    rated = any(group.has_detections and group.seconds is not None for each in groups.values() for group in each)
    names = list(dict.fromkeys(group.name for each in groups.values() for group in each))
    if what != "snr":
        names = sorted(names)[:MOST_SITES]
    figure, panels = _new(max(6.0, 2.0 + 0.45 * len(names)), 6.0 if rated else 4.0, rows=1 + rated)
    panels[0].set(ylabel="Recall", ylim=(0, 1.05))
    _draw_groups(panels[0], groups, names, lambda group: (group.score.recall, group.score.recall_interval))
    if rated:
        panels[1].set(ylabel="False positives per hour")
        _draw_groups(panels[1], groups, names, _rate)
        panels[1].set_ylim(bottom=0)
    panels[0].legend(frameon=False, loc="best")
    titles = {"snr": "Loudness over the noise", "site": "Site", "hour": "Hour of the day, by the clock in the file's name"}
    panels[-1].set_xlabel(titles[what])
    for axes in panels:
        axes.set_xticks(range(len(names)), [drawable(name) for name in names], rotation=0 if what == "hour" else 30, parse_math=False)
        axes.grid(axis="y", alpha=0.3)
    return figure


def _rate(group: Group) -> tuple[float | None, Interval | None]:
    return group.score.false_positives_per_hour, group.score.false_positives_per_hour_interval


def _draw_groups(
    axes: Axes,
    groups: Mapping[str, Sequence[Group]],
    names: Sequence[str],
    figure_of: Callable[[Group], tuple[float | None, Interval | None]],
) -> None:
    for number, (label, each) in enumerate(groups.items()):
        known = [(names.index(group.name) + 0.16 * (number - 0.5), *figure_of(group)) for group in each if group.name in names]
        points = [(place, value, interval) for place, value, interval in known if value is not None]
        _whiskers(axes, [place for place, _, _ in points], [(value, interval) for _, value, interval in points], label, text=label)
    axes.set_xlim(-0.6, len(names) - 0.4)


def _whiskers(
    axes: Axes, across: Sequence[float], values: Sequence[tuple[float, Interval | None]], label: str, *, text: str, joined: str = "none"
) -> None:
    """Points with their intervals."""
    middle = np.array([value for value, _ in values], dtype=np.float64)
    limits = np.array([interval or (value, value) for value, interval in values], dtype=np.float64).reshape(-1, 2).T
    reach = np.maximum(np.abs(limits - middle), 0.0)
    axes.errorbar(across, middle, reach, fmt="o", linestyle=joined, color=colour(label), capsize=2, markersize=4, label=text)
