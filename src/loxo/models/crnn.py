"""The default model: separable convolutions over the picture, then a bidirectional GRU over time (after Cakir et al. 2017).

The long-window bands and the short-window bands are two pictures of one time axis and go through a stack of convolutions each: lines of
rumbles are sought in the one, edges of shots in the other. Frequency is halved by each layer; time is kept, or taken in
steps of some frames, of which each has an answer. Depthwise convolutions keep it small enough for an old laptop.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from loxo.events import EVENT_LABELS
from loxo.models.abstract_model import AbstractModel, OptimiserSettings
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
        self.n_long = len(self.front_end.long.centres_hz) * self.front_end.long.per_frame
        self.long_stack = stack(self.front_end.long.per_frame, settings)
        self.short_stack = stack(self.front_end.short.per_frame, settings)
        heights = [len(bands.centres_hz) for bands in (self.front_end.long, self.front_end.short)]
        for _ in settings.channels:
            heights = [-(-height // 2) for height in heights]
        self.join = nn.Sequential(
            nn.Conv1d(settings.channels[-1] * sum(heights), settings.joined, 1, bias=False),
            nn.BatchNorm1d(settings.joined),
            nn.ReLU(),
            nn.Dropout(settings.dropout),
        )
        self.recurrent = nn.GRU(settings.joined, settings.hidden, batch_first=True, bidirectional=True)
        self.head = nn.Sequential(nn.Dropout(settings.dropout), nn.Linear(2 * settings.hidden, len(EVENT_LABELS) * settings.step_frames))

    def network(self, features: Tensor) -> Tensor:
        long = torch.unflatten(features[:, : self.n_long], 1, (self.front_end.long.per_frame, -1))
        short = torch.unflatten(features[:, self.n_long :], 1, (self.front_end.short.per_frame, -1))
        parts = [self.long_stack(long).flatten(1, 2), self.short_stack(short).flatten(1, 2)]
        joined = self.join(torch.cat(parts, dim=1))
        over_time, _ = self.recurrent(joined.transpose(1, 2))
        # (batch, step, class and frame of the step) -> (batch, class, frame)
        logits: Tensor = torch.unflatten(self.head(over_time), 2, (len(EVENT_LABELS), -1)).transpose(1, 2).flatten(2)
        return logits


def stack(planes: int, settings: CRNNSettings) -> nn.Sequential:
    """Convolutions `(batch, plane, band, frame)` -> `(batch, channel, band / 2 ** layers, step)`; all but the first are separable."""
    channels = settings.channels
    layers: list[nn.Module] = [
        nn.Conv2d(planes, channels[0], 3, stride=(2, 1), padding=1, bias=False),
        nn.BatchNorm2d(channels[0]),
        nn.ReLU(),
    ]
    for number, (before, after) in enumerate(pairwise(channels)):
        stride = (2, 1 if number else settings.step_frames)
        layers += [
            nn.Conv2d(before, before, (3, 5), stride=stride, padding=(1, 2), groups=before, bias=False),
            nn.Conv2d(before, after, 1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(),
        ]
    return nn.Sequential(*layers)
