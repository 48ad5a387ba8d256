"""Trials of post-processing on simulated recordings: how scores become detections.

A model scores each recording once. Then one setting at a time is changed, and all others stay those
of the model's specification. Two further trials are no settings of the package: the band of a
detection by other rules, and a score that grows with the length of the evidence. Settings that were
chosen with this script are in docs/accuracy.md, with what did not help.

    loxo simulate --output data/decision --recordings 12 --hours 1 --rate 4000 \\
        --events-per-hour 20 --lookalikes-per-hour 60 --seed 9000
    python benchmarks/decision.py runs/tcn-2/model data/decision
    python benchmarks/decision.py tcn data/decision --try Rumble.split_depth=0,2,2.5,3
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from loxo.annotations import match_annotations, read_annotations
from loxo.events import Detection, Event, overlap_s
from loxo.metrics import Matching, overlap10
from loxo.model import Model, load_model
from loxo.model_folder import PostProcessing
from loxo.post_processing import detect, log_odds
from loxo.recordings import RecordingIndex, find_recordings, open_recording
from loxo.scoring import Scores, concatenate
from loxo.simulate.gunshots import gunshot
from loxo.simulate.mixture import Kind, Mixture
from loxo.simulate.places import Place
from loxo.simulate.rumbles import rumble
from loxo.timeline import samples_at

LOWEST = 0.02
"""Features are kept around scores above this; off-thresholds must not be lower."""
RATES = (1.0, 2.0)
"""False positives per hour at which recall is stated."""
TRIALS = (
    "Rumble.off_threshold=0.03,0.05,0.08,0.12,0.2",
    "Rumble.split_depth=0,1.5,2,2.5,3,4",
    "Rumble.merge_gap_s=0,0.3,0.5,1",
    "Rumble.minimum_s=0.1,0.2,0.5,1",
    "Rumble.smoothing_s=0.1,0.3,0.5",
    "Gunshot.off_threshold=0.03,0.05,0.08,0.12,0.2",
    "Gunshot.split_depth=0,2.5,4",
    "Gunshot.merge_gap_s=0,0.3,0.6,1",
    "Gunshot.minimum_s=0.1,0.2",
    "Gunshot.smoothing_s=0.1,0.3",
)
EVIDENCE = ((1, 0.0), (10, 0.0), (10, 0.3), (10, 0.8), (30, 0.3))
"""Longest window in frames, and log odds that each doubling of the length of a window adds."""
SCENE_S, EVENT_S = 40.0, 12.0
"""Length of composed scenes, and when their first event begins."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A recording that a model has scored, and the events in it."""

    scores: Scores
    events: tuple[Event, ...]


Score = Callable[[Scores, Sequence[Detection]], NDArray[np.float64]]
"""Gives each detection a score `(detection,)`."""


def own_score(_: Scores, detections: Sequence[Detection]) -> NDArray[np.float64]:
    """The score that detections have: the highest of a frame."""
    return np.array([found.score for found in detections])


def evidence(
    longest: int, gain: float, scores: Scores, detections: Sequence[Detection]
) -> NDArray[np.float64]:
    """Score detections by the highest mean log odds of windows of 1, 3, 10 ... frames.

    Args:
        longest: length of the longest window in frames.
        gain: log odds that each doubling of the length adds.
    """
    grid = scores.grid
    found = []
    for each in detections:
        column = scores.labels.index(each.label)
        frames = slice(grid.frame(each.start_s), max(1, round(each.end_s / grid.frame_s)))
        cumulative = np.concatenate(([0.0], np.cumsum(log_odds(scores.values[frames, column]))))
        n_frames = len(cumulative) - 1
        lengths = {min(length, n_frames) for length in (1, 3, 10, 30) if length <= longest}
        means = [(cumulative[n:] - cumulative[:-n]).max() / n + gain * np.log2(n) for n in lengths]
        found.append(max(means))
    return np.asarray(expit(found), np.float64)


# ---- recordings


def score(model: Model, waveform: NDArray[np.float32]) -> Scores:
    return concatenate(list(model.stream([waveform], keep_above=LOWEST)))


def read_scored(model: Model, folder: Path) -> list[Scored]:
    """Score the recordings of a folder that its tables name."""
    index = RecordingIndex([str(path) for path in find_recordings([folder])])
    matched = match_annotations(read_annotations([folder]), index)
    scored = []
    for path, rows in matched.rows.items():
        blocks = model.blocks(open_recording(path))
        scores = concatenate(list(model.stream(blocks, keep_above=LOWEST)))
        scored.append(Scored(scores, tuple(row.event for row in rows)))
    return scored


