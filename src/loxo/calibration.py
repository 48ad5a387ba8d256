"""Calibrate a model: scores as probabilities, and thresholds for a number of false positives.

The score of a network is not a probability: it depends on how many events its training clips held.
The log odds of each label's scores are calibrated by two numbers, `slope` and `offset`, so that of
the detections with a score of 0.8 four in five are true (J. Platt, "Probabilistic outputs for
support vector machines", 1999, with his smoothed targets). That holds for recordings with as many
events, and as many similar sounds, as those used for the calibration. Where events are ten times
rarer, so are true detections. So the specification says how many there were (`Calibration`).

The off-threshold is the level at which detections overlap best with the events that they find.

Then the rule `overlap10` is applied at a grid of thresholds. The results are stored in the
specification (`operating_points`), for `loxo detect --false-positives-per-hour`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike, fspath
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, logit

from loxo.annotations import Annotations, match_annotations
from loxo.events import Detection, Event, overlap_s
from loxo.messages import SILENT, Progress, one_line, pluralize
from loxo.metrics import Counts, Matching, f1_score, overlap10, score
from loxo.model import Model, load_model, lowest_threshold
from loxo.model_folder import Calibration, ModelSpec, OperatingPoint, PostProcessing, save_spec
from loxo.post_processing import binarize
from loxo.recordings import RecordingIndex
from loxo.scoring import EDGE, calibrated
from loxo.storage import atomic_write
from loxo.timeline import FrameGrid

__all__ = [
    "CalibrationError",
    "RecordingScores",
    "best_off_threshold",
    "calibrate",
    "collect_scores",
    "fit",
    "operating_points",
]

THRESHOLD_GRID = expit(np.linspace(-6.0, 6.0, 61))
"""Thresholds that are tried, evenly spaced in log odds, from 0.0025 to 0.9975."""
OFF_THRESHOLD_GRID = expit(np.linspace(-4.0, -0.5, 15)).round(4)
"""Off-thresholds that are tried, evenly spaced in log odds, from 0.018 to 0.38."""
CLEAR_SCORE = 0.5
"""Off-thresholds are chosen on detections that are more likely true than not."""
CARD_HEADING = "## Calibration"
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
    false_positives_per_hour: float | Mapping[str, float] | None = None,
    progress: Progress = SILENT,
) -> ModelSpec:
    """Calibrate a model in its folder, and choose its thresholds again.

    Args:
        model: the model or its folder; its `spec.json` is changed.
        recordings: paths or addresses; those that the truth does not name are ignored.
        truth: the events of the recordings.
        false_positives_per_hour: the thresholds are the lowest with no more of them, for all labels
            or by label; None, or a label without a rate, takes the threshold with the best F1.
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
    points, post_processing, calibration = {}, {}, {}
    for column, label in enumerate(spec.labels):
        processing = spec.post_processing[label]
        off_threshold = best_off_threshold(collected, column, label, processing)
        processing = replace(processing, off_threshold=off_threshold)
        given = false_positives_per_hour
        rate = given.get(label) if isinstance(given, Mapping) else given
        while True:
            points[label] = operating_points(collected, column, label, processing)
            threshold = _choose_threshold(points[label], rate)
            if threshold >= processing.off_threshold:
                break
            # Else higher thresholds would change the times of detections, not only select some.
            processing = replace(processing, off_threshold=threshold)
        post_processing[label] = replace(processing, threshold=threshold)
        calibration[label] = replace(spec.calibration[label], false_positives_per_hour=rate)
    spec = replace(
        spec,
        calibration=calibration,
        operating_points=points,
        post_processing=post_processing,
    )
    save_spec(spec, loaded.folder)
    _state_prior(spec, loaded.folder)
    return spec


