"""A small transformer over windows of some seconds (after Vaswani et al. 2017).

A patch is all bands of a few frames. A convolution makes a vector of each patch, to which its
position in the window is added as sines and cosines. Layers of multi-head attention follow, with
the norm before each sublayer (Xiong et al. 2020), which trains without a long warm-up. A 1 x 1
convolution turns the vector of a patch into a logit for each label and each of its frames.

Attention costs the square of the window's length, and positions beyond those of training mean
nothing to the network: windows have a fixed length.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from loxo.augment import AugmentSettings
from loxo.events import EVENT_LABELS
from loxo.models.abstract_model import AbstractModel, split_steps
from loxo.models.optimiser import OptimiserSettings
from loxo.spectrogram import FrontEnd

__all__ = ["Transformer", "TransformerSettings", "positional_encoding"]


@dataclass(frozen=True, slots=True)
class TransformerSettings:
    """Sizes of windows and patches in frames of the front end, and of the layers.

    Args:
        window_frames: frames that attend to each other; 100 are 10 s of the default front end.
        context_frames: frames at either side of a window whose scores detection takes from the
            neighbouring windows.
        patch_frames: frames of a patch.
        width: length of the vector of a patch.
        heads: attention heads, which divide the vector between them.
        layers: attention layers.
        dropout: share of the values that are set to zero in training.

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
        whole = min(sizes) >= 1 and (
            self.window_frames % self.patch_frames == 0
            and self.width % 2 == 0
            and self.width % self.heads == 0
        )
        if not whole:
            raise ValueError(
                f"window {self.window_frames} must be whole patches of {self.patch_frames} frames,"
                f" width {self.width} even and a multiple of {self.heads} heads,"
                f" and all of them and layers {self.layers} positive"
            )
        if not 0 <= 2 * self.context_frames < self.window_frames:
            raise ValueError(
                f"a context of {self.context_frames} frames at either side leaves nothing of"
                f" {self.window_frames}; lower it"
            )
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout {self.dropout} must lie in [0, 1)")


class Transformer(AbstractModel):
    """Attention between the patches of a window; one score per label and frame.

    Shape:
        - input: waveforms `(batch, sample)`
        - output: scores `(batch, label, frame)`
    """

    positional_encoding: Tensor

    def __init__(
        self,
        settings: TransformerSettings | None = None,
        front_end: FrontEnd | None = None,
        optimiser: OptimiserSettings | None = None,
        labels: tuple[str, ...] = EVENT_LABELS,
        augment: AugmentSettings | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(front_end, optimiser, labels, augment, seed)
        settings = TransformerSettings() if settings is None else settings
        self.window_frames, self.context_frames = settings.window_frames, settings.context_frames
        patch, width = settings.patch_frames, settings.width
        # A stride as long as the filter: each patch is seen once.
        self.patches = nn.Conv1d(self.front_end.n_bands, width, patch, stride=patch)
        # It follows from the settings, so it is not saved with the weights.
        encoding = positional_encoding(settings.window_frames // patch, width)
        self.register_buffer("positional_encoding", encoding, persistent=False)
        # The perceptron in each layer is twice as wide as its vectors, not four times as in Vaswani
        # et al., to keep the network small.
        layers = [
            nn.TransformerEncoderLayer(
                width,
                settings.heads,
                2 * width,
                settings.dropout,
                activation="gelu",
                batch_first=True,
                norm_first=True,
            )
            for _ in range(settings.layers)
        ]
        # With the norm before each sublayer, nothing normalises the last one's output but this.
        self.layers = nn.Sequential(*layers, nn.LayerNorm(width))
        # One answer for each label and each frame of a patch: a patch has no finer time of its own.
        self.head = nn.Conv1d(width, len(labels) * patch, 1)

    def network(self, features: Tensor) -> Tensor:
        # (batch, band, frame) -> (batch, width, patch) -> (batch, patch, width). Attention itself
        # knows no order of patches: without the encoding it would see them as a set.
        vectors = self.patches(features).transpose(1, 2) + self.positional_encoding
        attended = self.layers(vectors).transpose(1, 2)
        return split_steps(self.head(attended), len(self.labels))


def positional_encoding(n_patches: int, width: int) -> Tensor:
    """Sines and cosines of each position `(patch, width)` (Vaswani et al. 2017, section 3.5).

    Wavelengths run from 2 pi patches to 10,000 times that.
    """
    frequencies = torch.exp(-math.log(10_000) * torch.arange(0, width, 2) / width)
    angles = torch.arange(n_patches)[:, None] * frequencies
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)
