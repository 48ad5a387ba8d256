"""Short recordings: keep only a part of the window, and the targets of that part.

Recordings may be a few seconds long. The noise floor of their spectrogram is then estimated from
those seconds only. A share of the batches is cropped so that a model meets such input in training.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from loxo.augment.draws import bernoulli

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Crop", "CropSettings"]

Array = TypeVar("Array", "NDArray[np.float32]", "Tensor")


@dataclass(frozen=True, slots=True)
class CropSettings:
    """How often batches are cropped, and how short.

    Args:
        share: probability that a batch is cropped.
        shortest: shortest part of the window that is kept, in (0, 1].
    """

    share: float = 0.5
    shortest: float = 0.15

    def __post_init__(self) -> None:
        if not 0.0 <= self.share <= 1.0 or not 0.0 < self.shortest <= 1.0:
            raise ValueError(
                f"share {self.share} must lie in [0, 1] and shortest part {self.shortest} in (0, 1]"
            )


@dataclass(frozen=True, slots=True)
class Crop:
    """The target bins `[first, last)` that a batch keeps."""

    first: int
    last: int

    @classmethod
    def draw(cls, rng: np.random.Generator, bins: int, settings: CropSettings) -> Crop:
        """Draw the whole window, or a part of it; each octave of its length is equally likely."""
        if not bernoulli(rng, settings.share):
            return cls(0, bins)
        # The power of a uniform number is log-uniform, from `shortest` to the whole window.
        length = max(1, round(bins * settings.shortest ** rng.random()))
        first = int(rng.integers(bins - length + 1))
        return cls(first, first + length)

    def apply(self, waveform: Array, targets: Array) -> tuple[Array, Array]:
        """Crop waveforms and targets to the same time.

        Args:
            waveform: `(batch, sample)`, an array or a tensor.
            targets: `(batch, label, bin)`, of the same type.

        Raises:
            ValueError: if a bin is not a whole number of samples.
        """
        samples, rest = divmod(waveform.shape[-1], targets.shape[-1])
        if rest:
            raise ValueError(
                f"{waveform.shape[-1]} samples are not a whole number of {targets.shape[-1]} bins"
            )
        # Bins are whole numbers of samples, so waveform and targets end at the same time.
        kept = slice(self.first * samples, self.last * samples)
        return waveform[..., kept], targets[..., self.first : self.last]
