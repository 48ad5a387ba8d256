"""Which recordings count, and what the rules make of each."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from loxo.annotations import Annotation, Annotations
from loxo.events import EVENT_LABELS
from loxo.metrics import RANKINGS, RULES, Counts, Curve, Outcome, Ranked, Reliability, Score, curve, reliability, score

__all__ = ["Evaluation", "EvaluationError", "Judged", "evaluate", "listed", "number_of", "score_of"]

_NAMED = 10


class EvaluationError(ValueError):
    """Tables or lengths that cannot be evaluated; one line that says why."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One label in one recording: both sides, in the order that the numbers of the outcomes refer to.

    Args:
        outcomes: by the name of the rule.
        ranked: the same at all thresholds; None where a detection has no score.
    """

    truth: tuple[Annotation, ...]
    detections: tuple[Annotation, ...]
    outcomes: Mapping[str, Outcome]
    ranked: Mapping[str, Ranked] | None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was counted, per recording and label, and what was not.

    Args:
        recordings: those that count: recording -> label -> what the rules made of it.
        seconds: length of each recording, where it is known.
        audio_seconds: length of all that count together; None if it is unknown.
        refused: recordings of the detections that no table of the truth speaks of.
        not_detected_on: recordings of the truth that the detector was not run on.
        other_labels: rows in counted recordings that carry other labels, by side and label.
    """

    recordings: Mapping[str, Mapping[str, Judged]]
    seconds: Mapping[str, float]
    audio_seconds: float | None
    refused: tuple[str, ...]
    not_detected_on: tuple[str, ...]
    other_labels: Mapping[str, Mapping[str, int]]

    def counts(self, label: str, rule: str, recordings: Iterable[str] | None = None) -> Counts:
        """Summed counts of some recordings, or of all."""
        chosen = self.recordings if recordings is None else recordings
        return sum((self.recordings[name][label].outcomes[rule].counts for name in chosen), Counts())

    def score(self, label: str, rule: str) -> Score:
        """Figures of a label under a rule, over all recordings that count."""
        return score_of(self.counts(label, rule), rule, self.audio_seconds)

    def score_by_recording(self, label: str, rule: str) -> dict[str, Score]:
        """The same for each recording."""
        return {name: score_of(self.counts(label, rule, [name]), rule, self.seconds.get(name)) for name in self.recordings}

    def ranked(self, label: str, rule: str) -> list[Ranked] | None:
        """At which scores cases come about in each recording; None where a detection has no score."""
        ranked = [judged[label].ranked for judged in self.recordings.values()]
        return None if None in ranked else [each[rule] for each in ranked if each is not None]

    def reliability(self, label: str) -> Reliability | None:
        """Whether scores are the share that is true, by `overlap10`; None where a detection has none, or one outside 0 to 1."""
        ranked = self.ranked(label, "overlap10")
        scores, true = Ranked.joined(ranked or ()).outcomes
        return None if ranked is None or ((scores < 0) | (scores > 1)).any() else reliability(scores, true)

    def curve(self, label: str, rule: str) -> Curve | None:
        """Counts at every threshold over all recordings; None where a detection has no score."""
        ranked = self.ranked(label, rule)
        return None if ranked is None else curve(ranked, self.audio_seconds / 3600 if self.audio_seconds else None)


def evaluate(
    truth: Annotations,
    detections: Annotations,
    seconds: Mapping[str, float] | float | None = None,
    *,
    searched: Collection[str] | None = None,
) -> Evaluation:
    """Judge detections by what people marked.

    Args:
        seconds: length of each recording by its key, or of all that count together; None if neither is known.
        searched: keys of the recordings that the detector was run on; None if that is not known: then all of the truth count.

    Raises:
        EvaluationError: if a length is not positive or no recording is left that both sides searched.
    """
    run = truth.recordings | detections.recordings if searched is None else detections.recordings.union(searched)
    counted = sorted(truth.recordings & run)
    if not counted:
        raise EvaluationError(_nothing_in_common(truth, run))
    marked, found = truth.by_recording(), detections.by_recording()
    known = {name: seconds[name] for name in counted if name in seconds} if isinstance(seconds, Mapping) else {}
    return Evaluation(
        recordings={name: _judge(marked[name], found.get(name, ())) for name in counted},
        seconds=known,
        audio_seconds=_total_s(counted, known) if seconds is None or isinstance(seconds, Mapping) else _checked_s(seconds),
        refused=tuple(sorted(run - truth.recordings)),
        not_detected_on=tuple(sorted(truth.recordings - run)),
        other_labels={
            "truth": _other_labels(marked[name] for name in counted),
            "detections": _other_labels(found.get(name, ()) for name in counted),
        },
    )


def _judge(truth: tuple[Annotation, ...], detections: tuple[Annotation, ...]) -> dict[str, Judged]:
    return {
        label: _judged(*(tuple(row for row in rows if row.event.label == label) for rows in (truth, detections))) for label in EVENT_LABELS
    }


def _judged(marked: tuple[Annotation, ...], found: tuple[Annotation, ...]) -> Judged:
    events, detections = [row.event for row in marked], [row.event for row in found]
    outcomes = {name: rule(events, detections) for name, rule in RULES.items()}
    scores = np.array([row.score for row in found], dtype=np.float64)  # nan for None
    ranked = None if not np.isfinite(scores).all() else {name: rank(events, detections, scores) for name, rank in RANKINGS.items()}
    return Judged(marked, found, outcomes, ranked)


def _other_labels(recordings: Iterable[tuple[Annotation, ...]]) -> dict[str, int]:
    labels = Counter(row.event.label for rows in recordings for row in rows if row.event.label not in EVENT_LABELS)
    return dict(sorted(labels.items()))


def score_of(counts: Counts, rule: str, audio_s: float | None) -> Score:
    return score(counts, audio_s, independent=rule != "per_second")


def _total_s(recordings: Collection[str], seconds: Mapping[str, float]) -> float | None:
    """Length of recordings together; None if that of one is missing."""
    return math.fsum(seconds[name] for name in recordings) if all(name in seconds for name in recordings) else None


def _checked_s(seconds: float) -> float:
    if not (math.isfinite(seconds) and seconds > 0):
        raise EvaluationError(f"{seconds} s of audio: expected the length of the recordings that count, more than 0 s")
    return seconds


def _nothing_in_common(truth: Annotations, run: Collection[str]) -> str:
    return (
        f"nothing to evaluate: the truth speaks of {listed(truth.recordings)}, the detections of {listed(run)}, and they share none; "
        "tables must name recordings alike, but for folders and extensions"
    )


def listed(names: Collection[str]) -> str:
    """How many names, the first ten, and whether there are more."""
    more = ", ..." if len(names) > _NAMED else ""
    return f"{number_of(len(names))} ({', '.join(sorted(names)[:_NAMED])}{more})"


def number_of(recordings: int) -> str:
    return f"{recordings} recording{'s' if recordings != 1 else ''}"
