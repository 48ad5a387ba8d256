"""Write soundscapes: recordings with tables of their events, and clip sets for training."""

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
from loxo.events import Event
from loxo.messages import SILENT, Progress, pluralize
from loxo.recordings import find_recordings
from loxo.simulate.scenes import SceneSettings, scene, soundscape
from loxo.storage import atomic_write
from loxo.timeline import ceil_div, seconds_at

__all__ = [
    "RECORDING",
    "load_backgrounds",
    "split_backgrounds",
    "write_clip_set",
    "write_recording",
    "write_recordings",
]

Waveform = NDArray[np.float32]

RECORDING = SceneSettings(
    rate=8000, seconds=60.0, rumbles_per_minute=1.0, gunshots_per_minute=1.0, others_per_minute=1.0
)
"""Settings of recordings: an event of each label a minute, at 8 kHz."""
VALIDATION_SHARE = 0.1
"""Share of scenes, and of real backgrounds, that are kept for validation."""
CHUNK = 16
"""Number of scenes that are handed to a process at a time."""


def load_backgrounds(paths: Sequence[str | Path], rate: int) -> dict[str, Waveform]:
    """Load real recordings without events, to set simulated sounds into.

    Args:
        paths: recordings, or folders of them.
        rate: samples a second of the result.

    Returns:
        Waveforms `(sample,)`, the mean of all channels, by file name.
    """
    backgrounds = {}
    for path in find_recordings([Path(path) for path in paths]):
        waveform, own_rate = soundfile.read(os.fspath(path), dtype="float32", always_2d=True)
        mono = waveform.mean(axis=1)
        backgrounds[path.name] = np.asarray(soxr.resample(mono, own_rate, rate), np.float32)
    return backgrounds


def split_backgrounds(
    backgrounds: dict[str, Waveform],
) -> tuple[dict[str, Waveform], dict[str, Waveform]]:
    """Split backgrounds into those for training and those for validation.

    A tenth is for validation; of two or more, at least one. The choice depends on hashes of their
    names, so that it stays when files are listed in another order.
    """
    # At least one of two: a model should be validated on noise that it was not trained on.
    ranked = sorted(backgrounds, key=lambda name: hashlib.sha256(name.encode()).digest())
    n_held_out = max(int(len(ranked) > 1), round(VALIDATION_SHARE * len(ranked)))
    training = {name: backgrounds[name] for name in ranked[n_held_out:]}
    validation = {name: backgrounds[name] for name in ranked[:n_held_out]}
    return training, validation


def write_recording(
    path: str | Path,
    settings: SceneSettings = RECORDING,
    seconds: float = 300.0,
    seed: int = 0,
    progress: Progress = SILENT,
) -> list[Event]:
    """Simulate one recording, and write it with a Raven table of its events.

        events = loxo.simulate.write_recording("forest.wav", seconds=600, seed=1)

    The table is `<stem>.selections.txt` beside it. Memory does not grow with the length.

    Args:
        path: file to write; its suffix gives the format: `.wav` or `.flac`, both of 16 bits.
        settings: what the recording holds; by default a rumble and a gunshot a minute, at 8 kHz.
        seconds: length of the recording.
        seed: decides everything that is random.
        progress: receives the seconds of audio that are written.

    Returns:
        The events of the settings' labels, in order of time.

    Raises:
        ValueError: if no such format can be written.
    """
    path = Path(path)
    audio_format = path.suffix[1:].upper()
    if not soundfile.check_format(audio_format or "?", "PCM_16"):
        raise ValueError(f"{path}: cannot write this format; use the suffix .wav or .flac")
    events: list[Event] = []
    written = 0
    with (
        atomic_write(path) as temporary,
        soundfile.SoundFile(
            os.fspath(temporary), "w", settings.rate, 1, subtype="PCM_16", format=audio_format
        ) as file,
    ):
        for piece, found in soundscape(seed, settings, seconds):
            file.write(piece)
            events += settings.truth(found)
            written += len(piece)
            progress.update("simulated (s of audio)", seconds_at(written, settings.rate), seconds)
    write_events(path.with_suffix(".selections.txt"), events, path.name)
    return events


