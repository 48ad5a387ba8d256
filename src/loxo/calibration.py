"""Calibrate a model: scores as probabilities, and thresholds for a number of false positives.

The score of a network is not a probability: it depends on how many events its training clips held.
The log odds of each label's scores are calibrated by two numbers, `slope` and `offset`, so that of
the detections with a score of 0.8 four in five are true (J. Platt, "Probabilistic outputs for
support vector machines", 1999, with his smoothed targets). That holds for recordings with as many
events, and as many similar sounds, as those used for the calibration. Where events are ten times
rarer, so are true detections.

Then the rule `overlap10` is applied at a grid of thresholds. The detections are made again at each
threshold, since the extent of an event depends on it. The results are stored in the specification
(`operating_points`), for `loxo detect --false-positives-per-hour`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from os import PathLike, fspath

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, logit

from loxo.annotations import Annotations, match_annotations
from loxo.events import Detection, Event
from loxo.messages import SILENT, Progress, one_line, pluralize
from loxo.metrics import Counts, Matching, f1_score, overlap10, score
from loxo.model import Model, load_model, lowest_threshold
from loxo.model_folder import Calibration, ModelSpec, OperatingPoint, PostProcessing, save_spec
from loxo.post_processing import binarize
from loxo.recordings import RecordingIndex
from loxo.scoring import EDGE, calibrated
from loxo.timeline import FrameGrid

__all__ = [
    "CalibrationError",
    "RecordingScores",
    "calibrate",
    "collect_scores",
    "fit",
    "operating_points",
]

THRESHOLD_GRID = expit(np.linspace(-6.0, 6.0, 61))
"""Thresholds that are tried, evenly spaced in log odds, from 0.0025 to 0.9975."""
MINIMUM_CASES = 10
"""Fewer true or false detections are not enough to fit two numbers."""


class CalibrationError(ValueError):
    """Recordings or a truth that a model cannot be calibrated with: one line with the reason."""


@dataclass(frozen=True, slots=True)
class RecordingScores:
    """The scores of a recording, and the events in it.

    Args:
        scores: `(frame, label)`.
        grid: of the frames.
        seconds: length of the recording.
        events: of all labels.
    """

    scores: NDArray[np.float32]
    grid: FrameGrid
    seconds: float
    events: tuple[Event, ...]


def calibrate(
    model: Model | str | PathLike[str],
    recordings: Iterable[str | PathLike[str]],
    truth: Annotations,
    *,
    false_positives_per_hour: float | None = None,
    progress: Progress = SILENT,
) -> ModelSpec:
    """Calibrate a model in its folder, and choose its thresholds again.

    Args:
        model: the model or its folder; its `spec.json` is changed.
        recordings: paths or addresses; those that the truth does not name are ignored.
        truth: the events of the recordings.
        false_positives_per_hour: the thresholds are the lowest with no more of them; None takes the
            thresholds with the best F1.
        progress: receives each recording that is done, and those that cannot be read.

    Returns:
        The new specification.

    Raises:
        CalibrationError: if no recording can be used, a name in the truth fits several recordings,
            or a label has too few true or false detections.
        ModelError: if the folder does not hold a model.
        OSError: if the folder cannot be written to.
    """
    loaded = model if isinstance(model, Model) else load_model(model)
    raw = loaded.uncalibrated()
    paths = list(recordings)
    collected = collect_scores(raw, paths, truth, progress=progress)
    if not collected:
        raise CalibrationError(
            f"none of the {pluralize(len(paths), 'recording')} can be read and is in the truth; "
            "check --recordings, and how the tables name the recordings"
        )
    spec = replace(raw.spec, calibration=_fit_all(collected, raw.spec))
    collected = [replace(one, scores=calibrated(one.scores, spec)) for one in collected]
    points = {
        label: operating_points(collected, column, label, spec.post_processing[label])
        for column, label in enumerate(spec.labels)
    }
    post_processing = {
        label: replace(
            spec.post_processing[label],
            threshold=_choose_threshold(points[label], false_positives_per_hour),
        )
        for label in spec.labels
    }
    spec = replace(spec, operating_points=points, post_processing=post_processing)
    save_spec(spec, loaded.folder)
    return spec


def collect_scores(
    model: Model,
    recordings: Iterable[str | PathLike[str]],
    truth: Annotations,
    *,
    progress: Progress = SILENT,
) -> list[RecordingScores]:
    """Score each recording that the truth names and that can be read.

    Raises:
        CalibrationError: if a name in the truth fits several recordings.
    """
    matched = match_annotations(truth, RecordingIndex([fspath(path) for path in recordings]))
    if matched.ambiguous:
        raise CalibrationError(str(matched.ambiguous[0]))
    collected = []
    for done, (path, rows) in enumerate(matched.rows.items(), start=1):
        try:
            scores = model.score(path)
        except (OSError, ValueError) as error:
            progress.message(f"skipped  {path}: {one_line(error)}")
        else:
            events = tuple(row.event for row in rows)
            one = RecordingScores(scores.values, scores.grid, scores.duration_s, events)
            collected.append(one)
        progress.update("recordings", done, len(matched.rows))
    return collected


# ---- scores as probabilities


def _fit_all(collected: Sequence[RecordingScores], spec: ModelSpec) -> dict[str, Calibration]:
    return {
        label: fit(collected, column, label, spec.post_processing[label])
        for column, label in enumerate(spec.labels)
    }


def fit(
    collected: Sequence[RecordingScores], column: int, label: str, processing: PostProcessing
) -> Calibration:
    """Fit the calibration of a label by maximum likelihood.

    Args:
        column: of the label in the scores.
        processing: of the label; the threshold with the most detections is used instead of its
            own.

    Raises:
        CalibrationError: if there are too few true or false detections.
    """
    # At low thresholds neighbouring detections merge, so the lowest does not give the most.
    peaks, true = max(
        (
            _peaks_and_truth(collected, column, label, replace(processing, threshold=threshold))
            for threshold in THRESHOLD_GRID
        ),
        key=lambda found: len(found[0]),
    )
    n_true, n_false = int(true.sum()), int((~true).sum())
    if min(n_true, n_false) < MINIMUM_CASES:
        raise CalibrationError(
            f"{label}: {n_true} true and {n_false} false detections in these recordings; a "
            f"calibration needs {MINIMUM_CASES} of each, so give it more recordings"
        )
    targets = np.where(true, (n_true + 1) / (n_true + 2), 1 / (n_false + 2))
    odds = logit(np.clip(peaks.astype(np.float64), EDGE, 1 - EDGE))

    def negative_log_likelihood(parameters: NDArray[np.float64]) -> float:
        log_slope, offset = parameters
        calibrated_odds = np.exp(log_slope) * odds + offset
        return float((np.logaddexp(0.0, calibrated_odds) - targets * calibrated_odds).mean())

    log_slope, offset = minimize(negative_log_likelihood, np.zeros(2), method="Nelder-Mead").x
    return Calibration(round(float(np.exp(log_slope)), 4), round(float(offset), 4))


def _peaks_and_truth(
    collected: Sequence[RecordingScores], column: int, label: str, processing: PostProcessing
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Score of each detection `(detection,)`, and whether it is true, without ignored ones."""
    peaks, true = [np.zeros(0, np.float32)], [np.zeros(0, np.bool_)]
    for each in collected:
        found, matching = _match(each, column, label, processing)
        peaks.append(found[~matching.ignored])
        true.append(matching.true[~matching.ignored])
    return np.concatenate(peaks), np.concatenate(true)


