"""Curves, and their slow twin, against sed_scores_eval (J. Ebbers, R. Haeb-Umbach, R. Serizel, ICASSP 2022), where it is installed.

It is built from source and brings librosa and numba, so the locks leave it out: `pip install sed_scores_eval 'pandas<3'` beside them, in an
environment of its own, lets these tests run. Detections do not touch each other here, since to it a sound is a run of frames.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from loxo.events import Detection, Event
from loxo.metrics import Curve, curve_of_scores
from reference import metrics as twin

pytest.importorskip("sed_scores_eval")
segment_based: Any = pytest.importorskip("sed_scores_eval.segment_based")
intersection_based: Any = pytest.importorskip("sed_scores_eval.intersection_based")
scores_module: Any = pytest.importorskip("sed_scores_eval.base_modules.scores")

Piece = tuple[list[Event], list[Detection]]
LABEL = "Rumble"


def layout(rng: np.random.Generator, most: int, longest: int, length_s: int) -> list[tuple[float, float]]:
    """Sounds of .2 s to `longest` tenths of a second, apart from each other."""
    sounds: list[tuple[float, float]] = []
    at = int(rng.integers(1, 40))
    while at < 10 * (length_s - 1) - longest and len(sounds) < most:
        end = at + int(rng.integers(2, longest))
        sounds.append((at / 10, end / 10))
        at = end + int(rng.integers(2, 80))
    return sounds


def pieces(seed: int, count: int, length_s: int, longest: int) -> list[Piece]:
    """Pieces of events up to `longest` tenths of a second and detections up to 5 s, in every third piece with scores that are equal."""
    rng = np.random.default_rng(seed)
    drawn = []
    for number in range(count):
        events = [Event(LABEL, *span) for span in layout(rng, length_s // 8, longest, length_s)]
        spans = layout(rng, length_s // 5, 50, length_s)
        scores = np.round((rng.permutation(1000)[: len(spans)] + 1) / 1001, 2 if number % 3 == 0 else 9).clip(0.01)
        drawn.append((events, [Detection(LABEL, *span, 0, 1, score) for span, score in zip(spans, scores.tolist(), strict=True)]))
    return drawn


def oracle_input(drawn: list[Piece], length_s: int) -> tuple[dict[str, Any], dict[str, Any], dict[str, float]]:
    """Scores by time, events and lengths as sed_scores_eval takes them; the score is 0 between detections."""
    scores, truth = {}, {}
    for number, (events, detections) in enumerate(drawn):
        edges = sorted({0.0, float(length_s)}.union(*((d.start_s, d.end_s) for d in detections)))
        starts = {d.start_s: d.score for d in detections}
        values = np.array([[starts.get(edge, 0.0)] for edge in edges[:-1]])
        scores[str(number)] = scores_module.create_score_dataframe(values, np.array(edges), [LABEL])
        truth[str(number)] = [(event.start_s, event.end_s, LABEL) for event in events]
    return scores, truth, dict.fromkeys(scores, float(length_s))


def at_scores(result: tuple[Any, Any, Any, Any], names: tuple[str, ...]) -> dict[float, tuple[int, ...]]:
    """Its counts at each threshold that is a detection's score."""
    _, _, thresholds, counts = result
    table = np.stack([np.broadcast_to(counts[name], np.shape(thresholds)) for name in names], axis=-1)
    known = np.isfinite(thresholds) & (thresholds > 0)
    return {round(threshold, 9): tuple(map(int, row)) for threshold, row in zip(thresholds[known].tolist(), table[known], strict=True)}


def by_second(scores: Mapping[str, Any], truth: Mapping[str, Any], lengths: Mapping[str, float]) -> dict[float, tuple[int, ...]]:
    result = segment_based.precision_recall_curve(scores, truth, lengths, segment_length=1.0)[LABEL]
    return at_scores(result, ("tps", "fps"))


def true_and_false(drawn: Curve) -> dict[float, tuple[int, ...]]:
    falling = zip(drawn.threshold.tolist(), drawn.true.tolist(), (drawn.detections - drawn.true).tolist(), strict=True)
    return {round(threshold, 9): (true, false) for threshold, true, false in falling}


def test_seconds_are_its_segments_at_every_threshold() -> None:
    drawn = pieces(1, 30, 600, 60)
    ours = curve_of_scores(drawn, 5.0, rule="per_second")
    assert true_and_false(ours) == by_second(*oracle_input(drawn, 600))
    assert ours.threshold.size > 500


def test_its_average_precision_goes_on_to_where_all_is_detected() -> None:
    drawn = pieces(2, 10, 600, 60)
    ours = curve_of_scores(drawn, rule="per_second")
    scores, truth, lengths = oracle_input(drawn, 600)
    theirs, _ = segment_based.average_precision(scores, truth, lengths, segment_length=1.0)
    assert ours.average_precision is not None
    share_of_events = ours.events / sum(lengths.values())
    assert theirs[LABEL] == pytest.approx(ours.average_precision + (1 - ours.recall[-1]) * share_of_events)


def test_the_slow_twin_of_seconds_is_its_segments() -> None:
    for piece in pieces(3, 10, 60, 40):
        events, detections = piece
        found = [Event(LABEL, d.start_s, d.end_s) for d in detections]
        slow = twin.counts_by_threshold(twin.per_second, events, found, [d.score for d in detections])
        expected = by_second(*oracle_input([piece], 60))
        assert {round(score, 9): (true, all_ - true) for score, (_, _, all_, true) in slow.items()} == expected


def test_short_events_are_found_where_it_finds_them() -> None:
    """Of an event up to 1 s any .1 s is a tenth; of longer ones it adds up what several detections share, which `overlap10` does not."""
    short, long = pieces(4, 30, 600, 10), pieces(5, 30, 600, 60)
    assert set(map(np.sign, beyond(short))) == {0}
    assert set(map(np.sign, beyond(long))) == {0, 1}


def beyond(drawn: list[Piece]) -> list[int]:
    """How many more events it finds at each score."""
    scores, truth, _ = oracle_input(drawn, 600)
    result = intersection_based.precision_recall_curve(scores, truth, dtc_threshold=1e-9, gtc_threshold=0.1)[LABEL]
    theirs = sorted((threshold, found) for threshold, (found,) in at_scores(result, ("tps",)).items())
    limits = np.array([threshold for threshold, _ in theirs])
    ours = curve_of_scores(drawn)
    # It lists a threshold only where its counts change: those at a score are those at its next threshold from there up.
    places = np.searchsorted(limits, ours.threshold - 1e-8)
    found = [theirs[place][1] if place < len(theirs) else 0 for place in places.tolist()]
    return [a - b for a, b in zip(found, ours.found.tolist(), strict=True)]
