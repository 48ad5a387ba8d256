"""Step 2: clips of at most 20 s around the events, and of the background, with all events in them.

A clip is mono FLAC, without loss: 16 bits where the recording has no more, else 24. It lies in the folder of the label of its first event,
but what it holds is said by the manifest, which lists **every** rumble and gunshot that reaches into it. Clips of a recording are all in
one split.

What cannot be cut is listed in `skipped.tsv`, with the reason: stretches that are damaged (no numbers, or one value all along: a recorder
that had lost its microphone), events behind the recording's end, recordings that cannot be read.
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

from loxo.annotations import distinct_stems
from loxo.clips import Clip, write_clips
from loxo.events import BACKGROUND, LABELS
from loxo.preparation.background import Length, lengths, read_background
from loxo.preparation.folder import Folder, PreparationError, Report, Watch, digest, file_hash, nothing, sized, write_lines
from loxo.preparation.journal import Done, Journal
from loxo.preparation.table import TrainingRecording, read_training_table
from loxo.preparation.windows import Window, event_windows, events_within, generator, shared
from loxo.recordings import Recording, RecordingError, SampleCheck, at_hand
from loxo.splits import Member, SplitSettings, assign, check, placed, unmatched
from loxo.storage import Storage, StorageError, replacing
from loxo.timeline import samples_at, seconds_at

__all__ = ["ClipSettings", "cut_clips"]

GAP_S = 0.5
"""What lies between two clips is fetched with them if it is shorter: a request costs more than its bytes."""
TOGETHER_S = 240.0
"""Most that is fetched at a time."""
TRIAL_CLIPS = 24
"""Clips of each label in a trial."""
UNFIT = {"non-finite"}
"""Damage that is no sound; what is silent has nothing to learn from, either."""
FORMAT = 1
"""To be raised when clips of the same plan would have other bytes."""


@dataclass(frozen=True, slots=True)
class ClipSettings:
    """What is cut.

    Args:
        channel: of recordings with several, from 0; None takes the mean of all.
        marginal: whether windows are made around events in doubt, too; they are in the manifest wherever they are.
        test_recordings: names of recordings that are for testing, whatever the shares.
    """

    clip_s: float = 20.0
    channel: int | None = None
    marginal: bool = True
    split: SplitSettings = field(default_factory=SplitSettings)
    test_recordings: tuple[str, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.clip_s <= 3600:
            raise ValueError(f"a clip of {self.clip_s} s must be longer than 0 s and not longer than an hour")


@dataclass(frozen=True, slots=True)
class Cut:
    """A clip that is to be: a window of a recording, and the file that it becomes, relative to the folder."""

    recording: TrainingRecording
    window: Window
    rate: int
    label: str
    path: str
    key: str

    @property
    def start_s(self) -> float:
        return seconds_at(self.window.start, self.rate)

    @property
    def end_s(self) -> float:
        return seconds_at(self.window.stop, self.rate)


@dataclass(slots=True)
class _Plan:
    cuts: list[Cut]
    lost: list[str] = field(default_factory=list)
    """Lines for `skipped.tsv`."""
    passing: bool = False


def cut_clips(folder: Folder, settings: ClipSettings, storage: Storage, *, jobs: int = 0, watch: Watch = nothing) -> Report:
    """Cut the clips and write their manifest, `clips.parquet`.

    Args:
        jobs: recordings that are read at a time; 0 takes twice the processors, and at least 8, since most of the time is waiting.

    Raises:
        PreparationError: if there is no training table, or no clip can be cut.
        LeakError: if clips of one recording are in two splits; a fault of the training table.
    """
    recordings = read_training_table(folder.table)
    places = read_background(folder.background)
    inputs = {"training_table": file_hash(folder.table), "background": digest(places)}
    before = folder.before("clips", settings, inputs)
    journal = Journal.of(folder.root / "clips")
    if before is not None and all((folder.root / path).is_file() for path in journal.known):
        return before
    folder.begin("clips", "clips")
    plan = _plan(recordings, places, settings, storage, watch)
    if folder.dev:
        plan.cuts = list(_trial(plan.cuts, settings.seed))
    if not plan.cuts:
        raise PreparationError("there is no rumble or gunshot in any recording that can be read" + _first(plan.lost))
    fetched_before = storage.bytes_fetched
    done = _cut_all(plan, settings, storage, journal, jobs, watch)
    if not done:
        raise PreparationError("no clip could be cut" + _first(plan.lost))
    clips = list(_clips(folder, plan.cuts, done, settings))
    check(map(placed, clips), by=settings.split.by, test_recordings=settings.test_recordings)
    write_clips(folder.clips, clips)
    write_lines(folder.root / "skipped.tsv", ["recording\tstart_s\tend_s\treason", *sorted(plan.lost)])
    journal.close(done)
    fetched = storage.bytes_fetched - fetched_before
    report = _report(recordings, clips, plan, settings, f"{fetched / 1e6:,.1f} MB fetched" if fetched else "")
    return folder.finish(report, settings, inputs, [folder.clips])


def _first(lost: Sequence[str]) -> str:
    return "; the first reason: " + lost[0].replace("\t", " ") if lost else ""


def _plan(
    recordings: Sequence[TrainingRecording],
    places: Sequence[tuple[str, float, float]],
    settings: ClipSettings,
    storage: Storage,
    watch: Watch,
) -> _Plan:
    background: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for url, start_s, end_s in places:
        background[url].append((start_s, end_s))
    needed = [recording for recording in recordings if recording.targets or recording.url in background]
    known = lengths(needed, storage, watch)
    stems = distinct_stems(recording.url for recording in recordings)
    plan = _Plan([], passing=any(length.passing for length in known.values()))
    for recording in needed:
        length = known[recording.url]
        if length.reason:
            plan.lost.append(f"{recording.url}\t\t\t{length.reason}")
            continue
        plan.lost += _behind_the_end(recording, length)
        windows = _windows(recording, length, background[recording.url], settings)
        plan.cuts += [_cut(recording, window, length.rate, stems[recording.url], settings) for window in windows]
    return plan


def _windows(
    recording: TrainingRecording, length: Length, background: Sequence[tuple[float, float]], settings: ClipSettings
) -> list[Window]:
    events = [event for event in recording.targets if settings.marginal or not event.marginal]
    windows = set(event_windows(events, length.n_samples, length.rate, settings.clip_s, seed=settings.seed, name=recording.stem))
    for start_s, end_s in background:
        window = Window(samples_at(start_s, length.rate), min(length.n_samples, samples_at(end_s, length.rate)))
        if window.size > 0:
            windows.add(window)
    return sorted(windows)


def _behind_the_end(recording: TrainingRecording, length: Length) -> Iterator[str]:
    for event in recording.targets:
        if event.start_s >= length.seconds:
            reason = f"{event.label} behind the recording's end at {length.seconds:.3f} s"
            yield f"{recording.url}\t{event.start_s:.3f}\t{event.end_s:.3f}\t{reason}"


def _cut(recording: TrainingRecording, window: Window, rate: int, stem: str, settings: ClipSettings) -> Cut:
    events = events_within(recording.targets, window, rate)
    label = events[0].label if events else BACKGROUND
    span = f"{seconds_at(window.start, rate):.3f}-{seconds_at(window.stop, rate):.3f}"
    key = digest(FORMAT, recording.url, recording.size, recording.version, window.start, window.stop, settings.channel)
    return Cut(recording, window, rate, label, f"clips/{label}/{stem}__{span}.flac", key)


def _trial(cuts: Sequence[Cut], seed: int) -> Iterator[Cut]:
    """A few clips of each label, in the order that they had."""
    rng = generator(seed, "trial")
    kept: set[int] = set()
    for label in LABELS:
        of_label = [place for place, cut in enumerate(cuts) if cut.label == label]
        kept.update(int(place) for place in rng.permutation(of_label)[:TRIAL_CLIPS])
    return (cuts[place] for place in sorted(kept))


def _cut_all(plan: _Plan, settings: ClipSettings, storage: Storage, journal: Journal, jobs: int, watch: Watch) -> dict[str, str]:
    """SHA-256 of each file that is there in the end; what could not be cut is added to the plan's losses."""
    done: dict[str, str] = {}
    missing: dict[str, list[Cut]] = defaultdict(list)
    for cut in plan.cuts:
        sha256 = journal.hash_of(cut.path, cut.key)
        if sha256 is None:
            missing[cut.recording.url].append(cut)
        else:
            done[cut.path] = sha256
    for label in LABELS:
        (journal.path.parent / "clips" / label).mkdir(parents=True, exist_ok=True)
    worker = _Worker(settings, storage, journal, watch, len(plan.cuts), len(done))
    with ThreadPoolExecutor(jobs or max(8, 2 * (os.cpu_count() or 1))) as pool:
        for written, lost, passing in pool.map(worker.cut_recording, missing.values()):
            done |= written
            plan.lost += lost
            plan.passing |= passing
    return done


