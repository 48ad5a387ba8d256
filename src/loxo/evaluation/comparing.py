"""Two sets of detections of the same recordings, compared by one truth.

How much is one better than the other, and may that be chance?
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from loxo.evaluation.counting import Evaluation, EvaluationError
from loxo.evaluation.groups import EVENT_RULES, whole
from loxo.metrics import Difference, differences, mcnemar
from loxo.recordings import AmbiguousNameError, RecordingIndex

__all__ = ["Comparison", "compare", "shared_recordings"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """These detections against others under one rule, in the recordings that both were run on.

    Args:
        recordings: number of these recordings.
        differences: each metric of these minus that of the others, with intervals over recordings.
        only_these, only_others: events that one set alone found.
        p_value: of McNemar's exact test on these numbers; None under `per_second`, since
            neighbouring seconds are not independent.
    """

    recordings: int
    differences: Mapping[str, Difference]
    only_these: int
    only_others: int
    p_value: float | None


def compare(these: Evaluation, others: Evaluation, label: str, rule: str) -> Comparison:
    """Compare two evaluations that used one truth.

    Raises:
        EvaluationError: if no recording counts in both, or their truths differ.
    """
    shared = shared_recordings(these, others)
    only_these = only_others = 0
    for one, other in shared.items():
        a, b = these.recordings[one][label], others.recordings[other][label]
        if a.truth != b.truth:
            raise EvaluationError(
                f"{one}: the two sets were evaluated by different truths; evaluate both by the "
                "same tables"
            )
        found_a, found_b = (set(result.matchings[rule].found_events) for result in (a, b))
        only_these += len(found_a - found_b)
        only_others += len(found_b - found_a)
    a_group = whole(these, label, rule, shared.keys())
    b_group = whole(others, label, rule, shared.values())
    seconds = b_group.seconds if a_group.seconds is None else a_group.seconds
    return Comparison(
        len(shared),
        differences(a_group.counts, b_group.counts, seconds, a_group.weights),
        only_these,
        only_others,
        mcnemar(only_these, only_others) if rule in EVENT_RULES else None,
    )


def shared_recordings(these: Evaluation, others: Evaluation) -> dict[str, str]:
    """Recordings that count in both: the name of each in these -> its name in the others.

    The names differ if the two were run on different folders of one tree.

    Raises:
        EvaluationError: if there is none.
    """
    shared = dict(_shared(these, others))
    if not shared:
        raise EvaluationError(
            "nothing to compare: no recording was searched by both sets of detections"
        )
    return shared


def _shared(these: Evaluation, others: Evaluation) -> Iterator[tuple[str, str]]:
    here, there = (RecordingIndex(each.recordings, root="") for each in (these, others))
    for name in these.recordings:
        if name in others.recordings:
            yield name, name
            continue
        try:
            other = there.match(name)
            # Asked both ways, so that a bare name which fits two recordings is ambiguous, whichever
            # side has it.
            if other is not None and here.match(other) == name:
                yield name, other
        except AmbiguousNameError as error:
            raise EvaluationError(str(error)) from error
