"""Short recordings: a part of the window, and the targets of that part.

Recordings may be a few seconds long, and then the floor of the spectrogram is known from those seconds only. A share of the batches is
cut short so that a model meets that too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from loxo.augment.chance import happens

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Crop", "CropSettings"]

Array = TypeVar("Array", "NDArray[np.float32]", "Tensor")


@dataclass(frozen=True, slots=True)
class CropSettings:
    """Share of the batches that is cut short, and the shortest part of the window that is left."""

    share: float = 0.5
    shortest: float = 0.15

    def __post_init__(self) -> None:
        if not 0.0 <= self.share <= 1.0 or not 0.0 < self.shortest <= 1.0:
            raise ValueError(f"share {self.share} must lie in [0, 1] and shortest part {self.shortest} in (0, 1]")


@dataclass(frozen=True, slots=True)
class Crop:
    """The bins `[first, last)` of the window that a batch keeps."""

    first: int
    last: int

    @classmethod
    def draw(cls, rng: np.random.Generator, bins: int, settings: CropSettings) -> Crop:
        """The whole window, or a part whose length is drawn evenly in octaves."""
        if not happens(rng, settings.share):
            return cls(0, bins)
        length = max(1, round(bins * settings.shortest ** rng.random()))
        first = int(rng.integers(bins - length + 1))
        return cls(first, first + length)

    def apply(self, waveform: Array, targets: Array) -> tuple[Array, Array]:
        """Cut waveforms `(batch, sample)` and targets `(batch, class, bin)`, arrays or tensors, to the same time.

        Raises:
            ValueError: if a bin is not a whole number of samples.
        """
        samples, rest = divmod(waveform.shape[-1], targets.shape[-1])
        if rest:
            raise ValueError(f"{waveform.shape[-1]} samples are not a whole number of {targets.shape[-1]} bins")
        return waveform[..., self.first * samples : self.last * samples], targets[..., self.first : self.last]