def compose(
    model: Model,
    kind: Kind,
    number: int,
    gap_s: float,
    *,
    onsets: bool,
    seed: int,
    scenes: int = 60,
) -> list[Scored]:
    """Score scenes with a row of events each.

    Args:
        number: events in a row.
        gap_s: seconds from the end of an event to the start of the next.
        onsets: whether the gap is from start to start instead.
    """
    rng = np.random.default_rng(seed)
    scored: list[Scored] = []
    while len(scored) < scenes:
        place = Place.draw(rng, model.rate, (), 0.0)
        noise = place.noise(rng, samples_at(SCENE_S, model.rate))
        mixture, start_s = Mixture(noise, model.rate, margin=1), EVENT_S
        for _ in range(number):
            event = mixture.add(rng, kind, noise, start_s=start_s)
            if event is not None:
                start_s = (event.start_s if onsets else event.end_s) + gap_s
        if len(mixture.events) == number:
            waveform = (0.5 * mixture.waveform / np.abs(mixture.waveform).max()).astype(np.float32)
            scored.append(Scored(score(model, waveform), tuple(mixture.events)))
    return scored


# ---- figures


def detections_of(
    model: Model, recording: Scored, label: str, processing: PostProcessing
) -> list[Detection]:
    """All runs of a label as detections, whatever their score."""
    column = recording.scores.labels.index(label)
    scores = replace(
        recording.scores, labels=(label,), values=recording.scores.values[:, column : column + 1]
    )
    lowest = replace(processing, threshold=processing.off_threshold)
    return detect(scores, model.spec.front_end, {label: lowest})


