"""The default model: separable convolutions over two pictures, then dilated ones over time (after Bai et al. 2018).

Each layer over time looks twice as far to either side as the one before, so that a dozen seconds are seen by few of them. Nothing goes
from step to step: all frames are worked out side by side, and what a score depends on ends, so that long recordings can be cut
anywhere, exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from loxo.events import EVENT_LABELS
from loxo.models.abstract_model import AbstractModel, OptimiserSettings
from loxo.models.pictures import Pictures
from loxo.spectrogram import FrontEnd

__all__ = ["TCN", "TCNSettings"]


@dataclass(frozen=True, slots=True)
class TCNSettings:
    """Channels of the convolutions of each stack, and the layers over time.

    Args:
        strides: frames that the second and each further convolution of a stack joins to one step; the head answers for each of them.
        joined: channels of the layers over time.
        dilations: steps between the three that a layer over time looks at, for each layer.

    Raises:
        ValueError: if there is no layer, a layer is empty, strides do not fit the channels, or all is dropped.
    """

    channels: tuple[int, ...] = (32, 64, 96)
    strides: tuple[int, ...] = (1, 2)
    joined: int = 192
    dilations: tuple[int, ...] = (1, 2, 4, 8, 16, 32)
    dropout: float = 0.1

    def __post_init__(self) -> None:
        if not self.channels or min(*self.channels, *self.strides, *self.dilations, self.joined) < 1:
            raise ValueError(
                f"channels {self.channels}, strides {self.strides}, joined {self.joined} and dilations {self.dilations} must be positive"
            )
        if len(self.strides) != len(self.channels) - 1:
            raise ValueError(f"strides {self.strides} must be one fewer than channels {self.channels}: the first convolution has none")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout {self.dropout} must lie in [0, 1)")


class TCN(AbstractModel):
    """Scores `(batch, class, frame)` of waveforms `(batch, sample)`."""

    def __init__(
        self, settings: TCNSettings | None = None, front_end: FrontEnd | None = None, optimiser: OptimiserSettings | None = None
    ) -> None:
        super().__init__(front_end, optimiser)
        settings = TCNSettings() if settings is None else settings
        self.pictures = Pictures(self.front_end, settings.channels, settings.joined, settings.strides, settings.dropout)
        self.over_time = nn.Sequential(*(Residual(settings.joined, dilation, settings.dropout) for dilation in settings.dilations))
        self.head = nn.Conv2d(settings.joined, len(EVENT_LABELS) * self.pictures.step_frames, 1)
        # Whole steps, so that a window of detection begins where a step does; a step's frames see as far as its first.
        step = self.pictures.step_frames
        self.context_frames = step * (1 + sum(settings.dilations) - (-self.pictures.reach_frames // step))

    def network(self, features: Tensor) -> Tensor:
        answers = self.head(self.over_time(self.pictures(features)))[:, :, 0]
        # (batch, class and frame of the step, step) -> (batch, class, frame)
        logits: Tensor = torch.unflatten(answers, 1, (len(EVENT_LABELS), -1)).transpose(2, 3).flatten(2)
        return logits


class Residual(nn.Module):
    """A dilated separable convolution over time, added to what it was given: `(batch, channel, 1, step)` for the same."""

    def __init__(self, width: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.change = nn.Sequential(
            nn.Conv2d(width, width, (1, 3), padding=(0, dilation), dilation=(1, dilation), groups=width, bias=False),
            nn.Conv2d(width, width, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Dropout(dropout),
        )

    def forward(self, steps: Tensor) -> Tensor:
        changed: Tensor = steps + self.change(steps)
        return changed