def write_recordings(
    paths: Sequence[str | Path],
    settings: SceneSettings = RECORDING,
    seconds: float = 300.0,
    *,
    seed: int = 0,
    jobs: int = 1,
    progress: Progress = SILENT,
) -> list[tuple[Path, list[Event]]]:
    """Simulate a recording for each path, as `write_recording` does.

    Args:
        seed: of the first recording; the next ones have the numbers that follow.
        jobs: processes that simulate; with 1, only this one.
        progress: receives the number of finished recordings.

    Returns:
        Path and events of each recording, in the order of `paths`.
    """
    recordings = [Path(path) for path in paths]
    found = []
    with _mapping(min(jobs, len(recordings)), {"recording": settings}, 1) as run:
        write = partial(_write_numbered, seconds)
        # `count` has no end, hence the zip that is not strict.
        for path, events in zip(recordings, run(write, recordings, count(seed)), strict=False):
            found.append((path, events))
            progress.update("recordings", len(found), len(recordings))
            progress.message(f"{path}: {seconds / 3600:g} h, {pluralize(len(events), 'event')}")
    return found


def write_clip_set(
    folder: str | Path,
    n_clips: int,
    settings: SceneSettings,
    backgrounds: dict[str, Waveform],
    *,
    seed: int = 0,
    jobs: int = 1,
    progress: Progress = SILENT,
) -> list[Clip]:
    """Simulate scenes, and write them as a clip set.

    A scene depends on the seed and its number only. A tenth of the scenes are for validation; they
    have backgrounds of their own.

    Args:
        folder: where to write; the manifest is `clips.parquet` in it.
        n_clips: number of scenes.
        settings: what they hold.
        backgrounds: real recordings by name, from `load_backgrounds`; may be empty.
        jobs: processes that simulate; with 1, only this one.
        progress: receives the number of finished clips.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    manifest = folder / "clips.parquet"
    # An older manifest would describe files that are overwritten now. If this is interrupted, there
    # is no clip set, rather than a wrong one.
    manifest.unlink(missing_ok=True)
    training, validation = split_backgrounds(backgrounds)
    by_split = {
        "train": replace(settings, backgrounds=tuple(training.values())),
        "validation": replace(settings, backgrounds=tuple(validation.values())),
    }
    n_validation = round(n_clips * VALIDATION_SHARE)
    splits = ["validation"] * n_validation + ["train"] * (n_clips - n_validation)
    clips: list[Clip] = []
    with _mapping(min(jobs, ceil_div(n_clips, CHUNK)), by_split, CHUNK) as run:
        for clip in run(partial(_write_scene, folder, seed), range(n_clips), splits):
            clips.append(clip)
            progress.update("clips", len(clips), n_clips)
    write_clips(manifest, clips)
    return clips


@contextmanager
def _mapping(
    jobs: int, settings: dict[str, SceneSettings], chunk: int
) -> Iterator[Callable[..., Iterator[Any]]]:
    """Give a function like `map` that uses several processes.

    Args:
        jobs: number of processes; with 1, it is `map` itself.
        settings: passed to each process once, since backgrounds can be large.
        chunk: number of items that are handed to a process at a time.
    """
    if jobs <= 1:
        _set_settings(settings)
        yield map
        return
    # Processes are spawned: a forked copy of one that runs threads (torch, polars) may hang.
    with ProcessPoolExecutor(jobs, get_context("spawn"), _set_settings, (settings,)) as pool:
        yield partial(pool.map, chunksize=chunk)


_settings: dict[str, SceneSettings] = {}
"""Settings of this process; a worker gets them when it starts."""


def _set_settings(settings: dict[str, SceneSettings]) -> None:
    _settings.update(settings)


def _write_numbered(seconds: float, path: Path, seed: int) -> list[Event]:
    return write_recording(path, _settings["recording"], seconds, seed)


def _write_scene(folder: Path, seed: int, index: int, split: str) -> Clip:
    settings = _settings[split]
    waveform, events = scene([seed, index], settings)
    path = folder / split / f"{index:06d}.flac"
    path.parent.mkdir(exist_ok=True)
    with atomic_write(path) as temporary:
        soundfile.write(
            os.fspath(temporary), waveform, settings.rate, subtype="PCM_16", format="FLAC"
        )
    truth = tuple(settings.truth(events))
    return Clip(path, split, f"scene-{index:06d}", settings.seconds, settings.rate, truth)
