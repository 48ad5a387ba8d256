"""Step 1.5: stretches with neither rumble nor gunshot, so that a model learns what a forest sounds like without them.

They lie only in recordings that a person searched, and at least a margin from every event, those in doubt included: an annotator's box is
not exact, and what was too faint to be sure of is no silence either. They are spread: each comes from the site that has given least so far,
there from the hour of the day that has given least, there from the day, and within that anywhere.

**Hard negatives** are the places where a detector was wrong: its detections in searched recordings that are a margin away from all events,
highest scores first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import numpy as np
import polars as pl

from loxo.annotations import read_annotations, recording_stem
from loxo.events import EVENT_LABELS, Interval, union
from loxo.preparation.folder import Folder, PreparationError, Report, Watch, digest, file_hash, nothing, sized
from loxo.preparation.index import Names
from loxo.preparation.table import TrainingRecording, read_training_table
from loxo.preparation.windows import event_windows, generator
from loxo.recordings import at_hand
from loxo.storage import Storage, StorageError, replacing
from loxo.timeline import seconds_at

__all__ = ["BackgroundSettings", "Length", "draw_background", "lengths", "read_background"]

SCHEMA = {"recording": pl.String(), "start_s": pl.Float64(), "end_s": pl.Float64(), "source": pl.String()}
_Key = TypeVar("_Key", str, int)

READERS = 16
"""Headers that are asked for at a time."""
HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class BackgroundSettings:
    """How much is drawn, and where.

    Args:
        ratio: of background clips to clips around events.
        margin_s: from every event.
        hard_share: most of the clips that hard negatives may be.
    """

    ratio: float = 1.0
    clip_s: float = 20.0
    margin_s: float = 10.0
    hard_share: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        if self.ratio < 0 or self.clip_s <= 0 or self.margin_s < 0 or not 0 <= self.hard_share <= 1:
            raise ValueError(
                f"ratio {self.ratio} and margin {self.margin_s} s must not be negative, a clip of {self.clip_s} s must be longer than 0 s, "
                f"and the share of hard negatives {self.hard_share} lies between 0 and 1"
            )


@dataclass(frozen=True, slots=True)
class Length:
    """How long a recording is, or why that is not known."""

    n_samples: int = 0
    rate: int = 1
    reason: str = ""
    passing: bool = False

    @property
    def seconds(self) -> float:
        return seconds_at(self.n_samples, self.rate)


def draw_background(
    folder: Folder, settings: BackgroundSettings, storage: Storage, *, detections: Path | None = None, watch: Watch = nothing
) -> Report:
    """Write `background.parquet`: `recording, start_s, end_s, source`, the source being `drawn` or `false positive`.

    Args:
        detections: folder or table of an earlier `loxo detect` in these recordings.

    Raises:
        PreparationError: if there is no training table, or no recording that was searched.
        AnnotationError: if the detections cannot be read.
    """
    recordings = read_training_table(folder.table)
    found = _false_positives(detections, recordings, settings.margin_s) if detections is not None else {}
    inputs = {"training_table": file_hash(folder.table), "detections": digest(sorted(found.items()))}
    before = folder.before("background", settings, inputs)
    if before is not None:
        return before
    folder.begin("background")
    searched = [recording for recording in recordings if recording.searched]
    if not searched:
        raise PreparationError(
            "no recording was searched by a person, so nobody knows what is background; add tables of searched recordings"
        )
    known = lengths(recordings, storage, watch)
    wanted = round(settings.ratio * sum(_n_event_windows(recording, known[recording.url], settings) for recording in recordings))
    free = {recording.url: _free(recording, known[recording.url].seconds, settings) for recording in searched}
    hard = list(_hard(found, free, settings, round(settings.hard_share * wanted)))
    drawn = list(_Draw(searched, free, settings).take(wanted - len(hard)))
    rows = sorted([(*place, "false positive") for place in hard] + [(*place, "drawn") for place in drawn])
    with replacing(folder.background) as passing:
        pl.DataFrame(rows, schema=SCHEMA, orient="row").write_parquet(passing)
    unread = [f"{url}: {length.reason}" for url, length in known.items() if length.reason]
    missing = wanted - len(rows)
    return folder.finish(
        Report(
            "background",
            read=f"{sized(len(searched), 'searched recording')}",
            wrote=f"{sized(len(rows), 'place')}, {len(hard):,} of them false positives",
            skipped=sized(len(unread), "recording") if unread else "",
            notes=(*unread, *([f"{sized(missing, 'place')} fewer than wanted: there is no more room away from events"] if missing else [])),
            complete=not any(length.passing for length in known.values()),
        ),
        settings,
        inputs,
        [folder.background],
    )


def lengths(recordings: Sequence[TrainingRecording], storage: Storage, watch: Watch = nothing) -> dict[str, Length]:
    """How long each recording is, by its header."""
    found: dict[str, Length] = {}
    with ThreadPoolExecutor(READERS) as pool:
        for recording, length in zip(recordings, pool.map(lambda recording: _length(recording, storage), recordings), strict=True):
            found[recording.url] = length
            watch("headers", len(found), len(recordings))
    return found


def _length(recording: TrainingRecording, storage: Storage) -> Length:
    try:
        with at_hand(storage.restore(recording.url, recording.size, recording.version)) as opened:
            return Length(opened.n_samples, opened.rate)
    except (OSError, ValueError) as error:
        return Length(reason=" ".join(str(error).split()), passing=isinstance(error, StorageError))


def _n_event_windows(recording: TrainingRecording, length: Length, settings: BackgroundSettings) -> int:
    windows = event_windows(recording.targets, length.n_samples, length.rate, settings.clip_s, seed=settings.seed, name=recording.stem)
    return len(windows)


def _free(recording: TrainingRecording, seconds: float, settings: BackgroundSettings) -> list[Interval]:
    """Stretches that are a margin from all events and have room for a clip."""
    taken = union([(max(0.0, e.start_s - settings.margin_s), e.end_s + settings.margin_s) for e in recording.targets])
    starts, ends = [0.0, *(end for _, end in taken)], [*(start for start, _ in taken), seconds]
    within = [(start, min(end, seconds)) for start, end in zip(starts, ends, strict=True)]
    return [(start, end) for start, end in within if end - start >= settings.clip_s]


def _false_positives(
    detections: Path, recordings: Sequence[TrainingRecording], margin_s: float
) -> dict[str, list[tuple[float, float, float]]]:
    """Score, start and end of detections that are a margin away from all events, by recording."""
    by_url = {recording.url: recording for recording in recordings if recording.searched}
    names = Names(by_url)
    found: dict[str, list[tuple[float, float, float]]] = {}
    for row in read_annotations([detections], lenient=True).rows:
        url = names.match(row.stem)
        if url is None or row.event.label not in EVENT_LABELS:
            continue
        near = (e for e in by_url[url].targets if e.start_s - margin_s < row.event.end_s and row.event.start_s < e.end_s + margin_s)
        if next(near, None) is None:
            found.setdefault(url, []).append((row.score or 0.0, row.event.start_s, row.event.end_s))
    return found


def _hard(
    found: Mapping[str, Sequence[tuple[float, float, float]]], free: dict[str, list[Interval]], settings: BackgroundSettings, most: int
) -> Iterator[tuple[str, float, float]]:
    """Places that hold a false detection's middle, highest scores first; each takes its room away from others."""
    ranked = sorted((-score, url, start_s, end_s) for url, places in found.items() for score, start_s, end_s in places)
    for _, url, start_s, end_s in ranked:
        if most <= 0:
            return
        middle_s = (start_s + end_s) / 2
        room = next(((a, b) for a, b in free[url] if a <= middle_s < b), None)
        if room is None:
            continue
        rng = generator(settings.seed, recording_stem(url), round(start_s * 1000))
        low, high = max(room[0], middle_s - settings.clip_s), min(room[1] - settings.clip_s, middle_s)
        first_s = _rounded(rng.uniform(low, high), room, settings.clip_s)
        free[url] = list(_without(free[url], (first_s, first_s + settings.clip_s), settings.clip_s))
        most -= 1
        yield url, first_s, first_s + settings.clip_s


