"""An evaluation as JSON, as tables for a terminal, and in words.

In JSON each label and rule has, beside its counts and figures, `bootstrap` (intervals over recordings) and, of detections with scores,
`average_precision`, `best` (the threshold of the greatest F1) and `recall_at` so many false positives per hour. `reached` is false where
the lowest score has fewer: more would be found by a run with a lower threshold.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table

from loxo.evaluation.comparing import Comparison, compare
from loxo.evaluation.counting import Evaluation, listed, number_of
from loxo.evaluation.groups import EVENT_RULES, Group, by_hour, by_site, by_snr, whole
from loxo.events import EVENT_LABELS, Interval
from loxo.metrics import FIGURES, RULES, Curve, Score, mean_precision_interval
from loxo.storage import replacing

__all__ = ["PER_HOUR", "comparison_table", "curve_table", "notices", "summary_table", "to_json", "write_json"]

PER_HOUR = (1, 5, 20)
"""False positives per hour at which recall is told."""
_BRIEF = (*FIGURES, "true_events", "detections")
_CURVE_POINTS = 400
_GROUPINGS: Mapping[str, Callable[[Evaluation, str, str], list[Group]]] = {"by_site": by_site, "by_hour": by_hour, "by_snr": by_snr}


# ---- results


def to_json(evaluation: Evaluation, against: Evaluation | None = None) -> dict[str, Any]:
    """The result as `loxo evaluate` writes it; figures without a meaning are null."""
    curves = {(label, rule): evaluation.curve(label, rule) for label in EVENT_LABELS for rule in RULES}
    result = {
        "classes": {
            label: {rule: asdict(evaluation.score(label, rule)) | _more(evaluation, label, rule, curves[label, rule]) for rule in RULES}
            for label in EVENT_LABELS
        },
        "curves": {label: {rule: _points(curves[label, rule]) for rule in RULES} for label in EVENT_LABELS},
        "reliability": {label: None if (found := evaluation.reliability(label)) is None else asdict(found) for label in EVENT_LABELS},
        "marginal_events": {label: _marginal(evaluation, label) for label in EVENT_LABELS},
        "by_recording": {label: _by_recording(evaluation, label) for label in EVENT_LABELS},
        **{
            name: {label: {rule: _groups(groups(evaluation, label, rule)) for rule in EVENT_RULES} for label in EVENT_LABELS}
            for name, groups in _GROUPINGS.items()
        },
        "audio_seconds": evaluation.audio_seconds,
        "recordings": list(evaluation.recordings),
        "refused": list(evaluation.refused),
        "not_detected_on": list(evaluation.not_detected_on),
        "other_labels": {side: dict(labels) for side, labels in evaluation.other_labels.items()},
    }
    if against is not None:
        result["against"] = {label: {rule: asdict(compare(evaluation, against, label, rule)) for rule in RULES} for label in EVENT_LABELS}
    return result


def _more(evaluation: Evaluation, label: str, rule: str, curve: Curve | None) -> dict[str, Any]:
    """What is known by the bootstrap and at other thresholds."""
    group, ranked = whole(evaluation, label, rule), evaluation.ranked(label, rule)
    bootstrap = group.bootstrap
    if curve is None or ranked is None:
        return {"bootstrap": bootstrap, "average_precision": None, "best": None, "recall_at": None}
    bootstrap["average_precision"] = mean_precision_interval(ranked, curve.thinned(_CURVE_POINTS).threshold, group.weights)
    return {
        "bootstrap": bootstrap,
        "average_precision": curve.average_precision,
        "best": _best(curve),
        "recall_at": {str(rate): _recall_at(curve, rate) for rate in PER_HOUR} if curve.hours else None,
    }


def _best(curve: Curve) -> dict[str, float | None] | None:
    if curve.best is None:
        return None
    figures = curve.score_at(curve.best)
    return {"threshold": float(curve.threshold[curve.best])} | {name: getattr(figures, name) for name in FIGURES}


def _recall_at(curve: Curve, rate: float) -> dict[str, float | bool | None]:
    return {"recall": curve.recall_at(rate), "threshold": curve.threshold_at(rate), "reached": curve.reaches(rate)}


def _points(curve: Curve | None) -> dict[str, Any] | None:
    """Columns of a curve, thinned."""
    if curve is None:
        return None
    few = curve.thinned(_CURVE_POINTS)
    columns = {"threshold": few.threshold} | {name: getattr(few, name) for name in FIGURES}
    return {name: [None if np.isnan(value) else value for value in values.tolist()] for name, values in columns.items()}


def _groups(groups: Sequence[Group]) -> dict[str, dict[str, Any]]:
    """Figures of each group by its name; of groups of events alone, recall."""
    return {group.name: _figures_of(group) for group in groups}


def _figures_of(group: Group) -> dict[str, Any]:
    figures, intervals = group.score, group.bootstrap
    names = FIGURES if group.has_detections else ("recall",)
    return {
        **{name: getattr(figures, name) for name in names},
        "true_events": figures.true_events,
        **({"detections": figures.detections} if group.has_detections else {}),
        "recall_interval": figures.recall_interval,
        "recordings": len(group.counts),
        "seconds": None if group.seconds is None else float(group.seconds.sum()),
        "bootstrap": {name: intervals[name] for name in names},
    }


def _marginal(evaluation: Evaluation, label: str) -> int:
    return sum(row.event.marginal for judged in evaluation.recordings.values() for row in judged[label].truth)


def _by_recording(evaluation: Evaluation, label: str) -> dict[str, dict[str, Any]]:
    """The main figures of each rule, for each recording."""
    by_recording: dict[str, dict[str, Any]] = {name: {} for name in evaluation.recordings}
    for rule in RULES:
        for name, figures in evaluation.score_by_recording(label, rule).items():
            by_recording[name][rule] = {key: getattr(figures, key) for key in _BRIEF}
    return by_recording


def write_json(evaluation: Evaluation, path: Path, against: Evaluation | None = None) -> None:
    """Write the result; a file of that name is replaced only once the new one is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as passing:
        passing.write_text(json.dumps(to_json(evaluation, against), indent=2, allow_nan=False) + "\n", encoding="utf-8")


