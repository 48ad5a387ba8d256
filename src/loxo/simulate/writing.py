"""Soundscapes on disk: recordings with their tables, for tests and demonstration, and clip sets for training."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from loxo.annotations import write_events
from loxo.clips import Clip, write_clips
from loxo.events import EVENT_LABELS, Event
from loxo.recordings import find_recordings
from loxo.simulate.scenes import SceneSettings, scene, soundscape
from loxo.storage import replacing
from loxo.timeline import ceil_div

__all__ = ["load_backgrounds", "split_backgrounds", "write_clip_set", "write_recording", "write_recordings"]

Wave = NDArray[np.float32]

VALIDATION_SHARE = 0.1
"""Share of scenes, and of real backgrounds, that are kept for validation."""
CHUNK = 16
"""Scenes that a process makes at a time."""


def load_backgrounds(paths: Sequence[Path], rate: int) -> dict[str, Wave]:
    """Real recordings without rumbles or gunshots, by file name, mono at `rate`; to set simulated sounds into."""
    backgrounds = {}
    for path in find_recordings(paths):
        waveform, own_rate = soundfile.read(os.fspath(path), dtype="float32", always_2d=True)
        backgrounds[path.name] = np.asarray(soxr.resample(waveform.mean(axis=1), own_rate, rate), np.float32)
    return backgrounds


def split_backgrounds(backgrounds: dict[str, Wave]) -> tuple[dict[str, Wave], dict[str, Wave]]:
    """Backgrounds for training and for validation, by hashes of their names: a tenth is held out, of two or more at least one."""
    ranked = sorted(backgrounds, key=lambda name: hashlib.sha256(name.encode()).digest())
    n_held_out = max(int(len(ranked) > 1), round(VALIDATION_SHARE * len(ranked)))
    known, held_out = ({name: backgrounds[name] for name in names} for names in (ranked[n_held_out:], ranked[:n_held_out]))
    return known, held_out


def write_recording(path: Path, settings: SceneSettings, seconds: float, seed: int) -> list[Event]:
    """Write one soundscape and, beside it, its Raven table `<stem>.selections.txt`; returns its rumbles and gunshots.

    The format is that of the path's suffix. Memory does not grow with `seconds`.
    """
    rng = np.random.default_rng(seed)
    events: list[Event] = []
    kind = path.suffix[1:].upper()
    with replacing(path) as passing, soundfile.SoundFile(os.fspath(passing), "w", settings.rate, 1, subtype="PCM_16", format=kind) as out:
        for piece, found in soundscape(rng, settings, seconds):
            out.write(piece)
            events += [event for event in found if event.label in EVENT_LABELS]
    write_events(path.with_suffix(".selections.txt"), events, path.name)
    return events


def write_recordings(
    paths: Sequence[Path], settings: SceneSettings, seconds: float, *, seed: int = 0, jobs: int = 1
) -> Iterator[tuple[Path, list[Event]]]:
    """Write a soundscape to each path, as `write_recording` does, with seeds from `seed` on; yields them in order as they are done.

    Args:
        jobs: processes that make recordings; with one, this one does.
    """
    with _mapping(min(jobs, len(paths)), {"recording": settings}, 1) as run:
        yield from zip(paths, run(partial(_write_numbered, seconds), paths, count(seed)), strict=False)


def write_clip_set(
    folder: Path, n_clips: int, settings: SceneSettings, backgrounds: dict[str, Wave], *, seed: int = 0, jobs: int = 1
) -> Iterator[Clip]:
    """Write `n_clips` scenes as a clip set, yielding each clip as it is done; the manifest is written when all are.

    A scene depends on the seed and its number alone. A tenth of the scenes are for validation, over backgrounds of their own.

    Args:
        jobs: processes that make scenes; with one, this one does.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # Until all clips are done there is no clip set: an older manifest would tell of files that are overwritten now.
    (folder / "clips.parquet").unlink(missing_ok=True)
    by_split = {
        split: replace(settings, backgrounds=tuple(chosen.values()))
        for split, chosen in zip(("train", "validation"), split_backgrounds(backgrounds), strict=True)
    }
    n_validation = round(n_clips * VALIDATION_SHARE)
    splits = ["validation"] * n_validation + ["train"] * (n_clips - n_validation)
    clips: list[Clip] = []
    with _mapping(min(jobs, ceil_div(n_clips, CHUNK)), by_split, CHUNK) as run:
        for clip in run(partial(_write_scene, folder, seed), range(n_clips), splits):
            clips.append(clip)
            yield clip
    write_clips(folder / "clips.parquet", clips)


@contextmanager
def _mapping(jobs: int, settings: dict[str, SceneSettings], chunk: int) -> Iterator[Callable[..., Iterator[Any]]]:
    """`map` over processes; they are started anew, since a copy of one that runs threads (torch, polars) may stand still."""
    if jobs <= 1:
        _share(settings)
        yield map
        return
    with ProcessPoolExecutor(jobs, get_context("spawn"), _share, (settings,)) as pool:
        yield partial(pool.map, chunksize=chunk)


_settings: dict[str, SceneSettings] = {}


def _share(settings: dict[str, SceneSettings]) -> None:
    """Hand the settings, with their backgrounds, to a process once."""
    _settings.update(settings)


def _write_numbered(seconds: float, path: Path, seed: int) -> list[Event]:
    return write_recording(path, _settings["recording"], seconds, seed)


def _write_scene(folder: Path, seed: int, index: int, split: str) -> Clip:
    settings = _settings[split]
    waveform, events = scene(np.random.default_rng([seed, index]), settings)
    path = folder / split / f"{index:06d}.flac"
    path.parent.mkdir(exist_ok=True)
    with replacing(path) as passing:
        soundfile.write(os.fspath(passing), waveform, settings.rate, subtype="PCM_16", format="FLAC")
    known = tuple(event for event in events if event.label in EVENT_LABELS)
    return Clip(path, split, f"scene-{index:06d}", settings.seconds, settings.rate, known)
