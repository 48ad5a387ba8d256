"""SpecAugment (Park et al. 2019): hide stripes of time and frequency in the features.

A network then cannot rely on one frequency band or one moment alone.
The forest hides parts of a sound as well: a branch snaps during a rumble, an insect or a bird fills
one band. Hidden cells are set to 0. Since the noise floor has been subtracted from the features, 0
means that nothing stands out of the noise there.

An event must not be hidden as a whole, or its target would be wrong. Three rules prevent that:

- stripes of time are shorter than the shortest events of the field's tables (half a second);
- stripes of time do not touch one another;
- stripes of frequency lie above the lowest harmonics, which are all that remains of a far rumble.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from loxo.augment.draws import bernoulli, check_settings
from loxo.timeline import FrameGrid

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["MaskSettings", "Masks", "mask_each"]


@dataclass(frozen=True, slots=True)
class MaskSettings:
    """How often stripes are hidden, how many, and how large.

    Args:
        share: probability that a window has stripes.
        times: number of stripes of time.
        longest_s: greatest length of a stripe of time.
        frequencies: number of stripes of frequency.
        widest_octaves: greatest width of a stripe of frequency.
        lowest_hz: lowest frequency that is hidden.
    """

    share: float = 0.5
    times: int = 2
    longest_s: float = 0.4
    frequencies: int = 1
    widest_octaves: float = 0.5
    lowest_hz: float = 60.0

    def __post_init__(self) -> None:
        check_settings(self.share)
        not_negative = {
            "times": self.times,
            "longest_s": self.longest_s,
            "frequencies": self.frequencies,
            "widest_octaves": self.widest_octaves,
        }
        for name, value in not_negative.items():
            if value < 0:
                raise ValueError(f"{name} {value} must not be negative")
        if self.lowest_hz <= 0:
            raise ValueError(f"lowest_hz {self.lowest_hz} must be positive")


@dataclass(frozen=True, slots=True)
class Masks:
    """The stripes that are hidden in one window.

    Bands are stored as frequencies, not as rows of the features. The features have several rows of
    the same frequency, one for each window length of the front end. All of them must be hidden,
    since a visible one would show what the others hide.

    Args:
        frames: stripes of time as frames `[first, last)`.
        bands_hz: stripes of frequency; rows with a centre in `[low_hz, high_hz)` are hidden.
    """

    frames: tuple[tuple[int, int], ...] = ()
    bands_hz: tuple[tuple[float, float], ...] = ()

    @classmethod
    def draw(
        cls,
        rng: np.random.Generator,
        n_frames: int,
        grid: FrameGrid,
        highest_hz: float,
        settings: MaskSettings,
    ) -> Masks:
        """Draw either no stripes or all of them; lengths are uniform from zero to the greatest.

        Args:
            n_frames: number of frames of the window.
            grid: converts the longest stripe to frames.
            highest_hz: highest frequency of the features.
        """
        if not bernoulli(rng, settings.share):
            return cls()
        # The window is cut into parts of equal length, one for each stripe of time. The last frame
        # of a part is never hidden, so stripes of neighbouring parts cannot touch.
        edges = [n_frames * part // max(1, settings.times) for part in range(settings.times + 1)]
        longest = grid.frame(settings.longest_s)
        frames = [_draw_stripe(rng, first, last - 1, longest) for first, last in pairwise(edges)]
        octaves = float(np.log2(max(highest_hz / settings.lowest_hz, 1.0)))
        bands_hz = [_draw_band(rng, octaves, settings) for _ in range(settings.frequencies)]
        return cls(tuple(frames), tuple(bands_hz))

    def apply(self, features: Tensor, centres_hz: NDArray[np.float64]) -> Tensor:
        """Set the stripes to 0.

        Args:
            features: `(..., band, frame)`.
            centres_hz: centre frequency of each band `(band,)`, from the front end.
        """
        import torch

        # All stripes become one mask, so the features are copied once.
        hidden = np.zeros(features.shape[-2:], bool)
        for first, last in self.frames:
            hidden[:, first:last] = True
        for low_hz, high_hz in self.bands_hz:
            hidden[(centres_hz >= low_hz) & (centres_hz < high_hz)] = True
        return features.masked_fill(torch.from_numpy(hidden).to(features.device), 0.0)


def mask_each(masks: Sequence[Masks], features: Tensor, centres_hz: NDArray[np.float64]) -> Tensor:
    """Apply to each window of features `(batch, band, frame)` its own masks."""
    import torch

    masked = [mask.apply(window, centres_hz) for mask, window in zip(masks, features, strict=True)]
    return torch.stack(masked)


def _draw_stripe(rng: np.random.Generator, first: int, last: int, longest: int) -> tuple[int, int]:
    """Draw a stripe within `[first, last)`; all lengths up to `longest` are equally likely."""
    length = int(rng.integers(min(longest, max(0, last - first)) + 1))
    start = int(rng.integers(first, max(first, last - length) + 1))
    return start, start + length


def _draw_band(
    rng: np.random.Generator, octaves: float, settings: MaskSettings
) -> tuple[float, float]:
    """Draw a band in hertz within the `octaves` above the lowest frequency that may be hidden."""
    width = rng.uniform(0, min(settings.widest_octaves, octaves))
    low_hz = settings.lowest_hz * 2 ** rng.uniform(0, octaves - width)
    return float(low_hz), float(low_hz * 2**width)
