"""Two sets of detections of the same recordings, judged by the same truth: by how much one is better, and whether that may be chance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from loxo.evaluation.counting import Evaluation, EvaluationError
from loxo.evaluation.groups import EVENT_RULES, whole
from loxo.metrics import Difference, differences, mcnemar

__all__ = ["Comparison", "compare"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """These detections against others, under one rule, in the recordings that both were run on.

    Args:
        differences: these less the others, by figure, with intervals over recordings.
        only_these, only_others: events found by one alone.
        p_value: of McNemar's exact test on them; None under `per_second`, where neighbours are not independent.
    """

    recordings: int
    differences: Mapping[str, Difference]
    only_these: int
    only_others: int
    p_value: float | None


def compare(these: Evaluation, others: Evaluation, label: str, rule: str) -> Comparison:
    """Compare two evaluations by one truth.

    Raises:
        EvaluationError: if no recording counts in both, or they were not judged by the same truth.
    """
    shared = [name for name in these.recordings if name in others.recordings]
    if not shared:
        raise EvaluationError("nothing to compare: no recording was searched by both sets of detections")
    differing = [name for name in shared if these.recordings[name][label].truth != others.recordings[name][label].truth]
    if differing:
        raise EvaluationError(f"{differing[0]}: the two sets were judged by different truths; evaluate both by the same tables")
    one, other = (whole(evaluation, label, rule, shared) for evaluation in (these, others))
    found = [[set(evaluation.recordings[name][label].outcomes[rule].found) for name in shared] for evaluation in (these, others)]
    only_these = sum(len(a - b) for a, b in zip(*found, strict=True))
    only_others = sum(len(b - a) for a, b in zip(*found, strict=True))
    return Comparison(
        len(shared),
        differences(one.counts, other.counts, other.seconds if one.seconds is None else one.seconds, one.weights),
        only_these,
        only_others,
        mcnemar(only_these, only_others) if rule in EVENT_RULES else None,
    )
