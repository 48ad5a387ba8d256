"""Results of sed_scores_eval for random recordings, kept in `oracle.json`.

sed_scores_eval: J. Ebbers, R. Haeb-Umbach, R. Serizel, ICASSP 2022. It is built from source and
needs librosa and numba, so the locks leave it out. To write the file again, in an environment of
its own:

    pip install -r requirements.txt sed_scores_eval 'pandas<3'
    PYTHONPATH=src:tests python -m reference.oracle

Detections do not touch each other here, since a sound is a run of frames in sed_scores_eval.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from loxo.events import Detection, Event

__all__ = ["DRAWS", "FILE", "LABEL", "Draw", "Piece", "Rows", "answers", "digest", "pieces"]

FILE = Path(__file__).with_suffix(".json")
LABEL = "Rumble"

Piece = tuple[list[Event], list[Detection]]
Rows = list[list[float]]
"""A threshold and the counts there, thresholds ascending."""


@dataclass(frozen=True)
class Draw:
    """Recordings of `length_s` with events of up to `longest` tenths of a second."""

    seed: int
    count: int
    length_s: int
    longest: int


DRAWS = {
    "average_precision": Draw(2, 10, 600, 60),
    "long_events": Draw(5, 30, 600, 60),
    "minutes": Draw(3, 10, 60, 40),
    "seconds": Draw(1, 30, 600, 60),
    "short_events": Draw(4, 30, 600, 10),
}


def answers() -> dict[str, Any]:
    drawn = {name: (pieces(draw), draw.length_s) for name, draw in DRAWS.items()}
    minutes, minute_s = drawn["minutes"]
    return {
        "sed_scores_eval": version("sed_scores_eval"),
        "sha256": {name: digest(some) for name, (some, _) in drawn.items()},
        "average_precision": average_precision(*drawn["average_precision"]),
        "long_events": found(*drawn["long_events"]),
        "minutes": [true_and_false([piece], minute_s) for piece in minutes],
        "seconds": true_and_false(*drawn["seconds"]),
        "short_events": found(*drawn["short_events"]),
    }


def pieces(draw: Draw) -> list[Piece]:
    """Draw events, and detections of up to 5 s; every third recording has equal scores."""
    rng = np.random.default_rng(draw.seed)
    drawn = []
    for number in range(draw.count):
        events = [
            Event(LABEL, *span)
            for span in layout(rng, draw.length_s // 8, draw.longest, draw.length_s)
        ]
        spans = layout(rng, draw.length_s // 5, 50, draw.length_s)
        scores = np.round(
            (rng.permutation(1000)[: len(spans)] + 1) / 1001, 2 if number % 3 == 0 else 9
        ).clip(0.01)
        drawn.append(
            (
                events,
                [
                    Detection(LABEL, *span, 0, 1, score)
                    for span, score in zip(spans, scores.tolist(), strict=True)
                ],
            )
        )
    return drawn


def layout(
    rng: np.random.Generator, most: int, longest: int, length_s: int
) -> list[tuple[float, float]]:
    """Draw sounds of 0.2 s to `longest` tenths of a second that do not touch each other."""
    sounds: list[tuple[float, float]] = []
    at = int(rng.integers(1, 40))
    while at < 10 * (length_s - 1) - longest and len(sounds) < most:
        end = at + int(rng.integers(2, longest))
        sounds.append((at / 10, end / 10))
        at = end + int(rng.integers(2, 80))
    return sounds


def digest(drawn: list[Piece]) -> str:
    """SHA-256 of all times and scores.

    NumPy may change what a seed draws, and then the kept results belong to other recordings.
    """
    values = [
        (
            [(e.start_s, e.end_s) for e in events],
            [(d.start_s, d.end_s, d.score) for d in detections],
        )
        for events, detections in drawn
    ]
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()


def true_and_false(drawn: list[Piece], length_s: int) -> Rows:
    """Count the true and false seconds."""
    from sed_scores_eval import segment_based

    result = segment_based.precision_recall_curve(
        *as_it_takes_them(drawn, length_s), segment_length=1.0
    )
    return at_scores(result[LABEL], ("tps", "fps"))


def found(drawn: list[Piece], length_s: int) -> Rows:
    """Count the events of which detections share a tenth."""
    from sed_scores_eval import intersection_based

    scores, truth, _ = as_it_takes_them(drawn, length_s)
    result = intersection_based.precision_recall_curve(
        scores, truth, dtc_threshold=1e-9, gtc_threshold=0.1
    )
    return at_scores(result[LABEL], ("tps",))


def average_precision(drawn: list[Piece], length_s: int) -> float:
    from sed_scores_eval import segment_based

    average, _ = segment_based.average_precision(
        *as_it_takes_them(drawn, length_s), segment_length=1.0
    )
    return round(float(average[LABEL]), 12)  # the last digits are the machine's


def as_it_takes_them(
    drawn: list[Piece], length_s: int
) -> tuple[dict[str, Any], dict[str, Any], dict[str, float]]:
    """Scores over time, events and lengths; the score is 0 between detections."""
    from sed_scores_eval.base_modules.scores import create_score_dataframe

    scores, truth = {}, {}
    for number, (events, detections) in enumerate(drawn):
        edges = sorted({0.0, float(length_s)}.union(*((d.start_s, d.end_s) for d in detections)))
        starts = {d.start_s: d.score for d in detections}
        values = np.array([[starts.get(edge, 0.0)] for edge in edges[:-1]])
        scores[str(number)] = create_score_dataframe(values, np.array(edges), [LABEL])
        truth[str(number)] = [(event.start_s, event.end_s, LABEL) for event in events]
    return scores, truth, dict.fromkeys(scores, float(length_s))


def at_scores(result: tuple[Any, Any, Any, Any], names: tuple[str, ...]) -> Rows:
    """Counts at each threshold that is the score of a detection."""
    _, _, thresholds, counts = result
    table = np.stack(
        [np.broadcast_to(counts[name], np.shape(thresholds)) for name in names], axis=-1
    )
    known = np.isfinite(thresholds) & (thresholds > 0)
    rows = {
        round(threshold, 9): map(int, row)
        for threshold, row in zip(thresholds[known].tolist(), table[known], strict=True)
    }
    return [[threshold, *row] for threshold, row in sorted(rows.items())]


def write() -> None:
    """Write `oracle.json` with a line for each row, so that a diff shows what has changed."""
    lines = json.dumps(answers(), indent=0, sort_keys=True)
    FILE.write_text(
        re.sub(r"\[[\d\s.,e-]+\]", lambda row: re.sub(r"\s", "", row[0]), lines) + "\n",
        encoding="utf-8",
    )


if __name__ == "__main__":
    write()
