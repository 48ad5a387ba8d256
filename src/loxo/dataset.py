"""Clips on disk, and the windows of them that a model is trained on.

A **clip set** is a folder with `clips.parquet`, a row a clip, and the audio files that it names by their path relative to it. Columns:
`path`, `split` (train, validation, test), `group` (the recording or soundscape that it was cut from), `seconds`, `rate`, and `events`, a
list of `label, start_s, end_s, low_hz, high_hz, marginal` timed from the start of the clip. A clip without events is Background.

`AudioDataset` gives, for each clip, one window of it: drawn anew each epoch for training, always the middle one for validation.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import soundfile
import soxr
from numpy.typing import NDArray

from loxo.events import Event
from loxo.storage import replacing
from loxo.targets import targets_from_events
from loxo.timeline import samples_at, seconds_at

__all__ = ["AudioDataset", "Clip", "WindowSettings", "read_clips", "write_clips"]

EVENT_FIELDS = {
    "label": pl.String, "start_s": pl.Float64, "end_s": pl.Float64, "low_hz": pl.Float64, "high_hz": pl.Float64, "marginal": pl.Boolean,
}  # fmt: skip
SCHEMA = {
    "path": pl.String(), "split": pl.String(), "group": pl.String(), "seconds": pl.Float64(), "rate": pl.Int64(),
    "events": pl.List(pl.Struct(EVENT_FIELDS)),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Clip:
    """A short audio file and the events in it, timed from its start."""

    path: Path
    split: str
    group: str
    seconds: float
    rate: int
    events: tuple[Event, ...]


def write_clips(manifest: Path, clips: Iterable[Clip]) -> None:
    """Write a clip set's manifest; the files are named relative to it, so that the folder can be moved."""
    rows = [
        {
            "path": clip.path.relative_to(manifest.parent).as_posix(),
            "split": clip.split,
            "group": clip.group,
            "seconds": clip.seconds,
            "rate": clip.rate,
            "events": [{name: getattr(event, name) for name in EVENT_FIELDS} for event in clip.events],
        }
        for clip in clips
    ]
    with replacing(manifest) as passing:
        pl.DataFrame(rows, schema=SCHEMA).write_parquet(passing)


def read_clips(manifest: Path, split: str | None = None) -> list[Clip]:
    """Read a clip set's manifest, or one split of it.

    Raises:
        FileNotFoundError: if there is no such manifest.
        ValueError: if it is not Parquet, or its columns are not those of a clip set.
    """
    if not manifest.is_file():
        raise FileNotFoundError(f"{manifest}: no clip set there; make one with `loxo simulate --clips`")
    try:
        frame = pl.read_parquet(manifest)
    except pl.exceptions.PolarsError as error:
        raise ValueError(f"{manifest}: not a Parquet file: {' '.join(str(error).split())[:200]}") from error
    missing = [name for name in SCHEMA if name not in frame.columns]
    if missing:
        raise ValueError(f"{manifest}: not the manifest of a clip set, it lacks the columns {', '.join(missing)}")
    chosen = frame if split is None else frame.filter(pl.col("split") == split)
    return [
        Clip(
            path=manifest.parent / row["path"],
            split=row["split"],
            group=row["group"],
            seconds=row["seconds"],
            rate=row["rate"],
            events=tuple(_event(**fields) for fields in row["events"]),
        )
        for row in chosen.iter_rows(named=True)
    ]


def _event(*, marginal: bool, **fields: str | float | None) -> Event:
    flags = frozenset({"marginal"}) if marginal else frozenset[str]()
    return Event(**fields, flags=flags)  # type: ignore[arg-type]  # the columns' types are checked by polars


@dataclass(frozen=True, slots=True)
class WindowSettings:
    """The window of a clip, at `rate`, and the bins of its targets."""

    rate: int = 4000
    window_s: float = 10.0
    event_bins: int = 10
    fractional: bool = False
    keep_events: bool = True

    def __post_init__(self) -> None:
        if self.rate <= 0 or self.window_s <= 0 or self.event_bins < 1:
            raise ValueError(f"rate {self.rate}, window {self.window_s} s and bins {self.event_bins} must be positive")


class AudioDataset:
    """Windows of clips: waveform `(sample,)` float32 and targets `(class, bin)` float32, NaN where an event is marginal.

    A window longer than its clip is filled up with silence, which holds no events. With `keep_events` a random window of a clip with
    events holds at least the middle of one of them.

    Args:
        random: draw the window anew for each epoch (`epoch` is set by the training loop); else always the middle of the clip.

    Raises:
        ValueError: from an item whose file is missing, damaged or at another rate than its clip set says.
    """

    def __init__(self, clips: list[Clip], settings: WindowSettings, *, random: bool = False, seed: int = 0) -> None:
        self.clips = clips
        self.settings = settings
        self.random = random
        self.seed = seed
        self.epoch = 0

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        clip, settings = self.clips[index], self.settings
        start = self._start(clip, index)
        size = samples_at(settings.window_s, clip.rate)
        mono = _read_mono(clip, start, size)
        if clip.rate != settings.rate:
            mono = soxr.resample(mono, clip.rate, settings.rate)
        mono = _fitted(mono, samples_at(settings.window_s, settings.rate))
        start_s = seconds_at(start, clip.rate)
        targets = targets_from_events(clip.events, start_s, settings.window_s, settings.event_bins, fractional=settings.fractional)
        return mono, targets

    def _start(self, clip: Clip, index: int) -> int:
        """First sample of the window."""
        room = max(0, samples_at(clip.seconds - self.settings.window_s, clip.rate))
        if not self.random:
            return room // 2
        rng = np.random.default_rng([self.seed, self.epoch, index])
        if self.settings.keep_events and clip.events:
            event = clip.events[rng.integers(len(clip.events))]
            middle_s = (event.start_s + event.end_s) / 2
            first = samples_at(middle_s - self.settings.window_s, clip.rate) + 1
            low, high = min(max(0, first), room), min(room, samples_at(middle_s, clip.rate))
            return int(rng.integers(low, max(low, high) + 1))
        return int(rng.integers(room + 1))


def _read_mono(clip: Clip, start: int, size: int) -> NDArray[np.float32]:
    """Mean of the channels `(sample,)`, filled up with silence beyond the clip's end."""
    try:
        waveform, rate = soundfile.read(os.fspath(clip.path), size, start, dtype="float32", always_2d=True, fill_value=0.0)
    except soundfile.LibsndfileError as error:
        raise ValueError(f"{clip.path}: {error.error_string} The clip set names it; make the set anew") from error
    if rate != clip.rate:
        raise ValueError(f"{clip.path}: {rate} samples a second where the clip set says {clip.rate}; make the set anew")
    mono: NDArray[np.float32] = waveform.mean(axis=1)
    return mono


def _fitted(waveform: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    return waveform[:size] if len(waveform) >= size else np.pad(waveform, (0, size - len(waveform)))
