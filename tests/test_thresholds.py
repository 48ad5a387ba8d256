"""The threshold of a label is the best one, and its figures are those at the threshold."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchmetrics.functional.classification import binary_average_precision

from loxo.training import LOWEST_THRESHOLD, best_threshold, frame_figures
from reference import training as reference

SCORES = st.one_of(st.sampled_from([0.0, 0.0004, 0.25, 0.5, 0.75, 1.0]), st.floats(0, 1, width=32))
TARGETS = st.sampled_from([0.0, 0.25, 0.5, 1.0, float("nan")])
FRAMES = st.lists(st.tuples(SCORES, TARGETS), max_size=30)


@given(FRAMES, st.sampled_from([0.5, 1.0, 1.5, 3.0]))
def test_no_other_threshold_is_better(
    frames: list[tuple[float, float]], recall_weight: float
) -> None:
    scores, targets = np.array(frames, np.float32).reshape(-1, 2).T
    threshold, f = best_threshold(scores, targets, recall_weight)
    expected = reference.best_f(scores.tolist(), targets.tolist(), recall_weight, LOWEST_THRESHOLD)
    assert f == pytest.approx(expected)
    assert LOWEST_THRESHOLD <= threshold <= 1
    if f:
        found = reference.f_score(scores.tolist(), targets.tolist(), threshold, recall_weight)
        assert found == pytest.approx(f)


@given(FRAMES, st.sampled_from([0.5, 1.0, 1.5, 3.0]))
def test_figures_are_those_at_the_threshold(
    frames: list[tuple[float, float]], recall_weight: float
) -> None:
    scores, targets = np.array(frames, np.float32).reshape(-1, 2).T
    figures = frame_figures(scores, targets, recall_weight)
    best, _ = best_threshold(scores, targets, recall_weight)
    assert best - 1e-3 < figures.threshold <= best
    assert figures.threshold > 0
    f = reference.f_score(scores.tolist(), targets.tolist(), figures.threshold, recall_weight)
    assert figures.f == pytest.approx(f, abs=1e-4)
    # F with a huge weight of recall is recall, and without any it is precision.
    for value, weight in ((figures.recall, 1e6), (figures.precision, 0.0)):
        of_part = reference.f_score(scores.tolist(), targets.tolist(), figures.threshold, weight)
        assert value == pytest.approx(of_part, abs=1e-4)


@given(FRAMES.filter(lambda frames: any(target >= 0.5 for _, target in frames)))
def test_average_precision_is_that_of_torchmetrics(frames: list[tuple[float, float]]) -> None:
    scores, targets = np.array(frames, np.float32).reshape(-1, 2).T
    known = ~np.isnan(targets)
    positive = torch.from_numpy((targets[known] >= 0.5).astype(int))
    expected = binary_average_precision(torch.from_numpy(scores[known].copy()), positive)
    found = frame_figures(scores, targets, 1.0).average_precision
    assert found == pytest.approx(float(expected), abs=1e-4)


def test_equal_scores_are_accepted_together() -> None:
    """With one of three equal scores right, a threshold at them has a precision of a third."""
    threshold, f = best_threshold(
        np.array([0.5, 0.5, 0.5], np.float32), np.array([1, 0, 0], np.float32)
    )
    assert (threshold, f) == (0.5, 0.5)


@pytest.mark.parametrize("targets", [[0, 0.4, np.nan], [np.nan] * 3])
def test_without_a_positive_target_there_is_nothing_to_choose_by(targets: list[float]) -> None:
    scores = np.array([0.9, 0.5, 0.1], np.float32)
    assert best_threshold(scores, np.array(targets, np.float32)) == (0.5, 0.0)
