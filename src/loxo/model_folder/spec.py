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
        threshold: the lowest score of a detection.
        off_threshold: a detection extends as far as smoothed scores are not below this
            (hysteresis), or not below the threshold if that is lower. So the extents of detections
            are the same at all thresholds from here on.
        smoothing_s: length of the running mean over the scores; one frame or less is no smoothing.
        minimum_s: shorter detections are dropped.
        merge_gap_s: detections are merged if the gap between them is at most this long.
        split_depth: a detection is split at a valley of the scores that lies at least this far, in
            log odds, below the peaks at both of its sides, gaps included; 0 splits nothing.
        low_hz, high_hz: the frequencies in which the band of a detection is looked for.
        count: whether the gunshots in a detection are counted.

    Raises:
        ValueError: if a threshold lies outside (0, 1], or a time is negative.
    """

    threshold: float
    off_threshold: float = 0.25
    smoothing_s: float = 0.1
    minimum_s: float = 0.0
    merge_gap_s: float = 0.0
    split_depth: float = 0.0
    low_hz: float = 0.0
    high_hz: float = 0.0
    count: bool = False

    def __post_init__(self) -> None:
        if not 0.0 < self.threshold <= 1.0 or not 0.0 < self.off_threshold <= 1.0:
            raise ValueError(
                f"threshold {self.threshold} and off_threshold {self.off_threshold}"
                " must lie in (0, 1]"
            )
        if min(self.smoothing_s, self.minimum_s, self.merge_gap_s, self.split_depth) < 0:
            raise ValueError(
                f"smoothing {self.smoothing_s} s, minimum {self.minimum_s} s,"
                f" gap {self.merge_gap_s} s and split_depth {self.split_depth}"
                " must not be negative"
            )


_KNOWN_LABELS = {
    "Rumble": PostProcessing(
        0.5, minimum_s=0.2, merge_gap_s=0.5, split_depth=2.0, low_hz=7.0, high_hz=250.0
    ),
    "Gunshot": PostProcessing(
        0.5, minimum_s=0.1, merge_gap_s=1.0, low_hz=50.0, high_hz=1800.0, count=True
    ),
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

    The log odds of a raw score are multiplied by `slope`, then `offset` is added. The probabilities
    hold where events are as frequent as in the recordings that the calibration was fitted on, and
    similar sounds as well. Where events are rarer, fewer detections of the same score are true.

    Args:
        hours: length of those recordings; 0 if it is unknown.
        events_per_hour: certain events of the label in an hour of them.
        false_positives_per_hour: the rate in them for which the threshold was chosen; None if it
            was chosen for the best F1, or if that is unknown.

    Raises:
        ValueError: if the slope is not positive, or a number is not finite.
    """

    slope: float = 1.0
    offset: float = 0.0
    hours: float = 0.0
    events_per_hour: float = 0.0
    false_positives_per_hour: float | None = None

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

    @property
    def prior(self) -> str:
        """What the recordings held that scores were calibrated on; empty if it is unknown."""
        known = [each for each in self.calibration.values() if each.hours > 0]
        if not known:
            return ""
        events = " and ".join(
            f"{each.events_per_hour:.1f} {label}" for label, each in self.calibration.items()
        )
        rates = [each.false_positives_per_hour for each in self.calibration.values()]
        if len(set(rates)) == 1:
            aim = f"{_aim(rates[0])} of each label"
        else:
            aims = zip(self.calibration, rates, strict=True)
            aim = " and ".join(f"{_aim(rate)} of {label}" for label, rate in aims)
        hours = f"{known[0].hours:.1f} h with {events} an hour"
        return f"calibrated on {hours}; thresholds for {aim} there"

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


def _aim(rate: float | None) -> str:
    """What a threshold was chosen for, by the accepted rate of false positives."""
    return "the best F1" if rate is None else f"at most {rate:g} false positives an hour"
