"""Number of gunshots in a detection, from the level of sound in cells of 10 ms.

In a forest the shots of a burst do not stand apart. Each begins in the tails of those before it, an
echo may look like a shot, and a bullet's shock wave arrives ahead of the blast. Rules (thresholds
on rises of the level, and the period of their autocorrelation) were right for 58 % of simulated
bursts of more than six rounds a second, and took a fifth of single shots for several; a network was
right for 86 % of the same bursts. So a small network counts: it gives each cell a **density** of
shots, and the number of shots is the sum over the detection. Convolutions with growing dilation let
it see 1.3 s at either side. It was fitted to simulated fire by `benchmarks/burst_counts.py`, which
also says how often it is right. A sound that may be one shot with its echo or two counts as one:
most of the fire that it was fitted to is single shots, as most fire is.

The network also says how sure it is that the number is within its limits: 20 % up to five rounds a
second, 30 % above. If that is less likely than not, or the sound is faint, there is no number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from loxo.scoring import SURROUNDINGS_S, Scores
from loxo.spectrogram import CELL_S, dequantize_levels

__all__ = [
    "Counter",
    "background_level",
    "count_shots",
    "counter_input",
    "packaged_counter",
    "shots_within",
]

Array = NDArray[np.float32]

WEIGHTS = "packaged/burst_counter/weights.npz"
"""File with the weights of the network, in the package."""
QUIET_SHARE = 0.2
"""Share of cells, the quietest ones, whose mean level is that of the background."""
LEAD_CELLS = 20
"""Cells ahead of a detection that still belong to it: a score rises a little after the onset."""
FAINT_DB = 6.0
"""Least level of the loudest cell above the background for a number."""
LEAST_SURENESS = 0.5
"""Least probability that the number is within its limits, for a number."""


@dataclass(frozen=True, slots=True)
class Counter:
    """A network that counts shots.

    Args:
        layers: weight `(out, in, tap)` and bias `(out,)` of each convolution. The dilation of the
            first two is 1 and 2, and doubles from there on.
        head: weight `(2, channel)` and bias `(2,)` of the density and the sureness of a cell.
    """

    layers: tuple[tuple[Array, Array], ...]
    head: tuple[Array, Array]

    @classmethod
    def of(cls, weights: Mapping[str, NDArray[np.floating]]) -> Self:
        """Make a counter of arrays that are named as in its file."""
        arrays = {name: np.asarray(values, np.float32) for name, values in weights.items()}
        n_layers = sum(name.startswith("layer") for name in arrays) // 2
        layers = tuple(
            (arrays[f"layer{number}.weight"], arrays[f"layer{number}.bias"])
            for number in range(n_layers)
        )
        return cls(layers, (arrays["head.weight"], arrays["head.bias"]))

    def __call__(self, features: Array) -> tuple[Array, Array]:
        """Density of shots and log odds of being right, `(cell,)`, of `counter_input`."""
        (weight, bias), *others = self.layers
        hidden = np.maximum(_convolved(features, weight, bias, 1), 0.0)
        for depth, (weight, bias) in enumerate(others, start=1):
            hidden = hidden + np.maximum(_convolved(hidden, weight, bias, 2**depth), 0.0)
        weight, bias = self.head
        density, sureness = weight @ hidden + bias[:, None]
        # The softplus function, which is never negative.
        return np.logaddexp(density, 0.0).astype(np.float32), sureness


def _convolved(values: Array, weight: Array, bias: Array, dilation: int) -> Array:
    """Convolve channels `(in, cell)` to `(out, cell)`; beyond the ends are zeros."""
    n_cells, n_taps = values.shape[1], weight.shape[2]
    reach = dilation * (n_taps // 2)
    padded = np.pad(values, ((0, 0), (reach, reach)))
    out = np.repeat(bias[:, None], n_cells, axis=1)
    for tap in range(n_taps):
        out += weight[:, :, tap] @ padded[:, tap * dilation : tap * dilation + n_cells]
    return out


@cache
def packaged_counter() -> Counter:
    """Load the counter that comes with the package."""
    with (
        resources.as_file(resources.files("loxo") / WEIGHTS) as path,
        np.load(path, allow_pickle=False) as weights,
    ):
        return Counter.of(dict(weights))


def counter_input(levels_db: Array, cells: tuple[int, int]) -> Array:
    """What the network sees `(2, cell)`: levels above the background and below the loudest cell.

    Args:
        levels_db: level `(cell,)` in decibels of a detection and its surroundings.
        cells: first cell of the detection, and the one after its last.
    """
    first, last = cells
    above_db = levels_db - background_level(levels_db)
    top_db = above_db[first:last].max()
    # Both are 0 in the background, as they are beyond the ends.
    features: Array = np.stack([above_db / 10, 1 + (above_db - top_db) / 15]).astype(np.float32)
    return np.clip(features, 0.0, [[5.0], [1.2]]).astype(np.float32)


def background_level(levels_db: Array) -> float:
    """Mean level in decibels of the quietest cells."""
    n_quiet = max(1, round(QUIET_SHARE * len(levels_db)))
    return float(np.partition(levels_db, n_quiet - 1)[:n_quiet].mean())


def count_shots(
    levels_db: Array, cells: tuple[int, int], counter: Counter | None = None
) -> int | None:
    """Count the gunshots in the cells `[first, last)` of an envelope.

    Args:
        levels_db: level `(cell,)` in decibels of a detection and of a second before and after it,
            in cells of `CELL_S`.
        cells: first cell of the detection, and the one after its last; at least one cell.
        counter: None takes the packaged one.

    Returns:
        The number of gunshots, at least 1; None if the detection is too faint or it cannot be told.
    """
    first, last = max(0, cells[0] - LEAD_CELLS), cells[1]
    if levels_db[first:last].max() < background_level(levels_db) + FAINT_DB:
        return None
    features = counter_input(levels_db, (first, last))
    density, sureness = (packaged_counter() if counter is None else counter)(features)
    shots = float(density[first:last].sum())
    mean_sureness = float((density * sureness)[first:last].sum()) / max(shots, 1e-6)
    if expit(mean_sureness) < LEAST_SURENESS:
        return None
    return max(1, round(shots))


def shots_within(scores: Scores, first: int, last: int) -> int | None:
    """Count the gunshots in the frames `[first, last)` of a recording.

    Args:
        scores: of a recording or a segment; what is kept of the frames, and of those within
            `SURROUNDINGS_S` of them, is used.

    Returns:
        The number of gunshots; None if it cannot be told, or nothing is kept of the frames.
    """
    n_cells = scores.onsets.shape[1]
    around = scores.grid.frames(SURROUNDINGS_S)
    rows = scores.kept_within(first - around, last + around)
    frames = scores.feature_frames[rows]
    inside = frames[(frames >= first) & (frames < last)]
    if len(inside) == 0:
        return None
    levels_db = dequantize_levels(scores.onsets[rows])
    # Frames of which nothing is kept are as quiet as the quietest of the others.
    start, stop = int(frames[0]), int(frames[-1]) + 1
    whole = np.full((stop - start, n_cells), levels_db.min(), np.float32)
    whole[frames - start] = levels_db
    cells = (max(first, start) - start) * n_cells, (min(last, stop) - start) * n_cells
    cell_s = scores.grid.frame_s / n_cells
    if not np.isclose(cell_s, CELL_S):
        return None  # a front end with other cells than those that the network was fitted to
    return count_shots(whole.ravel(), cells)
