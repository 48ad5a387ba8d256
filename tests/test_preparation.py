"""From tables and recordings to clips: where windows lie, what is drawn as background, and that a
killed run ends as another does."""

from __future__ import annotations

import json
import struct
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from loxo.annotations import read_annotations, write_events, write_raven
from loxo.clips import Clip, read_clips
from loxo.events import Detection, Event
from loxo.preparation import (
    Folder,
    PreparationError,
    PrepareSettings,
    make_table,
    read_training_table,
)
from loxo.preparation.journal import FileJournal, WrittenFile
from loxo.preparation.listing import find_named, recordings_root
from loxo.preparation.windows import Window, event_windows, events_within, group_reads
from loxo.provenance import file_hash
from loxo.recordings import recording_stem
from loxo.storage import Storage
from loxo.timeline import samples_at, seconds_at
from preparation_fixtures import NAME, Trial

pytest_plugins = ("preparation_fixtures",)

SHARED = Path(__file__).parents[2] / "shared"

RATE = 100
LENGTHS = st.integers(1, 60_000)
"""Samples of a recording: up to ten minutes."""


@st.composite
def events_in(draw: st.DrawFn, longest_s: float = 60.0) -> tuple[list[Event], int]:
    """Events, some of them behind the end of their recording, and its length."""
    n_samples = draw(LENGTHS)
    starts = st.floats(0, n_samples / RATE + 20, allow_nan=False)
    event = st.builds(
        lambda start_s, length_s, label: Event(
            label, round(start_s, 3), round(start_s, 3) + length_s
        ),
        starts,
        st.floats(0.05, longest_s),
        st.sampled_from(["Rumble", "Gunshot"]),
    )
    return draw(st.lists(event, max_size=12)), n_samples


def windows_of(
    events: list[Event], n_samples: int, clip_s: float = 20.0, seed: int = 0
) -> list[Window]:
    return event_windows(events, n_samples, RATE, clip_s, seed=seed, name="a recording")


# ---- windows


@given(events_in())
def test_windows_lie_in_the_recording_and_are_as_long_as_a_clip(
    drawn: tuple[list[Event], int],
) -> None:
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
def test_there_is_no_window_without_an_event_and_no_more_windows_than_events(
    drawn: tuple[list[Event], int],
) -> None:
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
    assert (
        len(
            windows_of(
                [Event("Rumble", 100, 104), Event("Rumble", 102, 107), Event("Gunshot", 115, 116)],
                60_000,
            )
        )
        == 1
    )
    assert len(windows_of([Event("Rumble", 100, 104), Event("Rumble", 117, 121)], 60_000)) == 2


@given(st.integers(0, 2**31))
def test_the_place_in_the_window_is_drawn_and_the_same_for_the_same_seed(seed: int) -> None:
    (window,) = windows_of([Event("Rumble", 300, 304)], 60_000, seed=seed)
    assert 28_400 <= window.start <= 30_000
    assert [window] == windows_of([Event("Rumble", 300, 304)], 60_000, seed=seed)


def test_places_reach_from_one_edge_of_the_window_to_the_other() -> None:
    starts = [
        windows_of([Event("Rumble", 300, 304)], 60_000, seed=seed)[0].start for seed in range(200)
    ]
    assert min(starts) < 28_450
    assert max(starts) > 29_950


def test_an_event_elsewhere_moves_no_window() -> None:
    alone = windows_of([Event("Rumble", 300, 304)], 60_000)
    assert set(alone) < set(
        windows_of(
            [Event("Rumble", 300, 304), Event("Gunshot", 30, 31), Event("Rumble", 500, 503)], 60_000
        )
    )


@pytest.mark.parametrize(("start_s", "window"), [(0.0, (0, 2000)), (597.0, (58_000, 60_000))])
def test_windows_at_the_edges_are_shifted(start_s: float, window: tuple[int, int]) -> None:
    found = {
        windows_of([Event("Rumble", start_s, start_s + 3)], 60_000, seed=seed)[0]
        for seed in range(50)
    }
    assert found == {Window(*window)}


