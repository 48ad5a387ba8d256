"""A small transformer: patches of the picture, their places, and attention between all patches of a window (after Vaswani et al. 2017).

A patch is all bands of a few frames. A convolution makes a vector of each, to which its place in the window is added as sines and cosines;
a few layers of multi-headed attention follow, normalised before each step (Xiong et al. 2020), which trains without a long warm-up. A
1 x 1 convolution turns the vector of a patch into a logit for each class and each of its frames. Attention grows with the square of the
window, and places beyond those of training mean nothing: windows are of a fixed length.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from loxo.events import EVENT_LABELS
from loxo.models.abstract_model import AbstractModel, OptimiserSettings
from loxo.spectrogram import FrontEnd

__all__ = ["Transformer", "TransformerSettings", "places"]


@dataclass(frozen=True, slots=True)
class TransformerSettings:
    """Sizes of the network, in frames of the front end and in numbers of a vector.

    Args:
        window_frames: frames that attend to each other; 100 are 10 s of the default front end.
        context_frames: frames at either side of a window whose scores detection takes from its neighbours.
        patch_frames: frames of a patch.
        width: length of a patch's vector; `heads` share it.

    Raises:
        ValueError: if a size is impossible, or one does not divide what it must.
    """

    window_frames: int = 100
    context_frames: int = 20
    patch_frames: int = 2
    width: int = 96
    heads: int = 4
    layers: int = 3
    dropout: float = 0.1

    def __post_init__(self) -> None:
        sizes = (self.window_frames, self.patch_frames, self.width, self.heads, self.layers)
        if min(sizes) < 1 or self.width % 2 or self.width % self.heads or self.window_frames % self.patch_frames:
            raise ValueError(
                f"window {self.window_frames} must be whole patches of {self.patch_frames} frames, width {self.width} even and a multiple"
                f" of {self.heads} heads, and all of them and layers {self.layers} positive"
            )
        if not 0 <= 2 * self.context_frames < self.window_frames:
            raise ValueError(f"a context of {self.context_frames} frames at either side leaves nothing of {self.window_frames}; lower it")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout {self.dropout} must lie in [0, 1)")


class Transformer(AbstractModel):
    """Scores `(batch, class, frame)` of waveforms `(batch, sample)`, one a frame of the front end."""

    places: Tensor

    def __init__(
        self, settings: TransformerSettings | None = None, front_end: FrontEnd | None = None, optimiser: OptimiserSettings | None = None
    ) -> None:
        super().__init__(front_end, optimiser)
        settings = TransformerSettings() if settings is None else settings
        self.window_frames, self.context_frames = settings.window_frames, settings.context_frames
        patch, width = settings.patch_frames, settings.width
        self.patches = nn.Conv1d(self.front_end.n_bands, width, patch, stride=patch)
        self.register_buffer("places", places(settings.window_frames // patch, width), persistent=False)
        layers = [
            nn.TransformerEncoderLayer(
                width, settings.heads, 2 * width, settings.dropout, activation="gelu", batch_first=True, norm_first=True
            )
            for _ in range(settings.layers)
        ]
        self.layers = nn.Sequential(*layers, nn.LayerNorm(width))
        self.head = nn.Conv1d(width, len(EVENT_LABELS) * patch, 1)

    def network(self, features: Tensor) -> Tensor:
        vectors = self.layers(self.patches(features).transpose(1, 2) + self.places)
        logits: Tensor = self.head(vectors.transpose(1, 2))
        # (batch, class and frame of the patch, patch) -> (batch, class, frame)
        return torch.unflatten(logits, 1, (len(EVENT_LABELS), -1)).transpose(2, 3).flatten(2)


def places(n_patches: int, width: int) -> Tensor:
    """Sines and cosines `(patch, width)` of wavelengths from 2 pi patches to ten thousand times that."""
    angles = torch.arange(n_patches)[:, None] * torch.exp(-math.log(10_000) * torch.arange(0, width, 2) / width)
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)
