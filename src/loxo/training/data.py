"""What a run is trained on and validated with: clips, scenes drawn as they are needed, or both."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from loxo.clips import Clip, read_clips
from loxo.dataset import AudioDataset, WindowSettings
from loxo.sampling import KINDS, BalancedBatches, ClassShares, kind_of
from loxo.simulate import SceneSettings
from loxo.simulate.drawn import DrawnScenes
from loxo.simulate.writing import load_backgrounds, split_backgrounds
from loxo.splits import check, placed
from loxo.timeline import ceil_div
from loxo.training.config import ConfigError, TrainingConfig

__all__ = ["Windows", "balanced", "described", "windows"]

Pair = tuple[NDArray[np.float32], NDArray[np.float32]]


class Windows(Dataset[Pair]):
    """Windows of clips, then those of scenes, as torch's loader wants them."""

    def __init__(self, clips: AudioDataset, scenes: DrawnScenes) -> None:
        self.clips = clips
        self.scenes = scenes

    def __len__(self) -> int:
        return len(self.clips) + len(self.scenes)

    def __getitem__(self, index: int) -> Pair:
        n_clips = len(self.clips)
        return self.clips[index] if index < n_clips else self.scenes[index - n_clips]

    def begin(self, epoch: int) -> None:
        """Draw what is drawn for this epoch from now on."""
        self.clips.epoch = self.scenes.epoch = epoch


def windows(config: TrainingConfig, split: str) -> Windows:
    """The windows of a split, `train` or `validation`.

    Raises:
        ConfigError: if there are none, or fewer for training than a batch holds.
        LeakError: if the same sound is in two splits.
        OSError: if clips or backgrounds cannot be read.
    """
    grid = config.front_end.grid
    window = WindowSettings(
        rate=config.front_end.rate,
        window_s=config.data.window_s,
        event_bins=grid.frames(config.data.window_s),
        fractional=True,
        keep_events=config.data.keep_events,
    )
    clips, training = _clips(config, split), split == "train"
    if not clips and not config.data.scenes:
        raise ConfigError(f"{config.data.clips}: no clips of the split {split!r}; training needs some for train and for validation")
    found = Windows(
        AudioDataset(clips, window, random=training, seed=config.seed),
        DrawnScenes(*_scenes(config, split), window, random=training, seed=config.seed),
    )
    if training and ceil_div(len(found), config.devices * config.nodes) < config.batch_size:
        raise ConfigError(f"batch_size: {config.batch_size} is more than a process has of the {len(found)} clips for training; lower it")
    return found


def _clips(config: TrainingConfig, split: str) -> list[Clip]:
    if config.data.clips is None:
        return []
    clips = read_clips(config.data.clips)
    check(map(placed, clips))
    return [clip for clip in clips if clip.split == split]


def _scenes(config: TrainingConfig, split: str) -> tuple[int, SceneSettings]:
    """How many scenes, and what they hold."""
    data = config.data
    scene = SceneSettings(**data.scene, rate=config.front_end.rate, seconds=data.window_s)
    if not data.scenes:
        return 0, scene
    known, held_out = split_backgrounds(load_backgrounds(data.backgrounds, config.front_end.rate))
    if split == "train":
        return data.scenes, replace(scene, backgrounds=tuple(known.values()))
    return data.validation_scenes, replace(scene, backgrounds=tuple(held_out.values()))


def balanced(config: TrainingConfig, training: Windows, world: int, rank: int) -> BalancedBatches:
    """Batches of training windows for a process; scenes are as they come, and count as background."""
    of_clips = [{event.label for event in clip.events if not event.marginal} for clip in training.clips.clips]
    labels = [*of_clips, *[set[str]() for _ in range(len(training.scenes))]]
    counts = Counter(map(kind_of, labels))
    shares = config.shares or ClassShares(*(counts[kind] for kind in KINDS))
    return BalancedBatches(labels, config.batch_size, shares, seed=config.seed, rank=rank, world=world)


def described(config: TrainingConfig) -> dict[str, Any]:
    """What the data of a run are, so that they can be told from others: how many of each kind, and hashes of what was read."""
    data = config.data
    found: dict[str, Any] = {}
    if data.clips is not None:
        found["clips_sha256"] = hashlib.sha256(data.clips.read_bytes()).hexdigest()
        found["clips"] = dict(sorted(Counter(f"{clip.split} {kind_of(clip.labels)}" for clip in read_clips(data.clips)).items()))
    if data.scenes:
        loaded = load_backgrounds(data.backgrounds, config.front_end.rate)
        found["scenes"] = {"an epoch": data.scenes, "validation": data.validation_scenes}
        found["backgrounds_sha256"] = hashlib.sha256(b"".join(loaded[name].tobytes() for name in sorted(loaded))).hexdigest()
        found["backgrounds"] = sorted(loaded)
    return found
