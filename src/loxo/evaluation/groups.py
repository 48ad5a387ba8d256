"""Metrics of a part of the recordings: of a site, an hour of the day, or events of similar SNR.

Detections have no SNR, so by SNR there is recall only. Hours are those of the clock in the file's
name. An event and a detection belong to the hour in which they start, and each hour has the seconds
of it that were searched. Recordings without a site or a time are in no such group.

A group keeps its counts by recording, since intervals are drawn over recordings
(`loxo.metrics.resampling`), always with the same seed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from loxo.annotations import Annotation
from loxo.evaluation.counting import Evaluation, LabelResult, score_counts
from loxo.events import Interval
from loxo.metrics import RULES, Counts, Score, bootstrap, resamples
from loxo.recordings import base_name, parse_name

__all__ = [
    "EVENT_RULES",
    "SNR_EDGES_DB",
    "Group",
    "by_hour",
    "by_site",
    "by_snr",
    "searched_by_hour",
    "whole",
]

Values = NDArray[np.float64]
Indices = NDArray[np.int64]

EVENT_RULES = tuple(name for name in RULES if name != "per_second")
"""The rules that count events; seconds have neither an hour nor an SNR."""
SNR_EDGES_DB = (-np.inf, -5.0, 0.0, 5.0, 10.0, 15.0, 20.0, np.inf)
SEED = 0

_CLOCK = ZoneInfo("UTC")
"""Stands for the unknown zone of the clock in a name: only the hour is taken from it."""
_HOUR_S, _DAY_S = 3600.0, 86_400.0


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """A part of what was searched.

    Args:
        counts: `(recording, 4)`: events, found, detections and true in each of its recordings.
        seconds: searched in each recording `(recording,)`; None if that is unknown.
        has_detections: False for a group of events only.
    """

    name: str
    rule: str
    counts: Indices
    seconds: Values | None
    has_detections: bool = True

    @property
    def score(self) -> Score:
        """Score of its summed counts."""
        events, found, detections, true = self.counts.sum(axis=0).tolist()
        searched_s = None if self.seconds is None else float(self.seconds.sum())
        return score_counts(Counts(events, found, detections, true), self.rule, searched_s)

    @property
    def weights(self) -> Indices:
        """Bootstrap draws of its recordings `(draw, recording)`."""
        return resamples(len(self.counts), np.random.default_rng(SEED))

    @property
    def bootstrap(self) -> dict[str, Interval | None]:
        """Interval of each metric over recordings."""
        return bootstrap(self.counts, self.seconds, self.weights)


def whole(
    evaluation: Evaluation,
    label: str,
    rule: str,
    recordings: Iterable[str] | None = None,
    *,
    name: str = "all",
) -> Group:
    """Group some recordings, or all, in the order given."""
    chosen = list(evaluation.recordings if recordings is None else recordings)
    counts = [evaluation.counts(label, rule, [recording]) for recording in chosen]
    columns = [(c.events, c.found, c.detections, c.true) for c in counts]
    return Group(
        name,
        rule,
        np.array(columns, dtype=np.int64).reshape(-1, 4),
        _seconds(evaluation, chosen),
    )


def _seconds(evaluation: Evaluation, recordings: Sequence[str]) -> Values | None:
    """Length of each recording `(recording,)`; None if one is unknown."""
    if not all(name in evaluation.seconds for name in recordings):
        return None
    return np.array([evaluation.seconds[name] for name in recordings])


def by_site(evaluation: Evaluation, label: str, rule: str) -> list[Group]:
    """Group the recordings by site, sorted."""
    sites: defaultdict[str, list[str]] = defaultdict(list)
    for name in evaluation.recordings:
        if name in evaluation.sites:
            sites[evaluation.sites[name]].append(name)
    return [whole(evaluation, label, rule, sites[site], name=site) for site in sorted(sites)]


def by_hour(evaluation: Evaluation, label: str, rule: str) -> list[Group]:
    """Group by hour of the day, `00` to `23`, under a rule that counts events.

    Hours without recordings, events and detections are omitted.
    """
    clocks_s = dict(_clocks_s(evaluation.recordings))
    if not clocks_s:
        return []
    counts = np.stack(
        [
            _hourly(evaluation.recordings[name][label], rule, clock_s)
            for name, clock_s in clocks_s.items()
        ]
    )
    seconds = _searched_by_hour(evaluation, clocks_s)
    has_any = counts.any(axis=(0, 2)) | (False if seconds is None else seconds.any(axis=0))
    return [
        Group(f"{hour:02}", rule, counts[:, hour], None if seconds is None else seconds[:, hour])
        for hour in np.flatnonzero(has_any).tolist()
    ]


def by_snr(evaluation: Evaluation, label: str, rule: str) -> list[Group]:
    """Group the certain events by their SNR, ascending, under a rule that counts events.

    Events without a known SNR are in no group, and empty groups are omitted.
    """
    counts = np.stack(
        [_by_class(results[label], rule) for results in evaluation.recordings.values()]
    )
    names = [_class_name(low, high) for low, high in pairwise(SNR_EDGES_DB)]
    return [
        Group(name, rule, counts[:, number], None, has_detections=False)
        for number, name in enumerate(names)
        if counts[:, number].any()
    ]


def searched_by_hour(clock_s: float, length_s: float) -> Values:
    """Seconds of each hour of the day `(24,)` within a recording.

    Args:
        clock_s: time of day at which it starts, in seconds.
        length_s: length of the recording.
    """
    days, rest_s = divmod(length_s, _DAY_S)
    hours_s = _HOUR_S * np.arange(48)  # the rest may run into the next day
    until_end_s = np.clip(clock_s + rest_s - hours_s, 0, _HOUR_S)
    until_start_s = np.clip(clock_s - hours_s, 0, _HOUR_S)
    per_hour_s = (until_end_s - until_start_s).reshape(2, 24).sum(axis=0)
    in_hours_s: Values = days * _HOUR_S + per_hour_s
    return in_hours_s


def _searched_by_hour(evaluation: Evaluation, clocks_s: Mapping[str, float]) -> Values | None:
    """Seconds `(recording, hour)`; None if the length of a recording is unknown."""
    lengths_s = _seconds(evaluation, list(clocks_s))
    if lengths_s is None:
        return None
    pairs = zip(clocks_s.values(), lengths_s.tolist(), strict=True)
    return np.stack([searched_by_hour(clock_s, length_s) for clock_s, length_s in pairs])


def _clocks_s(names: Iterable[str]) -> Iterator[tuple[str, float]]:
    """Time of day at which each recording starts, of those whose names say it."""
    for name in names:
        _, start = parse_name(base_name(name), _CLOCK)
        if start is not None:
            yield name, start.hour * _HOUR_S + start.minute * 60.0 + start.second


def _hourly(result: LabelResult, rule: str, clock_s: float) -> Indices:
    """Counts `(hour, 4)` of one recording."""
    matching = result.matchings[rule]
    event_hours = _hours(result.truth, matching.events, clock_s)
    detection_hours = _hours(result.detections, matching.detections, clock_s)
    columns = (
        event_hours,
        event_hours[matching.found],
        detection_hours[~matching.ignored],
        detection_hours[matching.true],
    )
    return np.stack([np.bincount(hours, minlength=24) for hours in columns], axis=-1)


def _hours(rows: Sequence[Annotation], positions: Indices, clock_s: float) -> Indices:
    """Hour of the day in which each of some rows starts."""
    starts_s = np.array([row.event.start_s for row in rows], dtype=np.float64)[positions]
    return ((clock_s + starts_s) // _HOUR_S).astype(np.int64) % 24


def _by_class(result: LabelResult, rule: str) -> Indices:
    """Counts `(class, 4)` of the events of one recording."""
    matching = result.matchings[rule]
    counts = np.zeros((len(SNR_EDGES_DB) - 1, 4), dtype=np.int64)
    for event, found in zip(matching.events.tolist(), matching.found.tolist(), strict=True):
        snr_db = result.truth[event].event.snr_db
        if snr_db is not None:
            number = np.searchsorted(SNR_EDGES_DB, snr_db, side="right") - 1
            counts[number, :2] += (1, found)
    return counts


def _class_name(low_db: float, high_db: float) -> str:
    if np.isinf(low_db):
        return f"below {high_db:g} dB"
    return f"{low_db:g} dB or more" if np.isinf(high_db) else f"{low_db:g} to {high_db:g} dB"
