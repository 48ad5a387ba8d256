"""From scores to detections, as pure functions of arrays.

For each label: a running mean smooths the scores; a detection is a run of frames above the **release** level that holds at least one
above the **threshold** (hysteresis, as edge detectors use it since Canny 1986, so that a call that dips in the middle stays one); runs
with a short gap are merged; short ones are dropped. The score of a detection is the highest smoothed score in it. Its band is where the
spectrogram rises above the floor.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from loxo.checkpoints import Decision
from loxo.events import Detection
from loxo.scoring import Scores, joined
from loxo.spectrogram import FrontEnd
from loxo.timeline import FrameGrid

__all__ = ["decide", "detect", "drop_short", "frequency_extent", "hysteresis", "merge_gaps", "peaks_of", "smooth", "stretches"]

Runs = NDArray[np.int64]
"""Runs of frames `(run, 2)`: first frame, and the one after the last."""

BAND_SHARE = 0.3
"""A band belongs to a detection where its mean rise is at least this share of the strongest band's."""


def smooth(scores: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    """Centred mean over `width` frames `(frame,)`; over what there is at the ends. Even widths count as the next odd one."""
    reach = width // 2
    cumulative = np.concatenate(([0.0], np.cumsum(scores, dtype=np.float64)))
    frames = np.arange(len(scores))
    last, first = np.minimum(frames + reach + 1, len(scores)), np.maximum(frames - reach, 0)
    mean: NDArray[np.float32] = ((cumulative[last] - cumulative[first]) / (last - first)).astype(np.float32)
    return mean


def hysteresis(scores: NDArray[np.float32], threshold: float, release: float) -> Runs:
    """Runs of scores `(frame,)` not below `release` that hold one not below `threshold`."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], scores >= release, [False])).astype(np.int8)))
    runs = edges.reshape(-1, 2)
    return runs[peaks_of(scores, runs) >= threshold]


def merge_gaps(runs: Runs, gap: int) -> Runs:
    """Sorted runs, those with at most `gap` frames between them joined."""
    if len(runs) == 0:
        return runs
    apart = runs[1:, 0] - runs[:-1, 1] > gap
    return np.column_stack((runs[np.append(True, apart), 0], runs[np.append(apart, True), 1]))


def drop_short(runs: Runs, minimum: int) -> Runs:
    """The runs of at least `minimum` frames."""
    return runs[runs[:, 1] - runs[:, 0] >= minimum]


def frequency_extent(rise: NDArray[np.floating], centres_hz: NDArray[np.float64], low_hz: float, high_hz: float) -> tuple[float, float]:
    """Where the bands `(band,)` rise over the floor by a good share of the strongest one, within `[low_hz, high_hz]`.

    A band reaches half-way to its neighbours. The limits themselves where nothing rises.
    """
    inside = (centres_hz >= low_hz) & (centres_hz <= high_hz)
    if not inside.any() or rise[inside].max() <= 0:
        return low_hz, high_hz
    strong = centres_hz[inside & (rise >= BAND_SHARE * rise[inside].max())]
    centres = np.unique(centres_hz[inside])
    edges = np.concatenate(([low_hz], (centres[1:] + centres[:-1]) / 2, [high_hz]))
    lowest, highest = np.searchsorted(centres, (strong.min(), strong.max()))
    return float(edges[lowest]), float(edges[highest + 1])


def decide(scores: NDArray[np.float32], grid: FrameGrid, decision: Decision) -> tuple[Runs, NDArray[np.float32]]:
    """Runs of the scores `(frame,)` of one label that are detections, and the highest smoothed score of each."""
    smoothed = smooth(scores, grid.frames(decision.smoothing_s))
    runs = hysteresis(smoothed, decision.threshold, decision.release * decision.threshold)
    runs = drop_short(merge_gaps(runs, grid.frames(decision.merge_gap_s)), grid.frames(decision.minimum_s))
    return runs, peaks_of(smoothed, runs)


def peaks_of(scores: NDArray[np.float32], runs: Runs) -> NDArray[np.float32]:
    """Highest score in each run."""
    if len(runs) == 0:
        return np.zeros(0, np.float32)
    # reduceat takes the maximum from each index to the next; only the segments that start a run are of interest.
    peaks: NDArray[np.float32] = np.maximum.reduceat(np.append(scores, np.float32(0.0)), runs.ravel())[::2]
    return peaks


def stretches(cores: Iterable[Scores], labels: tuple[str, ...], decisions: Mapping[str, Decision]) -> Iterator[Scores]:
    """Scores that come core by core, cut anew where no detection can lie: those of each stretch are those of the whole recording there.

    That is in the middle of a silence so long that neither smoothing nor merging reaches across it.
    """
    levels = np.array([decisions[label].release * decisions[label].threshold for label in labels], np.float32)
    held: list[Scores] = []
    last_loud = -1
    for core in cores:
        held.append(core)
        reach = 1 + sum(
            core.grid.frames(max(getattr(decisions[label], each) for label in labels)) for each in ("smoothing_s", "merge_gap_s")
        )
        loud = core.start + np.flatnonzero((core.values >= levels).any(axis=1))
        edges = np.concatenate(([max(last_loud, held[0].start - 1)], loud, [core.start + len(core.values)]))
        silent = np.flatnonzero(np.diff(edges) > 2 * reach)
        if len(silent):
            done, rest = joined(held).split(int(edges[silent[-1] + 1]) - reach)
            held = [rest]
            yield done
        last_loud = int(edges[-2])
    yield joined(held)


def detect(scores: Scores, front_end: FrontEnd, labels: tuple[str, ...], decisions: Mapping[str, Decision]) -> list[Detection]:
    """Detections of a recording, or of a stretch of it, in order of time."""
    found = []
    for column, label in enumerate(labels):
        runs, peaks = decide(scores.values[:, column], scores.grid, decisions[label])
        for (first, last), peak in zip(runs.tolist(), peaks.tolist(), strict=True):
            start, stop = scores.start + first, scores.start + last
            start_s, end_s = scores.grid.start_s(start), min(scores.grid.start_s(stop), scores.duration_s)
            low_hz, high_hz = _band(scores, front_end, decisions[label], start, stop)
            found.append(Detection(label, start_s, end_s, low_hz, high_hz, peak))
    return sorted(found, key=lambda detection: (detection.start_s, detection.label))


def _band(scores: Scores, front_end: FrontEnd, decision: Decision, first: int, last: int) -> tuple[float, float]:
    """Band of a detection, from the kept features of its frames."""
    kept = slice(*np.searchsorted(scores.feature_frames, (first, last)))
    features = scores.features[kept].astype(np.float32)
    if len(features) == 0:
        return decision.low_hz, decision.high_hz
    low, high = frequency_extent(features.mean(axis=0), front_end.band_centres_hz, decision.low_hz, decision.high_hz)
    return round(low, 1), round(high, 1)