def iou(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Share that two intervals have in common of what either covers."""
    return overlap_s(one, other) / (max(one[1], other[1]) - min(one[0], other[0]))


def figures(
    model: Model,
    recordings: Sequence[Scored],
    label: str,
    processing: PostProcessing,
    scoring: Score = own_score,
) -> dict[str, float]:
    """Figures of a label; extents and bands are those of detections at the threshold."""
    matchings: list[Matching] = []
    pairs: list[tuple[Event, list[Detection]]] = []
    for recording in recordings:
        events = [event for event in recording.events if event.label == label]
        found = detections_of(model, recording, label, processing)
        scores = scoring(recording.scores, found)
        matchings.append(overlap10(events, found, scores))
        strong = [
            each for each, value in zip(found, scores, strict=True) if value >= processing.threshold
        ]
        by_event: dict[int, list[Detection]] = {}
        for event, detection in overlap10(events, strong).pairs.tolist():
            by_event.setdefault(event, []).append(strong[detection])
        pairs += [(events[event], parts) for event, parts in by_event.items()]
    hours = sum(recording.scores.duration_s for recording in recordings) / 3600
    return ranking(Matching.concatenate(matchings), hours) | extents(pairs)


def ranking(matching: Matching, hours: float) -> dict[str, float]:
    """Average precision, highest F1, and recall at fixed rates of false positives."""
    counts = matching.counts_at(matching.thresholds)
    if len(counts) == 0:
        return {}
    events, found, detections, true = counts.T
    precision, recall = true / detections, found / np.maximum(events, 1)
    false_per_hour = (detections - true) / hours
    result = {
        "AP": float((np.diff(recall, prepend=0.0) * precision).sum()),
        "F1": float((2 * precision * recall / np.maximum(precision + recall, 1e-9)).max()),
    }
    for rate in RATES:
        result[f"R@{rate:g}/h"] = float(recall[false_per_hour <= rate].max(initial=0.0))
    return result


def extents(pairs: Sequence[tuple[Event, list[Detection]]]) -> dict[str, float]:
    """Overlaps in time and frequency of events with the detection that overlaps most."""
    times, bands, ends_s = [], [], []
    for event, parts in pairs:
        span = event.start_s, event.end_s
        best = max(parts, key=lambda part: iou(span, (part.start_s, part.end_s)))
        times.append(iou(span, (best.start_s, best.end_s)))
        ends_s.append(best.end_s - event.end_s)
        if None not in (event.low_hz, event.high_hz, best.low_hz, best.high_hz):
            band = event.low_hz or 0.0, event.high_hz or 0.0
            bands.append(iou(band, (best.low_hz or 0.0, best.high_hz or 0.0)))
    if not pairs:
        return {}
    several = [len(parts) > 1 for _, parts in pairs]
    return {
        "found": float(len(pairs)),
        "IoU time": float(np.mean(times)),
        "IoU band": float(np.mean(bands)) if bands else float("nan"),
        "early > 1 s": float((np.array(ends_s) < -1).mean()),
        "late > 1 s": float((np.array(ends_s) > 1).mean()),
        "in parts": float(np.mean(several)),
    }


def rows_told_apart(
    model: Model, rows: Iterable[Scored], label: str, processing: PostProcessing
) -> float:
    """Share of rows of events in which as many are counted, of the rows that are found at all."""
    right, n_rows = 0, 0
    for row in rows:
        found = [
            each
            for each in detections_of(model, row, label, processing)
            if each.score >= processing.threshold
            and each.end_s > row.events[0].start_s
            and each.start_s < row.events[-1].end_s
        ]
        n_rows += bool(found)
        right += sum(each.count or 1 for each in found) == len(row.events)
    return right / max(1, n_rows)


# ---- tables


def print_row(name: str, values: dict[str, float]) -> None:
    cells = [
        f"{key} {value:.3f}" if value < 10 else f"{key} {value:.0f}"
        for key, value in values.items()
    ]
    print(f"  {name:28}", "  ".join(cells), flush=True)


def calibration_bins(
    model: Model, recordings: Sequence[Scored], label: str, processing: PostProcessing
) -> dict[str, float]:
    """Share of true detections, by score."""
    matching = Matching.concatenate(
        overlap10(
            [event for event in recording.events if event.label == label],
            found,
            own_score(recording.scores, found),
        )
        for recording in recordings
        for found in [detections_of(model, recording, label, processing)]
    )
    shares = {}
    for low, high in ((0.1, 0.3), (0.3, 0.5), (0.5, 0.7), (0.7, 0.9), (0.9, 1.01)):
        inside = ~matching.ignored & (matching.scores >= low) & (matching.scores < high)
        name = f"{low:g}-{min(high, 1):g} ({inside.sum()})"
        shares[name] = float(matching.true[inside].mean()) if inside.any() else float("nan")
    return shares


def run(model: Model, recordings: Sequence[Scored], trials: Sequence[str]) -> None:
    shot = Kind("Gunshot", gunshot, (12.0, 24.0), labelled=True)
    call = Kind("Rumble", rumble, (3.0, 15.0), labelled=True)
    rows = {
        "Rumble": {
            f"pairs {gap_s:g} s": compose(model, call, 2, gap_s, onsets=False, seed=1)
            for gap_s in (0.3, 1.0)
        },
        "Gunshot": {"3 shots 1 s": compose(model, shot, 3, 1.0, onsets=True, seed=2)},
    }

    def show(name: str, label: str, processing: PostProcessing, scoring: Score = own_score) -> None:
        counted = {
            name: rows_told_apart(model, composed, label, processing)
            for name, composed in rows.get(label, {}).items()
        }
        found = figures(model, recordings, label, processing, scoring)
        print_row(name, found | counted)

    for label in model.labels:
        processing = model.spec.post_processing[label]
        print(label, processing)
        show("as it is", label, processing)
        print_row("true by score", calibration_bins(model, recordings, label, processing))
        for longest, gain in EVIDENCE:
            show(
                f"windows to {longest}, gain {gain:g}",
                label,
                processing,
                partial(evidence, longest, gain),
            )
    for trial in trials:
        name, _, values = trial.partition("=")
        label, _, setting = name.partition(".")
        print(name)
        for value in map(float, values.split(",")):
            changes: dict[str, Any] = {setting: value}
            processing = replace(model.spec.post_processing[label], **changes)
            show(f"{value:g}", label, processing)


def main() -> None:
    parser = argparse.ArgumentParser(description="Trials of post-processing.")
    parser.add_argument("model", help="name or folder of a model")
    parser.add_argument("recordings", type=Path, help="folder of recordings and their tables")
    parser.add_argument(
        "--try", dest="trials", action="append", help="LABEL.SETTING=VALUE,VALUE,...; repeatable"
    )
    arguments = parser.parse_args()
    model = load_model(arguments.model)
    run(model, read_scored(model, arguments.recordings), arguments.trials or TRIALS)


if __name__ == "__main__":
    main()
