"""An evaluation as tables for a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from loxo.evaluation.comparing import Comparison, compare, shared_recordings
from loxo.evaluation.counting import Evaluation
from loxo.evaluation.groups import EVENT_RULES
from loxo.evaluation.json_results import PER_HOUR
from loxo.events import Interval
from loxo.messages import pluralize
from loxo.metrics import RULES, Curve, Score

__all__ = [
    "comparison_table",
    "curve_table",
    "plain_text",
    "rate_text",
    "shots_table",
    "summary_table",
]

_WIDTH = 80


def plain_text(table: Table) -> str:
    """A table as text, 80 columns wide and without colours."""
    console = Console(width=_WIDTH, color_system=None, force_terminal=False)
    with console.capture() as capture:
        console.print(table)
    lines = [line.rstrip() for line in capture.get().splitlines()]
    return "\n".join(lines).strip("\n")


def summary_table(evaluation: Evaluation) -> Table:
    """The metrics of each label and rule, with their 95 % intervals."""
    seconds = evaluation.audio_seconds
    hours = "unknown length" if seconds is None else f"{seconds / 3600:.2f} h"
    table = _table(
        f"{pluralize(len(evaluation.recordings), 'recording')}, {hours}",
        ("precision", "recall", "F1", "false / h", "true\nevents", "detec-\ntions"),
    )
    for label in evaluation.labels:
        for rule in RULES:
            table.add_row(label, rule, *_summary_cells(evaluation.score(label, rule)))
        table.add_section()
    return table


def curve_table(evaluation: Evaluation) -> Table | None:
    """Results at other thresholds, by the rules that count events.

    None if no label has both scores and events.
    """
    rates = [f"recall at\n{rate} false / h" for rate in PER_HOUR]
    table = _table("at other thresholds", ("average\nprecision", "best\nF1", "at\nscore", *rates))
    for label in evaluation.labels:
        for rule in EVENT_RULES:
            curve = evaluation.curve(label, rule)
            if curve is not None and curve.events and curve.best is not None:
                table.add_row(label, rule, *_curve_cells(curve, curve.best))
    return table if table.rows else None


def shots_table(evaluation: Evaluation) -> Table | None:
    """Numbers of gunshots; None if no label has any.

    Of each label: shots of all events and of those that were found, what detections stand for, and
    how well bursts, which are groups of several shots, are counted.
    """
    columns = ("true\nshots", "found", "counted", "bursts\nfound", "with a\nnumber")
    limits = ("within\n20 %", "within\n30 %")
    table = Table(title="numbers of gunshots", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("label")
    for heading in (*columns, *limits):
        table.add_column(heading, justify="right")
    for label in evaluation.labels:
        shots = evaluation.shot_counts(label)
        if shots is not None:
            bursts = shots.of_bursts()
            numbers = shots.true_shots, shots.found_shots, shots.counted_shots
            shares = [
                _cell(share, None, _share_text) for share in (bursts.within_20, bursts.within_30)
            ]
            table.add_row(label, *map(str, (*numbers, bursts.groups, bursts.counted)), *shares)
    return table if table.rows else None


def comparison_table(these: Evaluation, others: Evaluation) -> Table:
    """These detections minus the others, by label and rule."""
    shared = pluralize(len(shared_recordings(these, others)), "recording")
    table = _table(
        f"these minus the others, {shared}",
        ("precision", "recall", "F1", "false / h", "found\nalone", "p"),
    )
    for label in these.labels:
        for rule in RULES:
            table.add_row(label, rule, *_comparison_cells(compare(these, others, label, rule)))
        table.add_section()
    return table


def _table(title: str, headings: Sequence[str]) -> Table:
    """An empty table with a column for label and rule, and one for each heading."""
    table = Table(title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for heading in ("label", "rule"):
        table.add_column(heading)
    for heading in headings:
        table.add_column(heading, justify="right")
    return table


def _summary_cells(score: Score) -> tuple[str, ...]:
    return (
        _cell(score.precision, score.precision_interval, _share_text),
        _cell(score.recall, score.recall_interval, _share_text),
        _cell(score.f1, None, _share_text),
        _cell(score.false_positives_per_hour, score.false_positives_per_hour_interval, rate_text),
        str(score.true_events),
        str(score.detections),
    )


def _curve_cells(curve: Curve, best: int) -> tuple[str, ...]:
    return (
        _cell(curve.average_precision, None, _share_text),
        _share_text(float(curve.f1[best])),
        _share_text(float(curve.threshold[best])),
        *(_recall_cell(curve, rate) for rate in PER_HOUR),
    )


def _recall_cell(curve: Curve, rate: float) -> str:
    """Recall at a rate; `>` where the curve ends below that rate, so that more may be found."""
    recall = curve.recall_at(rate)
    if recall is None:
        return "-"
    return ("" if curve.reaches(rate) else ">") + _share_text(recall)


def _comparison_cells(comparison: Comparison) -> tuple[str, ...]:
    texts = (_signed_share, _signed_share, _signed_share, _signed_rate)
    pairs = zip(comparison.differences.values(), texts, strict=True)
    differences = [_cell(change.value, change.interval, text, "\nto ") for change, text in pairs]
    p_value = "-" if comparison.p_value is None else f"{comparison.p_value:.2g}"
    return *differences, f"{comparison.only_these} : {comparison.only_others}", p_value


def _cell(
    value: float | None, interval: Interval | None, text: Callable[[float], str], to: str = "-"
) -> str:
    if value is None:
        return "-"
    if interval is None:
        return text(value)
    low, high = interval
    return f"{text(value)}\n({text(low)}{to}{text(high)})"


def _share_text(value: float) -> str:
    return f"{value:.2f}".removeprefix("0")


def rate_text(value: float) -> str:
    """A rate as tables have it: one decimal below 100, none from there on."""
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"


def _signed_share(value: float) -> str:
    return f"{value:+.2f}".replace("0.", ".")


def _signed_rate(value: float) -> str:
    return f"{value:+.1f}" if abs(value) < 100 else f"{value:+.0f}"
