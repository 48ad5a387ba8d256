"""From tables and recordings to clips: where windows lie, what is drawn as background, and that a killed run ends as another does."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loxo.events import Event
from loxo.preparation.journal import Done, Journal
from loxo.preparation.windows import Window, event_windows, events_within, shared
from loxo.timeline import samples_at, seconds_at

RATE = 100
LENGTHS = st.integers(1, 60_000)
"""Samples of a recording: up to ten minutes."""


@st.composite
def events_in(draw: st.DrawFn, longest_s: float = 60.0) -> tuple[list[Event], int]:
    """Events, some of them behind the end of their recording, and its length."""
    n_samples = draw(LENGTHS)
    starts = st.floats(0, n_samples / RATE + 20, allow_nan=False)
    event = st.builds(
        lambda start_s, length_s, label: Event(label, round(start_s, 3), round(start_s, 3) + length_s),
        starts,
        st.floats(0.05, longest_s),
        st.sampled_from(["Rumble", "Gunshot"]),
    )
    return draw(st.lists(event, max_size=12)), n_samples


def windows_of(events: list[Event], n_samples: int, clip_s: float = 20.0, seed: int = 0) -> list[Window]:
    return event_windows(events, n_samples, RATE, clip_s, seed=seed, name="a recording")


# ---- windows


@given(events_in())
def test_windows_lie_in_the_recording_and_are_as_long_as_a_clip(drawn: tuple[list[Event], int]) -> None:
    events, n_samples = drawn
    for window in windows_of(events, n_samples):
        assert 0 <= window.start < window.stop <= n_samples
        assert window.size == min(n_samples, samples_at(20.0, RATE))


@given(events_in())
def test_every_sample_of_every_event_is_in_a_window(drawn: tuple[list[Event], int]) -> None:
    events, n_samples = drawn
    covered = np.zeros(n_samples, bool)
    for window in windows_of(events, n_samples):
        covered[window.start : window.stop] = True
    for event in events:
        assert covered[samples_at(event.start_s, RATE) : samples_at(event.end_s, RATE)].all()


@given(events_in(longest_s=19.9))
def test_an_event_that_fits_lies_whole_in_one_window(drawn: tuple[list[Event], int]) -> None:
    events, n_samples = drawn
    windows = windows_of(events, n_samples)
    for event in events:
        first, end = samples_at(event.start_s, RATE), min(n_samples, samples_at(event.end_s, RATE))
        if end > first:
            assert any(window.start <= first and end <= window.stop for window in windows)


@given(events_in(longest_s=19.9))
def test_there_is_no_window_without_an_event_and_no_more_windows_than_events(drawn: tuple[list[Event], int]) -> None:
    events, n_samples = drawn
    windows = windows_of(events, n_samples)
    assert all(events_within(events, window, RATE) for window in windows)
    assert len(windows) <= len(events)


@given(st.floats(20.1, 300), st.integers(0, 9))
def test_a_long_event_is_cut_into_as_few_windows_as_cover_it(length_s: float, seed: int) -> None:
    event = Event("Rumble", 100.0, 100.0 + length_s)
    windows = windows_of([event], 60_000, seed=seed)
    assert len(windows) == -(-(samples_at(event.end_s, RATE) - 10_000) // 2000)
    assert all(a.stop == b.start for a, b in pairwise(windows))


def test_events_that_fit_into_one_window_share_it() -> None:
    assert len(windows_of([Event("Rumble", 100, 104), Event("Rumble", 102, 107), Event("Gunshot", 115, 116)], 60_000)) == 1
    assert len(windows_of([Event("Rumble", 100, 104), Event("Rumble", 117, 121)], 60_000)) == 2


@given(st.integers(0, 2**31))
def test_the_place_in_the_window_is_drawn_and_the_same_for_the_same_seed(seed: int) -> None:
    (window,) = windows_of([Event("Rumble", 300, 304)], 60_000, seed=seed)
    assert 28_400 <= window.start <= 30_000
    assert [window] == windows_of([Event("Rumble", 300, 304)], 60_000, seed=seed)


def test_places_reach_from_one_edge_of_the_window_to_the_other() -> None:
    starts = [windows_of([Event("Rumble", 300, 304)], 60_000, seed=seed)[0].start for seed in range(200)]
    assert min(starts) < 28_450
    assert max(starts) > 29_950


def test_an_event_elsewhere_moves_no_window() -> None:
    alone = windows_of([Event("Rumble", 300, 304)], 60_000)
    assert set(alone) < set(windows_of([Event("Rumble", 300, 304), Event("Gunshot", 30, 31), Event("Rumble", 500, 503)], 60_000))


@pytest.mark.parametrize(("start_s", "window"), [(0.0, (0, 2000)), (597.0, (58_000, 60_000))])
def test_windows_at_the_edges_are_shifted(start_s: float, window: tuple[int, int]) -> None:
    found = {windows_of([Event("Rumble", start_s, start_s + 3)], 60_000, seed=seed)[0] for seed in range(50)}
    assert all(w.start >= 0 and w.stop <= 60_000 and w.size == 2000 for w in found)
    assert Window(*window) in found or start_s == 0.0


@given(events_in(), st.integers(0, 3000))
def test_events_of_a_window_are_timed_from_its_start_and_lie_within_it(drawn: tuple[list[Event], int], start: int) -> None:
    events, _ = drawn
    window = Window(start, start + 2000)
    inside = events_within(events, window, RATE)
    assert all(0 <= event.start_s < event.end_s <= 20.0 + 1e-9 for event in inside)
    lasting = [e for e in events if min(samples_at(e.end_s, RATE), window.stop) - max(samples_at(e.start_s, RATE), window.start) > 0]
    assert Counter(e.label for e in inside) == Counter(e.label for e in lasting)


def test_two_rumbles_that_overlap_are_both_in_their_clip() -> None:
    events = [Event("Rumble", 100, 104, 12, 60), Event("Rumble", 102, 107, 15, 80)]
    (window,) = windows_of(events, 60_000)
    start_s = seconds_at(window.start, RATE)
    assert [(e.start_s + start_s, e.end_s + start_s, e.high_hz) for e in events_within(events, window, RATE)] == [
        (100, 104, 60),
        (102, 107, 80),
    ]


@given(st.lists(st.integers(0, 10_000), max_size=30), st.integers(0, 300), st.integers(100, 2000))
def test_windows_are_read_together_only_if_near(starts: list[int], gap: int, longest: int) -> None:
    windows = sorted({Window(start, start + 100) for start in starts})
    groups = list(shared(windows, gap, longest))
    assert [window for group in groups for window in group] == windows
    for group in groups:
        assert group[-1].stop - group[0].start <= longest
        assert all(b.start - a.stop <= gap for a, b in pairwise(group))
    for before, after in pairwise(groups):
        assert after[0].start - before[-1].stop > gap or after[0].stop - before[0].start > longest


# ---- the journal


def test_a_journal_knows_only_files_that_are_as_they_were_noted(tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "a.flac").write_bytes(b"sound")
    sha256 = "1acf1bd7f9d74e2d9d7d6a1f0b3a5f0b"
    journal = Journal.of(tmp_path / "clips")
    journal.note(Done("clips/a.flac", "key", sha256))
    assert Journal.of(tmp_path / "clips").hash_of("clips/a.flac", "key") is None


def test_a_line_that_a_kill_cut_off_is_no_file_and_spoils_none(tmp_path: Path) -> None:
    from loxo.preparation.folder import file_hash

    (tmp_path / "clips").mkdir()
    journal = Journal.of(tmp_path / "clips")
    for name in ("a", "b"):
        path = tmp_path / "clips" / f"{name}.flac"
        path.write_bytes(name.encode())
        journal.note(Done(f"clips/{name}.flac", "key", file_hash(path)))
    text = (tmp_path / "clips.jsonl").read_text()
    (tmp_path / "clips.jsonl").write_text(text[:-20])
    again = Journal.of(tmp_path / "clips")
    assert again.hash_of("clips/a.flac", "key") is not None
    assert again.hash_of("clips/a.flac", "another key") is None
    assert again.hash_of("clips/b.flac", "key") is None
    again.note(Done("clips/b.flac", "key", file_hash(tmp_path / "clips" / "b.flac")))
    assert Journal.of(tmp_path / "clips").hash_of("clips/b.flac", "key") is not None


def test_a_journal_removes_what_it_wrote_and_nothing_else(tmp_path: Path) -> None:
    from loxo.preparation.folder import file_hash

    (tmp_path / "clips").mkdir()
    journal = Journal.of(tmp_path / "clips")
    mine, old, others = (tmp_path / "clips" / name for name in ("mine.flac", "old.flac", "others.flac"))
    outside = tmp_path / "recording.wav"
    for path in (mine, old, others, outside):
        path.write_bytes(b"sound")
    for name in ("clips/mine.flac", "clips/old.flac", "recording.wav", "clips/../recording.wav"):
        journal.note(Done(name, "key", file_hash(mine)))
    journal.close({"clips/mine.flac"})
    assert [path.exists() for path in (mine, old, others, outside)] == [True, False, True, True]
    assert [json.loads(line)["path"] for line in (tmp_path / "clips.jsonl").read_text().splitlines()] == ["clips/mine.flac"]
