"""Which recordings count, and how each rule matches the events and detections in them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from loxo.annotations import Annotation
from loxo.events import EVENT_LABELS
from loxo.messages import pluralize
from loxo.metrics import (
    RULES,
    Counts,
    Curve,
    Matching,
    Reliability,
    Score,
    ShotCounts,
    curve,
    reliability,
    score,
    shot_counts,
)

__all__ = [
    "Evaluation",
    "EvaluationError",
    "LabelResult",
    "count",
    "list_recordings",
    "score_counts",
]

Rows = Mapping[str, Sequence[Annotation]]
"""Annotations by recording; a recording without any was searched and is empty."""

_MOST_NAMES = 10


class EvaluationError(ValueError):
    """Tables or lengths that cannot be evaluated: one line with the reason."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelResult:
    """One label in one recording: its events, its detections, and how they match.

    Args:
        truth, detections: in the order that the positions in the matchings refer to.
        matchings: by the name of the rule.
    """

    truth: tuple[Annotation, ...]
    detections: tuple[Annotation, ...]
    matchings: Mapping[str, Matching]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Detections compared with a truth, by recording and label; `str` gives the summary table.

    Recordings are known by their paths below the folder that they share, such as
    `siteA/20210722_005941.WAV`.

    Args:
        labels: those that are evaluated, in the order of all results.
        recordings: those that count: recording -> label -> result.
        seconds: length of each recording, where it is known.
        audio_seconds: length of all that count together; None if it is unknown.
        unannotated: recordings that were searched by the detector and are in no table of the truth.
        not_detected_on: recordings of the truth that the detector was not run on.
        other_labels: number of rows with other labels in the recordings that count, by side
            (`truth`, `detections`) and label.
        sites: site of each recording, where it is known.
    """

    labels: tuple[str, ...]
    recordings: Mapping[str, Mapping[str, LabelResult]]
    seconds: Mapping[str, float]
    audio_seconds: float | None
    unannotated: tuple[str, ...]
    not_detected_on: tuple[str, ...]
    other_labels: Mapping[str, Mapping[str, int]]
    sites: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        from loxo.evaluation.tables import plain_text, summary_table

        return plain_text(summary_table(self))

    def counts(self, label: str, rule: str, recordings: Iterable[str] | None = None) -> Counts:
        """Sum the counts of some recordings, or of all."""
        chosen = self.recordings if recordings is None else recordings
        counts = (self.recordings[name][label].matchings[rule].counts for name in chosen)
        return sum(counts, Counts())

    def score(self, label: str, rule: str) -> Score:
        """Score of a label under a rule, over all recordings that count."""
        return score_counts(self.counts(label, rule), rule, self.audio_seconds)

    def score_by_recording(self, label: str, rule: str) -> dict[str, Score]:
        """Score of each recording."""
        return {
            name: score_counts(self.counts(label, rule, [name]), rule, self.seconds.get(name))
            for name in self.recordings
        }

    def matchings(self, label: str, rule: str) -> list[Matching]:
        """The matching of each recording, in the order of the recordings."""
        return [results[label].matchings[rule] for results in self.recordings.values()]

    def shot_counts(self, label: str) -> ShotCounts | None:
        """Compare numbers of gunshots; None where no event and no detection has one."""
        pooled = ShotCounts.pool(
            _shot_counts(results[label]) for results in self.recordings.values()
        )
        return pooled if pooled.given else None

    def reliability(self, label: str) -> Reliability | None:
        """Compare scores with the share that is true, by `overlap10`.

        None where a detection has no score, or one outside 0 to 1.
        """
        whole = Matching.concatenate(self.matchings(label, "overlap10"))
        scores = whole.scores[~whole.ignored]
        if not whole.scored or ((scores < 0) | (scores > 1)).any():
            return None
        return reliability(scores, whole.true[~whole.ignored])

    def curve(self, label: str, rule: str) -> Curve | None:
        """Counts at every threshold over all recordings; None where a detection has no score."""
        return self._curves[label, rule]

    @cached_property
    def _curves(self) -> dict[tuple[str, str], Curve | None]:
        """All curves, computed once: JSON, tables and figures ask for the same ones."""
        return {(label, rule): self._curve(label, rule) for label in self.labels for rule in RULES}

    def _curve(self, label: str, rule: str) -> Curve | None:
        matchings = self.matchings(label, rule)
        if not all(matching.scored for matching in matchings):
            return None
        return curve(matchings, self.audio_seconds / 3600 if self.audio_seconds else None)


def count(
    truth: Rows,
    detections: Rows,
    seconds: Mapping[str, float] | float | None = None,
    *,
    searched: Collection[str] | None = None,
    labels: Sequence[str] = EVENT_LABELS,
    sites: Mapping[str, str] | None = None,
) -> Evaluation:
    """Match detections with the truth in each recording that both sides searched.

    Recordings are the same on both sides if their keys are equal.

    Args:
        seconds: length of each recording, or of all that count together; None if neither is known.
        searched: recordings that the detector was run on, those of `detections` among them; None if
            that is not known: then all of the truth count.
        labels: those to evaluate.
        sites: site of each recording, where it is known.

    Raises:
        EvaluationError: if a length is not positive, or no recording was searched by both sides.
    """
    run = set(truth if searched is None else searched) | set(detections)
    counted = sorted(run.intersection(truth))
    if not counted:
        raise EvaluationError(_nothing_in_common(truth, run))
    known = _lengths(counted, seconds)
    return Evaluation(
        labels=tuple(labels),
        recordings={
            name: _match_labels(truth[name], detections.get(name, ()), labels) for name in counted
        },
        seconds=known,
        audio_seconds=_total_s(counted, known, seconds),
        unannotated=tuple(sorted(run.difference(truth))),
        not_detected_on=tuple(sorted(set(truth) - run)),
        other_labels={
            "truth": _other_labels(counted, truth, labels),
            "detections": _other_labels(counted, detections, labels),
        },
        sites={name: site for name, site in (sites or {}).items() if name in counted},
    )


def _match_labels(
    truth: Sequence[Annotation], detections: Sequence[Annotation], labels: Sequence[str]
) -> dict[str, LabelResult]:
    return {
        label: _match(_with_label(truth, label), _with_label(detections, label)) for label in labels
    }


def _with_label(rows: Sequence[Annotation], label: str) -> tuple[Annotation, ...]:
    return tuple(row for row in rows if row.event.label == label)


def _match(truth: tuple[Annotation, ...], detections: tuple[Annotation, ...]) -> LabelResult:
    events, found = [row.event for row in truth], [row.event for row in detections]
    scores = np.array([row.score for row in detections], dtype=np.float64)  # nan for None
    matchings = {name: rule(events, found, scores) for name, rule in RULES.items()}
    return LabelResult(truth, detections, matchings)


def _shot_counts(result: LabelResult) -> ShotCounts:
    truth, found = ([row.event.shots for row in rows] for rows in (result.truth, result.detections))
    return shot_counts(truth, found, result.matchings["overlap10"])


def _other_labels(counted: Iterable[str], rows: Rows, labels: Sequence[str]) -> dict[str, int]:
    found = Counter(row.event.label for name in counted for row in rows.get(name, ()))
    return {label: number for label, number in sorted(found.items()) if label not in labels}


def score_counts(counts: Counts, rule: str, audio_s: float | None) -> Score:
    """Score counts of a rule; seconds are not independent and get no intervals."""
    return score(counts, audio_s, independent=rule != "per_second")


def _lengths(
    counted: Iterable[str], seconds: Mapping[str, float] | float | None
) -> dict[str, float]:
    known = seconds if isinstance(seconds, Mapping) else {}
    return {name: known[name] for name in counted if name in known}


def _total_s(
    counted: Sequence[str],
    known: Mapping[str, float],
    seconds: Mapping[str, float] | float | None,
) -> float | None:
    """Length of all recordings together; None if that of one is missing."""
    if seconds is not None and not isinstance(seconds, Mapping):
        return _checked_s(seconds)
    return math.fsum(known.values()) if len(known) == len(counted) else None


def _checked_s(seconds: float) -> float:
    if not (math.isfinite(seconds) and seconds > 0):
        raise EvaluationError(
            f"{seconds} s of audio: expected the length of the recordings that count, more than 0 s"
        )
    return seconds


def _nothing_in_common(truth: Collection[str], run: Collection[str]) -> str:
    return (
        f"nothing to evaluate: the truth names {list_recordings(truth)}, the detections "
        f"{list_recordings(run)}, and none of them are the same; a recording is the same if file "
        "name and folders agree as far as both tables give them"
    )


def list_recordings(names: Collection[str]) -> str:
    """How many recordings, the names of the first ten, and whether there are more."""
    more = ", ..." if len(names) > _MOST_NAMES else ""
    first = ", ".join(sorted(names)[:_MOST_NAMES])
    return f"{pluralize(len(names), 'recording')} ({first}{more})"
