"""Which events are allowed, and the arithmetic of intervals against counted cells."""

from __future__ import annotations

import dataclasses
import itertools
import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loxo.events import (
    BACKGROUND,
    EVENT_LABELS,
    LABELS,
    Detection,
    Event,
    Interval,
    cut_event,
    overlap_s,
    union,
)

INTERVALS = st.tuples(st.integers(-20, 60), st.integers(1, 15)).map(
    lambda pair: (pair[0] / 4, (pair[0] + pair[1]) / 4)
)
"""Intervals of whole quarters of a second, so that they often touch, nest and repeat."""


def cells(intervals: list[Interval]) -> set[int]:
    """Quarters of a second that the intervals cover."""
    return {
        cell for start_s, end_s in intervals for cell in range(round(start_s * 4), round(end_s * 4))
    }


def test_the_labels_are_those_of_the_field_in_their_order() -> None:
    assert LABELS == ("Rumble", "Gunshot", "Background")
    assert (*EVENT_LABELS, BACKGROUND) == LABELS


def test_an_event_knows_its_length_and_leaves_open_what_nobody_said() -> None:
    event = Event("Rumble", 2.5, 6.0)
    assert event.duration_s == 3.5
    assert (event.low_hz, event.high_hz, event.shots, event.snr_db) == (None,) * 4
    assert (event.marginal, event.note) == (False, "")


def test_an_event_cannot_be_changed() -> None:
    event = Event("Rumble", 2.5, 6.0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        event.end_s = 7.0  # type: ignore[misc]  # this is the point


def test_an_event_needs_a_label() -> None:
    with pytest.raises(ValueError, match="label"):
        Event("", 0.0, 1.0)


@pytest.mark.parametrize(
    ("start_s", "end_s"), [(math.nan, 1.0), (0.0, math.nan), (0.0, math.inf), (-math.inf, 0.0)]
)
def test_times_are_numbers(start_s: float, end_s: float) -> None:
    with pytest.raises(ValueError, match=f"start {start_s} s and end {end_s} s must be finite"):
        Event("Rumble", start_s, end_s)
    with pytest.raises(ValueError, match="must be finite"):
        Detection("Rumble", start_s, end_s, 10.0, 60.0, 0.9)


@pytest.mark.parametrize("end_s", [3.0, 2.0])
def test_an_end_lies_after_its_start(end_s: float) -> None:
    with pytest.raises(ValueError, match=f"end {end_s} s is not after start 3.0 s"):
        Event("Gunshot", 3.0, end_s)
    with pytest.raises(ValueError, match="is not after"):
        Detection("Gunshot", 3.0, end_s, 50.0, 1500.0, 0.9)


def test_a_detection_has_a_count_of_one_or_more_or_none() -> None:
    assert Detection("Gunshot", 3.0, 4.0, 50.0, 1500.0, 0.9).count is None
    assert Detection("Gunshot", 3.0, 4.0, 50.0, 1500.0, 0.9, 13).count == 13
    with pytest.raises(ValueError, match="a detection of 0 gunshots is none"):
        Detection("Gunshot", 3.0, 4.0, 50.0, 1500.0, 0.9, 0)


@given(INTERVALS, INTERVALS)
def test_overlap_is_the_time_of_the_cells_in_both(a: Interval, b: Interval) -> None:
    assert overlap_s(a, b) == overlap_s(b, a) == len(cells([a]) & cells([b])) / 4


@given(st.lists(INTERVALS, max_size=8))
def test_a_union_covers_the_same_cells_in_order_and_apart(intervals: list[Interval]) -> None:
    merged = union(intervals)
    assert cells(merged) == cells(intervals)
    assert all(before[1] < after[0] for before, after in itertools.pairwise(merged))
    assert union(merged) == merged


@given(st.lists(INTERVALS, max_size=6), st.randoms())
def test_a_union_does_not_depend_on_order(intervals: list[Interval], chance: Random) -> None:
    shuffled = list(intervals)
    chance.shuffle(shuffled)
    assert union(shuffled) == union(intervals)


@given(st.lists(INTERVALS, min_size=1, max_size=4), INTERVALS, st.integers(-40, 40))
def test_a_cut_event_covers_what_its_parts_cover_between_the_cuts(
    parts: list[Interval], window: Interval, later: int
) -> None:
    heard = union(parts)
    event = Event("Gunshot", heard[0][0], heard[-1][1], shots=3, parts=tuple(heard))
    if not overlap_s(window, (event.start_s, event.end_s)):
        return
    cut = cut_event(event, *window, later / 4)
    assert (cut.label, cut.shots) == ("Gunshot", 3)
    assert cut.start_s == max(event.start_s, window[0]) + later / 4
    assert cut.end_s == min(event.end_s, window[1]) + later / 4
    expected = {cell + later for cell in cells(heard) & cells([window])}
    assert cells(list(cut.parts)) == expected