@given(events_in(), st.integers(0, 3000))
def test_events_of_a_window_are_timed_from_its_start_and_lie_within_it(
    drawn: tuple[list[Event], int], start: int
) -> None:
    events, _ = drawn
    window = Window(start, start + 2000)
    inside = events_within(events, window, RATE)
    assert all(0 <= event.start_s < event.end_s <= 20.0 + 1e-9 for event in inside)
    lasting = [
        e
        for e in events
        if min(samples_at(e.end_s, RATE), window.stop)
        - max(samples_at(e.start_s, RATE), window.start)
        > 0
    ]
    assert Counter(e.label for e in inside) == Counter(e.label for e in lasting)


def test_two_rumbles_that_overlap_are_both_in_their_clip() -> None:
    events = [Event("Rumble", 100, 104, 12, 60), Event("Rumble", 102, 107, 15, 80)]
    (window,) = windows_of(events, 60_000)
    start_s = seconds_at(window.start, RATE)
    assert [
        (e.start_s + start_s, e.end_s + start_s, e.high_hz)
        for e in events_within(events, window, RATE)
    ] == [
        (100, 104, 60),
        (102, 107, 80),
    ]


@given(st.lists(st.integers(0, 10_000), max_size=30), st.integers(0, 300), st.integers(100, 2000))
def test_windows_are_read_together_only_if_near(starts: list[int], gap: int, longest: int) -> None:
    windows = sorted({Window(start, start + 100) for start in starts})
    groups = list(group_reads(windows, gap, longest))
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
    journal = FileJournal.of(tmp_path / "clips")
    journal.add(WrittenFile("clips/a.flac", "key", sha256))
    assert FileJournal.of(tmp_path / "clips").hash_of("clips/a.flac", "key") is None


def test_a_line_that_a_kill_cut_off_is_no_file_and_spoils_none(tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    journal = FileJournal.of(tmp_path / "clips")
    for name in ("a", "b"):
        path = tmp_path / "clips" / f"{name}.flac"
        path.write_bytes(name.encode())
        journal.add(WrittenFile(f"clips/{name}.flac", "key", file_hash(path)))
    text = (tmp_path / "clips.jsonl").read_text()
    (tmp_path / "clips.jsonl").write_text(text[:-20])
    again = FileJournal.of(tmp_path / "clips")
    assert again.hash_of("clips/a.flac", "key") is not None
    assert again.hash_of("clips/a.flac", "another key") is None
    assert again.hash_of("clips/b.flac", "key") is None
    again.add(WrittenFile("clips/b.flac", "key", file_hash(tmp_path / "clips" / "b.flac")))
    assert FileJournal.of(tmp_path / "clips").hash_of("clips/b.flac", "key") is not None


def test_a_journal_removes_what_it_wrote_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    journal = FileJournal.of(tmp_path / "clips")
    mine, old, others = (
        tmp_path / "clips" / name for name in ("mine.flac", "old.flac", "others.flac")
    )
    outside = tmp_path / "recording.wav"
    for path in (mine, old, others, outside):
        path.write_bytes(b"sound")
    for name in ("clips/mine.flac", "clips/old.flac", "recording.wav", "clips/../recording.wav"):
        journal.add(WrittenFile(name, "key", file_hash(mine)))
    journal.close({"clips/mine.flac"})
    assert [path.exists() for path in (mine, old, others, outside)] == [True, False, True, True]
    assert [
        json.loads(line)["path"] for line in (tmp_path / "clips.jsonl").read_text().splitlines()
    ] == ["clips/mine.flac"]


# ---- names of recordings

URLS = [
    "s3://b/wav/nn01a/nn01a_20180126_000000.wav",
    "s3://b/wav/dz/dz_20130101_180000.WAV",
    "s3://b/wav/a/20190101_000000.wav",
    "s3://b/wav/c/20190101_000000.wav",
]


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("nn01a_20180126_000000.wav", [0]),
        ("L:\\ELP\\NN01A_20180126_000000", [0]),
        ("dzan_20130101_180000", [1]),
        ("a/20190101_000000.wav", [2]),
        ("D:\\c\\20190101_000000.WAV", [3]),
        ("nn02a_20180126_000000", []),
    ],
)
def test_recordings_are_named_by_a_list(tmp_path: Path, name: str, places: list[int]) -> None:
    (tmp_path / "list.txt").write_text(f"{name}\n\n")
    found, missing = find_named(tmp_path / "list.txt", URLS, "s3://b/wav")
    assert found == tuple(URLS[place] for place in places)
    assert missing == (() if places else (name,))


