"""Windows lie where they should, hold what they must, and are the same for the same seed.

The samples of the clips tell their position: `clock` counts them, `marked` is 1 within events and 0
elsewhere.
"""

from __future__ import annotations

import gc
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from loxo.clips import Clip, write_clips
from loxo.dataset import AudioDataset, WindowSettings
from loxo.events import EVENT_LABELS, Event
from loxo.timeline import samples_at

Pair = tuple[NDArray[np.float32], NDArray[np.float32]]

RATE = 1000
SECONDS = 20.0
WINDOW = WindowSettings(rate=RATE)
DRAWS = st.tuples(st.integers(0, 2**31), st.integers(0, 100), st.integers(0, 3))
"""Seed, epoch and index."""


def saved(
    path: Path, samples: NDArray[np.floating], events: tuple[Event, ...] = (), rate: int = RATE
) -> Clip:
    """A clip of samples `(sample,)` or `(sample, channel)`, stored exactly."""
    soundfile.write(os.fspath(path), samples.astype(np.float32), rate, subtype="FLOAT")
    return Clip(path, "train", "a recording", len(samples) / rate, rate, events)


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """A clip whose samples are their own numbers."""
    return saved(tmp_path_factory.mktemp("clock") / "clock.wav", np.arange(SECONDS * RATE))


def with_events(clip: Clip, events: list[Event]) -> Clip:
    return Clip(clip.path, clip.split, clip.group, clip.seconds, clip.rate, tuple(events))


