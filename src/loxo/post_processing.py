"""From scores to detections, as pure functions of arrays.

For each label, a running mean smooths the scores. A detection is a run of frames in which smoothed
scores do not fall below the **off-threshold** and reach the **threshold** at least once. (This is
hysteresis, as edge detectors use it since Canny 1986: a call whose score dips in the middle stays
one detection.) Runs with a short gap between them are merged, and short runs are dropped. The score
of a detection is its highest smoothed score. Its frequency band is where the spectrogram rises
above the floor.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from loxo.events import Detection
from loxo.model_folder import PostProcessing
from loxo.scoring import Scores, concatenate, dequantize
from loxo.spectrogram import FrontEnd
from loxo.timeline import FrameGrid

__all__ = [
    "binarize",
    "detect",
    "detect_stream",
    "drop_short",
    "frequency_extent",
    "hysteresis",
    "lowest_off_threshold",
    "merge_gaps",
    "peaks_of",
    "smooth",
    "split_at_silence",
]

Runs = NDArray[np.int64]
"""Runs of frames `(run, 2)`: the first frame, and the one after the last."""

BAND_SHARE = 0.3
"""A band belongs to a detection if its mean rise is at least this share of the strongest band's."""


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


def frequency_extent(
    rise: NDArray[np.floating], centres_hz: NDArray[np.float64], low_hz: float, high_hz: float
) -> tuple[float, float]:
    """Lowest and highest frequency at which the bands `(band,)` clearly rise above the floor.

    A band rises clearly if it reaches `BAND_SHARE` of the strongest one. A band extends half-way to
    its neighbours.

    Args:
        rise: mean bel above the floor of each band.
        centres_hz: centre of each band; several bands may share one.
        low_hz, high_hz: limits within which bands count, and the result where none rises.
    """
    inside = (centres_hz >= low_hz) & (centres_hz <= high_hz)
    if not inside.any() or rise[inside].max() <= 0:
        return low_hz, high_hz
    strong = centres_hz[inside & (rise >= BAND_SHARE * rise[inside].max())]
    centres = np.unique(centres_hz[inside])
    edges = np.concatenate(([low_hz], (centres[1:] + centres[:-1]) / 2, [high_hz]))
    lowest, highest = np.searchsorted(centres, (strong.min(), strong.max()))
    return float(edges[lowest]), float(edges[highest + 1])


def binarize(
    scores: NDArray[np.float32], grid: FrameGrid, processing: PostProcessing
) -> tuple[Runs, NDArray[np.float32]]:
    """Turn scores `(frame,)` of one label into runs of frames, and the highest score of each run.

    Steps: smooth, apply both thresholds, merge runs across short gaps, drop short runs.
    """
    smoothed = smooth(scores, grid.frames(processing.smoothing_s))
    runs = hysteresis(smoothed, processing.threshold, off_threshold(processing))
    runs = merge_gaps(runs, grid.frames(processing.merge_gap_s))
    runs = drop_short(runs, grid.frames(processing.minimum_s))
    return runs, peaks_of(smoothed, runs)


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
    return processing.off_threshold_ratio * processing.threshold


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
    """Largest distance in frames over which smoothing and merging can affect a frame."""
    smoothing_s = max(each.smoothing_s for each in post_processing.values())
    merge_gap_s = max(each.merge_gap_s for each in post_processing.values())
    return 1 + grid.frames(smoothing_s) + grid.frames(merge_gap_s)


def detect(
    scores: Scores, front_end: FrontEnd, post_processing: Mapping[str, PostProcessing]
) -> list[Detection]:
    """Find the detections in a recording, or in a segment of it, in order of time."""
    found = []
    for column, label in enumerate(scores.labels):
        processing = post_processing[label]
        runs, peaks = binarize(scores.values[:, column], scores.grid, processing)
        for (first, last), peak in zip(runs.tolist(), peaks.tolist(), strict=True):
            start, stop = scores.start + first, scores.start + last
            start_s = scores.grid.start_s(start)
            end_s = min(scores.grid.start_s(stop), scores.duration_s)
            low_hz, high_hz = _band(scores, front_end, processing, start, stop)
            found.append(Detection(label, start_s, end_s, low_hz, high_hz, peak))
    return sorted(found, key=lambda detection: (detection.start_s, detection.label))


def detect_stream(
    cores: Iterable[Scores], front_end: FrontEnd, post_processing: Mapping[str, PostProcessing]
) -> Iterator[Detection]:
    """Find the detections in streamed scores, in order of time and in constant memory."""
    for segment in split_at_silence(cores, post_processing):
        yield from detect(segment, front_end, post_processing)


def _band(
    scores: Scores, front_end: FrontEnd, processing: PostProcessing, first: int, last: int
) -> tuple[float, float]:
    """Lowest and highest frequency in hertz of a detection in frames `[first, last)`."""
    kept = slice(*np.searchsorted(scores.feature_frames, (first, last)))
    features = dequantize(scores.features[kept])
    if len(features) == 0:
        return processing.low_hz, processing.high_hz
    low, high = frequency_extent(
        features.mean(axis=0), front_end.band_centres_hz, processing.low_hz, processing.high_hz
    )
    return round(low, 1), round(high, 1)
