"""Step 3: all clips at one rate, in a folder of their own.

The clips of step 2 stay unchanged. Those that have the rate already are not copied: the new
manifest names them where they lie.
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
from loxo.messages import SILENT, Progress, one_line, pluralize
from loxo.preparation.cutting import as_integers
from loxo.preparation.folder import Folder, PreparationError, Report
from loxo.preparation.journal import FileJournal, WrittenFile
from loxo.preparation.settings import PrepareSettings
from loxo.provenance import digest, file_hash
from loxo.storage import atomic_write

__all__ = ["resample_clips"]


def resample_clips(
    folder: Folder, settings: PrepareSettings, *, progress: Progress = SILENT
) -> Report:
    """Write `resampled.parquet`, and the clips that had another rate to `resampled`.

    Raises:
        PreparationError: if no clip can be read.
        FileNotFoundError: if there are no clips.
    """
    clips = read_clips(folder.clips)
    inputs = {"clips": file_hash(folder.clips)}
    cached = folder.cached("resample", settings, inputs)
    journal = FileJournal.of(folder.root / "resampled")
    if cached is not None and all((folder.root / path).is_file() for path in journal.known):
        return cached
    folder.begin("resample", "resampled")
    resampler = _Resampler(folder, settings.rate, journal)
    kept: list[Clip] = []
    lost: list[str] = []
    with ThreadPoolExecutor(settings.jobs or os.cpu_count() or 1) as pool:
        for outcome in pool.map(resampler.resampled, clips):
            if isinstance(outcome, Clip):
                kept.append(outcome)
            else:
                lost.append(outcome)
            progress.update("clips resampled", len(kept) + len(lost), len(clips))
    if not kept:
        raise PreparationError(lost[0] if lost else f"{folder.clips}: there is no clip in it")
    write_clips(folder.resampled, kept)
    journal.close({clip.path.relative_to(folder.root).as_posix() for clip in kept})
    report = _report(clips, kept, lost, settings.rate)
    return folder.finish(report, settings, inputs, [folder.resampled])


@dataclass(frozen=True, slots=True)
class _Resampler:
    folder: Folder
    rate: int
    journal: FileJournal

    def resampled(self, clip: Clip) -> Clip | str:
        """A clip at the rate, or why there is none."""
        if clip.rate == self.rate:
            return clip
        path = Path("resampled", *clip.path.relative_to(self.folder.root).parts[1:])
        key = digest(clip.path.name, clip.sha256, self.rate, soxr.__version__)
        sha256 = self.journal.hash_of(path.as_posix(), key)
        if sha256 is None:
            try:
                sha256 = self._write(clip, self.folder.root / path)
            except (OSError, soundfile.LibsndfileError) as error:
                return f"{clip.path}: {one_line(error)}; remove it and cut the clips again"
            self.journal.add(WrittenFile(path.as_posix(), key, sha256))
        return replace(clip, path=self.folder.root / path, rate=self.rate, sha256=sha256)

    def _write(self, clip: Clip, path: Path) -> str:
        block, rate = soundfile.read(os.fspath(clip.path), dtype="float32")
        subtype = soundfile.info(os.fspath(clip.path)).subtype
        samples = as_integers(soxr.resample(block, rate, self.rate), subtype)
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as temporary:
            soundfile.write(
                os.fspath(temporary), samples, self.rate, subtype=subtype, format="FLAC"
            )
            return file_hash(temporary)


def _report(clips: Sequence[Clip], kept: Sequence[Clip], lost: Sequence[str], rate: int) -> Report:
    n_changed = sum(clip.rate != rate for clip in clips) - len(lost)
    wrote = f"{pluralize(n_changed, 'clip')} at {rate:,} Hz; {len(kept) - n_changed:,} had it"
    return Report(
        "resample",
        read=pluralize(len(clips), "clip"),
        wrote=wrote,
        skipped=pluralize(len(lost), "clip") if lost else "",
        notes=tuple(lost[:10]),
    )
