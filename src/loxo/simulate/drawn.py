"""Scenes as a data set: each is drawn when it is asked for, so that no two epochs of training hold the same ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from loxo.dataset import WindowSettings
from loxo.events import EVENT_LABELS
from loxo.simulate.scenes import SceneSettings, scene
from loxo.targets import targets_from_events

__all__ = ["DrawnScenes"]

Pair = tuple[NDArray[np.float32], NDArray[np.float32]]


class DrawnScenes:
    """Waveforms `(sample,)` and targets `(class, bin)` of simulated scenes, as `AudioDataset` gives those of clips.

    A scene depends on the seed, the epoch and its number alone.

    Args:
        random: draw them anew for each epoch (`epoch` is set by the training loop); else they stay the same and are kept in memory.

    Raises:
        ValueError: if the windows are not the scenes, whole and at their rate.
    """

    def __init__(self, count: int, scenes: SceneSettings, window: WindowSettings, *, random: bool = False, seed: int = 0) -> None:
        if (scenes.rate, scenes.seconds) != (window.rate, window.window_s):
            raise ValueError(
                f"scenes of {scenes.seconds:g} s at {scenes.rate} Hz are not windows of {window.window_s:g} s at {window.rate} Hz"
            )
        self.count = count
        self.scenes = scenes
        self.window = window
        self.random = random
        self.seed = seed
        self.epoch = 0
        self._kept: dict[int, Pair] = {}

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Pair:
        if self.random:
            return self._draw([self.seed, 1 + self.epoch, index])
        if index not in self._kept:
            self._kept[index] = self._draw([self.seed, 0, index])
        return self._kept[index]

    def _draw(self, place: list[int]) -> Pair:
        waveform, events = scene(np.random.default_rng(place), self.scenes)
        known = [event for event in events if event.label in EVENT_LABELS]
        window = self.window
        return waveform, targets_from_events(known, 0.0, window.window_s, window.event_bins, fractional=window.fractional)
