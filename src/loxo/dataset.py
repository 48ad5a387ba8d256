"""Windows of clips: what a model is trained on.

`AudioDataset` gives, for each clip of a clip set, one window of it: drawn anew each epoch for training, always the middle one for
validation.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from loxo.clips import Clip
from loxo.targets import targets_from_events
from loxo.timeline import samples_at, seconds_at

__all__ = ["AudioDataset", "WindowSettings"]


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