@dataclass(slots=True)
class _Worker:
    """Cuts the clips of one recording after the other; several threads share it."""

    settings: ClipSettings
    storage: Storage
    journal: Journal
    watch: Watch
    total: int
    count: int
    _lock: Lock = field(default_factory=Lock)

    def cut_recording(self, cuts: Sequence[Cut]) -> tuple[dict[str, str], list[str], bool]:
        """SHA-256 by path, lines for `skipped.tsv`, and whether storage failed."""
        source = cuts[0].recording
        written: dict[str, str] = {}
        lost: dict[str, str] = {}
        try:
            with at_hand(self.storage.restore(source.url, source.size, source.version)) as recording:
                self._check_rate(recording, cuts[0])
                gap, longest = samples_at(GAP_S, recording.rate), samples_at(TOGETHER_S, recording.rate)
                by_window = {cut.window: cut for cut in cuts}
                for group in shared(sorted(by_window), gap, longest):
                    for window, block, reason in self._read(recording, group):
                        cut = by_window[window]
                        if reason:
                            lost[cut.path] = _lost(cut, reason)
                        else:
                            written[cut.path] = self._write(cut, block)
        except PreparationError:
            raise
        except (OSError, ValueError) as error:
            reason = " ".join(str(error).split())
            lost |= {cut.path: _lost(cut, reason) for cut in cuts if cut.path not in written | lost}
            return written, list(lost.values()), isinstance(error, StorageError)
        return written, list(lost.values()), False

    def _check_rate(self, recording: Recording, cut: Cut) -> None:
        if recording.rate != cut.rate:
            raise RecordingError(f"{cut.recording.url}: it has {recording.rate} samples a second now, and had {cut.rate}; start again")

    def _read(self, recording: Recording, group: Sequence[Window]) -> Iterator[tuple[Window, NDArray[np.float32], str]]:
        """Windows that are read together, and why one cannot be a clip; if anything is damaged, each is read and judged by itself."""
        first, all_of_them = group[0].start, SampleCheck()
        block = recording.read(first, max(window.stop for window in group), self.settings.channel, all_of_them)
        for window in group:
            part = block[window.start - first : window.stop - first]
            account = SampleCheck()
            if all_of_them.n_non_finite:
                recording.read(window.start, window.stop, self.settings.channel, account)
            yield window, part, _unfit(part, window, account)

    def _write(self, cut: Cut, block: NDArray[np.float32]) -> str:
        path = self.journal.path.parent / cut.path
        subtype = _subtype(block)
        try:
            with replacing(path) as passing:
                soundfile.write(os.fspath(passing), as_integers(block, subtype), cut.rate, subtype=subtype, format="FLAC")
                sha256 = file_hash(passing)
            self.journal.note(Done(cut.path, cut.key, sha256))
        except (OSError, soundfile.LibsndfileError) as error:  # no fault of the recording: a full disk ends the step
            raise PreparationError(
                f"{path}: cannot be written ({' '.join(str(error).split())}); check the disk, and start again"
            ) from error
        with self._lock:
            self.count += 1
            self.watch("clips", self.count, self.total)
        return sha256


