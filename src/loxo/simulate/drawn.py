"""Scenes as a dataset: each scene is simulated when it is asked for.

So no two epochs of training see the same scenes, and nothing has to be stored.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from loxo.dataset import WindowSettings
from loxo.simulate.scenes import SceneSettings, scene
from loxo.targets import targets_from_events

__all__ = ["DrawnScenes"]

Pair = tuple[NDArray[np.float32], NDArray[np.float32]]


class DrawnScenes:
    """Simulated scenes: waveforms `(sample,)` and targets `(label, bin)`, as from `AudioDataset`.

    A scene depends on the seed, the epoch and its index only.

    Args:
        count: number of scenes.
        scenes: what they hold. Their labels are those of the windows.
        window: length, rate, labels and targets of the windows.
        random: simulate other scenes in each epoch (see `set_epoch`); else they stay the same and
            are kept in memory.
        seed: decides everything that is random.

    Raises:
        ValueError: if the windows have another length or rate than the scenes, or a label that
            cannot be simulated.
    """

    def __init__(
        self,
        count: int,
        scenes: SceneSettings,
        window: WindowSettings,
        *,
        random: bool = False,
        seed: int = 0,
    ) -> None:
        if (scenes.rate, scenes.seconds) != (window.rate, window.window_s):
            raise ValueError(
                f"scenes of {scenes.seconds:g} s at {scenes.rate} Hz are not windows of "
                f"{window.window_s:g} s at {window.rate} Hz; give both the same length and rate"
            )
        self.count = count
        self.scenes = replace(scenes, labels=window.labels)
        self.window = window
        self.random = random
        self.seed = seed
        self.epoch = 0
        self._kept: dict[int, Pair] = {}

    def set_epoch(self, epoch: int) -> None:
        """Simulate the random scenes of this epoch from now on."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Pair:
        # The second number keeps scenes for validation (0) apart from those for training.
        if self.random:
            return self._simulate([self.seed, 1 + self.epoch, index])
        # Validation asks for the same scenes in every epoch; to simulate takes longer than to keep.
        if index not in self._kept:
            self._kept[index] = self._simulate([self.seed, 0, index])
        return self._kept[index]

    def _simulate(self, seed: list[int]) -> Pair:
        waveform, events = scene(seed, self.scenes)
        window = self.window
        targets = targets_from_events(
            events,
            0.0,
            window.window_s,
            window.event_bins,
            labels=window.labels,
            fractional=window.fractional,
        )
        return waveform, targets