def notices(evaluation: Evaluation) -> list[str]:
    """What a reader of the figures must know, a line each; none if all is plain."""
    lines = []
    if evaluation.refused:
        lines.append(
            f"refused for want of truth: {listed(evaluation.refused)}; if one was searched and is empty, give it a table with a header "
            "only or a row DUMMY_NoEles"
        )
    if evaluation.not_detected_on:
        lines.append(f"left out, since the detector was not run on them: {listed(evaluation.not_detected_on)}")
    if evaluation.audio_seconds is None:
        lines.append(
            "no false positives per hour, since the length of the audio is unknown: give --audio-seconds, or as detections the whole "
            "folder that loxo detect wrote"
        )
    lines.extend(
        f"no {label} is marked in the truth: if it was not searched for that, its {number} false detections mean nothing"
        for label, number in _never_marked(evaluation).items()
    )
    lines.extend(_ends_early(evaluation))
    if len(evaluation.recordings) < 2:
        lines.append("one recording alone has no intervals over recordings (bootstrap); those above take its events for independent")
    for side, labels in evaluation.other_labels.items():
        if labels:
            lines.append(f"not counted in the {side}: " + ", ".join(f"{number} {label}" for label, number in labels.items()))
    return lines


def _never_marked(evaluation: Evaluation) -> dict[str, int]:
    """Labels with false detections of which a truth that has events knows none: tables of the field often hold one label each."""
    marked = {label: any(judged[label].truth for judged in evaluation.recordings.values()) for label in EVENT_LABELS}
    false = {label: evaluation.counts(label, "overlap10").false for label in EVENT_LABELS}
    return {label: false[label] for label in EVENT_LABELS if any(marked.values()) and not marked[label] and false[label]}


def _ends_early(evaluation: Evaluation) -> list[str]:
    """Labels whose detections end before the numbers of false positives per hour at which recall is told."""
    lines = []
    for label in EVENT_LABELS:
        curve = evaluation.curve(label, "overlap10")
        if curve is not None and curve.hours and curve.events and curve.threshold.size and not curve.reaches(PER_HOUR[-1]):
            rate, lowest = curve.false_positives_per_hour[-1], curve.threshold[-1]
            lines.append(
                f"{label}: the lowest score is {lowest:.2g}, with {_rate(rate)} false per hour; for recall at more (> below), run "
                f"loxo detect with a lower --threshold, as in {label}={lowest / 4:.1g}"
            )
    return lines