def _unfit(block: NDArray[np.float32], window: Window, account: SampleCheck) -> str:
    """Why a stretch cannot be a clip; empty if it can.

    Args:
        account: of the samples as they were in the file.
    """
    if len(block) < window.size:
        return f"only {len(block)} of {window.size} samples can be read"
    if block.min() == block.max():
        return f"silent: all samples are {block[0]:.6g}"
    return "; ".join(f"{damage.kind}: {damage.detail}" for damage in account.damage() if damage.kind in UNFIT)


def _lost(cut: Cut, reason: str) -> str:
    return f"{cut.recording.url}\t{cut.start_s:.3f}\t{cut.end_s:.3f}\t{reason}"


def _subtype(block: NDArray[np.float32]) -> str:
    """How FLAC is to keep samples: 16 bits if they have no more, else 24."""
    return "PCM_16" if np.array_equal(as_integers(block, "PCM_24") & 0xFFFF, np.zeros(len(block))) else "PCM_24"


def as_integers(block: NDArray[np.float32], subtype: str) -> NDArray[np.int32]:
    """Samples `(sample,)` in [-1, 1) as integers of 32 bits, of which FLAC keeps the upper 16 or 24.

    libsndfile's own way from floats scales by 32767, which would not give back what it was.
    """
    bits = 16 if subtype == "PCM_16" else 24
    whole = np.clip(np.rint(block.astype(np.float64) * 2 ** (bits - 1)), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    integers: NDArray[np.int32] = whole.astype(np.int32) << (32 - bits)
    return integers


def _clips(folder: Folder, cuts: Sequence[Cut], done: Mapping[str, str], settings: ClipSettings) -> Iterator[Clip]:
    splits = assign(_members(cuts), settings.split, test_recordings=settings.test_recordings)
    for cut in cuts:
        if cut.path in done:
            source = cut.recording
            yield Clip(
                path=folder.root / cut.path,
                split=splits[source.url],
                group=source.url,
                seconds=cut.end_s - cut.start_s,
                rate=cut.rate,
                events=events_within(source.targets, cut.window, cut.rate),
                site=source.site,
                start_s=cut.start_s,
                start_time=source.start_time,
                sha256=done[cut.path],
            )


def _members(cuts: Sequence[Cut]) -> list[Member]:
    """The recordings with what is to be cut from them, whether it could be or not: a bad moment of a network changes no split."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    ends: dict[str, float] = defaultdict(float)
    sources = {cut.recording.url: cut.recording for cut in cuts}
    for cut in cuts:
        counts[cut.recording.url][cut.label] += 1
        ends[cut.recording.url] = max(ends[cut.recording.url], cut.end_s)
    return [Member(url, source.site, counts[url], source.start_time, ends[url]) for url, source in sources.items()]


def _report(recordings: Sequence[TrainingRecording], clips: Sequence[Clip], plan: _Plan, settings: ClipSettings, effort: str) -> Report:
    labels = Counter(Path(clip.path).parent.name for clip in clips)
    splits = Counter(clip.split for clip in clips)
    notes = ["splits: " + ", ".join(f"{splits[name]:,} {name}" for name in ("train", "validation", "test"))]
    if plan.lost:
        reason = plan.lost[0].split("\t")[-1]
        notes.append(f"{sized(len(plan.lost), 'place')} could not be cut; skipped.tsv has the reasons, of which the first is: {reason}")
    strangers = unmatched(_members(plan.cuts), settings.test_recordings)
    if strangers:
        notes.append(f"test recordings of which there is no clip: {', '.join(strangers[:10])}")
    return Report(
        "clips",
        read=f"{sized(len({clip.group for clip in clips}), 'recording')} of {len(recordings):,}",
        wrote=", ".join(f"{labels[label]:,} {label}" for label in LABELS if labels[label]),
        skipped=sized(len(plan.lost), "place") if plan.lost else "",
        notes=tuple(notes),
        effort=effort,
        complete=not plan.passing,
    )
