"""What a reader of the results must know: which recordings do not count, and what is missing."""

from __future__ import annotations

from collections.abc import Iterator

from loxo.evaluation.counting import Evaluation, list_recordings
from loxo.evaluation.json_results import PER_HOUR
from loxo.evaluation.tables import rate_text

__all__ = ["notices"]


def notices(evaluation: Evaluation) -> list[str]:
    """Lines that a reader of the results must know; none if there is nothing to add."""
    return [
        *_recordings_that_do_not_count(evaluation),
        *_unknown_length(evaluation),
        *_labels_without_truth(evaluation),
        *_curves_that_end_early(evaluation),
        *_one_recording(evaluation),
        *_other_labels(evaluation),
    ]


def _recordings_that_do_not_count(evaluation: Evaluation) -> Iterator[str]:
    if evaluation.unannotated:
        yield (
            f"not counted, since no table of the truth names them: "
            f"{list_recordings(evaluation.unannotated)}; if one was searched and is empty, give it "
            "a table with a header only or a row DUMMY_NoEles"
        )
    if evaluation.not_detected_on:
        yield (
            "not counted, since the detector was not run on them: "
            f"{list_recordings(evaluation.not_detected_on)}"
        )


def _unknown_length(evaluation: Evaluation) -> Iterator[str]:
    if evaluation.audio_seconds is None:
        yield (
            "no false positives per hour, since the length of the audio is unknown: give "
            "--audio-seconds, or as detections the whole folder that loxo detect wrote"
        )


def _labels_without_truth(evaluation: Evaluation) -> Iterator[str]:
    """Labels with false detections that the truth never has, while it has others.

    A table of the field often holds one label only.
    """
    marked = dict.fromkeys(evaluation.labels, False)
    for results in evaluation.recordings.values():
        for label in evaluation.labels:
            marked[label] = marked[label] or bool(results[label].truth)
    for label in evaluation.labels:
        false = evaluation.counts(label, "overlap10").false
        if any(marked.values()) and not marked[label] and false:
            yield (
                f"no {label} is marked in the truth: if nobody searched for it, its {false} false "
                "detections mean nothing"
            )


def _curves_that_end_early(evaluation: Evaluation) -> Iterator[str]:
    """Labels whose detections end before the highest rate at which recall is reported."""
    for label in evaluation.labels:
        curve = evaluation.curve(label, "overlap10")
        if curve is None or not (curve.hours and curve.events and curve.threshold.size):
            continue
        if not curve.reaches(PER_HOUR[-1]):
            rate, lowest = curve.false_positives_per_hour[-1], curve.threshold[-1]
            yield (
                f"{label}: the lowest score is {lowest:.2g}, with {rate_text(rate)} false per hour;"
                " for recall at more (marked >), run loxo detect with a lower --threshold, as in "
                f"{label}={lowest / 4:.1g}"
            )


def _one_recording(evaluation: Evaluation) -> Iterator[str]:
    if len(evaluation.recordings) < 2:
        yield (
            "one recording alone has no intervals over recordings (bootstrap); the intervals in "
            "the table take its events for independent"
        )


def _other_labels(evaluation: Evaluation) -> Iterator[str]:
    for side, labels in evaluation.other_labels.items():
        if labels:
            listed = ", ".join(f"{number} {label}" for label, number in labels.items())
            yield f"other labels in the {side}, not evaluated: {listed}"
