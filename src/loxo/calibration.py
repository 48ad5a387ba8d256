"""Scores that mean what they say, and thresholds for a stated number of false alarms: a model, heard on recordings with a truth.

A network's score is not a probability: it depends on how many events its training clips held. Here the scores of each label are bent by
two numbers, `slope` and `offset` of their log odds, so that of the detections with a score of .8 four in five are true (J. Platt,
"Probabilistic outputs for support vector machines", 1999, with his smoothed targets). That holds for recordings with as many events, and
as much that is like them, as those that it was measured on: where events are ten times rarer, so are the true among the detections.

Then the rule `overlap10` is counted at a row of thresholds, by detections that are decided anew at each, since an event's extent depends
on its threshold. What was found stands in the specification (`operating_points`), for `loxo detect --false-positives-per-hour`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, logit

from loxo.annotations import Annotations, distinct_stems
from loxo.checkpoints import Calibration, Decision, ModelError, ModelSpec, OperatingPoint, load_spec, save_spec
from loxo.detection import decide
from loxo.events import Detection, Event
from loxo.metrics import Counts, Outcome, overlap10, score
from loxo.recordings import open_recording
from loxo.scoring import EDGE, Scorer, calibrated
from loxo.timeline import FrameGrid

__all__ = ["CalibrationError", "Heard", "calibrate", "fit", "hear", "operating_points", "threshold_for"]

LADDER = expit(np.linspace(-6.0, 6.0, 61))
"""Thresholds that are tried, evenly spread in log odds, from .0025 to .9975."""
LEAST_TRUE = 10
"""Fewer true detections, or false ones, say too little to fit two numbers to."""


class CalibrationError(ValueError):
    """Recordings or a truth that a model cannot be calibrated with; one line that says why."""


@dataclass(frozen=True, slots=True)
class Heard:
    """The scores `(frame, class)` of a recording, and its events."""

    scores: NDArray[np.float32]
    grid: FrameGrid
    seconds: float
    events: tuple[Event, ...]


def calibrate(
    folder: Path, recordings: Sequence[Path], truth: Annotations, *, false_positives_per_hour: float | None = None,
    each: Callable[[Path], None] | None = None,
) -> ModelSpec:  # fmt: skip
    """Calibrate a model folder in its place, and choose its thresholds anew.

    Args:
        recordings: those that the truth does not speak of are passed over.
        false_positives_per_hour: thresholds are the lowest with no more; None takes those of the best F1.
        each: told of each recording that was heard.

    Raises:
        CalibrationError: if no recording has a truth, or a label too few true or false detections.
        ModelError: if the folder is not a model.
        OSError: if a recording cannot be read.
    """
    spec = replace(load_spec(folder), calibration={}, operating_points={})
    heard = list(hear(folder, recordings, truth, each=each))
    if not heard:
        raise CalibrationError(f"none of the {len(recordings)} recordings is in the truth; tables must name them alike")
    bent = {label: fit(heard, column, label, spec.decisions[label]) for column, label in enumerate(spec.labels)}
    spec = replace(spec, calibration=bent)
    heard = [replace(each_one, scores=calibrated(each_one.scores, spec)) for each_one in heard]
    points = {label: operating_points(heard, column, label, spec.decisions[label]) for column, label in enumerate(spec.labels)}
    chosen = {label: _threshold(points[label], false_positives_per_hour) for label in spec.labels}
    decisions = {label: replace(spec.decisions[label], threshold=chosen[label]) for label in spec.labels}
    spec = replace(spec, operating_points=points, decisions=decisions)
    save_spec(spec, folder)
    return spec


def hear(folder: Path, recordings: Sequence[Path], truth: Annotations, *, each: Callable[[Path], None] | None = None) -> list[Heard]:
    """The raw scores of each recording that the truth speaks of."""
    scorer = Scorer(folder)
    scorer.spec = replace(scorer.spec, calibration={})
    marked = truth.by_recording()
    names = distinct_stems([path.as_posix() for path in recordings])
    found = []
    for path in recordings:
        if names[path.as_posix()] in marked:
            scores = scorer.score(open_recording(path).blocks(scorer.spec.front_end.rate), keep_above=1.0)
            events = tuple(row.event for row in marked[names[path.as_posix()]])
            found.append(Heard(scores.values, scores.grid, scores.duration_s, events))
            if each is not None:
                each(path)
    return found


def fit(heard: Sequence[Heard], column: int, label: str, decision: Decision) -> Calibration:
    """The calibration under which the detections of a label are as likely as they were.

    Raises:
        CalibrationError: if there are too few true or false ones.
    """
    # Where thresholds are low, neighbours join: the most detections tell the most.
    at = max(LADDER, key=lambda threshold: len(_judged(heard, column, label, replace(decision, threshold=threshold))[0]))
    peaks, true = _judged(heard, column, label, replace(decision, threshold=at))
    n_true, n_false = int(true.sum()), int((~true).sum())
    if min(n_true, n_false) < LEAST_TRUE:
        raise CalibrationError(
            f"{label}: {n_true} true and {n_false} false detections in these recordings; a calibration needs {LEAST_TRUE} of each"
        )
    wanted = np.where(true, (n_true + 1) / (n_true + 2), 1 / (n_false + 2))
    odds = logit(np.clip(peaks.astype(np.float64), EDGE, 1 - EDGE))

    def surprise(parameters: NDArray[np.float64]) -> float:
        bent = np.exp(parameters[0]) * odds + parameters[1]
        return float((np.logaddexp(0.0, bent) - wanted * bent).mean())

    log_slope, offset = minimize(surprise, np.zeros(2), method="Nelder-Mead").x
    return Calibration(round(float(np.exp(log_slope)), 4), round(float(offset), 4))


def operating_points(heard: Sequence[Heard], column: int, label: str, decision: Decision) -> tuple[OperatingPoint, ...]:
    """What is found of a label at each threshold of the ladder, thresholds descending."""
    seconds = sum(each.seconds for each in heard)
    points = []
    for threshold in LADDER[::-1].round(4).tolist():
        counts = sum((_counts(each, column, label, replace(decision, threshold=threshold)) for each in heard), Counts())
        figures = score(counts, seconds)
        per_hour = figures.false_positives_per_hour or 0.0
        points.append(OperatingPoint(threshold, _rounded(figures.recall), _rounded(figures.precision), round(per_hour, 3)))
    return tuple(points)


def threshold_for(spec: ModelSpec, false_positives_per_hour: float) -> Mapping[str, float]:
    """The lowest threshold of each label with no more false detections an hour.

    Raises:
        ModelError: if the model was never calibrated.
    """
    if not spec.operating_points:
        raise ModelError(f"{spec.name}: not calibrated, so nobody knows its false positives; use --threshold, or `loxo calibrate` first")
    return {label: _threshold(points, false_positives_per_hour) for label, points in spec.operating_points.items()}


def _threshold(points: Sequence[OperatingPoint], false_positives_per_hour: float | None) -> float:
    if false_positives_per_hour is None:
        return max(points, key=_f1).threshold
    lowest = points[0].threshold
    for point in points:
        if point.false_positives_per_hour > false_positives_per_hour:
            break
        lowest = point.threshold
    return lowest


def _f1(point: OperatingPoint) -> float:
    if not (point.recall and point.precision):
        return 0.0
    return 2 * point.recall * point.precision / (point.recall + point.precision)


def _judged(heard: Sequence[Heard], column: int, label: str, decision: Decision) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Peak of each detection `(detection,)`, and whether it is true; those that met an event in doubt only are left out."""
    peaks, true = [np.zeros(0, np.float32)], [np.zeros(0, np.bool_)]
    for each in heard:
        found, outcome = _outcome(each, column, label, decision)
        certain = sorted([*outcome.true, *outcome.false])
        peaks.append(found[certain])
        true.append(np.isin(certain, outcome.true))
    return np.concatenate(peaks), np.concatenate(true)


def _counts(heard: Heard, column: int, label: str, decision: Decision) -> Counts:
    return _outcome(heard, column, label, decision)[1].counts


def _outcome(heard: Heard, column: int, label: str, decision: Decision) -> tuple[NDArray[np.float32], Outcome]:
    """Peaks of the detections in a recording, and what `overlap10` makes of them."""
    runs, peaks = decide(heard.scores[:, column], heard.grid, decision)
    found = [
        Detection(label, heard.grid.start_s(first), min(heard.grid.start_s(last), heard.seconds), 0.0, 0.0, peak)
        for (first, last), peak in zip(runs.tolist(), peaks.tolist(), strict=True)
    ]
    return peaks, overlap10([event for event in heard.events if event.label == label], found)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
