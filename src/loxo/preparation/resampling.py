"""Step 3: all clips at one rate, in a folder of their own.

The clips of step 2 stay as they are. Those that have the rate already are not copied: the new manifest names them where they lie.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import soundfile
import soxr

from loxo.clips import Clip, read_clips, write_clips
from loxo.preparation.cutting import as_integers
from loxo.preparation.folder import Folder, PreparationError, Report, Watch, digest, file_hash, nothing, sized
from loxo.preparation.journal import Done, Journal
from loxo.storage import replacing

__all__ = ["ResampleSettings", "resample_clips"]


@dataclass(frozen=True, slots=True)
class ResampleSettings:
    """The rate of all clips, in samples a second."""

    rate: int = 8000

    def __post_init__(self) -> None:
        if not 100 <= self.rate <= 384_000:
            raise ValueError(f"a rate of {self.rate} samples a second lies outside 100 to 384,000")


def resample_clips(folder: Folder, settings: ResampleSettings, *, jobs: int = 0, watch: Watch = nothing) -> Report:
    """Write `resampled.parquet`, and the clips that had another rate to `resampled`.

    Args:
        jobs: clips at a time; 0 takes one a processor.

    Raises:
        PreparationError: if no clip can be read.
        FileNotFoundError: if there are no clips.
    """
    clips = read_clips(folder.clips)
    inputs = {"clips": file_hash(folder.clips)}
    before = folder.before("resample", settings, inputs)
    journal = Journal.of(folder.root / "resampled")
    if before is not None and all((folder.root / path).is_file() for path in journal.known):
        return before
    folder.begin("resample", "resampled")
    done = _Resampler(folder, settings, journal)
    with ThreadPoolExecutor(jobs or os.cpu_count() or 1) as pool:
        outcomes = []
        for outcome in pool.map(done.resampled, clips):
            outcomes.append(outcome)
            watch("clips", len(outcomes), len(clips))
    kept = [outcome for outcome in outcomes if isinstance(outcome, Clip)]
    lost = [outcome for outcome in outcomes if isinstance(outcome, str)]
    if not kept:
        raise PreparationError(lost[0] if lost else f"{folder.clips}: there is no clip in it")
    write_clips(folder.resampled, kept)
    journal.close({clip.path.relative_to(folder.root).as_posix() for clip in kept})
    return folder.finish(_report(clips, kept, lost, settings), settings, inputs, [folder.resampled])


@dataclass(frozen=True, slots=True)
class _Resampler:
    folder: Folder
    settings: ResampleSettings
    journal: Journal

    def resampled(self, clip: Clip) -> Clip | str:
        """A clip at the rate, or why there is none."""
        if clip.rate == self.settings.rate:
            return clip
        path = Path("resampled", *clip.path.relative_to(self.folder.root).parts[1:])
        key = digest(clip.path.name, clip.sha256, self.settings.rate, soxr.__version__)
        sha256 = self.journal.hash_of(path.as_posix(), key)
        if sha256 is None:
            try:
                sha256 = self._write(clip, self.folder.root / path)
            except (OSError, soundfile.LibsndfileError) as error:
                return f"{clip.path}: {' '.join(str(error).split())}; remove it and cut the clips again"
            self.journal.note(Done(path.as_posix(), key, sha256))
        return replace(clip, path=self.folder.root / path, rate=self.settings.rate, sha256=sha256)

    def _write(self, clip: Clip, path: Path) -> str:
        block, rate = soundfile.read(os.fspath(clip.path), dtype="float32")
        path.parent.mkdir(parents=True, exist_ok=True)
        subtype = soundfile.info(os.fspath(clip.path)).subtype
        samples = as_integers(soxr.resample(block, rate, self.settings.rate), subtype)
        with replacing(path) as passing:
            soundfile.write(os.fspath(passing), samples, self.settings.rate, subtype=subtype, format="FLAC")
            return file_hash(passing)


def _report(clips: Sequence[Clip], kept: Sequence[Clip], lost: Sequence[str], settings: ResampleSettings) -> Report:
    n_changed = sum(clip.rate != settings.rate for clip in clips) - len(lost)
    return Report(
        "resample",
        read=sized(len(clips), "clip"),
        wrote=f"{sized(n_changed, 'clip')} at {settings.rate:,} Hz; {len(kept) - n_changed:,} had it",
        skipped=sized(len(lost), "clip") if lost else "",
        notes=tuple(lost[:10]),
    )
