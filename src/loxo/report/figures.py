"""Figures of an evaluation: curves over thresholds, reliability of scores, metrics by group.

Points have intervals of 95 %: Wilson's for shares, Garwood's for rates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, product
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter

from loxo.evaluation import EVENT_RULES, Evaluation, Group, by_hour, by_site, by_snr
from loxo.events import Interval
from loxo.metrics import Curve, Reliability
from loxo.report.panels import DPI, colour
from loxo.report.words import drawable
from loxo.storage import atomic_write

__all__ = ["draw_figures", "precision_recall"]

GROUPINGS = {"snr": by_snr, "site": by_site, "hour": by_hour}
GROUP_TITLES = {
    "snr": "Level above the noise (SNR)",
    "site": "Site",
    "hour": "Hour of the day, by the clock in the file's name",
}
LINES: Mapping[str, str] = dict(zip(EVENT_RULES, ("-", "--"), strict=True))
RULE = EVENT_RULES[0]
"""The rule of the figures that show one rule only."""
LEAST_PER_HOUR = 0.1
"""False positives per hour above which the axis is logarithmic."""
MOST_POINTS = 2000
"""Points of a curve."""
MOST_GROUPS = 40
"""Sites or hours on an axis."""
LABEL_STEP = 0.16
"""Distance of the labels of a group, where groups are 1 apart."""

Estimate = tuple[float | None, Interval | None]
"""A metric and its interval."""


def draw_figures(evaluation: Evaluation, folder: Path) -> list[Path]:
    """Draw the figures for which an evaluation has the data, as PNG files.

    - `pr.png`: precision against recall.
    - `false_positives.png`: recall against false positives per hour.
    - `reliability.png`: the share of detections that are true, against their score.
    - `by_snr.png`, `by_site.png` and `by_hour.png`: recall, and false positives per hour, of two
      groups or more, under `overlap10`.

    Returns:
        The files that were written.

    Raises:
        OSError: if a figure cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, figure in chain(_over_thresholds(evaluation), _over_groups(evaluation)):
        with atomic_write(folder / name) as temporary:
            figure.savefig(temporary, format="png")
        written.append(folder / name)
    return written


def _over_thresholds(evaluation: Evaluation) -> Iterator[tuple[str, Figure]]:
    keys = product(evaluation.labels, EVENT_RULES)
    curves = {
        (label, rule): curve.thinned(MOST_POINTS)
        for label, rule in keys
        if (curve := evaluation.curve(label, rule)) is not None and curve.events
    }
    drawn = {key: curve for key, curve in curves.items() if curve.found.size}
    if drawn:
        yield "pr.png", precision_recall(drawn)
    if drawn and evaluation.audio_seconds:
        yield "false_positives.png", _recall_by_rate(drawn)
    known = {
        label: found
        for label in evaluation.labels
        if (found := evaluation.reliability(label)) is not None and found.bins
    }
    if known:
        yield "reliability.png", _reliability(known)


def _over_groups(evaluation: Evaluation) -> Iterator[tuple[str, Figure]]:
    for grouping, grouped in GROUPINGS.items():
        groups = {label: grouped(evaluation, label, RULE) for label in evaluation.labels}
        if max(map(len, groups.values())) > 1:
            yield f"by_{grouping}.png", _by_group(groups, grouping)


# ---- over thresholds


def _new(width_in: float, height_in: float, rows: int = 1) -> tuple[Figure, list[Axes]]:
    """A figure with axes one below the other."""
    figure = Figure((width_in, height_in), DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, [figure.add_subplot(rows, 1, row + 1) for row in range(rows)]


def precision_recall(curves: Mapping[tuple[str, str], Curve]) -> Figure:
    """Draw curves by label and rule, from the highest score to the lowest."""
    figure, (axes,) = _new(7.0, 6.0)
    for (label, rule), curve in curves.items():
        text = f"{label}, {rule}: average precision {curve.average_precision or 0:.2f}"
        # Each gain in recall is drawn at the precision of its threshold, so that the area below the
        # steps is the average precision.
        recall = np.append(0.0, curve.recall)
        precision = np.append(curve.precision[:1], curve.precision)
        axes.step(recall, precision, LINES[rule], where="pre", color=colour(label), label=text)
        best = curve.best
        if best is not None:
            axes.plot(curve.recall[best], curve.precision[best], "o", color=colour(label))
    axes.set(
        xlim=(0, 1.01),
        ylim=(0, 1.02),
        xlabel="Recall",
        ylabel="Precision",
        title="Every threshold; dots: the best F1",
    )
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, loc="lower left")
    return figure


