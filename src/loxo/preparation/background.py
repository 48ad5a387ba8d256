"""Step 1.5: segments without events, from which a model learns the sounds of the forest.

They lie in recordings that a person searched, at least a margin from every event, marginal ones
included: an annotator's box is not exact, and a faint sound is not silence. They are spread evenly:
each comes from the site with the fewest segments so far, within it from the hour of the day with
the fewest, and within that from the recording with the fewest. The position there is random.

**Hard negatives** are false positives of a detector: its detections in searched recordings that are
a margin away from all events, highest scores first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import polars as pl

from loxo.annotations import match_annotations, read_annotations
from loxo.events import Interval, union
from loxo.messages import SILENT, Progress, pluralize
from loxo.preparation.folder import Folder, PreparationError, Report
from loxo.preparation.settings import PrepareSettings
from loxo.preparation.training_table import TrainingRecording, read_training_table
from loxo.preparation.windows import derived_rng, recording_windows
from loxo.provenance import digest, file_hash
from loxo.recordings import RecordingIndex, recording_stem
from loxo.storage import atomic_write

__all__ = ["Segment", "draw_background", "read_background"]

SCHEMA = {
    "recording": pl.String(),
    "start_s": pl.Float64(),
    "end_s": pl.Float64(),
    "source": pl.String(),
}
HOUR_S = 3600.0

_Key = TypeVar("_Key", str, int)


class Segment(NamedTuple):
    """A part of a recording."""

    recording: str
    start_s: float
    end_s: float


class _FalsePositive(NamedTuple):
    score: float
    start_s: float
    end_s: float


Free = dict[str, list[Interval]]
"""Segments by recording that have room for background."""


def draw_background(
    folder: Folder, settings: PrepareSettings, *, progress: Progress = SILENT
) -> Report:
    """Write `background.parquet`: `recording, start_s, end_s, source`.

    The source is `drawn` or `false positive`.

    Raises:
        PreparationError: if there is no training table, or no recording that was searched.
        AnnotationError: if the detections cannot be read.
    """
    recordings = read_training_table(folder.table, settings.labels)
    found = _false_positives(recordings, settings)
    inputs = {
        "training_table": file_hash(folder.table),
        "detections": digest(sorted(found.items())),
    }
    cached = folder.cached("background", settings, inputs)
    if cached is not None:
        return cached
    folder.begin("background")
    searched = [recording for recording in recordings if recording.searched]
    if not searched:
        raise PreparationError(
            "no recording was searched by a person, so no part of any is known to be background; "
            "add tables of searched recordings"
        )
    wanted = round(settings.ratio * sum(len(recording_windows(r, settings)) for r in recordings))
    free = {recording.url: _free(recording, settings) for recording in searched}
    hard = list(_hard(found, free, settings, round(settings.hard_share * wanted)))
    draw = _Draw(searched, free, settings)
    drawn: list[Segment] = []
    for segment in draw.take(wanted - len(hard)):
        drawn.append(segment)
        progress.update("background", len(hard) + len(drawn), wanted)
    _write(folder.background, hard, drawn)
    report = _report(searched, wanted, hard, drawn)
    return folder.finish(report, settings, inputs, [folder.background])


def _write(path: Path, hard: Sequence[Segment], drawn: Sequence[Segment]) -> None:
    rows = [(*segment, "false positive") for segment in hard]
    rows += [(*segment, "drawn") for segment in drawn]
    with atomic_write(path) as temporary:
        pl.DataFrame(sorted(rows), schema=SCHEMA, orient="row").write_parquet(temporary)


def _report(
    searched: Sequence[TrainingRecording],
    wanted: int,
    hard: Sequence[Segment],
    drawn: Sequence[Segment],
) -> Report:
    count = len(hard) + len(drawn)
    unread = [f"{r.url}: {r.problem}" for r in searched if r.problem]
    notes = list(unread)
    if count < wanted:
        notes.append(
            f"{pluralize(wanted - count, 'segment')} fewer than wanted: "
            "there is no more room away from events"
        )
    return Report(
        "background",
        read=pluralize(len(searched), "searched recording"),
        wrote=f"{pluralize(count, 'segment')}, {len(hard):,} of them false positives",
        skipped=pluralize(len(unread), "recording") if unread else "",
        notes=tuple(notes),
    )


def _free(recording: TrainingRecording, settings: PrepareSettings) -> list[Interval]:
    """Segments that are a margin from all events and have room for a clip."""
    seconds, margin_s = recording.seconds, settings.margin
    taken = union([(max(0.0, e.start_s - margin_s), e.end_s + margin_s) for e in recording.targets])
    starts = [0.0, *(end_s for _, end_s in taken)]
    ends = [*(start_s for start_s, _ in taken), seconds]
    within = [(start, min(end, seconds)) for start, end in zip(starts, ends, strict=True)]
    return [(start, end) for start, end in within if end - start >= settings.clip_length]


# ---- hard negatives


def _false_positives(
    recordings: Sequence[TrainingRecording], settings: PrepareSettings
) -> dict[str, list[_FalsePositive]]:
    """Detections in searched recordings that are a margin away from all events."""
    if settings.detections is None:
        return {}
    by_url = {recording.url: recording for recording in recordings if recording.searched}
    detections = read_annotations([settings.detections], lenient=True)
    # Names are matched to all recordings, not to searched ones alone. Otherwise a detection in an
    # unsearched recording could be matched to a searched recording of the same file name.
    index = RecordingIndex(recording.url for recording in recordings)
    found: dict[str, list[_FalsePositive]] = {}
    for url, rows in match_annotations(detections, index).rows.items():
        if url not in by_url:
            continue
        for row in rows:
            interval = row.event.start_s, row.event.end_s
            wanted = row.event.label in settings.labels
            if wanted and not _is_near(by_url[url], interval, settings.margin):
                found.setdefault(url, []).append(_FalsePositive(row.score or 0.0, *interval))
    return found


def _is_near(recording: TrainingRecording, interval: Interval, margin_s: float) -> bool:
    """Whether there is an event within a margin of an interval."""
    start_s, end_s = interval
    return any(
        event.start_s - margin_s < end_s and start_s < event.end_s + margin_s
        for event in recording.targets
    )


def _hard(
    found: Mapping[str, Sequence[_FalsePositive]], free: Free, settings: PrepareSettings, most: int
) -> Iterator[Segment]:
    """Segments that hold the middle of a false positive, highest scores first.

    A segment is removed from the free ones, so that segments do not overlap.
    """
    clip_s = settings.clip_length
    ranked = sorted(
        (-score, url, start_s, end_s)
        for url, detections in found.items()
        for score, start_s, end_s in detections
    )
    for _, url, start_s, end_s in ranked:
        if most <= 0:
            return
        middle_s = (start_s + end_s) / 2
        room = next(((a, b) for a, b in free[url] if a <= middle_s < b), None)
        if room is None:
            continue
        rng = derived_rng(settings.seed, recording_stem(url), round(start_s * 1000))
        low, high = max(room[0], middle_s - clip_s), min(room[1] - clip_s, middle_s)
        first_s = _rounded(rng.uniform(low, high), room, clip_s)
        free[url] = list(_without(free[url], (first_s, first_s + clip_s), clip_s))
        most -= 1
        yield Segment(url, first_s, first_s + clip_s)


# ---- background drawn by chance


def _rounded(start_s: float, room: Interval, clip_s: float) -> float:
    """Round a start to milliseconds, within its room."""
    return min(max(round(start_s, 3), room[0]), room[1] - clip_s)


def _without(free: Sequence[Interval], taken: Interval, clip_s: float) -> Iterator[Interval]:
    """Remove a segment from the free ones; rests too short for a clip are dropped."""
    for start, end in free:
        apart = taken[1] <= start or end <= taken[0]
        pieces = [(start, end)] if apart else [(start, taken[0]), (taken[1], end)]
        yield from (piece for piece in pieces if piece[1] - piece[0] >= clip_s)


class _Draw:
    """Draws segments, each from the site, hour of the day and recording with the fewest so far."""

    def __init__(
        self,
        recordings: Sequence[TrainingRecording],
        free: Free,
        settings: PrepareSettings,
    ) -> None:
        self.settings = settings
        self.rng = derived_rng(settings.seed, "background")
        self.cells: dict[str, dict[int, dict[str, list[Interval]]]] = {}
        for recording in sorted(recordings, key=lambda recording: recording.url):
            for hour, interval in _by_hour(recording, free[recording.url]):
                if interval[1] - interval[0] >= settings.clip_length:
                    hours = self.cells.setdefault(recording.site or "", {})
                    hours.setdefault(hour, {}).setdefault(recording.url, []).append(interval)
        self.given: Counter[tuple[str | int, ...]] = Counter()

    def take(self, count: int) -> Iterator[Segment]:
        """Draw `count` segments; fewer if there is no more room."""
        clip_s = self.settings.clip_length
        for _ in range(count):
            if not self.cells:
                return
            site = self._least(self.cells, ())
            hour = self._least(self.cells[site], (site,))
            url = self._least(self.cells[site][hour], (site, hour))
            rooms = self.cells[site][hour][url]
            # Proportional to the number of possible starts; never zero for a room of a clip's size.
            weights = np.array([end - start - clip_s for start, end in rooms]) + 1e-6
            room = rooms[int(self.rng.choice(len(rooms), p=weights / weights.sum()))]
            first_s = _rounded(self.rng.uniform(room[0], room[1] - clip_s), room, clip_s)
            self.given.update([(site,), (site, hour), (site, hour, url)])
            left = list(_without(rooms, (first_s, first_s + clip_s), clip_s))
            self._keep(site, hour, url, left)
            yield Segment(url, first_s, first_s + clip_s)

    def _least(self, among: Mapping[_Key, object], path: tuple[str | int, ...]) -> _Key:
        """The key with the fewest segments so far; equal ones are drawn at random."""
        fewest = min(self.given[(*path, key)] for key in among)
        equals = [key for key in among if self.given[(*path, key)] == fewest]
        return equals[int(self.rng.integers(len(equals)))]

    def _keep(self, site: str, hour: int, url: str, left: list[Interval]) -> None:
        """Store the free segments left in a recording's hour; remove the hour if there are none."""
        hours = self.cells[site]
        if left:
            hours[hour][url] = left
            return
        del hours[hour][url]
        if not hours[hour]:
            del hours[hour]
        if not hours:
            del self.cells[site]


def _by_hour(
    recording: TrainingRecording, free: Sequence[Interval]
) -> Iterator[tuple[int, Interval]]:
    """Cut free segments at full hours of the day (UTC); without a start time, of the recording."""
    start = recording.start_time
    past_s = 0.0 if start is None else start.minute * 60 + start.second + start.microsecond / 1e6
    for a, b in free:
        at = a
        while at < b:
            end = min(b, (at + past_s) // HOUR_S * HOUR_S + HOUR_S - past_s)
            hour = (
                int((at + past_s) // HOUR_S)
                if start is None
                else (start + timedelta(seconds=at)).hour
            )
            yield hour, (at, end)
            at = end


def read_background(path: Path) -> list[Segment]:
    """Read the segments of `background.parquet`; none if the step was not run."""
    if not path.is_file():
        return []
    rows = pl.read_parquet(path).select("recording", "start_s", "end_s").iter_rows()
    return [Segment(*row) for row in rows]
