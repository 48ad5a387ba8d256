"""SpecAugment (Park et al. 2019): stripes of the picture are hidden, so that no single line or moment decides.

In the forest something hides them as well: a branch that snaps during a rumble, an insect or a bird in one band. Hidden cells are 0, the
value of the floor after the floor was subtracted: nothing stands out there.

What is hidden must not be the whole event, or the target is a lie. So stripes of time are shorter than the shortest events of the field's
tables (half a second), do not touch one another, and stripes of frequency lie above the lowest harmonics, which are all that is left of
a far rumble.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from loxo.augment.chance import check, happens
from loxo.timeline import FrameGrid

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["MaskSettings", "Masks", "mask_each"]


@dataclass(frozen=True, slots=True)
class MaskSettings:
    """Share of the windows with stripes; number and greatest size of the stripes of time and of frequency.

    Args:
        lowest_hz: where the lowest stripe of frequency begins.
    """

    share: float = 0.5
    times: int = 2
    longest_s: float = 0.4
    frequencies: int = 1
    widest_octaves: float = 0.5
    lowest_hz: float = 60.0

    def __post_init__(self) -> None:
        check(self.share)
        if min(self.times, self.frequencies, self.longest_s, self.widest_octaves) < 0 or self.lowest_hz <= 0:
            raise ValueError(
                f"numbers {self.times} and {self.frequencies}, longest {self.longest_s} s and widest {self.widest_octaves} octaves"
                f" must not be negative, and the lowest frequency {self.lowest_hz} Hz must be positive"
            )


@dataclass(frozen=True, slots=True)
class Masks:
    """What is hidden: frames `[first, last)`, and bands with centres in `[low_hz, high_hz)`.

    Frequencies, not rows: a picture has several rows of the same frequency, and one that is left would tell of the others.
    """

    frames: tuple[tuple[int, int], ...] = ()
    bands_hz: tuple[tuple[float, float], ...] = ()

    @classmethod
    def draw(cls, rng: np.random.Generator, n_frames: int, grid: FrameGrid, highest_hz: float, settings: MaskSettings) -> Masks:
        """No stripes, or all; their lengths are drawn evenly from none to the greatest.

        Each stripe of time lies in a part of the window of its own, and the last frame of a part is never hidden.
        """
        if not happens(rng, settings.share):
            return cls()
        edges = [n_frames * part // max(1, settings.times) for part in range(settings.times + 1)]
        frames = [_stripe(rng, first, last - 1, grid.frame(settings.longest_s)) for first, last in pairwise(edges)]
        octaves = np.log2(max(highest_hz / settings.lowest_hz, 1.0))
        bands_hz = []
        for _ in range(settings.frequencies):
            width = rng.uniform(0, min(settings.widest_octaves, octaves))
            low_hz = settings.lowest_hz * 2 ** rng.uniform(0, octaves - width)
            bands_hz.append((float(low_hz), float(low_hz * 2**width)))
        return cls(tuple(frames), tuple(bands_hz))

    def apply(self, features: Tensor, centres_hz: NDArray[np.float64]) -> Tensor:
        """Features `(..., band, frame)` with the stripes at 0; `centres_hz` `(band,)` are the front end's."""
        import torch

        hidden = np.zeros(features.shape[-2:], bool)
        for first, last in self.frames:
            hidden[:, first:last] = True
        for low_hz, high_hz in self.bands_hz:
            hidden[(centres_hz >= low_hz) & (centres_hz < high_hz)] = True
        return features.masked_fill(torch.from_numpy(hidden).to(features.device), 0.0)


def mask_each(masks: Sequence[Masks], features: Tensor, centres_hz: NDArray[np.float64]) -> Tensor:
    """Features `(batch, band, frame)`, each window of the batch with stripes of its own."""
    import torch

    return torch.stack([mask.apply(window, centres_hz) for mask, window in zip(masks, features, strict=True)])


def _stripe(rng: np.random.Generator, first: int, last: int, longest: int) -> tuple[int, int]:
    """A stretch of `[first, last)` of at most `longest`, all lengths equally likely."""
    length = int(rng.integers(min(longest, max(0, last - first)) + 1))
    start = int(rng.integers(first, max(first, last - length) + 1))
    return start, start + length