def _recall_by_rate(curves: Mapping[tuple[str, str], Curve]) -> Figure:
    figure, (axes,) = _new(7.0, 5.0)
    for (label, rule), curve in curves.items():
        axes.step(
            curve.false_positives_per_hour,
            curve.recall,
            LINES[rule],
            where="post",
            color=colour(label),
            label=f"{label}, {rule}",
        )
    axes.set_xscale("symlog", linthresh=LEAST_PER_HOUR)
    # Powers of ten would need fonts that not every machine has.
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.set(
        ylim=(0, 1.02), xlabel="False positives per hour", ylabel="Recall", title="Every threshold"
    )
    axes.set_xlim(left=0)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, loc="best")
    return figure


def _reliability(by_label: Mapping[str, Reliability]) -> Figure:
    figure, (axes,) = _new(6.0, 6.0)
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1, label="a score that is a probability")
    for label, found in by_label.items():
        shares = [(b.true_share, b.interval) for b in found.bins]
        text = f"{label}: mean distance {found.error or 0:.2f}"
        _whiskers(axes, [b.mean_score for b in found.bins], shares, label, text=text, line="-")
    axes.set(
        xlim=(0, 1),
        ylim=(0, 1.02),
        xlabel="Score",
        ylabel="Share of detections that are true",
        title=f"By the rule {RULE}",
    )
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, loc="upper left")
    return figure


# ---- by group


def _by_group(groups: Mapping[str, Sequence[Group]], grouping: str) -> Figure:
    """Draw recall by group and label and, where they are known, false positives per hour."""
    everything = list(chain.from_iterable(groups.values()))
    rated = any(group.has_detections and group.seconds is not None for group in everything)
    names = list(dict.fromkeys(group.name for group in everything))
    if grouping != "snr":  # classes of SNR come in their order, and are few
        names = sorted(names)[:MOST_GROUPS]
    figure, panels = _new(max(6.0, 2.0 + 0.45 * len(names)), 6.0 if rated else 4.0, rows=1 + rated)
    panels[0].set(ylabel="Recall", ylim=(0, 1.05))
    _draw_groups(panels[0], groups, names, _recall)
    if rated:
        panels[1].set(ylabel="False positives per hour")
        _draw_groups(panels[1], groups, names, _rate)
        panels[1].set_ylim(bottom=0)
    panels[0].legend(frameon=False, loc="best")
    panels[-1].set_xlabel(GROUP_TITLES[grouping])
    rotation = 0 if grouping == "hour" else 30
    for axes in panels:
        texts = [drawable(name) for name in names]
        axes.set_xticks(range(len(names)), texts, rotation=rotation, parse_math=False)
        axes.grid(axis="y", alpha=0.3)
    return figure


def _recall(group: Group) -> Estimate:
    return group.score.recall, group.score.recall_interval


def _rate(group: Group) -> Estimate:
    return group.score.false_positives_per_hour, group.score.false_positives_per_hour_interval


def _draw_groups(
    axes: Axes,
    groups: Mapping[str, Sequence[Group]],
    names: Sequence[str],
    estimate_of: Callable[[Group], Estimate],
) -> None:
    """Draw an estimate of each group and label, the labels of a group side by side."""
    for number, (label, each) in enumerate(groups.items()):
        shift = LABEL_STEP * (number - (len(groups) - 1) / 2)
        across: list[float] = []
        values: list[tuple[float, Interval | None]] = []
        for group in each:
            value, interval = estimate_of(group)
            if group.name in names and value is not None:
                across.append(names.index(group.name) + shift)
                values.append((value, interval))
        _whiskers(axes, across, values, label, text=label)
    axes.set_xlim(-0.6, len(names) - 0.4)


def _whiskers(
    axes: Axes,
    across: Sequence[float],
    values: Sequence[tuple[float, Interval | None]],
    label: str,
    *,
    text: str,
    line: str = "none",
) -> None:
    """Draw points with their intervals.

    Args:
        text: in the legend.
        line: style of the line between the points.
    """
    middle = np.array([value for value, _ in values], dtype=np.float64)
    limits = [interval or (value, value) for value, interval in values]
    ends = np.array(limits, dtype=np.float64).reshape(-1, 2).T
    axes.errorbar(
        across,
        middle,
        np.maximum(np.abs(ends - middle), 0.0),
        fmt="o",
        linestyle=line,
        color=colour(label),
        capsize=2,
        markersize=4,
        label=text,
    )
