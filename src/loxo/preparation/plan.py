"""The plan of step 2: which clips are cut, into which files, and the split of each recording."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from loxo.events import BACKGROUND
from loxo.messages import pluralize
from loxo.preparation.background import Segment
from loxo.preparation.folder import PreparationError
from loxo.preparation.listing import find_named
from loxo.preparation.settings import PrepareSettings
from loxo.preparation.training_table import TrainingRecording
from loxo.preparation.windows import Window, derived_rng, events_within, recording_windows
from loxo.provenance import digest
from loxo.recordings import common_root
from loxo.splits import RecordingCounts, assign_splits
from loxo.timeline import samples_at, seconds_at

__all__ = ["Cut", "Plan", "find_test_recordings", "plan_cuts", "plan_splits"]

TRIAL_CLIPS = 24
"""Clips of each label in a trial."""
FORMAT = 1
"""Version of the clips: raise it when a change of the code changes their bytes."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A clip to be written.

    Args:
        label: of its first event, or Background.
        path: its file, relative to the folder.
        key: hash of everything that its bytes depend on.
    """

    recording: TrainingRecording
    window: Window
    label: str
    path: str
    key: str

    @property
    def start_s(self) -> float:
        return seconds_at(self.window.start, self.recording.rate)

    @property
    def end_s(self) -> float:
        return seconds_at(self.window.stop, self.recording.rate)

    @property
    def seconds(self) -> float:
        return self.end_s - self.start_s


@dataclass(slots=True)
class Plan:
    """What is to be cut, and what cannot be.

    Args:
        lost: lines of `skipped.tsv`.
        incomplete: whether storage failed, so that a repetition may cut more.
    """

    cuts: list[Cut] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    incomplete: bool = False

    @property
    def first_reason(self) -> str:
        """End of an error about a plan without clips."""
        return "; the first reason: " + self.lost[0].replace("\t", " ") if self.lost else ""


def plan_cuts(
    recordings: Sequence[TrainingRecording],
    background: Sequence[Segment],
    settings: PrepareSettings,
    *,
    dev: bool = False,
) -> Plan:
    """Plan the clips of a training table and of its background.

    Args:
        dev: a trial: a few clips of each label.

    Raises:
        PreparationError: if there is nothing to cut.
    """
    segments: dict[str, list[Segment]] = defaultdict(list)
    for segment in background:
        segments[segment.recording].append(segment)
    plan = Plan()
    for recording in recordings:
        if not (recording.targets or recording.url in segments):
            continue
        if recording.problem:
            plan.lost.append(f"{recording.url}\t\t\t{recording.problem}")
            continue
        plan.lost += _after_the_end(recording)
        windows = set(recording_windows(recording, settings))
        windows.update(_background_windows(recording, segments[recording.url]))
        plan.cuts += [_cut(recording, window, settings) for window in sorted(windows)]
    if dev:
        plan.cuts = list(_trial(plan.cuts, settings))
    if not plan.cuts:
        labels = " or ".join(settings.labels)
        raise PreparationError(f"no {labels} in any recording that can be read{plan.first_reason}")
    return plan


def _background_windows(
    recording: TrainingRecording, segments: Sequence[Segment]
) -> Iterator[Window]:
    for segment in segments:
        start = samples_at(segment.start_s, recording.rate)
        stop = min(recording.samples, samples_at(segment.end_s, recording.rate))
        if stop > start:
            yield Window(start, stop)


def _after_the_end(recording: TrainingRecording) -> Iterator[str]:
    for event in recording.targets:
        if event.start_s >= recording.seconds:
            reason = f"{event.label} after the recording's end at {recording.seconds:.3f} s"
            yield f"{recording.url}\t{event.start_s:.3f}\t{event.end_s:.3f}\t{reason}"


def _cut(recording: TrainingRecording, window: Window, settings: PrepareSettings) -> Cut:
    rate = recording.rate
    events = events_within(recording.targets, window, rate)
    label = events[0].label if events else BACKGROUND
    span = f"{seconds_at(window.start, rate):.3f}-{seconds_at(window.stop, rate):.3f}"
    content = (recording.url, recording.size, recording.version, window.start, window.stop)
    key = digest(FORMAT, *content, settings.channel)
    return Cut(recording, window, label, f"clips/{label}/{recording.name}__{span}.flac", key)


def _trial(cuts: Sequence[Cut], settings: PrepareSettings) -> Iterator[Cut]:
    """A few clips of each label, in their order."""
    rng = derived_rng(settings.seed, "trial")
    kept: set[int] = set()
    for label in (*settings.labels, BACKGROUND):
        of_label = [index for index, cut in enumerate(cuts) if cut.label == label]
        kept.update(int(index) for index in rng.permutation(of_label)[:TRIAL_CLIPS])
    return (cuts[index] for index in sorted(kept))


def plan_splits(
    cuts: Sequence[Cut], settings: PrepareSettings, test_recordings: Sequence[str]
) -> dict[str, str]:
    """Assign the recordings of planned clips to splits, by address.

    Clips that could not be cut count, too, so that a failure of the network changes no split.

    Raises:
        PreparationError: if there is one site, and it is to be split by site.
        ValueError: if recordings without a site are to be split by site.
    """
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for cut in cuts:
        counts[cut.recording.url][cut.label] += 1
    sources = {cut.recording.url: cut.recording for cut in cuts}
    recordings = [
        RecordingCounts(url, source.site, counts[url], source.start_time, source.seconds)
        for url, source in sources.items()
    ]
    sites = {recording.site for recording in recordings}
    if settings.split_by == "site" and len(sites) == 1 and None not in sites:
        raise PreparationError(
            f"all {pluralize(len(recordings), 'recording')} are of the site {sites.pop()!r}, so "
            "they cannot be split by site; name the sites with --site-from, "
            "or use --split-by recording"
        )
    return assign_splits(recordings, settings.split, test_recordings=test_recordings)


def find_test_recordings(
    recordings: Sequence[TrainingRecording], settings: PrepareSettings
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Addresses of the recordings for testing, and names that no recording has.

    Raises:
        PreparationError: if the file that names them cannot be used.
    """
    if settings.test_recordings is None:
        return (), ()
    urls = [recording.url for recording in recordings]
    return find_named(settings.test_recordings, urls, settings.root or common_root(urls))
