"""Find the detections of a label at all thresholds at once, and their bands.

At one level, the detections of a label are the runs of frames whose scores are not below it. As the
level rises, a run only changes when the level exceeds one of its scores. So there are at most as
many different runs as frames, and one band for each run serves all thresholds.

Runs with a short gap between them are merged. The merged runs of all levels are those of a signal
in which the gaps are filled up: its grey closing (Serra 1982).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import grey_closing

from loxo.model_folder import PostProcessing
from loxo.post_processing import BAND_SHARE
from loxo.spectrogram import FrontEnd

__all__ = [
    "LabelBands",
    "Runs",
    "mean_spectra",
    "merged",
    "runs_of_all_levels",
    "runs_with_bands",
]

Runs = NDArray[np.int64]
"""Runs of frames `(run, 2)`: the first frame, and the one after the last."""

LONGEST_FRAMES = 6000
"""Longer runs have no band of their own. All frames of a run must be in memory to measure it."""
RUNS_AT_ONCE = 4096
"""Runs that are measured at a time, to limit memory."""


def runs_of_all_levels(scores: NDArray[np.float32], floor: float) -> Runs:
    """Every run of frames that is not below some level, for all levels from a floor on.

    Returns:
        Runs `(run, 2)` in order of their first frame and their end, each once.
    """
    padded = np.concatenate(([-np.inf], np.where(scores >= floor, scores, -np.inf), [-np.inf]))
    loud = padded > -np.inf
    # A quiet frame beside a loud one ends its run; all other quiet frames are skipped.
    frames = np.flatnonzero(loud | np.roll(loud, 1) | np.roll(loud, -1))
    before, after = _nearest_lower(padded[frames].tolist())
    wanted = loud[frames]
    # Without the frame that was put in front, the run begins at the index of the lower frame.
    return _unique(np.column_stack((frames[before][wanted], frames[after][wanted] - 1)))


def _nearest_lower(values: Sequence[float]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Index of the nearest lower value before each value, and after it; any if there is none."""
    before = [0] * len(values)
    after = [0] * len(values)
    rising: list[int] = []  # indices whose nearest lower value after them is yet to come
    for index, value in enumerate(values):
        while rising and values[rising[-1]] > value:
            after[rising.pop()] = index
        if rising:
            last = rising[-1]
            before[index] = before[last] if values[last] == value else last
        rising.append(index)
    return np.array(before, np.int64), np.array(after, np.int64)


def _unique(runs: Runs) -> Runs:
    """Sort runs and drop repeated ones; ten times as fast as `np.unique` of pairs."""
    pairs = np.unique((runs[:, 0] << 32) + runs[:, 1])
    return np.column_stack((pairs >> 32, pairs & 0xFFFF_FFFF))


def merged(scores: NDArray[np.float32], gap: int) -> NDArray[np.float32]:
    """Scores `(frame,)` whose runs at each level are those of `scores`, merged over gaps.

    A grey closing fills each gap up to the lower of the levels at its sides. Nothing is merged
    with what lies outside.
    """
    gap = min(gap, len(scores))  # no gap inside is longer
    if gap == 0:
        return scores
    padded = np.pad(scores, gap + 1, constant_values=-1)
    closed = grey_closing(padded, size=(gap + 1,))
    return closed[gap + 1 : -gap - 1]


def runs_with_bands(scores: NDArray[np.float32], floor: float, gap: int) -> Runs:
    """Runs at all levels, unmerged and merged over a gap, that have a band of their own."""
    families = [runs_of_all_levels(scores, floor)]
    if gap > 0:
        families.append(runs_of_all_levels(merged(scores, gap), floor))
    runs = _unique(np.concatenate(families))
    return runs[runs[:, 1] - runs[:, 0] <= LONGEST_FRAMES]


@dataclass(frozen=True, slots=True)
class LabelBands:
    """The bands of the front end in which the energy of a label lies.

    Args:
        inside: whether each band of the front end is one of them `(band,)`.
        positions: rank of each of them by its centre `(inner,)`; equal centres share one.
        edges_hz: frequencies between which measured bands lie, as `frequency_extent` gives them.
    """

    inside: NDArray[np.bool_]
    positions: NDArray[np.int64]
    edges_hz: NDArray[np.float64]

    @classmethod
    def of(cls, front_end: FrontEnd, processing: PostProcessing) -> Self:
        """The bands of a label with this post-processing."""
        centres_hz = front_end.band_centres_hz
        inside = (centres_hz >= processing.low_hz) & (centres_hz <= processing.high_hz)
        centres_hz, positions = np.unique(centres_hz[inside], return_inverse=True)
        between_hz = (centres_hz[1:] + centres_hz[:-1]) / 2
        edges_hz = np.concatenate(([processing.low_hz], between_hz, [processing.high_hz]))
        return cls(inside, positions, edges_hz)

    def extents(self, rises: NDArray[np.float64]) -> NDArray[np.uint16]:
        """`frequency_extent` of many spectra at once, as indices of `edges_hz`.

        Args:
            rises: `(spectrum, inner)` over the floor.

        Returns:
            `(spectrum, 2)`: index of the lower and of the upper edge.
        """
        whole = np.array([0, len(self.edges_hz) - 1], np.uint16)
        found = np.tile(whole, (len(rises), 1))
        if len(self.positions) == 0 or len(rises) == 0:
            return found
        highest = rises.max(axis=1)
        strong = rises >= BAND_SHARE * highest[:, None]
        rising = highest > 0
        found[rising, 0] = np.where(strong, self.positions, len(self.positions)).min(axis=1)[rising]
        found[rising, 1] = np.where(strong, self.positions, -1).max(axis=1)[rising] + 1
        return found


def mean_spectra(
    frames: NDArray[np.int64], features: NDArray[np.floating], runs: Runs
) -> NDArray[np.float64]:
    """Mean features `(run, band)` of the frames of each run; zero where a run has none.

    Args:
        frames: those that have features, in order.
        features: of these frames `(kept, band)`.
    """
    means = np.zeros((len(runs), features.shape[1]))
    for at in range(0, len(runs), RUNS_AT_ONCE):
        # Runs of one part lie close together, so the sums are over a short piece.
        part = np.searchsorted(frames, runs[at : at + RUNS_AT_ONCE])
        first, last = int(part.min()), int(part.max())
        sums = np.zeros((last - first + 1, features.shape[1]))
        np.cumsum(features[first:last], axis=0, dtype=np.float64, out=sums[1:])
        counts = part[:, 1] - part[:, 0]
        total = sums[part[:, 1] - first] - sums[part[:, 0] - first]
        means[at : at + RUNS_AT_ONCE] = total / np.maximum(counts, 1)[:, None]
    return means
