"""The data of a training run: clips of a clip set, simulated scenes, or both."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from loxo.clips import Clip, read_clips
from loxo.dataset import AudioDataset, WindowSettings
from loxo.messages import pluralize
from loxo.provenance import file_hash
from loxo.sampling import BalancedBatches, kind_of
from loxo.settings import SettingsError
from loxo.simulate import SceneSettings
from loxo.simulate.drawn import DrawnScenes
from loxo.simulate.writing import load_backgrounds, split_backgrounds
from loxo.splits import check_leaks
from loxo.timeline import ceil_div
from loxo.training.config import TrainingConfig

__all__ = ["TrainingData", "Windows", "trained_on"]

Pair = tuple[NDArray[np.float32], NDArray[np.float32]]
Backgrounds = dict[str, NDArray[np.float32]]


class Windows(Dataset[Pair]):
    """Windows of clips, followed by simulated scenes, as one dataset for a torch DataLoader."""

    def __init__(self, clips: AudioDataset, scenes: DrawnScenes | None = None) -> None:
        self.clips = clips
        self.scenes = scenes

    def __len__(self) -> int:
        return len(self.clips) + self.n_scenes

    @property
    def n_scenes(self) -> int:
        """Number of scenes per epoch."""
        return 0 if self.scenes is None else len(self.scenes)

    def __getitem__(self, index: int) -> Pair:
        if index < len(self.clips):
            return self.clips[index]
        if self.scenes is None:
            raise IndexError(f"window {index} of {len(self)}")
        return self.scenes[index - len(self.clips)]

    def set_epoch(self, epoch: int) -> None:
        """Draw the random windows and scenes of this epoch from now on."""
        self.clips.set_epoch(epoch)
        if self.scenes is not None:
            self.scenes.set_epoch(epoch)


class TrainingData:
    """The windows for training and for validation, and the fingerprint of their sources.

    The clip set and the backgrounds are read once, and the clip set is checked once for sound that
    is in two splits.

    Attributes:
        training, validation: windows of the splits `train` and `validation`.
        fingerprint: numbers of clips and scenes, and hashes of the sources, as JSON.

    Args:
        cache: folder for clips that must be resampled; by default a temporary one.

    Raises:
        SettingsError: if a split has no clips, or training has fewer windows than a batch.
        LeakError: if the same sound is in two splits.
        OSError: if clips or backgrounds cannot be read.
    """

    def __init__(self, config: TrainingConfig, *, cache: Path | None = None) -> None:
        self._config = config
        clips = [] if config.data.clips is None else read_clips(config.data.clips)
        check_leaks(clips)
        backgrounds: Backgrounds = {}
        if config.data.scenes:
            backgrounds = load_backgrounds(config.data.backgrounds, config.front_end.rate)
        known, held_out = split_backgrounds(backgrounds)
        self.training = _windows(config, clips, known, cache, training=True)
        self.validation = _windows(config, clips, held_out, cache, training=False)
        self.fingerprint = _fingerprint(config, clips, backgrounds)
        self._check_labels()
        per_process = ceil_div(len(self.training), config.devices * config.nodes)
        if per_process < config.batch_size:
            raise SettingsError(
                f"batch_size: {config.batch_size} is more than a process has of the "
                f"{pluralize(len(self.training), 'window')} for training; lower it"
            )

    def _check_labels(self) -> None:
        """Refuse a label that nothing in the training data holds; scenes hold every label.

        Raises:
            SettingsError: with the first such label.
        """
        if self.training.n_scenes:
            return
        held = set[str]().union(*map(_certain_labels, self.training.clips.clips))
        for label in self._config.labels:
            if label not in held:
                raise SettingsError(
                    f"labels: no clip for training holds {label}; the clips hold "
                    f"{', '.join(sorted(held)) or 'no events'}"
                )

    def batches(self, world: int = 1, rank: int = 0) -> BalancedBatches:
        """Batches of training windows for one of the processes that train together.

        Scenes count as background, since their events are not known before they are drawn.
        """
        config = self._config
        clips = self.training.clips.clips
        labels = [_certain_labels(clip) for clip in clips]
        labels += [set[str]() for _ in range(self.training.n_scenes)]
        shares: Mapping[str, float] | None = config.shares
        if shares is None:
            shares = Counter(kind_of(of_clip, config.labels) for of_clip in labels)
        return BalancedBatches(
            labels,
            config.batch_size,
            shares,
            labels=config.labels,
            seed=config.seed,
            rank=rank,
            world=world,
        )


def _windows(
    config: TrainingConfig,
    clips: list[Clip],
    backgrounds: Backgrounds,
    cache: Path | None,
    *,
    training: bool,
) -> Windows:
    """Make the windows of one split, with scenes that are mixed into these backgrounds."""
    data, split = config.data, "train" if training else "validation"
    settings = WindowSettings(
        rate=config.front_end.rate,
        window_s=data.window_s,
        event_bins=config.front_end.grid.frames(data.window_s),
        fractional=True,
        keep_events=data.keep_events,
        labels=config.labels,
    )
    of_clips = AudioDataset(
        clips, settings, split=split, random=training, seed=config.seed, cache=cache
    )
    if not data.scenes:
        if not len(of_clips):
            raise SettingsError(
                f"{data.clips}: no clips of the split {split!r}; training needs some for train "
                "and for validation"
            )
        return Windows(of_clips)
    scene = SceneSettings(
        **data.scene,
        rate=settings.rate,
        seconds=settings.window_s,
        backgrounds=tuple(backgrounds.values()),
    )
    number = data.scenes if training else data.validation_scenes
    scenes = DrawnScenes(number, scene, settings, random=training, seed=config.seed)
    return Windows(of_clips, scenes)


def _certain_labels(clip: Clip) -> set[str]:
    """Labels of the events of a clip that are not marginal."""
    return {event.label for event in clip.events if not event.marginal}


def _fingerprint(
    config: TrainingConfig, clips: Iterable[Clip], backgrounds: Backgrounds
) -> dict[str, Any]:
    """Identify the data of a run by numbers of clips and scenes, and hashes of the sources."""
    data = config.data
    found: dict[str, Any] = {}
    if data.clips is not None:
        kinds = Counter(f"{clip.split} {kind_of(clip.labels, config.labels)}" for clip in clips)
        found["clips_sha256"] = file_hash(data.clips)
        found["clips"] = dict(sorted(kinds.items()))
    if data.scenes:
        sha256 = hashlib.sha256()
        for name in sorted(backgrounds):
            sha256.update(backgrounds[name].tobytes())
        found["scenes"] = {"per_epoch": data.scenes, "validation": data.validation_scenes}
        found["backgrounds_sha256"] = sha256.hexdigest()
        found["backgrounds"] = sorted(backgrounds)
    return found


def trained_on(fingerprint: Mapping[str, Any]) -> str:
    """Describe the data of a fingerprint in words, such as `1,200 clips`."""
    counts: dict[str, int] = fingerprint.get("clips", {})
    n_clips = sum(count for kind, count in counts.items() if kind.startswith("train "))
    parts = [pluralize(n_clips, "clip")] if n_clips else []
    if "scenes" in fingerprint:
        scenes = pluralize(fingerprint["scenes"]["per_epoch"], "simulated scene")
        backgrounds = pluralize(len(fingerprint["backgrounds"]), "recorded background")
        parts.append(f"{scenes} per epoch, over {backgrounds}")
    return " and ".join(parts)
