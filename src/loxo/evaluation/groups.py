"""Figures of a part of what was searched: of a site, an hour of the day, of events of some loudness.

A detection has no SNR, so by SNR there is recall only. Hours are those of the clock in the file's name; an event and a detection belong to
the hour in which they start, and each hour to the seconds of it that were searched. Recordings without a site or a time in their names are
in no such group.

A group keeps its counts by recording, since intervals are drawn over recordings (`loxo.metrics.resampling`), always with the same seed.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from loxo.evaluation.counting import Evaluation, Judged, score_of
from loxo.events import Event, Interval
from loxo.metrics import RULES, Counts, Score, bootstrap, resamples
from loxo.recordings import parse_name

__all__ = ["EVENT_RULES", "SNR_EDGES_DB", "Group", "by_hour", "by_site", "by_snr", "snr_db", "whole"]

Values = NDArray[np.float64]
Indices = NDArray[np.int64]

EVENT_RULES = tuple(name for name in RULES if name != "per_second")
"""The rules that count events, which alone have an hour and an SNR."""
SNR_EDGES_DB = (-np.inf, -5.0, 0.0, 5.0, 10.0, 15.0, 20.0, np.inf)
SEED = 0

_SNR = re.compile(r"\bsnr_db=(-?\d+(?:\.\d+)?)")
_CLOCK = ZoneInfo("UTC")
"""Stands for the zone of the clock in a name, of which nothing but the hour is asked."""
_HOUR_S, _DAY_S = 3600.0, 86_400.0


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """A part of what was searched.

    Args:
        counts: `(recording, 4)`: events, found, detections and true in each of its recordings.
        seconds: searched in each `(recording,)`; None if that is unknown.
        has_detections: False of a group of events alone.
    """

    name: str
    rule: str
    counts: Indices
    seconds: Values | None
    has_detections: bool = True

    @property
    def score(self) -> Score:
        events, found, detections, true = self.counts.sum(axis=0).tolist()
        searched_s = None if self.seconds is None else float(self.seconds.sum())
        return score_of(Counts(events, found, detections, true), self.rule, searched_s)

    @property
    def weights(self) -> Indices:
        """Draws of its recordings `(draw, recording)`."""
        return resamples(len(self.counts), np.random.default_rng(SEED))

    @property
    def bootstrap(self) -> dict[str, Interval | None]:
        """Intervals over recordings, by figure."""
        return bootstrap(self.counts, self.seconds, self.weights)


def whole(evaluation: Evaluation, label: str, rule: str, recordings: Iterable[str] | None = None, *, name: str = "all") -> Group:
    """Some recordings, or all."""
    chosen = list(evaluation.recordings if recordings is None else recordings)
    counts = [evaluation.counts(label, rule, [recording]) for recording in chosen]
    known = all(recording in evaluation.seconds for recording in chosen)
    seconds = np.array([evaluation.seconds[recording] for recording in chosen]) if known else None
    return Group(name, rule, np.array([(c.events, c.found, c.detections, c.true) for c in counts], dtype=np.int64).reshape(-1, 4), seconds)


def by_site(evaluation: Evaluation, label: str, rule: str) -> list[Group]:
    """The sites that names say, sorted."""
    sites = defaultdict(list)
    for recording in evaluation.recordings:
        site, _ = parse_name(recording, None)
        if site is not None:
            sites[site].append(recording)
    return [whole(evaluation, label, rule, sites[site], name=site) for site in sorted(sites)]


def by_hour(evaluation: Evaluation, label: str, rule: str) -> list[Group]:
    """The hours of the day, from `00`, in which anything was searched, marked or detected, under a rule that counts events."""
    clocks = {name: clock for name in evaluation.recordings if (clock := _clock_s(name)) is not None}
    if not clocks:
        return []
    counts = np.stack([_hourly(evaluation.recordings[name][label], rule, clock) for name, clock in clocks.items()])
    known = all(name in evaluation.seconds for name in clocks)
    seconds = np.stack([searched_by_hour(clock, evaluation.seconds[name]) for name, clock in clocks.items()]) if known else None
    anything = counts.any(axis=(0, 2)) | (seconds.any(axis=0) if seconds is not None else False)
    return [
        Group(f"{hour:02}", rule, counts[:, hour], None if seconds is None else seconds[:, hour])
        for hour in np.flatnonzero(anything).tolist()
    ]


def by_snr(evaluation: Evaluation, label: str, rule: str) -> list[Group]:
    """Classes of SNR that hold certain events, ascending, under a rule that counts events; none if no event says its SNR."""
    counts = np.stack([_by_class(judged[label], rule) for judged in evaluation.recordings.values()])
    names = [_class_name(low, high) for low, high in pairwise(SNR_EDGES_DB)]
    return [Group(name, rule, counts[:, place], None, has_detections=False) for place, name in enumerate(names) if counts[:, place].any()]


def snr_db(event: Event) -> float | None:
    """How far an event stands over the noise, if its notes say so."""
    found = next((match for flag in sorted(event.flags) if (match := _SNR.search(flag))), None)
    return None if found is None else float(found[1])


def searched_by_hour(clock_s: float, length_s: float) -> Values:
    """Seconds of each hour of the day `(24,)` within a recording that starts at a time of the day."""
    days, rest_s = divmod(length_s, _DAY_S)
    hours_s = _HOUR_S * np.arange(48)
    covered_s = np.clip(clock_s + rest_s - hours_s, 0, _HOUR_S) - np.clip(clock_s - hours_s, 0, _HOUR_S)
    in_hours_s: Values = days * _HOUR_S + covered_s.reshape(2, 24).sum(axis=0)
    return in_hours_s


def _clock_s(name: str) -> float | None:
    _, start = parse_name(name, _CLOCK)
    return None if start is None else start.hour * _HOUR_S + start.minute * 60.0 + start.second


def _hourly(judged: Judged, rule: str, clock_s: float) -> Indices:
    """Counts `(hour, 4)` of one recording."""
    outcome = judged.outcomes[rule]

    def in_hours(places: Sequence[int], starts_s: Values) -> Indices:
        hours = ((clock_s + starts_s[list(places)]) // _HOUR_S).astype(np.int64) % 24
        return np.bincount(hours, minlength=24)

    marked, found = (np.array([row.event.start_s for row in rows], dtype=np.float64) for rows in (judged.truth, judged.detections))
    events = in_hours((*outcome.found, *outcome.missed), marked)
    detections = in_hours((*outcome.true, *outcome.false), found)
    return np.stack((events, in_hours(outcome.found, marked), detections, in_hours(outcome.true, found)), axis=-1)


def _by_class(judged: Judged, rule: str) -> Indices:
    """Counts `(class, 4)` of one recording, of events alone."""
    counts = np.zeros((len(SNR_EDGES_DB) - 1, 4), dtype=np.int64)
    outcome = judged.outcomes[rule]
    for places, columns in ((outcome.found, [0, 1]), (outcome.missed, [0])):
        levels = [level for place in places if (level := snr_db(judged.truth[place].event)) is not None]
        for number in np.searchsorted(SNR_EDGES_DB, levels, side="right") - 1:
            counts[number, columns] += 1
    return counts


def _class_name(low_db: float, high_db: float) -> str:
    if np.isinf(low_db):
        return f"below {high_db:g} dB"
    return f"{low_db:g} dB or more" if np.isinf(high_db) else f"{low_db:g} to {high_db:g} dB"
