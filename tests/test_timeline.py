"""Counts are exact, frames cover a recording, and cores with context cover it to its end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loxo.timeline import (
    FrameGrid,
    Span,
    ceil_div,
    resampled_length,
    samples_at,
    seconds_at,
    spans,
    times_s,
)

RATES = st.sampled_from([2_000, 4_000, 8_000, 11_025, 22_050, 44_100, 48_000, 96_000, 192_000])
WEEK_S = 7 * 24 * 3600
GRIDS = st.builds(FrameGrid, RATES, st.integers(1, 10_000), st.integers(0, 2_000))


# ---- counts


@given(st.integers(0, 10**18), st.integers(1, 10**9))
def test_pieces_cover_a_count_and_one_fewer_does_not(count: int, size: int) -> None:
    pieces = ceil_div(count, size)
    assert pieces * size >= count > (pieces - 1) * size or pieces == count == 0


@given(RATES, st.data())
def test_a_sample_is_the_same_after_conversion_to_seconds_and_back(
    rate: int, data: st.DataObject
) -> None:
    samples = data.draw(st.integers(-rate * WEEK_S, rate * WEEK_S))
    assert samples_at(seconds_at(samples, rate), rate) == samples


@given(RATES, st.floats(-WEEK_S, WEEK_S))
def test_no_sample_is_nearer_to_a_time(rate: int, seconds: float) -> None:
    assert abs(samples_at(seconds, rate) - seconds * rate) <= 0.5 + 1e-6


@given(RATES, st.floats(0, WEEK_S))
def test_times_before_zero_mirror_those_after_it(rate: int, seconds: float) -> None:
    assert samples_at(-seconds, rate) == -samples_at(seconds, rate)


@given(RATES, RATES, st.integers(0, 10**12))
def test_samples_at_another_rate_are_those_within_the_recording(
    own_rate: int, rate: int, samples: int
) -> None:
    n = resampled_length(samples, own_rate, rate)
    # Sample k lies at k / rate, and the recording ends at samples / own_rate.
    assert (n - 1) * own_rate < samples * rate <= n * own_rate


# ---- frames


@given(GRIDS, st.integers(0, 10**10))
def test_frames_cover_a_recording_and_one_fewer_does_not(grid: FrameGrid, n_samples: int) -> None:
    n_frames = grid.n_frames(n_samples)
    assert grid.sample(n_frames) >= n_samples
    assert n_frames == 0 or grid.sample(n_frames - 1) < n_samples


@given(GRIDS, st.integers(0, 10**6))
def test_a_frame_contains_its_first_and_its_last_sample(grid: FrameGrid, frame: int) -> None:
    assert grid.frame(grid.start_s(frame)) == frame
    assert grid.frame(seconds_at(grid.sample(frame + 1) - 1, grid.rate)) == frame
    assert grid.frame(grid.start_s(frame + 1)) == frame + 1


@given(GRIDS, st.floats(0, 3600))
def test_no_whole_number_of_frames_is_nearer_to_a_duration(grid: FrameGrid, seconds: float) -> None:
    assert 2 * abs(grid.frames(seconds) * grid.hop - samples_at(seconds, grid.rate)) <= grid.hop


@given(GRIDS, st.integers(0, 10**6))
def test_a_duration_of_whole_frames_is_that_many(grid: FrameGrid, n_frames: int) -> None:
    assert grid.frames(n_frames * grid.frame_s) == n_frames


def test_the_last_half_second_is_not_lost() -> None:
    assert FrameGrid(4000, 4000).n_frames(42_000) == 11
    assert [(span.start, span.stop) for span in spans(42_000, 20_000)] == [
        (0, 20_000),
        (20_000, 40_000),
        (40_000, 42_000),
    ]


def test_a_time_less_than_half_a_sample_before_a_frame_belongs_to_it() -> None:
    grid = FrameGrid(4000, 400)
    assert grid.frame(0.1 - 0.4 / 4000) == 1
    assert grid.frame(0.1 - 0.6 / 4000) == 0


@pytest.mark.parametrize(("rate", "hop"), [(0, 400), (4000, 0), (-1, 400), (4000, -400)])
def test_a_frame_without_length_is_refused_with_its_numbers(rate: int, hop: int) -> None:
    with pytest.raises(ValueError, match=f"rate {rate} Hz and hop {hop} samples"):
        FrameGrid(rate, hop)


# ---- cores and their context


@given(st.integers(0, 500), st.integers(1, 80), st.integers(0, 100))
def test_cores_cover_a_length_and_have_context_as_far_as_it_goes(
    length: int, size: int, context: int
) -> None:
    cut = list(spans(length, size, context))
    assert [sample for span in cut for sample in range(span.start, span.stop)] == list(
        range(length)
    )
    assert all(span.size == size for span in cut[:-1])
    for span in cut:
        assert (span.outer_start, span.outer_stop) == (
            max(0, span.start - context),
            min(length, span.stop + context),
        )
        assert span.before == span.start - span.outer_start


def test_a_span_in_the_middle() -> None:
    assert list(spans(30, 10, 4))[1] == Span(10, 20, 6, 24)


@pytest.mark.parametrize(("size", "context"), [(0, 1), (-3, 1), (5, -1)])
def test_cores_of_no_size_and_negative_context_are_refused(size: int, context: int) -> None:
    with pytest.raises(ValueError, match=f"size {size} .* context {context} "):
        next(spans(10, size, context))


def test_times_are_those_of_the_samples() -> None:
    assert times_s(5, 4).tolist() == [seconds_at(sample, 4) for sample in range(5)]