def drawn(
    clips: list[Clip], draw: tuple[int, int, int], window: WindowSettings = WINDOW
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    seed, epoch, index = draw
    dataset = AudioDataset(clips, window, random=True, seed=seed)
    dataset.set_epoch(epoch)
    return dataset[index]


EVENTS = st.lists(
    st.builds(
        lambda label, start, half: Event(label, start / 500, min(SECONDS, (start + half) / 500)),
        st.sampled_from(EVENT_LABELS),
        st.integers(0, 9_990),
        st.integers(1, 4_500),
    ),
    min_size=1,
    max_size=4,
)
"""Events within the clip; they begin, end and have their middle on whole samples."""


# ---- windows


def test_an_item_is_what_training_expects(clock: Clip) -> None:
    waveform, targets = AudioDataset([clock], WINDOW)[0]
    assert (waveform.shape, targets.shape) == ((10_000,), (2, 10))
    assert {waveform.dtype, targets.dtype} == {np.dtype(np.float32)}


def test_a_dataset_is_made_of_a_manifest_or_of_clips(tmp_path: Path) -> None:
    clips = [
        replace(saved(tmp_path / f"{split}.wav", np.full(20_000, value)), split=split)
        for value, split in ((0.25, "train"), (0.5, "validation"))
    ]
    write_clips(tmp_path / "clips.parquet", clips)
    for source in (clips, tmp_path / "clips.parquet", str(tmp_path / "clips.parquet")):
        assert len(AudioDataset(source, WINDOW)) == 2
        waveform, _ = AudioDataset(source, WINDOW, split="validation")[0]
        np.testing.assert_array_equal(waveform, np.full(10_000, 0.5))


def test_targets_have_a_row_for_each_label(clock: Clip) -> None:
    clip = with_events(clock, [Event("Chainsaw", 8, 9), Event("Rumble", 6, 7)])
    window = WindowSettings(rate=RATE, labels=("Chainsaw", "Gunshot", "Rumble"))
    targets = AudioDataset([clip], window)[0][1]
    assert np.argwhere(targets).tolist() == [[0, 3], [2, 1]]


def test_items_make_a_batch(clock: Clip, tmp_path: Path) -> None:
    short = saved(tmp_path / "short.wav", np.ones(3 * RATE))
    dataset = AudioDataset([clock, short, clock], WindowSettings(rate=RATE, event_bins=40))
    waveform, targets = torch.utils.data.default_collate(
        [dataset[index] for index in range(len(dataset))]
    )
    assert (tuple(waveform.shape), tuple(targets.shape)) == ((3, 10_000), (3, 2, 40))


def test_a_window_that_is_not_random_is_the_middle_of_the_clip(clock: Clip) -> None:
    dataset = AudioDataset([clock], WINDOW)
    dataset.set_epoch(7)
    np.testing.assert_array_equal(dataset[0][0], np.arange(5_000, 15_000))


@given(DRAWS)
def test_a_window_is_a_stretch_of_its_clip(clock: Clip, draw: tuple[int, int, int]) -> None:
    waveform, _ = drawn([clock] * 4, draw)
    first = int(waveform[0])
    assert 0 <= first <= 10_000
    np.testing.assert_array_equal(waveform, np.arange(first, first + 10_000))


@given(DRAWS)
def test_the_same_draw_gives_the_same_window(clock: Clip, draw: tuple[int, int, int]) -> None:
    clips = [with_events(clock, [Event("Rumble", 8, 12)])] * 4
    for once, again in zip(drawn(clips, draw), drawn(clips, draw), strict=True):
        np.testing.assert_array_equal(once, again)


def test_windows_change_with_seed_epoch_and_index_and_reach_both_ends(clock: Clip) -> None:
    firsts = {
        (seed, epoch, index): float(drawn([clock] * 4, (seed, epoch, index))[0][0])
        for seed in range(4)
        for epoch in range(8)
        for index in range(4)
    }
    assert len(set(firsts.values())) > 0.9 * len(firsts)
    assert min(firsts.values()) < 500
    assert max(firsts.values()) > 9_500


@given(EVENTS, DRAWS)
def test_a_window_holds_the_middle_of_an_event(
    clock: Clip, events: list[Event], draw: tuple[int, int, int]
) -> None:
    waveform, _ = drawn([with_events(clock, events)] * 4, draw)
    middles = [samples_at((event.start_s + event.end_s) / 2, RATE) for event in events]
    assert any(waveform[0] <= middle <= waveform[-1] for middle in middles)


def starts(clip: Clip) -> set[float]:
    """Where the windows of sixty draws begin."""
    return {float(drawn([clip], (seed, 0, 0))[0][0]) for seed in range(60)}


def test_all_windows_that_fit_are_drawn_and_no_others(tmp_path: Path, clock: Clip) -> None:
    assert starts(saved(tmp_path / "snug.wav", np.arange(10_002.0))) == {0, 1, 2}
    assert starts(with_events(clock, [Event("Rumble", 19.996, 20.0)])) == {
        9_999,
        10_000,
    }  # its middle is sample 19,998
    assert starts(with_events(clock, [Event("Rumble", 0.0, 0.004)])) == {0, 1, 2}


def test_windows_need_not_hold_events(clock: Clip) -> None:
    clip = with_events(clock, [Event("Gunshot", 0.0, 1.0)])
    window = WindowSettings(rate=RATE, keep_events=False)
    assert sum(bool(drawn([clip], (seed, 0, 0), window)[1].any()) for seed in range(60)) < 20
    assert all(drawn([clip], (seed, 0, 0))[1].any() for seed in range(60))


# ---- targets of the window that was drawn


@given(events=EVENTS, draw=DRAWS, bins=st.sampled_from([1, 5, 10, 100]))
def test_targets_are_those_of_the_sound_in_the_window(
    tmp_path_factory: pytest.TempPathFactory,
    events: list[Event],
    draw: tuple[int, int, int],
    bins: int,
) -> None:
    rumbles = [Event("Rumble", event.start_s, event.end_s) for event in events]
    on = np.zeros(samples_at(SECONDS, RATE))
    for event in rumbles:
        on[samples_at(event.start_s, RATE) : samples_at(event.end_s, RATE)] = 1.0
    clip = saved(tmp_path_factory.getbasetemp() / "marked.wav", on, tuple(rumbles))
    for fractional in (True, False):
        waveform, targets = drawn(
            [clip] * 4, draw, WindowSettings(rate=RATE, event_bins=bins, fractional=fractional)
        )
        shares = waveform.reshape(bins, -1).mean(axis=1)
        np.testing.assert_allclose(targets[0], shares if fractional else shares > 0, atol=1e-6)
        assert not targets[1].any()


def test_marginal_events_reach_the_targets(clock: Clip) -> None:
    clip = with_events(clock, [Event("Rumble", 7.0, 9.0, marginal=True)])
    targets = AudioDataset([clip], WINDOW)[0][1]
    assert np.flatnonzero(np.isnan(targets[0])).tolist() == [2, 3]


# ---- clips that do not fit the window


def test_a_short_clip_is_filled_up_with_silence_without_events(tmp_path: Path) -> None:
    clip = saved(tmp_path / "short.wav", np.ones(3 * RATE), (Event("Rumble", 0.0, 3.0),))
    for random in (False, True):
        waveform, targets = AudioDataset([clip], WINDOW, random=random)[0]
        np.testing.assert_array_equal(waveform, np.repeat([1.0, 0.0], [3 * RATE, 7 * RATE]))
        np.testing.assert_array_equal(targets[0], [1, 1, 1, 0, 0, 0, 0, 0, 0, 0])


@pytest.mark.parametrize("rate", [500, 1536, 2000, 11_025, 44_100])
def test_a_clip_at_another_rate_sounds_the_same(tmp_path: Path, rate: int) -> None:
    samples = np.sin(2 * np.pi * 30 * np.arange(round(SECONDS * rate)) / rate)
    clip = saved(tmp_path / "tone.wav", samples, (Event("Rumble", 6.0, 8.0),), rate)
    waveform, targets = AudioDataset([clip], WINDOW)[0]
    assert np.flatnonzero(targets[0]).tolist() == [1, 2]
    expected = np.sin(2 * np.pi * 30 * (5.0 + np.arange(10_000) / RATE))
    assert waveform.shape == (10_000,)
    np.testing.assert_allclose(waveform, expected, atol=2e-3)


def test_a_short_clip_at_another_rate_is_padded(tmp_path: Path) -> None:
    clip = saved(tmp_path / "short.wav", np.full(6000, 0.5), rate=2000)
    waveform, _ = AudioDataset([clip], WINDOW)[0]
    assert waveform.shape == (10_000,)
    np.testing.assert_allclose(waveform[100:2900], 0.5, atol=1e-3)
    assert not waveform[3001:].any()


def test_a_clip_is_resampled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    original = soxr.resample

    def noted(waveform: NDArray[np.float32], rate: int, to: int) -> NDArray[np.float32]:
        calls.append((len(waveform), rate, to))
        found: NDArray[np.float32] = original(waveform, rate, to)
        return found

    monkeypatch.setattr(soxr, "resample", noted)
    clip = saved(tmp_path / "noise.wav", np.random.default_rng(1).normal(size=40_000), rate=2000)
    cache = tmp_path / "cache"
    for _ in range(2):  # the second dataset takes what the first one left
        dataset = AudioDataset([clip], WINDOW, random=True, cache=cache)
        for epoch in range(3):
            dataset.set_epoch(epoch)
            dataset[0]
    assert calls == [(40_000, 2000, RATE)]
    before = AudioDataset([clip], WINDOW, cache=cache)[0][0]
    saved(clip.path, np.zeros(40_001), rate=2000)
    assert before.any()
    assert not AudioDataset([clip], WINDOW, cache=cache)[0][0].any(), "a changed file is read again"


def test_a_temporary_cache_goes_with_its_dataset(tmp_path: Path) -> None:
    clip = saved(tmp_path / "clip.wav", np.ones(40_000), rate=2000)
    dataset = AudioDataset([clip], WINDOW)
    dataset[0]
    cache = dataset._cache
    assert cache is not None
    assert len(list(cache.iterdir())) == 1
    del dataset
    gc.collect()
    assert not cache.exists()


def test_channels_are_averaged(tmp_path: Path) -> None:
    left = np.arange(SECONDS * RATE)
    clip = saved(tmp_path / "stereo.wav", np.column_stack((left, -left / 2)))
    np.testing.assert_array_equal(AudioDataset([clip], WINDOW)[0][0], np.arange(5_000, 15_000) / 4)


# ---- what cannot be used


def one_line(error: pytest.ExceptionInfo[Exception], path: Path) -> str:
    message = str(error.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


def test_a_missing_or_damaged_clip_is_one_line(tmp_path: Path) -> None:
    clip = saved(tmp_path / "clip.wav", np.zeros(100))
    (tmp_path / "clip.wav").write_bytes(b"no sound")
    with pytest.raises(ValueError, match="make the set again") as error:
        AudioDataset([clip], WINDOW)[0]
    one_line(error, clip.path)
    (tmp_path / "clip.wav").unlink()
    with pytest.raises(ValueError, match="make the set again") as error:
        AudioDataset([clip], WINDOW)[0]
    one_line(error, clip.path)


def test_a_clip_at_another_rate_than_its_set_says_is_one_line(tmp_path: Path) -> None:
    clip = saved(tmp_path / "clip.wav", np.zeros(4000), rate=4000)
    with pytest.raises(
        ValueError, match="4000 samples per second, but the clip set says 8000"
    ) as error:
        AudioDataset([Clip(clip.path, "train", "r", 1.0, 8000, ())], WINDOW)[0]
    one_line(error, clip.path)


@pytest.mark.parametrize(
    "wrong", [{"rate": 0}, {"window_s": 0.0}, {"window_s": -1.0}, {"event_bins": 0}]
)
def test_windows_of_nothing_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        WindowSettings(**wrong)


def test_workers_give_what_one_process_gives(clock: Clip) -> None:
    clips = [with_events(clock, [Event("Rumble", 3 + n, 6 + n)]) for n in range(8)]
    dataset = AudioDataset(
        clips,
        WINDOW,
        random=True,
        seed=3,
    )
    for epoch in range(2):
        dataset.set_epoch(epoch)
        # A DataLoader takes any object with a length and items.
        alone, shared = (
            list(torch.utils.data.DataLoader(dataset, 4, num_workers=workers))  # type: ignore[arg-type]
            for workers in (0, 2)
        )
        for one, other in zip(alone, shared, strict=True):
            assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
