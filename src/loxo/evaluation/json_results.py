"""An evaluation as JSON.

Each label and rule has counts and metrics, `bootstrap` (intervals over recordings) and, if the
detections have scores, `average_precision`, `best` (the threshold of the greatest F1) and
`recall_at` several numbers of false positives per hour. There `reached` is false if even the lowest
score has fewer false positives: a run with a lower threshold would find more.

`counts` has the numbers of gunshots (`loxo.metrics.shots`) of each label for which an event or a
detection has one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from loxo.evaluation.comparing import compare
from loxo.evaluation.counting import Evaluation
from loxo.evaluation.groups import EVENT_RULES, Group, by_hour, by_site, by_snr, whole
from loxo.metrics import METRICS, RULES, Curve, average_precision_interval
from loxo.storage import atomic_write

__all__ = ["PER_HOUR", "to_json", "write_json"]

PER_HOUR = (1, 5, 20)
"""Numbers of false positives per hour at which recall is reported."""
_BRIEF = (*METRICS, "true_events", "detections")
_CURVE_POINTS = 400
_GROUPINGS: Mapping[str, Callable[[Evaluation, str, str], list[Group]]] = {
    "by_site": by_site,
    "by_hour": by_hour,
    "by_snr": by_snr,
}


def write_json(
    evaluation: Evaluation, path: str | PathLike[str], against: Evaluation | None = None
) -> None:
    """Write the result of `to_json`; an existing file is replaced at once, or not at all."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(to_json(evaluation, against), indent=2, allow_nan=False)
    with atomic_write(target) as temporary:
        temporary.write_text(f"{text}\n", encoding="utf-8")


def to_json(evaluation: Evaluation, against: Evaluation | None = None) -> dict[str, Any]:
    """Give all results as values that JSON can hold; undefined metrics are null.

    Args:
        against: other detections of the same recordings, to compare with.
    """
    labels = evaluation.labels
    unannotated = list(evaluation.unannotated)
    result: dict[str, Any] = {
        "classes": _by_label_and_rule(labels, RULES, lambda *of: _results(evaluation, *of)),
        "curves": _by_label_and_rule(labels, RULES, lambda *of: _points(evaluation.curve(*of))),
        "reliability": {label: _reliability(evaluation, label) for label in labels},
        "counts": _shot_counts(evaluation),
        "marginal_events": {label: _number_marginal(evaluation, label) for label in labels},
        "by_recording": {label: _by_recording(evaluation, label) for label in labels},
        **{name: _grouped(evaluation, groups) for name, groups in _GROUPINGS.items()},
        "audio_seconds": evaluation.audio_seconds,
        "recordings": list(evaluation.recordings),
        "unannotated": unannotated,
        "refused": unannotated,  # the former name, which scripts of users read
        "not_detected_on": list(evaluation.not_detected_on),
        "other_labels": {side: dict(labels) for side, labels in evaluation.other_labels.items()},
    }
    if against is not None:
        result["against"] = _by_label_and_rule(
            labels, RULES, lambda *of: asdict(compare(evaluation, against, *of))
        )
    return result


def _by_label_and_rule(
    labels: Iterable[str], rules: Iterable[str], value_of: Callable[[str, str], Any]
) -> dict[str, dict[str, Any]]:
    result: dict[str, dict[str, Any]] = {}
    for label in labels:
        result[label] = {rule: value_of(label, rule) for rule in rules}
    return result


def _results(evaluation: Evaluation, label: str, rule: str) -> dict[str, Any]:
    """Metrics at the given detections, intervals over recordings, and other thresholds."""
    group, curve = whole(evaluation, label, rule), evaluation.curve(label, rule)
    metrics, bootstrap = asdict(evaluation.score(label, rule)), group.bootstrap
    if curve is None:
        unknown = {"average_precision": None, "best": None, "recall_at": None}
        return metrics | {"bootstrap": bootstrap} | unknown
    bootstrap["average_precision"] = average_precision_interval(
        evaluation.matchings(label, rule), curve.thinned(_CURVE_POINTS).threshold, group.weights
    )
    recall_at = {str(rate): _recall_at(curve, rate) for rate in PER_HOUR}
    return metrics | {
        "bootstrap": bootstrap,
        "average_precision": curve.average_precision,
        "best": _best(curve),
        "recall_at": recall_at if curve.hours else None,
    }


def _best(curve: Curve) -> dict[str, float | None] | None:
    if curve.best is None:
        return None
    score = curve.score_at(curve.best)
    threshold: dict[str, float | None] = {"threshold": float(curve.threshold[curve.best])}
    return threshold | {name: getattr(score, name) for name in METRICS}


def _recall_at(curve: Curve, rate: float) -> dict[str, float | bool | None]:
    return {
        "recall": curve.recall_at(rate),
        "threshold": curve.threshold_at(rate),
        "reached": curve.reaches(rate),
    }


def _points(curve: Curve | None) -> dict[str, list[float | None]] | None:
    """Columns of a thinned curve."""
    if curve is None:
        return None
    few = curve.thinned(_CURVE_POINTS)
    return {name: _nulls(getattr(few, name)) for name in ("threshold", *METRICS)}


def _nulls(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> list[float | None]:
    return [None if np.isnan(value) else value for value in values.tolist()]


def _reliability(evaluation: Evaluation, label: str) -> dict[str, Any] | None:
    found = evaluation.reliability(label)
    return None if found is None else asdict(found)


def _shot_counts(evaluation: Evaluation) -> dict[str, Any]:
    """Shots of all events, and how well the groups of those that were found are counted."""
    found = {}
    for label in evaluation.labels:
        counts = evaluation.shot_counts(label)
        if counts is not None:
            found[label] = {
                "true_shots": counts.true_shots,
                "found_shots": counts.found_shots,
                "counted_shots": counts.counted_shots,
                "matched": asdict(counts.of_all()),
                "bursts": asdict(counts.of_bursts()),
            }
    return found


def _grouped(
    evaluation: Evaluation, groups: Callable[[Evaluation, str, str], list[Group]]
) -> dict[str, Any]:
    def results(label: str, rule: str) -> dict[str, Any]:
        return {group.name: _group(group) for group in groups(evaluation, label, rule)}

    return _by_label_and_rule(evaluation.labels, EVENT_RULES, results)


def _group(group: Group) -> dict[str, Any]:
    """Metrics of a group; recall only for a group of events."""
    score, intervals = group.score, group.bootstrap
    names = METRICS if group.has_detections else ("recall",)
    return {
        **{name: getattr(score, name) for name in names},
        "true_events": score.true_events,
        **({"detections": score.detections} if group.has_detections else {}),
        "recall_interval": score.recall_interval,
        "recordings": len(group.counts),
        "seconds": None if group.seconds is None else float(group.seconds.sum()),
        "bootstrap": {name: intervals[name] for name in names},
    }


def _number_marginal(evaluation: Evaluation, label: str) -> int:
    results = (of_labels[label] for of_labels in evaluation.recordings.values())
    return sum(row.event.marginal for result in results for row in result.truth)


def _by_recording(evaluation: Evaluation, label: str) -> dict[str, dict[str, Any]]:
    """The main metrics of each rule, for each recording."""
    by_recording: dict[str, dict[str, Any]] = {name: {} for name in evaluation.recordings}
    for rule in RULES:
        for name, score in evaluation.score_by_recording(label, rule).items():
            by_recording[name][rule] = {key: getattr(score, key) for key in _BRIEF}
    return by_recording
