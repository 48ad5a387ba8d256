"""`AudioDataset`: one window of each clip of a clip set, for training and validation.

Training draws the window at random in each epoch; validation takes the middle of the clip.

Clips are stored at the rate of their recordings unless `loxo prepare resample` has changed it. A
clip at another rate than the model's is resampled once, as a whole, and kept as float32 in a file
of a cache folder. Windows are then read from that file without decoding. The cache is on disk,
because 100,000 clips of 20 s at 4 kHz are 32 GB; it is float32, so that samples are neither rounded
nor clipped. Clips at the model's rate are read from their own files.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from loxo.clips import Clip, read_clips
from loxo.events import EVENT_LABELS
from loxo.provenance import digest
from loxo.storage import atomic_write
from loxo.targets import targets_from_events
from loxo.timeline import samples_at, seconds_at

__all__ = ["AudioDataset", "WindowSettings"]

Waveform = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class WindowSettings:
    """Length and rate of a window, and the form of its targets.

    Args:
        rate: samples per second of the waveform.
        window_s: length in seconds.
        event_bins: number of equal bins of the window, each with one target per label.
        fractional: targets are covered shares of the bins, not zeros and ones.
        keep_events: a random window of a clip with events holds the middle of at least one.
        labels: labels of the rows of the targets.

    Raises:
        ValueError: if a number is not positive, or there is no label.
    """

    rate: int = 4000
    window_s: float = 10.0
    event_bins: int = 10
    fractional: bool = False
    keep_events: bool = True
    labels: tuple[str, ...] = EVENT_LABELS

    def __post_init__(self) -> None:
        if self.rate <= 0 or self.window_s <= 0 or self.event_bins < 1:
            raise ValueError(
                f"rate {self.rate}, window {self.window_s} s and bins {self.event_bins} "
                "must be positive"
            )
        if not self.labels:
            raise ValueError("a window needs at least one label")

    @property
    def samples(self) -> int:
        """Length of the window in samples."""
        return samples_at(self.window_s, self.rate)


class AudioDataset:
    """Windows of clips: waveform `(sample,)` and targets `(label, bin)`, both float32.

    A target is NaN where an event is marginal. A window that is longer than its clip is padded with
    silence, which holds no events. Channels are averaged.

        dataset = AudioDataset("data/clips.parquet", split="train", random=True)
        waveform, targets = dataset[0]

    Args:
        clips: the manifest of a clip set, or clips.
        settings: length, rate and targets of the windows.
        split: take the clips of this split only: `train`, `validation` or `test`.
        random: draw new windows in each epoch (see `set_epoch`); else take the middle of the clip.
        seed: seed of random windows. A window depends only on seed, epoch and index.
        cache: folder for resampled clips; by default a temporary one, removed with the dataset.

    Raises:
        FileNotFoundError: if there is no such manifest.
        ValueError: if the manifest cannot be read. Reading a window raises it if its file is
        missing,
            damaged, or not at the rate in the clip set.
    """

    def __init__(
        self,
        clips: str | Path | Sequence[Clip],
        settings: WindowSettings = WindowSettings(),
        *,
        split: str | None = None,
        random: bool = False,
        seed: int = 0,
        cache: str | Path | None = None,
    ) -> None:
        found = read_clips(Path(clips)) if isinstance(clips, str | Path) else clips
        self.clips = [clip for clip in found if split is None or clip.split == split]
        self.settings = settings
        self.random = random
        self.seed = seed
        self.epoch = 0
        self._cache = None if cache is None else Path(cache)
        if cache is None and any(clip.rate != settings.rate for clip in self.clips):
            self._cache = Path(tempfile.mkdtemp(prefix="loxo-clips-"))
            weakref.finalize(self, _remove, self._cache, os.getpid())

    def set_epoch(self, epoch: int) -> None:
        """Draw the random windows of this epoch from now on."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> tuple[Waveform, NDArray[np.float32]]:
        clip, settings = self.clips[index], self.settings
        start = self._start(clip, index)
        targets = targets_from_events(
            clip.events,
            seconds_at(start, settings.rate),
            settings.window_s,
            settings.event_bins,
            labels=settings.labels,
            fractional=settings.fractional,
        )
        return self._waveform(clip, start), targets

    def _start(self, clip: Clip, index: int) -> int:
        """First sample of the window, at the dataset's rate."""
        rate, window_s = self.settings.rate, self.settings.window_s
        room = max(0, samples_at(clip.seconds - window_s, rate))
        if not self.random:
            return room // 2
        rng = np.random.default_rng([self.seed, self.epoch, index])
        events = [event for event in clip.events if event.label in self.settings.labels]
        if self.settings.keep_events and events:
            event = events[rng.integers(len(events))]
            middle_s = (event.start_s + event.end_s) / 2
            first = samples_at(middle_s - window_s, rate) + 1
            low, high = min(max(0, first), room), min(room, samples_at(middle_s, rate))
            return int(rng.integers(low, max(low, high) + 1))
        return int(rng.integers(room + 1))

    def _waveform(self, clip: Clip, start: int) -> Waveform:
        """The window that starts at a sample, padded with silence beyond the end of the clip."""
        size = self.settings.samples
        if self._cache is None or clip.rate == self.settings.rate:
            return _read(clip, start, size)
        resampled = np.load(self._resampled(clip, self._cache), mmap_mode="r")
        part: Waveform = np.array(resampled[start : start + size])
        return np.pad(part, (0, size - len(part)))

    def _resampled(self, clip: Clip, cache: Path) -> Path:
        """Path of the clip at the dataset's rate, resampled at the first use."""
        rate = self.settings.rate
        identity = digest(clip.path.absolute(), _size_and_time(clip.path), rate)
        path = cache / f"{identity[:32]}.npy"
        if not path.is_file():
            waveform = soxr.resample(_read(clip, 0, -1), clip.rate, rate)
            cache.mkdir(parents=True, exist_ok=True)
            with atomic_write(path) as temporary, temporary.open("wb") as file:
                np.save(file, np.asarray(waveform, np.float32))
        return path


def _remove(folder: Path, owner: int) -> None:
    """Remove a temporary folder, unless this is a worker process that got a copy of the dataset."""
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


def _size_and_time(path: Path) -> tuple[int, int]:
    """Size and time of change of a file, so that a changed file is resampled again."""
    try:
        status = path.stat()
    except OSError:
        return 0, 0  # reading it says what is wrong
    return status.st_size, status.st_mtime_ns


def _read(clip: Clip, start: int, size: int) -> Waveform:
    """Mean of the channels `(sample,)` from a sample on, padded with silence to `size`.

    Args:
        size: number of samples; -1 reads up to the end.
    """
    fill = None if size < 0 else 0.0
    try:
        waveform, rate = soundfile.read(
            os.fspath(clip.path), size, start, dtype="float32", always_2d=True, fill_value=fill
        )
    except soundfile.LibsndfileError as error:
        raise ValueError(
            f"{clip.path}: {error.error_string} The clip set names this file; "
            "make the set again with `loxo prepare clips`"
        ) from error
    if rate != clip.rate:
        raise ValueError(
            f"{clip.path}: {rate} samples per second, but the clip set says {clip.rate}; "
            "make the set again with `loxo prepare clips`"
        )
    mono: Waveform = waveform.mean(axis=1)
    return mono
