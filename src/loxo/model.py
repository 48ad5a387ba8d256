"""`Model`: scores and detections of a recording or of an array of samples.

    model = load_model("tcn")
    detections = model.detect("nn01a_20180126_000000.wav")

`Model` combines the content of a model folder (network, front end, labels, post-processing) with
the threads that run it. The command line, a notebook and the calibration all go through it, so the
same samples give the same detections everywhere: from a file, from an address, or from an array.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from os import PathLike, fspath
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from loxo.events import Detection
from loxo.messages import pluralize
from loxo.model_folder import (
    ModelError,
    ModelSpec,
    OperatingPoint,
    PostProcessing,
    find_model,
    model_hash,
)
from loxo.post_processing import detect_stream, end_within, lowest_off_threshold
from loxo.recordings import Recording, RecordingSource, SampleCheck, open_recording
from loxo.scoring import Profile, Scorer, Scores, concatenate

__all__ = ["Model", "load_model", "lowest_threshold"]

Block = NDArray[np.float32]
"""`(sample,)` of one channel; full scale is 1."""


class Model:
    """A trained model, ready to find events in recordings.

    Several threads may use one model at once; they share its workers.

    Args:
        folder: the model folder, with `model.onnx` and `spec.json`.
        threads: number of workers; 0 takes one for each processor core, 1 does everything in the
            calling thread.

    Attributes:
        folder: the model folder.
        hash: hash of network and specification. Equal hashes give equal detections.

    Raises:
        ModelError: if the folder does not hold a model.
    """

    def __init__(self, folder: str | PathLike[str], *, threads: int = 0) -> None:
        self.folder = Path(folder)
        self._scorer = Scorer(self.folder, threads=threads)
        self.hash = model_hash(self.folder)

    @property
    def spec(self) -> ModelSpec:
        """The specification: labels, front end, post-processing, and how the model was trained."""
        return self._scorer.spec

    @property
    def name(self) -> str:
        """Name of the model, such as `tcn`."""
        return self.spec.name

    @property
    def version(self) -> str:
        """Version of the model."""
        return self.spec.version

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels that the model finds, in the order of the columns of its scores."""
        return self.spec.labels

    @property
    def rate(self) -> int:
        """Sampling rate in hertz to which recordings are resampled."""
        return self.spec.front_end.rate

    @property
    def device(self) -> str:
        """The device that runs the network: `CPU`, `CUDA`, ..."""
        return self._scorer.device

    @property
    def threads(self) -> int:
        """Number of workers."""
        return self._scorer.threads

    def __repr__(self) -> str:
        thresholds = ", ".join(
            f"{label} (threshold {self.spec.post_processing[label].threshold:g})"
            for label in self.labels
        )
        return (
            f"<Model {self.name} {self.version}: {thresholds}; {self.rate:,} Hz; "
            f"{self.device}, {pluralize(self.threads, 'thread')}; {self.folder}>"
        )

    def detect(
        self,
        x: RecordingSource,
        rate: int | None = None,
        thresholds: Mapping[str, float] | None = None,
        *,
        channel: int | None = None,
    ) -> list[Detection]:
        """Find events in a recording, in order of time.

        Args:
            x: a path, an address (`s3://...`, `https://...`), a recording, or samples as an array
                `(sample,)` or `(sample, channel)`: int16, or floats in [-1, 1].
            rate: sampling rate in hertz; needed for an array.
            thresholds: lowest score in (0, 1] of a detection, by label; other labels keep
                the model's threshold.
            channel: counted from 0; None takes the mean of all.

        Raises:
            ValueError: if the array, its rate, a threshold or the channel is not usable.
            OSError: if the recording cannot be read, or holds nothing usable.

        >>> model = load_model("tcn")
        >>> model.detect(np.zeros(80_000), rate=8000)
        []
        """
        post_processing = self.post_processing(thresholds)
        recording = open_recording(x, rate=rate)
        blocks = self.blocks(recording, channel=channel)
        cores = self.stream(blocks, keep_above=lowest_off_threshold(post_processing))
        found = self.detect_stream(cores, post_processing)
        return [end_within(each, recording.duration_s, self.rate) for each in found]

    def score(
        self, x: RecordingSource, rate: int | None = None, *, channel: int | None = None
    ) -> Scores:
        """Score every tenth of a second of a recording for each label; arguments as for `detect`.

        Returns:
            Scores with `.times_s` (the start of each frame), `.values` `(frame, label)` and
            `.labels`; `.to_frame()` makes a table of them.

        Raises:
            ValueError: if the array, its rate or the channel is not usable.
            OSError: if the recording cannot be read, or holds nothing usable.
        """
        blocks = self.blocks(open_recording(x, rate=rate), channel=channel)
        keep_above = lowest_off_threshold(self.spec.post_processing)
        return concatenate(list(self.stream(blocks, keep_above=keep_above)))

    def blocks(
        self,
        recording: Recording,
        *,
        channel: int | None = None,
        check: SampleCheck | None = None,
        profile: Profile | None = None,
    ) -> Iterator[Block]:
        """Read a recording in blocks `(sample,)` at the model's rate.

        Args:
            channel: counted from 0; None takes the mean of all.
            check: collects what is wrong with the samples.
            profile: counts the processor time of reading and resampling.
        """
        times = Profile() if profile is None else profile
        read = times.timed("read", recording.own_blocks(channel=channel, check=check))
        return times.timed("resample", recording.resample(read, self.rate, check))

    def stream(
        self, blocks: Iterable[Block], *, keep_above: float = 0.1, profile: Profile | None = None
    ) -> Iterator[Scores]:
        """Score a recording core by core, in constant memory.

        Args:
            blocks: consecutive blocks of samples `(sample,)` at the model's rate.
            keep_above: features are kept for frames in which a score exceeds this.
            profile: counts the processor time of each stage.
        """
        return self._scorer.stream(blocks, keep_above=keep_above, profile=profile)

    def detect_stream(
        self, cores: Iterable[Scores], post_processing: Mapping[str, PostProcessing] | None = None
    ) -> Iterator[Detection]:
        """Find events in the scores that `stream` gives, in order of time and in constant memory.

        Args:
            post_processing: of each label; None takes the model's.
        """
        chosen = self.spec.post_processing if post_processing is None else post_processing
        return detect_stream(cores, self.spec.front_end, chosen)

    def post_processing(
        self,
        thresholds: Mapping[str, float] | None = None,
        false_positives_per_hour: float | None = None,
    ) -> dict[str, PostProcessing]:
        """The post-processing of each label, with other thresholds where they are given.

        Args:
            thresholds: in (0, 1], by label.
            false_positives_per_hour: highest accepted rate. Each label gets the lowest threshold
                that kept to this rate in calibration. `thresholds` take precedence.

        Raises:
            ValueError: if a label is unknown, or a threshold not in (0, 1].
            ModelError: if false positives are limited, and the model is not calibrated.
        """
        chosen: dict[str, float] = {}
        if false_positives_per_hour is not None:
            chosen = self._thresholds_for(false_positives_per_hour)
        if thresholds is not None and not isinstance(thresholds, Mapping):
            raise ValueError(
                f"thresholds {thresholds!r} must name labels, as in {{'{self.labels[0]}': 0.5}}"
            )
        for label, threshold in (thresholds or {}).items():
            chosen[label] = self._check_threshold(label, threshold)
        return self.spec.post_processing | {
            label: replace(self.spec.post_processing[label], threshold=threshold)
            for label, threshold in chosen.items()
        }

    def _thresholds_for(self, false_positives_per_hour: float) -> dict[str, float]:
        points = self.spec.operating_points
        if not points:
            raise ModelError(
                f"{self.name}: the model is not calibrated, so its false positives per hour are "
                "unknown; give thresholds, or run `loxo calibrate` first"
            )
        return {
            label: lowest_threshold(points[label], false_positives_per_hour) for label in points
        }

    def _check_threshold(self, label: str, threshold: float) -> float:
        if label not in self.labels:
            raise ValueError(f"threshold for {label!r}: the labels are {', '.join(self.labels)}")
        try:
            value = float(threshold)
        except (TypeError, ValueError):
            value = math.nan
        if not 0.0 < value <= 1.0:
            raise ValueError(f"threshold {threshold!r} for {label} must be a number in (0, 1]")
        return value

    def uncalibrated(self) -> Self:
        """The same model without calibration: its scores are those of the network."""
        raw = copy.copy(self)
        spec = replace(self.spec, calibration={}, operating_points={})
        raw._scorer = self._scorer.with_spec(spec)  # noqa: SLF001 a copy of this object
        return raw


def load_model(name_or_folder: str | PathLike[str] = "tcn", *, threads: int = 0) -> Model:
    """Load a packaged model by its name, or your own model by its folder.

    Args:
        name_or_folder: `tcn`, or the path of a folder that training wrote.
        threads: number of workers; 0 takes one for each processor core, 1 does everything in the
            calling thread.

    Raises:
        ModelError: if there is no such model.

    >>> load_model("tcn").labels
    ('Rumble', 'Gunshot')
    """
    return Model(find_model(fspath(name_or_folder)), threads=threads)


def lowest_threshold(points: Sequence[OperatingPoint], false_positives_per_hour: float) -> float:
    """The lowest threshold with no more false positives per hour than given.

    Args:
        points: operating points of one label, thresholds descending. If none qualifies, the
            first one is used.
        false_positives_per_hour: highest accepted rate.
    """
    lowest = points[0].threshold
    for point in points:
        if point.false_positives_per_hour > false_positives_per_hour:
            break
        lowest = point.threshold
    return lowest
