"""Separable convolutions over two pictures, then a bidirectional GRU over time (after Cakir et al. 2017).

Its memory has no end, so that a score depends, ever less, on all that was heard; and it goes step by step, which takes time.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from loxo.events import EVENT_LABELS
from loxo.models.abstract_model import AbstractModel, OptimiserSettings
from loxo.models.pictures import Pictures
from loxo.spectrogram import FrontEnd

__all__ = ["CRNN", "CRNNSettings"]


@dataclass(frozen=True, slots=True)
class CRNNSettings:
    """Channels of the convolutions of each stack, and the sizes of the two layers over time.

    Args:
        step_frames: frames of one step of the layers over time, which cost less the fewer there are: the second convolution joins them, and
            the head answers for each.

    Raises:
        ValueError: if there is no layer, a layer is empty, or all is dropped.
    """

    channels: tuple[int, ...] = (16, 32, 48)
    joined: int = 96
    hidden: int = 64
    step_frames: int = 1
    dropout: float = 0.1

    def __post_init__(self) -> None:
        if not self.channels or min(*self.channels, self.joined, self.hidden, self.step_frames) < 1:
            raise ValueError(
                f"channels {self.channels}, joined {self.joined}, hidden {self.hidden} and step_frames {self.step_frames} must be positive"
            )
        if self.step_frames > 1 and len(self.channels) < 2:
            raise ValueError(f"steps of {self.step_frames} frames need a second convolution; channels {self.channels} give one")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout {self.dropout} must lie in [0, 1)")


class CRNN(AbstractModel):
    """Scores `(batch, class, frame)` of waveforms `(batch, sample)`."""

    context_frames = 800  # a recurrent layer remembers for long: with less, a score depends on where a window begins

    def __init__(
        self, settings: CRNNSettings | None = None, front_end: FrontEnd | None = None, optimiser: OptimiserSettings | None = None
    ) -> None:
        super().__init__(front_end, optimiser)
        settings = CRNNSettings() if settings is None else settings
        strides = (settings.step_frames, *(1 for _ in settings.channels[2:]))[: len(settings.channels) - 1]
        self.pictures = Pictures(self.front_end, settings.channels, settings.joined, strides, settings.dropout)
        self.recurrent = nn.GRU(settings.joined, settings.hidden, batch_first=True, bidirectional=True)
        self.head = nn.Sequential(nn.Dropout(settings.dropout), nn.Linear(2 * settings.hidden, len(EVENT_LABELS) * settings.step_frames))

    def network(self, features: Tensor) -> Tensor:
        over_time, _ = self.recurrent(self.pictures(features)[:, :, 0].transpose(1, 2))
        # (batch, step, class and frame of the step) -> (batch, class, frame)
        logits: Tensor = torch.unflatten(self.head(over_time), 2, (len(EVENT_LABELS), -1)).transpose(1, 2).flatten(2)
        return logits