def test_recordings_are_named_by_a_table(tmp_path: Path) -> None:
    table = tmp_path / "x.selections.txt"
    write_events(table, [Event("Rumble", 1, 2)], "nn01a_20180126_000000.wav")
    assert find_named(table, URLS, "s3://b/wav") == ((URLS[0],), ())


@pytest.mark.parametrize("content", [None, "\n", "20190101_000000.wav\n"])
def test_a_list_that_names_none_or_several_is_refused(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "list.txt"
    if content is not None:
        path.write_text(content)
    with pytest.raises(PreparationError, match=r"list\.txt") as error:
        find_named(path, URLS, "s3://b/wav")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("addresses", "root"),
    [
        (["s3://b/wav"], "s3://b/wav"),
        (["s3://b/wav/"], "s3://b/wav"),
        (["s3://b/wav/a", "s3://b/wav/c", "s3://b/wav/dz", "s3://b/wav/nn01a"], "s3://b/wav"),
        (URLS, "s3://b/wav"),
        (["s3://b/*/*.wav"], "s3://b/wav"),
    ],
)
def test_paths_count_from_the_folder_that_is_given(addresses: list[str], root: str) -> None:
    assert recordings_root(addresses, URLS) == root


# ---- the steps on a disk


def samples_of(clip: Clip, dtype: str = "int16") -> tuple[int, NDArray[np.int32]]:
    """Where a clip starts, and its samples."""
    assert clip.start_s is not None
    return round(clip.start_s * clip.rate), soundfile.read(clip.path, dtype=dtype)[0]


def test_marginal_events_keep_background_away_and_are_marked_in_clips(trial: Trial) -> None:
    trial.add(NAME, [Event("Rumble", 30, 34), Event("Rumble", 150, 153, marginal=True)])
    trial.table()
    places = trial.background(ratio=4.0)
    assert places
    assert all(end_s <= 140 or start_s >= 163 for _, start_s, end_s in places)
    assert Counter(event.marginal for clip in trial.clips() for event in clip.events) == {
        True: 1,
        False: 1,
    }
    assert [event.marginal for clip in trial.clips(marginal=False) for event in clip.events] == [
        False
    ]


@pytest.mark.parametrize("margin_s", [0.0, 10.0, 45.0])
def test_background_keeps_its_margin_and_stays_in_the_recording(
    trial: Trial, margin_s: float
) -> None:
    events = [Event("Rumble", 60, 64), Event("Gunshot", 200, 201), Event("Rumble", 290, 310)]
    trial.add(NAME, events)
    trial.table()
    places = sorted(trial.background(ratio=2.0, margin=margin_s))
    assert places
    for _, start_s, end_s in places:
        assert end_s - start_s == pytest.approx(20)
        assert 0 <= start_s < end_s <= 300 + 1e-9
        assert all(
            end_s <= e.start_s - margin_s + 1e-9 or start_s >= e.end_s + margin_s - 1e-9
            for e in events
        )
    assert all(later[1] >= earlier[2] for earlier, later in pairwise(places))


def test_where_there_is_no_room_there_is_less_background_and_it_is_said(trial: Trial) -> None:
    trial.add(NAME, [Event("Rumble", 30, 34), Event("Rumble", 70, 74)], seconds=100)
    trial.table()
    assert len(trial.background(ratio=5.0)) < 10
    assert any("fewer than wanted" in note for note in trial.report.notes)