def curve_table(evaluation: Evaluation) -> Table | None:
    """What other thresholds would give, by the rules that count events; None where nothing has scores and events."""
    table = Table(title="at other thresholds", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for heading in ("label", "rule"):
        table.add_column(heading)
    for heading in ("average\nprecision", "best\nF1", "at\nscore", *(f"recall at\n{rate} false / h" for rate in PER_HOUR)):
        table.add_column(heading, justify="right")
    for label in EVENT_LABELS:
        for rule in EVENT_RULES:
            curve = evaluation.curve(label, rule)
            if curve is not None and curve.events and curve.best is not None:
                best = _share(float(curve.f1[curve.best])), _share(float(curve.threshold[curve.best]))
                recalls = [_cell(curve.recall_at(rate), None, _share) for rate in PER_HOUR]
                marks = ["" if recall == "-" or curve.reaches(rate) else ">" for rate, recall in zip(PER_HOUR, recalls, strict=True)]
                at_rates = [mark + recall for mark, recall in zip(marks, recalls, strict=True)]
                table.add_row(label, rule, _cell(curve.average_precision, None, _share), *best, *at_rates)
    return table if table.rows else None


def comparison_table(these: Evaluation, others: Evaluation) -> Table:
    """These detections less the others, by label and rule."""
    shared = sum(name in others.recordings for name in these.recordings)
    table = Table(title=f"these less the others, {number_of(shared)}", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for heading in ("label", "rule"):
        table.add_column(heading)
    for heading in ("precision", "recall", "F1", "false / h", "alone\nfound", "p"):
        table.add_column(heading, justify="right")
    for label in EVENT_LABELS:
        for rule in RULES:
            table.add_row(label, rule, *_compared(compare(these, others, label, rule)))
        table.add_section()
    return table


def _compared(comparison: Comparison) -> tuple[str, ...]:
    written = (_signed_share, _signed_share, _signed_share, _signed_rate)
    pairs = zip(comparison.differences.values(), written, strict=True)
    differences = [_cell(difference.value, difference.interval, write, "\nto ") for difference, write in pairs]
    p_value = "-" if comparison.p_value is None else f"{comparison.p_value:.2g}"
    return *differences, f"{comparison.only_these} : {comparison.only_others}", p_value


def summary_table(evaluation: Evaluation) -> Table:
    """The figures of each label and rule, with their 95 % intervals, for a terminal of 80 columns."""
    hours = "unknown length" if evaluation.audio_seconds is None else f"{evaluation.audio_seconds / 3600:.2f} h"
    table = Table(title=f"{number_of(len(evaluation.recordings))}, {hours}", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for heading in ("label", "rule"):
        table.add_column(heading)
    for heading in ("precision", "recall", "F1", "false / h", "true\nevents", "detec-\ntions"):
        table.add_column(heading, justify="right")
    for label in EVENT_LABELS:
        for rule in RULES:
            table.add_row(label, rule, *_cells(evaluation.score(label, rule)))
        table.add_section()
    return table


def _cells(figures: Score) -> tuple[str, ...]:
    return (
        _cell(figures.precision, figures.precision_interval, _share),
        _cell(figures.recall, figures.recall_interval, _share),
        _cell(figures.f1, None, _share),
        _cell(figures.false_positives_per_hour, figures.false_positives_per_hour_interval, _rate),
        str(figures.true_events),
        str(figures.detections),
    )


def _cell(value: float | None, interval: Interval | None, written: Callable[[float], str], to: str = "-") -> str:
    if value is None:
        return "-"
    return written(value) if interval is None else f"{written(value)}\n({written(interval[0])}{to}{written(interval[1])})"


def _share(value: float) -> str:
    return f"{value:.2f}".removeprefix("0")


def _rate(value: float) -> str:
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"


def _signed_share(value: float) -> str:
    return f"{value:+.2f}".replace("0.", ".")


def _signed_rate(value: float) -> str:
    return f"{value:+.1f}" if abs(value) < 100 else f"{value:+.0f}"
