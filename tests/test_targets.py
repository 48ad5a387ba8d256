"""Targets are exact shares of time, with a row for each label."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loxo.events import EVENT_LABELS, Event, overlap_s, union
from loxo.targets import coverage, targets_from_events
from reference import targets as reference

PART_S = 1 / 8
"""Events begin and end on eighths of a second, which binary fractions hold exactly."""
EVENTS = st.lists(
    st.builds(
        lambda label, start, length, doubt: Event(
            label,
            start * PART_S,
            (start + length) * PART_S,
            marginal=doubt,
        ),
        st.sampled_from([*EVENT_LABELS, "Roar"]),
        st.integers(-40, 120),
        st.integers(1, 60),
        st.booleans(),
    ),
    max_size=6,
)
WINDOWS = st.tuples(
    st.integers(-10, 40).map(lambda part: part * PART_S),
    st.sampled_from([0.25, 0.5, 1.0, 2.0]),
    st.integers(1, 12),
)
"""Start and width of the bins in seconds, and how many there are."""


def rumble(start_s: float, end_s: float, *, marginal: bool = False) -> Event:
    return Event("Rumble", start_s, end_s, marginal=marginal)


LABELS = st.lists(
    st.sampled_from([*EVENT_LABELS, "Roar", "Chainsaw"]), min_size=1, max_size=4, unique=True
)


@given(EVENTS, WINDOWS, LABELS)
def test_targets_are_those_of_the_reference(
    events: list[Event], window: tuple[float, float, int], labels: list[str]
) -> None:
    start_s, width_s, bins = window
    steps = round(width_s / PART_S)
    found = targets_from_events(
        events, start_s, bins * width_s, bins, labels=labels, fractional=True
    )
    expected = reference.targets(events, start_s, width_s, bins, steps, labels)
    assert found.shape == (len(labels), bins)
    np.testing.assert_array_equal(found, expected)


@given(EVENTS, WINDOWS)
def test_binary_targets_say_where_the_share_is_not_zero(
    events: list[Event], window: tuple[float, float, int]
) -> None:
    start_s, width_s, bins = window
    shares = targets_from_events(events, start_s, bins * width_s, bins, fractional=True)
    binary = targets_from_events(events, start_s, bins * width_s, bins)
    np.testing.assert_array_equal(binary, np.where(np.isnan(shares), np.nan, shares > 0))


@given(EVENTS, st.floats(-20, 20), st.floats(0.1, 40), st.integers(1, 50))
def test_shares_add_up_to_the_seconds_of_overlap(
    events: list[Event], start_s: float, window_s: float, bins: int
) -> None:
    intervals = [(event.start_s, event.end_s) for event in events]
    shared_s = sum(
        overlap_s(interval, (start_s, start_s + window_s)) for interval in union(intervals)
    )
    assert coverage(intervals, start_s, window_s, bins).sum() * window_s / bins == pytest.approx(
        shared_s, rel=1e-5, abs=1e-5
    )


@given(st.integers(0, 10_000), st.integers(1, 50), st.integers(0, 100_000))
def test_an_event_that_ends_where_a_bin_begins_is_not_in_it(
    tenths: int, length: int, shift: int
) -> None:
    start_s = shift / 10
    event = rumble(start_s + tenths / 10 + 0.3, start_s + (tenths + 3 + length) / 10)
    targets = targets_from_events(
        [event], start_s, (tenths + 3 + length + 10) / 10, tenths + 3 + length + 10
    )[0]
    assert np.flatnonzero(targets).tolist() == list(range(tenths + 3, tenths + 3 + length))


def test_events_that_overlap_cover_their_time_once() -> None:
    np.testing.assert_array_equal(
        coverage([(0.0, 0.5), (0.25, 0.75), (0.25, 0.5)], 0.0, 2.0, 2), [0.75, 0]
    )


def test_targets_have_a_row_per_label_and_a_column_per_bin() -> None:
    targets = targets_from_events(
        [rumble(1, 2), Event("Gunshot", 8.5, 9.5), Event("Roar", 0, 10)], 0.0, 10.0, 10
    )
    assert targets.shape == (2, 10)
    assert targets.dtype == np.float32
    assert np.argwhere(targets == 1).tolist() == [[0, 1], [1, 8], [1, 9]]


def test_a_bin_of_a_marginal_event_is_neither_positive_nor_negative() -> None:
    events = [rumble(1.5, 4.0, marginal=True), rumble(3.25, 5.0)]
    nan = np.nan
    np.testing.assert_array_equal(
        targets_from_events(events, 0.0, 6.0, 6)[0], [0, nan, nan, 1, 1, 0]
    )
    np.testing.assert_array_equal(
        targets_from_events(events, 0.0, 6.0, 6, fractional=True)[0], [0, nan, nan, 0.75, 1, 0]
    )
    np.testing.assert_array_equal(targets_from_events(events, 0.0, 6.0, 6)[1], np.zeros(6))


def test_pauses_of_a_burst_are_no_targets() -> None:
    burst = Event("Gunshot", 0.0, 4.0, shots=2, parts=((0.0, 0.5), (3.0, 4.0)))
    targets = targets_from_events([burst], 0.0, 5.0, 10, labels=["Gunshot"], fractional=True)
    assert targets[0].tolist() == [1, 0, 0, 0, 0, 0, 1, 1, 0, 0]