def _state_prior(spec: ModelSpec, folder: Path) -> None:
    """State in the model card what the model was calibrated on, in place of an older statement."""
    card = folder / "README.md"
    if card.is_file():
        text = card.read_text(encoding="utf-8").partition(CARD_HEADING)[0].rstrip()
        prior = spec.prior[:1].upper() + spec.prior[1:]
        with atomic_write(card) as temporary:
            temporary.write_text(f"{text}\n\n{CARD_HEADING}\n{prior}.\n", encoding="utf-8")


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
        processing: of the label; the level with the most detections is used instead of its
            thresholds.

    Raises:
        CalibrationError: if there are too few true or false detections.
    """
    # At low levels neighbouring detections merge, so the lowest does not give the most.
    levels = (replace(processing, threshold=t, off_threshold=t) for t in THRESHOLD_GRID)
    peaks, true = max(
        (_peaks_and_truth(collected, column, label, level) for level in levels),
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
    hours = sum(recording.seconds for recording in collected) / 3600
    events = sum(
        event.label == label and not event.marginal
        for recording in collected
        for event in recording.events
    )
    return Calibration(
        round(float(np.exp(log_slope)), 4),
        round(float(offset), 4),
        round(hours, 3),
        round(events / hours, 3),
    )


def _peaks_and_truth(
    collected: Sequence[RecordingScores], column: int, label: str, processing: PostProcessing
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Score of each detection `(detection,)`, and whether it is true, without ignored ones."""
    matching = _match_all(collected, column, label, processing)
    return matching.scores[~matching.ignored], matching.true[~matching.ignored]


def _match_all(
    collected: Sequence[RecordingScores], column: int, label: str, processing: PostProcessing
) -> Matching:
    """Detections in all recordings, as `overlap10` matches them."""
    found = (_detected(recording, column, label, processing) for recording in collected)
    return Matching.concatenate(
        overlap10(events, detections, np.array([each.score for each in detections]))
        for events, detections in found
    )


def _detected(
    recording: RecordingScores, column: int, label: str, processing: PostProcessing
) -> tuple[list[Event], list[Detection]]:
    """Events of a label in a recording, and its detections without bands."""
    runs, peaks = binarize(recording.scores[:, column], recording.grid, processing)
    start_s = recording.grid.start_s
    detections = [
        Detection(label, start_s(first), min(start_s(last), recording.seconds), None, None, peak)
        for (first, last), peak in zip(runs.tolist(), peaks.tolist(), strict=True)
    ]
    return [event for event in recording.events if event.label == label], detections


# ---- extents


def best_off_threshold(
    collected: Sequence[RecordingScores], column: int, label: str, processing: PostProcessing
) -> float:
    """The off-threshold at which detections overlap best with the events that they find.

    The overlap of an event is that with the detection that overlaps most, as the share that both
    have in the time of either. Detections that score less than `CLEAR_SCORE` do not count.

    Args:
        column: of the label in the scores.
        processing: of the label; its own off-threshold is taken if no event is found.
    """
    best, best_overlap = processing.off_threshold, 0.0
    for level in OFF_THRESHOLD_GRID.tolist():
        chosen = replace(processing, threshold=CLEAR_SCORE, off_threshold=level)
        overlaps: list[float] = []
        for recording in collected:
            overlaps += _overlaps(*_detected(recording, column, label, chosen))
        overlap = float(np.mean(overlaps)) if overlaps else 0.0
        if overlap > best_overlap:
            best, best_overlap = level, overlap
    return best


def _overlaps(events: Sequence[Event], detections: Sequence[Detection]) -> list[float]:
    """Intersection over union, in time, of each event that is found."""
    best: dict[int, float] = {}
    for event, detection in overlap10(events, detections).pairs.tolist():
        one, other = events[event], detections[detection]
        shared_s = overlap_s((one.start_s, one.end_s), (other.start_s, other.end_s))
        whole_s = max(one.end_s, other.end_s) - min(one.start_s, other.start_s)
        best[event] = max(best.get(event, 0.0), shared_s / whole_s)
    return list(best.values())


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
    matched: dict[float, Matching] = {}
    points = []
    for threshold in THRESHOLD_GRID[::-1].round(4).tolist():
        # From the off-threshold on, thresholds only select among detections.
        level = min(threshold, processing.off_threshold)
        if level not in matched:
            chosen = replace(processing, threshold=level)
            matched[level] = _match_all(collected, column, label, chosen)
        ((events, found, detections, true),) = matched[level].counts_at(np.array([threshold]))
        results = score(Counts(events, found, detections, true), seconds)
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