def _match(
    recording: RecordingScores, column: int, label: str, processing: PostProcessing
) -> tuple[NDArray[np.float32], Matching]:
    """Scores of the detections in a recording, and how `overlap10` matches them."""
    runs, peaks = binarize(recording.scores[:, column], recording.grid, processing)
    start_s = recording.grid.start_s
    found = [
        Detection(label, start_s(first), min(start_s(last), recording.seconds), 0.0, 0.0, peak)
        for (first, last), peak in zip(runs.tolist(), peaks.tolist(), strict=True)
    ]
    events = [event for event in recording.events if event.label == label]
    return peaks, overlap10(events, found)


# ---- thresholds


def operating_points(
    collected: Sequence[RecordingScores], column: int, label: str, processing: PostProcessing
) -> tuple[OperatingPoint, ...]:
    """Count what is found of a label at each threshold of the grid, thresholds descending.

    Args:
        column: of the label in the scores.
        processing: of the label; each threshold replaces its own.
    """
    seconds = sum(recording.seconds for recording in collected)
    points = []
    for threshold in THRESHOLD_GRID[::-1].round(4).tolist():
        chosen = replace(processing, threshold=threshold)
        matchings = (_match(recording, column, label, chosen)[1] for recording in collected)
        results = score(sum((matching.counts for matching in matchings), Counts()), seconds)
        points.append(
            OperatingPoint(
                threshold,
                _rounded(results.recall),
                _rounded(results.precision),
                round(results.false_positives_per_hour or 0.0, 3),
            )
        )
    return tuple(points)


def _choose_threshold(
    points: Sequence[OperatingPoint], false_positives_per_hour: float | None
) -> float:
    if false_positives_per_hour is not None:
        return lowest_threshold(points, false_positives_per_hour)
    return max(points, key=lambda point: f1_score(point.precision, point.recall) or 0.0).threshold


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