def test_background_is_spread_over_hours(trial: Trial) -> None:
    trial.add(
        NAME,
        [Event("Rumble", 14_000 + 30 * n, 14_004 + 30 * n) for n in range(12)],
        4 * 3600,
        rate=200,
    )
    trial.table()
    assert Counter(int(start_s // 3600) for _, start_s, _ in trial.background()) == {
        0: 3,
        1: 3,
        2: 3,
        3: 3,
    }


def test_background_comes_only_from_recordings_that_were_searched(trial: Trial) -> None:
    trial.add(NAME, [Event("Rumble", 30, 34)])
    trial.add("nn01b_20180126_000000", [])
    # nn01c has no table; of nn01d only a detector's finds were reviewed.
    for site in ("nn01c", "nn01d"):
        trial.add(f"{site}_20180126_000000", [])
        (trial.root / "tables" / f"{site}_20180126_000000.selections.txt").unlink()
    header = (
        "Selection\tBegin Time (s)\tEnd Time (s)\tBegin File\tFile Offset (s)\tGunshot\t"
        "Not_gunshot\n"
    )
    (trial.root / "tables" / "reviewed.txt").write_text(
        header + "1\t30\t31\tnn01d_20180126_000000.wav\t30\t1\t\n"
    )
    trial.table()
    assert {site for site, _, _ in trial.background(ratio=4.0)} == {"nn01a", "nn01b"}
    assert ("nn01d", "Gunshot") in {
        (clip.site, label) for clip in trial.clips() for label in clip.labels
    }


def test_false_detections_become_background_and_true_ones_do_not(trial: Trial) -> None:
    trial.add(NAME, [Event("Rumble", 30, 34)])
    trial.add("nn01b_20180126_000000", [])
    found = {
        "nn01a": [
            Detection("Rumble", 31, 33, 10, 60, 0.99),
            Detection("Rumble", 150, 152, 10, 60, 0.7),
        ],
        "nn01b": [
            Detection("Gunshot", 100, 101, 10, 900, 0.9),
            Detection("Rumble", 100.2, 100.8, 10, 900, 0.8),
        ],
    }
    (trial.root / "found").mkdir()
    for site, detections in found.items():
        name = f"{site}_20180126_000000"
        write_raven(
            trial.root / "found" / f"{name}.selections.txt", detections, f"elsewhere/{name}.wav"
        )
    trial.table()
    places = trial.background(detections=trial.root / "found", ratio=4.0, hard_share=0.5)
    sources = pl.read_parquet(trial.folder.background)["source"].to_list()
    hard = [
        place for place, source in zip(places, sources, strict=True) if source == "false positive"
    ]
    assert [site for site, _, _ in hard] == ["nn01a", "nn01b"]
    assert hard[0][1] <= 151 <= hard[0][2]
    assert hard[1][1] <= 100.5 <= hard[1][2]
    assert len(places) == 4
    assert "2 of them false positives" in trial.report.wrote


@pytest.mark.parametrize(
    ("suffix", "subtype"),
    [(".flac", "PCM_16"), (".wav", "PCM_24"), (".wav", "FLOAT"), (".aiff", "PCM_16")],
)
def test_clips_are_without_loss_whatever_the_format(
    trial: Trial, suffix: str, subtype: str
) -> None:
    samples = trial.add(NAME, [Event("Rumble", 30, 34)])
    trial.path().unlink()
    soundfile.write(
        trial.path(suffix=suffix),
        samples / 32768 if subtype == "FLOAT" else samples,
        1000,
        subtype=subtype,
    )
    trial.table()
    (clip,) = trial.clips()
    first, found = samples_of(clip)
    np.testing.assert_array_equal(found, samples[first : first + 20_000])
    assert soundfile.info(clip.path).subtype == "PCM_16"


def test_finer_samples_keep_24_bits_and_a_channel_can_be_chosen(trial: Trial) -> None:
    fine = np.random.default_rng(0).integers(-(2**22), 2**22, (60_000, 2), dtype=np.int32)
    soundfile.write(trial.path(), fine << 8, 1000, subtype="PCM_24")
    trial.mark(NAME, [Event("Gunshot", 30, 31)])
    trial.table()
    (clip,) = trial.clips(channel=2)
    first, found = samples_of(clip, "int32")
    np.testing.assert_array_equal(found >> 8, fine[first : first + 20_000, 1])


def test_damaged_stretches_are_listed_and_the_rest_is_cut(trial: Trial) -> None:
    samples = trial.add(NAME, [Event("Rumble", 30, 34), Event("Rumble", 150, 154)])
    samples[120_000:180_000] = 0
    soundfile.write(trial.path(), samples, 1000)
    trial.mark("nn01b_20180126_000000", [Event("Gunshot", 30, 31)])
    trial.path("nn01b_20180126_000000").write_bytes(b"no sound")
    trial.table()
    assert len(trial.clips()) == 1
    silent, broken = trial.lost()
    assert "all samples are 0" in silent
    assert "no sound" in broken
    assert trial.report.skipped == "2 segments"


def test_samples_that_are_no_numbers_are_in_no_clip(trial: Trial) -> None:
    """Three windows that are read together, the middle one of them damaged."""
    samples = (
        trial.add(
            NAME,
            [Event("Rumble", 10.0, 29.5), Event("Rumble", 30.0, 49.5), Event("Rumble", 50.0, 69.5)],
        )
        / 32768
    )
    samples[40_000:40_010] = np.nan
    soundfile.write(trial.path(), samples, 1000, subtype="FLOAT")
    trial.table()
    clips = trial.clips()
    assert len(clips) == 2
    assert all(
        clip.start_s is not None and not clip.start_s <= 40 < clip.start_s + clip.seconds
        for clip in clips
    )
    assert len(trial.lost()) == 1
    assert "non-finite: 10 samples" in trial.lost()[0]


def test_a_disk_that_takes_no_more_ends_the_step(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial.add(NAME, [Event("Rumble", 30, 34)])
    trial.table()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(soundfile, "write", full)
    with pytest.raises(PreparationError, match="No space left on device"):
        trial.clips()
    assert not trial.folder.clips.exists()


def test_more_tables_leave_other_clips_alone_and_fewer_remove_theirs(trial: Trial) -> None:
    trial.add(NAME, [Event("Rumble", 30, 34), Event("Rumble", 150, 154)])
    trial.table()
    before = {clip.path: clip.path.stat().st_mtime_ns for clip in trial.clips()}
    trial.add("nn01b_20180126_000000", [Event("Gunshot", 30, 31)])
    trial.table()
    after = {clip.path: clip.path.stat().st_mtime_ns for clip in trial.clips()}
    assert len(after) == 3
    assert before.items() <= after.items()
    (trial.root / "tables" / f"{NAME}.selections.txt").unlink()
    trial.table()
    assert len(trial.clips()) == 1
    assert [path.exists() for path in before] == [False, False]


def test_a_clip_that_was_changed_or_removed_is_cut_again(trial: Trial) -> None:
    trial.add(NAME, [Event("Rumble", 30, 34), Event("Rumble", 150, 154)])
    trial.table()
    one, other = (clip.path for clip in trial.clips())
    content = one.read_bytes()
    one.unlink()
    other.write_bytes(b"changed")
    trial.folder.clips.unlink()
    trial.clips()
    assert one.read_bytes() == content
    assert soundfile.info(other).frames == 20_000


def test_test_recordings_are_in_test(trial: Trial) -> None:
    for number in range(6):
        trial.add(
            f"nn0{number}a_20180126_000000", [Event("Rumble", 30, 34), Event("Gunshot", 100, 101)]
        )
    trial.table()
    (trial.root / "test.txt").write_text("L:\\x\\nn02a_20180126_000000.WAV\nunknown\n")
    clips = trial.clips(test_recordings=trial.root / "test.txt")
    splits = {clip.site: clip.split for clip in clips}
    assert splits["nn02a"] == "test"
    assert set(splits.values()) == {"train", "validation", "test"}
    assert any("unknown" in note for note in trial.report.notes)


def test_resampling_leaves_clips_alone_that_have_the_rate(trial: Trial) -> None:
    trial.add(NAME, [Event("Rumble", 30, 34)], rate=1000)
    trial.add("nn01b_20180126_000000", [Event("Rumble", 30, 34)], rate=2000)
    trial.table()
    clips = trial.clips()
    hashes = [file_hash(clip.path) for clip in clips]
    report = trial.resampled(1000)
    resampled = read_clips(trial.folder.resampled)
    assert [clip.rate for clip in resampled] == [1000, 1000]
    assert resampled[0].path == clips[0].path
    assert resampled[1].path == trial.folder.root / "resampled" / "Rumble" / clips[1].path.name
    assert [file_hash(clip.path) for clip in clips] == hashes
    assert report.wrote == "1 clip at 1,000 Hz; 1 had it"
    assert trial.resampled(1000).cached
    assert not trial.resampled(500).cached


def test_a_row_and_its_copy_in_another_table_count_once(trial: Trial) -> None:
    trial.add(NAME, [Event("Rumble", 30, 34)])
    trial.mark(NAME, [Event("Rumble", 30, 34), Event("Rumble", 50, 54)], table="again")
    report = trial.table()
    (recording,) = read_training_table(trial.folder.table)
    assert [event.start_s for event in recording.events] == [30, 50]
    assert any("repeated in several tables" in note for note in report.notes)


def test_a_recording_longer_than_a_day_is_cut_where_its_header_says(trial: Trial) -> None:
    """Samples behind 4 GiB, in a file with holes that takes no room on the disk."""
    rate, length_s, event_s = 24_000, 93_057, 93_000
    soundfile.write(trial.path(), np.zeros(10, np.int16), rate, format="RF64")
    content = trial.path().read_bytes()
    first = content.index(b"data") + 8
    size = 2 * rate * length_s
    header = bytearray(content[:first])
    place = header.index(b"ds64") + 8
    header[place : place + 24] = struct.pack("<QQQ", first - 8 + size, size, size // 2)
    header[-4:] = b"\xff" * 4
    sound = (1000 * np.random.default_rng(0).standard_normal(60 * rate)).astype(np.int16)
    with trial.path().open("wb") as file:
        file.write(header)
        file.truncate(first + size)
        file.seek(first + 2 * rate * (event_s - 30))
        file.write(sound.tobytes())
    trial.mark(NAME, [Event("Gunshot", event_s, event_s + 1)])
    trial.table()
    (clip,) = trial.clips()
    start, found = samples_of(clip)
    start -= rate * (event_s - 30)
    np.testing.assert_array_equal(found, sound[start : start + 20 * rate])


# ---- real tables


@pytest.mark.skipif(not SHARED.is_dir(), reason="there are no real tables here")
def test_real_tables_give_the_counts_that_are_known_of_them(tmp_path: Path) -> None:
    """193 recordings of three tables that share none; overlapping rumbles come to share clips."""
    names = (
        "nn_ele_hb_00-24hr_TrainingSet_v2",
        "nn_ele_00-24hr_GeneralTest_v4",
        "nn_ele_00-24hr_ComplexTest_inc3NoEleDay",
    )
    tables = [SHARED / "annotations" / f"{name}.txt" for name in names]
    names_in_tables = read_annotations(tables, label="Rumble").recordings
    stems = {recording_stem(name.file) for name in names_in_tables}
    for stem in stems:
        path = tmp_path / "archive" / stem.split("_")[0] / f"{stem}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    folder = Folder.at(tmp_path / "data")
    archive = str(tmp_path / "archive")
    settings = PrepareSettings(recordings=(archive,), rumbles=tuple(map(str, tables)))
    make_table(folder, settings, Storage())
    frame = pl.read_parquet(folder.table)
    assert frame["recording"].n_unique() == len(stems) == 193
    assert frame.filter(pl.col("label").is_null())["recording"].n_unique() == 4
    rows = frame.drop_nulls("label").group_by("table").agg(pl.len(), pl.col("marginal").sum())
    counts = {Path(table).stem: (events, marginal) for table, events, marginal in rows.rows()}
    assert (counts[names[0]], counts[names[1]], counts[names[2]][0]) == (
        (3180, 945),
        (757, 220),
        358,
    )
    assert (folder.root / "unmatched.tsv").read_text().count("\n") == 1
    both = 0
    for recording in read_training_table(folder.table):
        for window in event_windows(
            recording.targets, samples_at(93_100, RATE), RATE, 20.0, seed=0, name=recording.url
        ):
            both += any(
                later.start_s < earlier.end_s
                for earlier, later in pairwise(events_within(recording.targets, window, RATE))
            )
    assert both > 200
