"""Step 2: cut clips around the events and of the background, with all events in them.

A clip is mono FLAC, without loss: 16 bits where the recording has no more, else 24. It lies in the
folder of the label of its first event, under the path that its recording has below the root. The
manifest lists **every** event of the chosen labels that reaches into it. All clips of a recording
are in one split.

`skipped.tsv` lists what cannot be cut, with the reason: damaged segments, events after the end of
the recording, and recordings that cannot be read. A segment is damaged if a sample is not a number,
or if all samples are equal because the recorder had lost its microphone.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

import numpy as np
import soundfile
from numpy.typing import NDArray

from loxo.clips import Clip, write_clips
from loxo.messages import SILENT, Progress, one_line, pluralize
from loxo.preparation.background import read_background
from loxo.preparation.folder import Folder, PreparationError, Report
from loxo.preparation.journal import FileJournal, WrittenFile
from loxo.preparation.plan import Cut, Plan, find_test_recordings, plan_cuts, plan_splits
from loxo.preparation.settings import PrepareSettings
from loxo.preparation.training_table import TrainingRecording, read_training_table
from loxo.preparation.windows import Window, events_within, group_reads
from loxo.provenance import digest, file_hash
from loxo.recordings import Recording, RecordingError, SampleCheck, local_copy
from loxo.splits import SPLITS, check_leaks
from loxo.storage import Storage, StorageError, atomic_write, write_text
from loxo.timeline import samples_at

__all__ = ["as_integers", "cut_clips"]

GAP_S = 0.5
"""Clips with a shorter gap between them are read together: a request costs more than the gap."""
TOGETHER_S = 240.0
"""Longest part of a recording that is read at a time, in seconds."""
UNUSABLE_DAMAGE = {"non-finite"}
"""Damage that leaves no sound to learn from. Silent segments are not cut either."""
_PLANNED_WITH = ("labels", "clip_length", "marginal", "seed")
"""Options that background and clips must have in common."""


def cut_clips(
    folder: Folder, settings: PrepareSettings, storage: Storage, *, progress: Progress = SILENT
) -> Report:
    """Cut the clips and write their manifest, `clips.parquet`.

    Raises:
        PreparationError: if there is no training table, or no clip can be cut.
        LeakError: if the same sound is in two splits, because the training table is wrong.
        ValueError: if recordings without a site are to be split by site.
    """
    recordings = read_training_table(folder.table, settings.labels)
    background = read_background(folder.background)
    named, missing = find_test_recordings(recordings, settings)
    inputs = {
        "training_table": file_hash(folder.table),
        "background": digest(background),
        "test_recordings": digest(named, missing),
    }
    cached = folder.cached("clips", settings, inputs)
    journal = FileJournal.of(folder.root / "clips")
    if cached is not None and all((folder.root / path).is_file() for path in journal.known):
        return cached
    folder.begin("clips", "clips")
    plan = plan_cuts(recordings, background, settings, dev=folder.dev)
    splits = plan_splits(plan.cuts, settings, named)
    bytes_before = storage.bytes_fetched
    hashes = _cut_all(plan, _Worker(settings, storage, journal, progress), settings.jobs)
    if not hashes:
        raise PreparationError(f"no clip could be cut{plan.first_reason}")
    clips = list(_clips(folder, plan.cuts, hashes, splits))
    check_leaks(clips, by=settings.split_by, test_recordings=named)
    write_clips(folder.clips, clips)
    _write_skipped(folder.root / "skipped.tsv", plan.lost)
    journal.close(hashes)
    fetched = storage.bytes_fetched - bytes_before
    report = Report(
        "clips",
        read=f"{pluralize(len({clip.group for clip in clips}), 'recording')} "
        f"of {len(recordings):,}",
        wrote=_wrote(plan.cuts, hashes),
        skipped=pluralize(len(plan.lost), "segment") if plan.lost else "",
        notes=(*_notes(clips, plan, missing), *_mismatch(folder, settings)),
        effort=f"{fetched / 1e6:,.1f} MB fetched" if fetched else "",
        complete=not plan.incomplete,
    )
    return folder.finish(report, settings, inputs, [folder.clips])


# ---- cutting


def _cut_all(plan: Plan, worker: _Worker, jobs: int) -> dict[str, str]:
    """Cut all clips; return the SHA-256 of each by its path, and add lost clips to the plan."""
    hashes: dict[str, str] = {}
    missing: dict[str, list[Cut]] = defaultdict(list)
    for cut in plan.cuts:
        sha256 = worker.journal.hash_of(cut.path, cut.key)
        if sha256 is None:
            missing[cut.recording.url].append(cut)
        else:
            hashes[cut.path] = sha256
    worker.total, worker.count = len(plan.cuts), len(hashes)
    # Most of the time is waiting for storage, so there are more threads than processors.
    with ThreadPoolExecutor(jobs or max(8, 2 * (os.cpu_count() or 1))) as pool:
        for outcome in pool.map(worker.cut_recording, missing.values()):
            hashes |= outcome.hashes
            plan.lost += outcome.lost.values()
            plan.incomplete |= outcome.storage_failed
    return hashes


@dataclass(slots=True)
class _Outcome:
    """The clips of a recording that were written, and those that could not be.

    Args:
        hashes: SHA-256 of each clip that was written, by its path.
        lost: lines of `skipped.tsv` by the path of the clip.
    """

    hashes: dict[str, str] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)
    storage_failed: bool = False


@dataclass(slots=True)
class _Worker:
    """Cuts the clips of recordings; several threads share it."""

    settings: PrepareSettings
    storage: Storage
    journal: FileJournal
    progress: Progress
    total: int = 0
    count: int = 0
    _lock: Lock = field(default_factory=Lock)

    def cut_recording(self, cuts: Sequence[Cut]) -> _Outcome:
        """Cut clips of one recording, those that are near each other from one read."""
        source = cuts[0].recording
        outcome = _Outcome()
        file = self.storage.restore(source.url, source.size, source.version)
        try:
            with local_copy(file) as recording:
                self._check_rate(recording, source)
                self._cut_opened(recording, cuts, outcome)
        except PreparationError:
            raise
        except (OSError, ValueError) as error:
            outcome.storage_failed = isinstance(error, StorageError)
            if not (outcome.hashes or outcome.lost):
                outcome.lost[source.url] = f"{source.url}\t\t\t{one_line(error)}"
                return outcome
            for cut in cuts:
                if cut.path not in outcome.hashes:
                    outcome.lost.setdefault(cut.path, _lost(cut, one_line(error)))
        return outcome

    def _check_rate(self, recording: Recording, source: TrainingRecording) -> None:
        if recording.rate != source.rate:
            raise RecordingError(
                f"{source.url}: it has {recording.rate} samples per second now, and had "
                f"{source.rate}; run `loxo prepare table` again"
            )

    def _cut_opened(self, recording: Recording, cuts: Sequence[Cut], outcome: _Outcome) -> None:
        gap, longest = samples_at(GAP_S, recording.rate), samples_at(TOGETHER_S, recording.rate)
        by_window = {cut.window: cut for cut in cuts}
        for group in group_reads(sorted(by_window), gap, longest):
            for window, block, reason in self._read(recording, group):
                cut = by_window[window]
                if reason:
                    outcome.lost[cut.path] = _lost(cut, reason)
                else:
                    outcome.hashes[cut.path] = self._write(cut, block)

    def _read(
        self, recording: Recording, group: Sequence[Window]
    ) -> Iterator[tuple[Window, NDArray[np.float32], str]]:
        """Yield windows, their samples, and the reason if one cannot be a clip.

        The windows are read together. If a sample is damaged, each window is read again, to find
        out which ones are.
        """
        channel = None if self.settings.channel is None else self.settings.channel - 1
        first, last = group[0].start, max(window.stop for window in group)
        check_of_all = SampleCheck()
        block = recording.read(first, last, channel, check_of_all)
        for window in group:
            part = block[window.start - first : window.stop - first]
            check = SampleCheck()
            if check_of_all.n_non_finite:
                recording.read(window.start, window.stop, channel, check)
            yield window, part, _unusable(part, window, check)

    def _write(self, cut: Cut, block: NDArray[np.float32]) -> str:
        path = self.journal.path.parent / cut.path
        subtype = _subtype(block)
        samples, rate = as_integers(block, subtype), cut.recording.rate
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(path) as temporary:
                soundfile.write(os.fspath(temporary), samples, rate, subtype=subtype, format="FLAC")
                sha256 = file_hash(temporary)
            self.journal.add(WrittenFile(cut.path, cut.key, sha256))
        except (OSError, soundfile.LibsndfileError) as error:
            # Not a fault of the recording: a full disk ends the step.
            raise PreparationError(
                f"{path}: cannot be written ({one_line(error)}); check the disk, and start again"
            ) from error
        with self._lock:
            self.count += 1
            self.progress.update("clips", self.count, self.total)
        return sha256


def _unusable(block: NDArray[np.float32], window: Window, check: SampleCheck) -> str:
    """Why a segment cannot be a clip; empty if it can.

    Args:
        check: of the samples as they were in the file.
    """
    if len(block) < window.size:
        return f"only {len(block)} of {window.size} samples can be read"
    if block.min() == block.max():
        return f"silent: all samples are {block[0]:.6g}"
    damage = [each for each in check.damage() if each.kind in UNUSABLE_DAMAGE]
    return "; ".join(f"{each.kind}: {each.detail}" for each in damage)


def _lost(cut: Cut, reason: str) -> str:
    return f"{cut.recording.url}\t{cut.start_s:.3f}\t{cut.end_s:.3f}\t{reason}"


def _write_skipped(path: Path, lost: Sequence[str]) -> None:
    lines = ["recording\tstart_s\tend_s\treason", *sorted(lost)]
    write_text(path, "".join(f"{line}\n" for line in lines))


def _subtype(block: NDArray[np.float32]) -> str:
    """Format of FLAC that keeps samples: 16 bits if they have no more, else 24."""
    below_16_bits = as_integers(block, "PCM_24") & 0xFFFF
    return "PCM_24" if below_16_bits.any() else "PCM_16"


def as_integers(block: NDArray[np.float32], subtype: str) -> NDArray[np.int32]:
    """Convert samples `(sample,)` in [-1, 1) to 32-bit integers; FLAC keeps their upper bits.

    libsndfile's own conversion from floats scales by 32767, which would change 16-bit samples.

    Args:
        subtype: PCM_16 or PCM_24.
    """
    bits = 16 if subtype == "PCM_16" else 24
    full_scale = 2 ** (bits - 1)
    whole = np.rint(block.astype(np.float64) * full_scale)
    integers: NDArray[np.int32] = np.clip(whole, -full_scale, full_scale - 1).astype(np.int32)
    return integers << (32 - bits)


# ---- the manifest and the report


def _clips(
    folder: Folder, cuts: Sequence[Cut], hashes: Mapping[str, str], splits: Mapping[str, str]
) -> Iterator[Clip]:
    for cut in cuts:
        if cut.path in hashes:
            source = cut.recording
            yield Clip(
                path=folder.root / cut.path,
                split=splits[source.url],
                group=source.url,
                seconds=cut.seconds,
                rate=source.rate,
                events=events_within(source.targets, cut.window, source.rate),
                site=source.site,
                start_s=cut.start_s,
                start_time=source.start_time,
                sha256=hashes[cut.path],
            )


def _wrote(cuts: Sequence[Cut], hashes: Mapping[str, str]) -> str:
    counts = Counter(cut.label for cut in cuts if cut.path in hashes)
    return ", ".join(f"{count:,} {label}" for label, count in counts.most_common())


def _notes(clips: Sequence[Clip], plan: Plan, missing: Sequence[str]) -> Iterator[str]:
    splits = Counter(clip.split for clip in clips)
    yield "splits: " + ", ".join(f"{splits[name]:,} {name}" for name in SPLITS)
    if plan.lost:
        reason = plan.lost[0].split("\t")[-1]
        yield (
            f"{pluralize(len(plan.lost), 'segment')} could not be cut, for reasons in skipped.tsv; "
            f"the first is: {reason}"
        )
    if missing:
        yield f"test recordings of which there is no clip: {', '.join(missing[:10])}"


def _mismatch(folder: Folder, settings: PrepareSettings) -> Iterator[str]:
    """Yield a note if background was drawn with other options than those of the clips."""
    drawn = folder.receipt("background").get("settings", {})
    options = settings.of_step("clips")
    differing = [name for name in _PLANNED_WITH if name in drawn and drawn[name] != options[name]]
    if differing:
        name = differing[0]
        yield (
            f"background was drawn with {name} {drawn[name]}, clips are cut with {options[name]}; "
            "run `loxo prepare background` with the same options"
        )
