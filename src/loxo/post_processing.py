"""From scores to detections, as pure functions of arrays.

For each label, a running mean smooths the scores. A **run** is a row of frames whose smoothed
scores are not below the **off-threshold**. Runs with a short gap between them are merged, and a run
with a deep valley between two peaks is split there. The score of a run is its highest smoothed
score, and a run is a detection if its score reaches the **threshold**. (This is hysteresis, as edge
detectors use it since Canny 1986.) So a threshold selects among runs, and does not change their
extents.

The depth of a valley is measured in log odds, so it does not depend on how many events the
recordings hold that a model was calibrated with.

The frequency band of a detection is where its power rises above that of its surroundings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from loxo.burst_counts import shots_within
from loxo.events import Detection
from loxo.frequency_bands import frequency_extents
from loxo.model_folder import PostProcessing
from loxo.scoring import EDGE, SURROUNDINGS_S, Scores, concatenate
from loxo.spectrogram import FrontEnd
from loxo.timeline import FrameGrid

__all__ = [
    "binarize",
    "detect",
    "detect_stream",
    "drop_short",
    "end_within",
    "find_runs",
    "hysteresis",
    "lowest_off_threshold",
    "measure_bands",
    "merge_gaps",
    "off_threshold",
    "peaks_of",
    "smooth",
    "split_at_silence",
    "split_at_valleys",
]

Runs = NDArray[np.int64]
"""Runs of frames `(run, 2)`: the first frame, and the one after the last."""


def smooth(scores: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    """Centred running mean of scores `(frame,)` over `width` frames.

    At the ends the mean is taken over the frames that exist. An even width counts as the next odd
    one.
    """
    reach = width // 2
    cumulative = np.concatenate(([0.0], np.cumsum(scores, dtype=np.float64)))
    frames = np.arange(len(scores))
    last, first = np.minimum(frames + reach + 1, len(scores)), np.maximum(frames - reach, 0)
    mean = (cumulative[last] - cumulative[first]) / (last - first)
    smoothed: NDArray[np.float32] = mean.astype(np.float32)
    return smoothed


def hysteresis(scores: NDArray[np.float32], threshold: float, off_threshold: float) -> Runs:
    """Runs of scores `(frame,)` not below `off_threshold` that reach `threshold` at least once."""
    active = np.concatenate(([False], scores >= off_threshold, [False]))
    runs = np.flatnonzero(np.diff(active.astype(np.int8))).reshape(-1, 2)
    return runs[peaks_of(scores, runs) >= threshold]


def merge_gaps(runs: Runs, gap: int) -> Runs:
    """Merge sorted runs that have at most `gap` frames between them."""
    if len(runs) == 0:
        return runs
    apart = runs[1:, 0] - runs[:-1, 1] > gap
    return np.column_stack((runs[np.append(True, apart), 0], runs[np.append(apart, True), 1]))


def drop_short(runs: Runs, minimum: int) -> Runs:
    """Keep the runs of at least `minimum` frames."""
    return runs[runs[:, 1] - runs[:, 0] >= minimum]


def split_at_valleys(
    scores: NDArray[np.float32], runs: Runs, off_threshold: float, depth: float
) -> Runs:
    """Split runs where scores `(frame,)` have a deep valley between two peaks.

    The frames of the valley with the lowest score belong to neither part, nor do frames below
    `off_threshold` at the ends of a part.

    Args:
        runs: sorted; their first and last frames are not below `off_threshold`.
        depth: how far, in log odds, a valley lies at least below the peaks at both of its sides.
            0 splits nothing.
    """
    if depth == 0 or len(runs) == 0:
        return runs
    parts = []
    for first, last in runs.tolist():
        odds = log_odds(scores[first:last])
        for start, stop in _between_valleys(odds, depth):
            loud = np.flatnonzero(scores[first + start : first + stop] >= off_threshold)
            if len(loud):  # there may be a peak within a gap
                parts.append((first + start + loud[0], first + start + loud[-1] + 1))
    return np.array(parts, np.int64)


def _between_valleys(odds: NDArray[np.float64], depth: float) -> Iterator[tuple[int, int]]:
    """Frames between deep valleys of log odds `(frame,)`, from the first frame to the last.

    A peak is known once the odds have fallen by `depth` below it, and a valley once they have risen
    by `depth` above it.
    """
    start = 0
    peak, lowest = -np.inf, np.inf  # the lowest odds since the peak, once they are deep below it
    valley = valley_end = 0
    for frame, value in enumerate(odds.tolist()):
        if lowest == np.inf:
            peak = max(peak, value)
            if value > peak - depth:
                continue
        if value < lowest:
            lowest, valley = value, frame
        if value == lowest:
            valley_end = frame + 1
        elif value >= lowest + depth:
            yield start, valley
            start, peak, lowest = valley_end, value, np.inf
    yield start, len(odds)


def log_odds(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    """Log odds of scores, which are clipped to where single precision resolves them."""
    odds: NDArray[np.float64] = logit(np.clip(scores.astype(np.float64), EDGE, 1 - EDGE))
    return odds


def find_runs(smoothed: NDArray[np.float32], grid: FrameGrid, processing: PostProcessing) -> Runs:
    """Find the runs of one label, whatever their length and score.

    Args:
        smoothed: smoothed scores of the label `(frame,)`.
    """
    level = off_threshold(processing)
    runs = merge_gaps(hysteresis(smoothed, level, level), grid.frames(processing.merge_gap_s))
    return split_at_valleys(smoothed, runs, level, processing.split_depth)


def binarize(
    scores: NDArray[np.float32], grid: FrameGrid, processing: PostProcessing
) -> tuple[Runs, NDArray[np.float32]]:
    """Turn scores `(frame,)` of one label into runs of frames, and the highest score of each run.

    Steps: smooth, apply the off-threshold, merge runs across short gaps, split them at deep
    valleys, drop short runs and those below the threshold.
    """
    smoothed = smooth(scores, grid.frames(processing.smoothing_s))
    runs = drop_short(find_runs(smoothed, grid, processing), grid.frames(processing.minimum_s))
    peaks = peaks_of(smoothed, runs)
    found = peaks >= processing.threshold
    return runs[found], peaks[found]


def peaks_of(scores: NDArray[np.float32], runs: Runs) -> NDArray[np.float32]:
    """Highest score `(run,)` in each run."""
    if len(runs) == 0:
        return np.zeros(0, np.float32)
    # `reduceat` takes the maximum from each index to the next. Every second segment is a run; the
    # others are the gaps between runs.
    padded = np.append(scores, np.float32(0.0))
    peaks: NDArray[np.float32] = np.maximum.reduceat(padded, runs.ravel())[::2]
    return peaks


def off_threshold(processing: PostProcessing) -> float:
    """The score below which a detection ends."""
    return min(processing.off_threshold, processing.threshold)


def lowest_off_threshold(post_processing: Mapping[str, PostProcessing]) -> float:
    """The lowest off-threshold of all labels; only frames above it can belong to a detection."""
    return min(map(off_threshold, post_processing.values()))


def split_at_silence(
    cores: Iterable[Scores], post_processing: Mapping[str, PostProcessing]
) -> Iterator[Scores]:
    """Regroup streamed scores at silences that no detection can span.

    So detections in each segment equal those of processing the whole recording at once. A silence
    is long enough for a split inside it if neither smoothing nor merging reaches across it.
    """
    held: list[Scores] = []
    last_loud = -1
    for core in cores:
        held.append(core)
        reach = _reach(core.grid, post_processing)
        levels = np.array([off_threshold(post_processing[label]) for label in core.labels])
        active = (core.values >= levels.astype(np.float32)).any(axis=1)
        loud = core.start + np.flatnonzero(active)
        before = max(last_loud, held[0].start - 1)
        edges = np.concatenate(([before], loud, [core.start + len(core.values)]))
        silent = np.flatnonzero(np.diff(edges) > 2 * reach)
        if len(silent):
            done, rest = concatenate(held).split(int(edges[silent[-1] + 1]) - reach)
            held = [rest]
            yield done
        last_loud = int(edges[-2])
    yield concatenate(held)


def _reach(grid: FrameGrid, post_processing: Mapping[str, PostProcessing]) -> int:
    """Largest distance in frames over which a frame can affect a detection."""
    smoothing_s = max(each.smoothing_s for each in post_processing.values())
    merge_gap_s = max(each.merge_gap_s for each in post_processing.values())
    # What is kept of frames around a detection is measured with it.
    surroundings = grid.frames(SURROUNDINGS_S)
    return 1 + grid.frames(smoothing_s) + grid.frames(merge_gap_s) + surroundings


def detect(
    scores: Scores, front_end: FrontEnd, post_processing: Mapping[str, PostProcessing]
) -> list[Detection]:
    """Find the detections in a recording, or in a segment of it, in order of time."""
    grid = scores.grid
    found = []
    for column, label in enumerate(scores.labels):
        processing = post_processing[label]
        runs, peaks = binarize(scores.values[:, column], grid, processing)
        if len(runs) == 0:
            continue
        runs += scores.start
        bands_hz = measure_bands(scores, front_end, column, runs, processing)
        for (first, last), (low_hz, high_hz), peak in zip(
            runs.tolist(), bands_hz.tolist(), peaks.tolist(), strict=True
        ):
            end_s = min(grid.start_s(last), scores.duration_s)
            count = shots_within(scores, first, last) if processing.count else None
            found.append(Detection(label, grid.start_s(first), end_s, low_hz, high_hz, peak, count))
    return sorted(found, key=lambda detection: (detection.start_s, detection.label))


def measure_bands(
    scores: Scores, front_end: FrontEnd, column: int, runs: Runs, processing: PostProcessing
) -> NDArray[np.float64]:
    """Lowest and highest frequency in hertz `(run, 2)` of runs of a label.

    Args:
        column: of the label in the scores.
        runs: frames of the recording.
    """
    smoothed = smooth(scores.values[:, column], scores.grid.frames(processing.smoothing_s))
    active = smoothed >= off_threshold(processing)
    limits_hz = processing.low_hz, processing.high_hz
    return frequency_extents(scores, front_end, runs, active, limits_hz).round(1)


def detect_stream(
    cores: Iterable[Scores], front_end: FrontEnd, post_processing: Mapping[str, PostProcessing]
) -> Iterator[Detection]:
    """Find the detections in streamed scores, in order of time and in constant memory."""
    for segment in split_at_silence(cores, post_processing):
        yield from detect(segment, front_end, post_processing)


def end_within(detection: Detection, seconds: float, rate: int) -> Detection:
    """Let a detection end with its recording.

    At another sampling rate, the last sample may end a little after the recording does.

    Args:
        seconds: length of the recording.
        rate: samples per second at which it was searched.
    """
    if seconds < detection.end_s <= seconds + 1 / rate and detection.start_s < seconds:
        return replace(detection, end_s=seconds)
    return detection
