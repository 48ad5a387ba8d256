"""What a model is, in plain data: labels, front end, post-processing, calibration, origin."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from loxo.events import EVENT_LABELS
from loxo.spectrogram import FrontEnd

__all__ = [
    "Calibration",
    "ModelError",
    "ModelSpec",
    "OperatingPoint",
    "PostProcessing",
    "default_post_processing",
]


class ModelError(ValueError):
    """A model that cannot be found or read; the message is one line with the remedy."""


@dataclass(frozen=True, slots=True)
class PostProcessing:
    """How the scores of one label become detections.

    Args:
        threshold: a detection holds at least one smoothed score of this or more.
        off_threshold_ratio: a detection extends as far as scores are at least
            `off_threshold_ratio * threshold` (hysteresis).
        smoothing_s: length of the running mean over the scores; one frame or less is no smoothing.
        minimum_s: shorter detections are dropped.
        merge_gap_s: detections are merged if the gap between them is at most this long.
        low_hz, high_hz: the frequencies in which the band of a detection is looked for.

    Raises:
        ValueError: if a threshold lies outside (0, 1], or a time is negative.
    """

    threshold: float
    off_threshold_ratio: float = 0.5
    smoothing_s: float = 0.1
    minimum_s: float = 0.0
    merge_gap_s: float = 0.0
    low_hz: float = 0.0
    high_hz: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 < self.threshold <= 1.0 or not 0.0 < self.off_threshold_ratio <= 1.0:
            raise ValueError(
                f"threshold {self.threshold} and off_threshold_ratio {self.off_threshold_ratio}"
                " must lie in (0, 1]"
            )
        if min(self.smoothing_s, self.minimum_s, self.merge_gap_s) < 0:
            raise ValueError(
                f"smoothing {self.smoothing_s} s, minimum {self.minimum_s} s"
                f" and gap {self.merge_gap_s} s must not be negative"
            )


_KNOWN_LABELS = {
    "Rumble": PostProcessing(0.5, minimum_s=0.2, merge_gap_s=0.5, low_hz=7.0, high_hz=250.0),
    "Gunshot": PostProcessing(0.5, minimum_s=0.2, merge_gap_s=0.3, low_hz=50.0, high_hz=1800.0),
}


def default_post_processing(labels: Iterable[str], rate: int) -> dict[str, PostProcessing]:
    """Post-processing of each label before thresholds are chosen.

    Args:
        rate: samples per second of the front end. The band of a label that the package does not
            know is looked for in all frequencies up to half of it.
    """
    generic = PostProcessing(0.5, minimum_s=0.2, merge_gap_s=0.3, high_hz=rate / 2)
    return {label: _KNOWN_LABELS.get(label, generic) for label in labels}


@dataclass(frozen=True, slots=True)
class Calibration:
    """How the raw scores of a label become probabilities that a detection is true (Platt 1999).

    The log odds of a raw score are multiplied by `slope`, then `offset` is added.

    Raises:
        ValueError: if the slope is not positive, or a number is not finite.
    """

    slope: float = 1.0
    offset: float = 0.0

    def __post_init__(self) -> None:
        if not (0.0 < self.slope < float("inf") and abs(self.offset) < float("inf")):
            raise ValueError(
                f"slope {self.slope} must be positive, and it and the offset {self.offset} finite"
            )


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """Recall, precision and false positives at a threshold, by the rule `overlap10`.

    Recall is None where there was no event, precision where there was no detection.
    """

    threshold: float
    recall: float | None
    precision: float | None
    false_positives_per_hour: float


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """What a model takes, what it answers, and how it was made.

    Args:
        labels: what the model scores, in the order of its outputs.
        context_frames: frames at either side of the scored ones that the network needs to see.
        window_frames: frames that the network takes at a time, context included; None means any
            number.
        post_processing: of each label; the defaults of the labels where none is given.
        calibration: of each label; empty if scores are those of the network.
        operating_points: of each label, thresholds descending, measured on the recordings that
            the model was calibrated with.
        training: settings, versions and data hashes of the training run.

    Raises:
        ValueError: if labels repeat or parts do not fit them, or the context fills the window.
    """

    name: str
    version: str
    front_end: FrontEnd = field(default_factory=FrontEnd)
    labels: tuple[str, ...] = EVENT_LABELS
    context_frames: int = 100
    window_frames: int | None = None
    post_processing: dict[str, PostProcessing] = field(default_factory=dict)
    calibration: dict[str, Calibration] = field(default_factory=dict)
    operating_points: dict[str, tuple[OperatingPoint, ...]] = field(default_factory=dict)
    training: dict[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.labels or len(set(self.labels)) < len(self.labels):
            raise ValueError(f"labels {list(self.labels)} must be distinct, and at least one")
        if not self.post_processing:
            defaults = default_post_processing(self.labels, self.front_end.rate)
            object.__setattr__(self, "post_processing", defaults)  # the class is frozen
        for name in ("post_processing", "calibration", "operating_points"):
            found = getattr(self, name)
            if found and set(found) != set(self.labels):
                raise ValueError(
                    f"{name} of {sorted(found)} does not fit the labels {list(self.labels)}"
                )
        if self.window_frames is not None and not 0 <= 2 * self.context_frames < self.window_frames:
            raise ValueError(
                f"a window of {self.window_frames} frames has no room for"
                f" {self.context_frames} frames of context at either side"
            )
