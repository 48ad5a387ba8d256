"""Steps from scores to detections equal slow twins and keep their laws, alone and together."""

from __future__ import annotations

from dataclasses import replace
from itertools import cycle, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import expit, logit

from loxo.events import EVENT_LABELS, Detection, overlap_s
from loxo.model_folder import PostProcessing
from loxo.post_processing import (
    detect,
    detect_stream,
    drop_short,
    end_within,
    hysteresis,
    merge_gaps,
    smooth,
    split_at_silence,
    split_at_valleys,
)
from loxo.scoring import Scores, quantize, scores_without_features
from loxo.spectrogram import FrontEnd, cells_per_frame
from reference import post_processing as twin

FRONT_END = FrontEnd()
SIXTEENTHS = st.integers(0, 16).map(lambda part: part / 16)
SCORES = st.lists(SIXTEENTHS, max_size=60).map(lambda values: np.array(values, np.float32))
"""Scores on a coarse grid that floats hold exactly, so that thresholds are often met."""


def pairs(runs: NDArray[np.int64]) -> list[twin.Run]:
    return [(first, last) for first, last in runs.tolist()]


def mirrored(runs: NDArray[np.int64], n_frames: int) -> NDArray[np.int64]:
    return n_frames - runs[::-1, ::-1]


@st.composite
def sorted_runs(draw: st.DrawFn) -> NDArray[np.int64]:
    """Runs in order with at least one frame between them."""
    steps = draw(st.lists(st.integers(1, 8), max_size=12))
    return np.cumsum(steps[: len(steps) // 2 * 2], dtype=np.int64).reshape(-1, 2)


# ---- smoothing


@given(SCORES, st.integers(0, 12))
def test_smoothing_equals_its_slow_twin(scores: NDArray[np.float32], width: int) -> None:
    np.testing.assert_allclose(
        smooth(scores, width), twin.smooth(scores.tolist(), width), rtol=1e-6
    )


@given(SCORES, st.integers(0, 12))
def test_smoothing_is_symmetrical_in_time_and_stays_in_range(
    scores: NDArray[np.float32], width: int
) -> None:
    smoothed = smooth(scores, width)
    np.testing.assert_allclose(smooth(scores[::-1], width), smoothed[::-1], atol=1e-6)
    assert smoothed.dtype == np.float32
    assert len(scores) == 0 or scores.min() <= smoothed.min() <= smoothed.max() <= scores.max()


def test_smoothing_over_one_frame_changes_nothing_and_even_widths_are_the_next_odd_one() -> None:
    scores = np.random.default_rng(0).random(50, np.float32)
    np.testing.assert_array_equal(smooth(scores, 1), scores)
    np.testing.assert_array_equal(smooth(scores, 4), smooth(scores, 5))


def test_smoothing_of_a_long_recording_stays_exact() -> None:
    scores = np.tile(np.array([1.0, 0.0, 0.0, 0.0], np.float32), 250_000)
    np.testing.assert_allclose(smooth(scores, 9)[-90:], smooth(scores[-100:], 9)[-90:], rtol=1e-6)


# ---- hysteresis


@given(SCORES, SIXTEENTHS, SIXTEENTHS)
def test_hysteresis_equals_its_slow_twin(
    scores: NDArray[np.float32], threshold: float, off_threshold: float
) -> None:
    assert pairs(hysteresis(scores, threshold, off_threshold)) == twin.hysteresis(
        scores.tolist(), threshold, off_threshold
    )


@given(SCORES, SIXTEENTHS, SIXTEENTHS, SIXTEENTHS)
def test_a_higher_threshold_finds_a_part_of_the_runs(
    scores: NDArray[np.float32], a: float, b: float, off_threshold: float
) -> None:
    assert set(pairs(hysteresis(scores, max(a, b), off_threshold))) <= set(
        pairs(hysteresis(scores, min(a, b), off_threshold))
    )


@given(SCORES, SIXTEENTHS, SIXTEENTHS, SIXTEENTHS)
def test_a_lower_off_threshold_makes_runs_longer(
    scores: NDArray[np.float32], threshold: float, a: float, b: float
) -> None:
    longer = pairs(hysteresis(scores, threshold, min(a, b)))
    for first, last in pairs(hysteresis(scores, threshold, max(a, b))):
        assert any(start <= first and last <= stop for start, stop in longer)


@given(SCORES, SIXTEENTHS, SIXTEENTHS)
def test_hysteresis_is_symmetrical_in_time(
    scores: NDArray[np.float32], threshold: float, off_threshold: float
) -> None:
    there = hysteresis(scores, threshold, off_threshold)
    back = hysteresis(scores[::-1], threshold, off_threshold)
    np.testing.assert_array_equal(mirrored(back, len(scores)), there)


def test_a_dip_above_the_off_threshold_does_not_split_a_call() -> None:
    scores = np.array([0, 0.3, 0.9, 0.4, 0.8, 0.3, 0, 0.4, 0], np.float32)
    assert pairs(hysteresis(scores, 0.7, 0.3)) == [(1, 6)]
    assert pairs(hysteresis(scores, 0.7, 0.7)) == [(2, 3), (4, 5)]


def test_a_run_may_touch_both_ends() -> None:
    assert pairs(hysteresis(np.ones(4, np.float32), 0.5, 0.25)) == [(0, 4)]
    assert pairs(hysteresis(np.zeros(0, np.float32), 0.5, 0.25)) == []


# ---- merging and dropping


@given(sorted_runs(), st.integers(0, 9))
def test_merging_equals_its_slow_twin(runs: NDArray[np.int64], gap: int) -> None:
    assert pairs(merge_gaps(runs, gap)) == twin.merge_gaps(pairs(runs), gap)


@given(sorted_runs(), st.integers(0, 9))
def test_merged_runs_are_further_apart_than_the_gap_and_merging_again_changes_nothing(
    runs: NDArray[np.int64], gap: int
) -> None:
    merged = merge_gaps(runs, gap)
    assert all(after[0] - before[1] > gap for before, after in pairwise(pairs(merged)))
    np.testing.assert_array_equal(merge_gaps(merged, gap), merged)


@given(sorted_runs(), st.integers(0, 12))
def test_dropping_equals_its_slow_twin_and_dropping_again_changes_nothing(
    runs: NDArray[np.int64], minimum: int
) -> None:
    kept = drop_short(runs, minimum)
    assert pairs(kept) == twin.drop_short(pairs(runs), minimum)
    np.testing.assert_array_equal(drop_short(kept, minimum), kept)


# ---- splitting


def as_scores(odds: list[float]) -> NDArray[np.float32]:
    return expit(np.array(odds, np.float64)).astype(np.float32)


ODDS = st.lists(st.floats(-6, 6), min_size=1, max_size=40)


@given(ODDS, st.floats(0.1, 6.0))
def test_splitting_equals_its_slow_twin(odds: list[float], depth: float) -> None:
    scores = as_scores(odds)
    whole = np.array([[0, len(scores)]])
    parts = split_at_valleys(scores, whole, 0.0, depth)
    assert pairs(parts) == twin.split_at_valleys(logit(scores.astype(float)).tolist(), depth)


@given(st.lists(st.integers(-6, 6), min_size=1, max_size=30), st.integers(1, 6))
def test_splitting_is_symmetrical_in_time(odds: list[int], depth: int) -> None:
    scores = as_scores([float(value) for value in odds])
    whole = np.array([[0, len(scores)]])
    there = split_at_valleys(scores, whole, 0.0, depth - 0.01)
    back = split_at_valleys(scores[::-1], whole, 0.0, depth - 0.01)
    np.testing.assert_array_equal(mirrored(back, len(scores)), there)


@given(SCORES, SIXTEENTHS.filter(bool), st.integers(0, 4), st.floats(0.1, 6.0))
def test_parts_lie_within_their_runs_and_have_gaps_between_them(
    scores: NDArray[np.float32], level: float, gap: int, depth: float
) -> None:
    runs = merge_gaps(hysteresis(scores, level, level), gap)
    parts = pairs(split_at_valleys(scores, runs, level, depth))
    assert all(after[0] > before[1] for before, after in pairwise(parts))
    for first, last in parts:
        assert any(start <= first and last <= stop for start, stop in pairs(runs))
        assert min(scores[first], scores[last - 1]) >= level
    for first, last in pairs(runs):
        assert (first, int(first + np.argmax(scores[first:last]))) >= min(
            part for part in parts if part[1] > first
        )[:1], "the highest peak of a run lies in a part"


@given(SCORES, st.floats(0.1, 6.0), st.floats(0.5, 2.0))
def test_valleys_do_not_depend_on_the_share_of_true_detections(
    scores: NDArray[np.float32], depth: float, shift: float
) -> None:
    """A calibration for rarer events shifts all log odds alike."""
    scores = np.clip(scores, 0.01, 0.99)
    rarer = as_scores((logit(scores.astype(float)) - shift).tolist())
    whole = np.array([[0, len(scores)]])[: len(scores)]
    np.testing.assert_array_equal(
        split_at_valleys(scores, whole, 0.0, depth), split_at_valleys(rarer, whole, 0.0, depth)
    )


def test_a_depth_of_zero_splits_nothing() -> None:
    runs = np.array([[0, 5]])
    scores = as_scores([5, -9, 5, -9, 5])
    np.testing.assert_array_equal(split_at_valleys(scores, runs, 0.1, 0.0), runs)


def test_two_calls_in_a_merged_run_are_split_and_one_call_with_a_dip_is_not() -> None:
    two = as_scores([-2, 3, 4, -1, -5, -1, 3, 2])
    one = as_scores([-2, 3, 4, 1.5, 3, 4, 3, 2])
    for scores, expected in ((two, [(0, 4), (5, 8)]), (one, [(0, 8)])):
        assert pairs(split_at_valleys(scores, np.array([[0, 8]]), 0.1, 2.5)) == expected


# ---- all steps together


@st.composite
def scored(draw: st.DrawFn) -> Scores:
    """Scores of a short recording whose last frame may be incomplete.

    Features of the frames above 0.1 are kept.
    """
    columns = draw(st.lists(st.tuples(SIXTEENTHS, SIXTEENTHS), max_size=50))
    values = np.array(columns, np.float32).reshape(-1, 2)
    frames = np.flatnonzero(values.max(axis=1, initial=0.0) > 0.1)
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    features = rng.uniform(-1, 2, (len(frames), FRONT_END.n_bands)).astype(np.float32)
    missing = draw(st.integers(0, FRONT_END.hop - 1))
    return Scores(
        FRONT_END.grid,
        EVENT_LABELS,
        values,
        frames,
        quantize(features),
        np.zeros((len(frames), cells_per_frame(FRONT_END)), np.uint8),
        max(0, len(values) * FRONT_END.hop - missing),
    )


POST_PROCESSING = st.builds(
    PostProcessing,
    threshold=st.integers(1, 16).map(lambda part: part / 16),
    off_threshold=st.integers(1, 16).map(lambda part: part / 16),
    smoothing_s=st.sampled_from([0.0, 0.1, 0.3, 0.5]),
    minimum_s=st.sampled_from([0.0, 0.2, 0.5]),
    merge_gap_s=st.sampled_from([0.0, 0.1, 0.4]),
    split_depth=st.sampled_from([0.0, 0.5, 2.0]),
    low_hz=st.sampled_from([0.0, 7.0, 50.0]),
    high_hz=st.sampled_from([120.0, 250.0, 1800.0]),
    count=st.booleans(),
)


@given(scored(), st.fixed_dictionaries(dict.fromkeys(EVENT_LABELS, POST_PROCESSING)))
def test_detections_are_sorted_disjoint_inside_the_recording_and_above_the_threshold(
    scores: Scores, post_processing: dict[str, PostProcessing]
) -> None:
    found = detect(scores, FRONT_END, post_processing)
    assert [item.start_s for item in found] == sorted(item.start_s for item in found)
    for item in found:
        processing = post_processing[item.label]
        assert 0 <= item.start_s < item.end_s <= scores.duration_s
        assert processing.threshold <= item.score <= 1.0
        assert item.low_hz is not None
        assert item.high_hz is not None
        assert processing.low_hz <= item.low_hz <= item.high_hz <= processing.high_hz
    for label in EVENT_LABELS:
        for before, after in pairwise(item for item in found if item.label == label):
            assert overlap_s((before.start_s, before.end_s), (after.start_s, after.end_s)) == 0


@given(scored(), POST_PROCESSING)
def test_detections_are_those_of_the_steps_one_after_another(
    scores: Scores, processing: PostProcessing
) -> None:
    frames = scores.grid.frames
    for column, label in enumerate(EVENT_LABELS):
        smoothed = smooth(
            scores.values[:, column], frames(processing.smoothing_s)
        ).tolist()  # rounded as the steps see it
        level = min(processing.off_threshold, processing.threshold)
        runs = twin.hysteresis(smoothed, level, level)
        runs = twin.merge_gaps(runs, frames(processing.merge_gap_s))
        runs = twin.split_runs(smoothed, runs, level, processing.split_depth)
        runs = twin.drop_short(runs, frames(processing.minimum_s))
        expected = [(first / 10, max(smoothed[first:last])) for first, last in runs]
        expected = [(start, score) for start, score in expected if score >= processing.threshold]
        found = detect(scores, FRONT_END, dict.fromkeys(EVENT_LABELS, processing))
        assert [(item.start_s, item.score) for item in found if item.label == label] == expected


@given(
    scored(),
    st.fixed_dictionaries(dict.fromkeys(EVENT_LABELS, POST_PROCESSING)),
    st.lists(st.integers(1, 20), min_size=1),
)
def test_detections_of_a_stream_equal_those_of_the_whole(
    scores: Scores, post_processing: dict[str, PostProcessing], sizes: list[int]
) -> None:
    cores, rest = [], scores
    for size in cycle(sizes):
        core, rest = rest.split(min(rest.start + size, len(scores.values)))
        cores.append(core)
        if not len(rest.values):
            break
    cut = list(split_at_silence(cores, post_processing))
    assert list(detect_stream(cores, FRONT_END, post_processing)) == detect(
        scores, FRONT_END, post_processing
    )
    assert cut[-1].duration_s == scores.duration_s
    np.testing.assert_array_equal(
        np.concatenate([segment.values for segment in cut]), scores.values
    )


def test_a_segment_ends_in_each_long_silence() -> None:
    processing = PostProcessing(0.5, smoothing_s=0.0, merge_gap_s=0.2)
    whole = scores_of([0, 1, 0, 0, 1, *[0.2] * 40, 1, *[0.2] * 29])
    first, rest = whole.split(2)
    second, third = rest.split(40)
    ends = [
        segment.start + len(segment.values)
        for segment in split_at_silence([first, second, third], {"Rumble": processing})
    ]
    assert ends == [27, 62, 75]


def scores_of(values: list[float], n_samples: int | None = None) -> Scores:
    """Scores of Rumble only, without kept features."""
    column = np.array(values, np.float32)
    length = len(values) * FRONT_END.hop if n_samples is None else n_samples
    return scores_without_features(FRONT_END, ("Rumble",), column[:, None], length)


def rumbles(scores: Scores, processing: PostProcessing) -> list[Detection]:
    return detect(scores, FRONT_END, {"Rumble": processing})


def test_a_call_of_three_frames_is_one_detection_with_its_times() -> None:
    plain = PostProcessing(0.5, smoothing_s=0.0, low_hz=7.0, high_hz=250.0)
    (found,) = rumbles(scores_of([0, 0, 0.375, 0.75, 0.5, 0]), plain)
    assert found == Detection("Rumble", 0.2, 0.5, 7.0, 250.0, 0.75)


def test_a_detection_in_the_last_frame_ends_with_the_recording() -> None:
    (found,) = rumbles(scores_of([0, 0, 0.75], n_samples=801), PostProcessing(0.5, smoothing_s=0.0))
    assert (found.start_s, found.end_s) == (0.2, 801 / 4000)


def test_short_detections_are_dropped_after_gaps_are_merged() -> None:
    processing = PostProcessing(0.5, smoothing_s=0.0, minimum_s=0.5, merge_gap_s=0.2)
    scores = scores_of([1, 1, 0, 0, 1, 0, 0, 0, 1, 1, 0])
    assert [(found.start_s, found.end_s) for found in rumbles(scores, processing)] == [(0.0, 0.5)]


def test_the_band_of_a_detection_is_that_of_its_own_frames() -> None:
    centres_hz = FRONT_END.band_centres_hz
    line = np.where(centres_hz == 30.0, 2.0, 0.0)
    elsewhere = np.where(centres_hz == 60.0, 2.0, 0.0)
    scores = Scores(
        FRONT_END.grid,
        ("Rumble",),
        np.array([[0.2], [0.9], [0.9], [0.2]], np.float32),
        np.arange(4),
        quantize(np.array([elsewhere, line, line, elsewhere], np.float32)),
        np.zeros((4, cells_per_frame(FRONT_END)), np.uint8),
        4 * FRONT_END.hop,
    )
    (found,) = rumbles(scores, PostProcessing(0.5, smoothing_s=0.0, low_hz=7.0, high_hz=250.0))
    assert (found.low_hz, found.high_hz) == pytest.approx((30.0, 30.0), abs=1.3)


# ---- thresholds select


@given(
    scored(),
    st.fixed_dictionaries(dict.fromkeys(EVENT_LABELS, POST_PROCESSING)),
    st.floats(1.0, 4.0),
)
def test_a_higher_threshold_gives_a_part_of_the_same_detections(
    scores: Scores, post_processing: dict[str, PostProcessing], factor: float
) -> None:
    lower = {
        label: replace(each, off_threshold=min(each.off_threshold, each.threshold))
        for label, each in post_processing.items()
    }
    higher = {
        label: replace(each, threshold=min(1.0, factor * each.threshold))
        for label, each in lower.items()
    }
    expected = [
        found
        for found in detect(scores, FRONT_END, lower)
        if np.float32(found.score) >= np.float32(higher[found.label].threshold)
    ]
    assert detect(scores, FRONT_END, higher) == expected


# ---- ends


def test_a_detection_ends_with_its_recording_where_another_rate_has_a_longer_last_sample() -> None:
    rumble = Detection("Rumble", 1.0, 2.0003, None, None, 0.5)
    assert end_within(rumble, 2.0001, 4000).end_s == 2.0001
    assert end_within(rumble, 2.5, 4000) == rumble
    # A wrong length in a header does not cut detections.
    assert end_within(rumble, 1.5, 4000) == rumble
