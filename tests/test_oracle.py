"""Curves and their slow reference agree with sed_scores_eval, whose results are kept in a file."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from loxo.events import Event
from loxo.metrics import Curve, curve_of_scores
from reference import metrics as reference
from reference import oracle

ANSWERS: dict[str, Any] = json.loads(oracle.FILE.read_text(encoding="utf-8"))

Counts = dict[float, tuple[float, ...]]


def pieces(name: str) -> list[oracle.Piece]:
    """The recordings that the answers of this name are about."""
    drawn = oracle.pieces(oracle.DRAWS[name])
    assert oracle.digest(drawn) == ANSWERS["sha256"][name], (
        "these are not the recordings of oracle.json: write it again"
    )
    return drawn


def by_threshold(rows: oracle.Rows) -> Counts:
    return {threshold: tuple(counts) for threshold, *counts in rows}


def true_and_false(drawn: Curve) -> Counts:
    falling = zip(
        drawn.threshold.tolist(),
        drawn.true.tolist(),
        (drawn.detections - drawn.true).tolist(),
        strict=True,
    )
    return {round(threshold, 9): (true, false) for threshold, true, false in falling}


def test_the_answers_kept_are_those_of_the_library() -> None:
    pytest.importorskip("sed_scores_eval")
    assert oracle.answers() == ANSWERS


def test_seconds_are_its_segments_at_every_threshold() -> None:
    ours = curve_of_scores(pieces("seconds"), 5.0, rule="per_second")
    assert true_and_false(ours) == by_threshold(ANSWERS["seconds"])
    assert ours.threshold.size > 500


def test_its_average_precision_goes_on_to_where_all_is_detected() -> None:
    ours = curve_of_scores(pieces("average_precision"), rule="per_second")
    assert ours.average_precision is not None
    draw = oracle.DRAWS["average_precision"]
    share_of_events = ours.events / (draw.count * draw.length_s)
    assert ANSWERS["average_precision"] == pytest.approx(
        ours.average_precision + (1 - ours.recall[-1]) * share_of_events
    )


def test_the_slow_reference_of_seconds_is_its_segments() -> None:
    for (events, detections), rows in zip(pieces("minutes"), ANSWERS["minutes"], strict=True):
        found = [Event(oracle.LABEL, d.start_s, d.end_s) for d in detections]
        slow = reference.counts_by_threshold(
            reference.per_second, events, found, [d.score for d in detections]
        )
        assert {
            round(score, 9): (true, all_ - true) for score, (_, _, all_, true) in slow.items()
        } == by_threshold(rows)


def test_short_events_are_found_where_it_finds_them() -> None:
    """Any 0.1 s is a tenth of an event of up to 1 s.

    For longer events it adds up the overlaps of several detections, which `overlap10` does not.
    """
    assert set(map(np.sign, beyond("short_events"))) == {0}
    assert set(map(np.sign, beyond("long_events"))) == {0, 1}


def beyond(name: str) -> list[int]:
    """How many more events sed_scores_eval finds at each score."""
    limits, theirs = np.array(ANSWERS[name]).T
    ours = curve_of_scores(pieces(name))
    # It lists a threshold only where its counts change, so the counts at a score are those at the
    # next threshold above.
    positions = np.searchsorted(limits, ours.threshold - 1e-8)
    found = np.append(theirs, 0)[positions].tolist()
    return [int(a - b) for a, b in zip(found, ours.found.tolist(), strict=True)]