def _rounded(start_s: float, room: Interval, clip_s: float) -> float:
    """A start in whole milliseconds, within the room where it has any."""
    return min(max(round(start_s, 3), room[0]), room[1] - clip_s)


def _without(free: Sequence[Interval], taken: Interval, clip_s: float) -> Iterator[Interval]:
    for start, end in free:
        apart = taken[1] <= start or end <= taken[0]
        pieces = [(start, end)] if apart else [(start, taken[0]), (taken[1], end)]
        yield from (piece for piece in pieces if piece[1] - piece[0] >= clip_s)


class _Draw:
    """Draws places one after the other, from what has given least so far: sites, then hours of the day, then recordings."""

    def __init__(self, recordings: Sequence[TrainingRecording], free: dict[str, list[Interval]], settings: BackgroundSettings) -> None:
        self.settings = settings
        self.rng = generator(settings.seed, "background")
        self.cells: dict[str, dict[int, dict[str, list[Interval]]]] = {}
        for recording in sorted(recordings, key=lambda recording: recording.url):
            for hour, interval in _by_hour(recording, free[recording.url]):
                if interval[1] - interval[0] >= settings.clip_s:
                    hours = self.cells.setdefault(recording.site or "", {})
                    hours.setdefault(hour, {}).setdefault(recording.url, []).append(interval)
        self.given: Counter[tuple[str | int, ...]] = Counter()

    def take(self, count: int) -> Iterator[tuple[str, float, float]]:
        """Up to `count` places; fewer if there is no more room."""
        clip_s = self.settings.clip_s
        for _ in range(count):
            if not self.cells:
                return
            site = self._least(self.cells, ())
            hour = self._least(self.cells[site], (site,))
            url = self._least(self.cells[site][hour], (site, hour))
            rooms = self.cells[site][hour][url]
            spare = np.array([end - start - clip_s for start, end in rooms])
            room = rooms[int(self.rng.choice(len(rooms), p=(spare + 1e-6) / (spare + 1e-6).sum()))]
            first_s = _rounded(self.rng.uniform(room[0], room[1] - clip_s), room, clip_s)
            self.given.update([(site,), (site, hour), (site, hour, url)])
            left = list(_without(rooms, (first_s, first_s + clip_s), clip_s))
            self._keep(site, hour, url, left)
            yield url, first_s, first_s + clip_s

    def _least(self, among: Mapping[_Key, object], path: tuple[str | int, ...]) -> _Key:
        """What has given least, equals by chance."""
        fewest = min(self.given[(*path, key)] for key in among)
        equals = [key for key in among if self.given[(*path, key)] == fewest]
        return equals[int(self.rng.integers(len(equals)))]

    def _keep(self, site: str, hour: int, url: str, left: list[Interval]) -> None:
        """What is left of a recording's hour; what is used up goes away."""
        hours = self.cells[site]
        if left:
            hours[hour][url] = left
            return
        del hours[hour][url]
        if not hours[hour]:
            del hours[hour]
        if not hours:
            del self.cells[site]


def _by_hour(recording: TrainingRecording, free: Sequence[Interval]) -> Iterator[tuple[int, Interval]]:
    """Free stretches cut at full hours of the day (UTC), or of the recording if its start is not known."""
    start = recording.start_time
    past_s = 0.0 if start is None else start.minute * 60 + start.second + start.microsecond / 1e6
    for a, b in free:
        at = a
        while at < b:
            end = min(b, (at + past_s) // HOUR_S * HOUR_S + HOUR_S - past_s)
            hour = int((at + past_s) // HOUR_S) if start is None else (start + timedelta(seconds=at)).hour
            yield hour, (at, end)
            at = end


def read_background(path: Path) -> list[tuple[str, float, float]]:
    """Recording, start and end of the places; none if the step was left out."""
    if not path.is_file():
        return []
    return list(pl.read_parquet(path).select("recording", "start_s", "end_s").iter_rows())
