"""What `tcn` and `crnn` begin with: the two pictures of a front end, through separable convolutions each, then joined.

The long-window bands and the short-window bands are two pictures of one time axis: lines of rumbles are sought in the one, edges of
shots in the other. Frequency is halved by each convolution; time is kept, or taken in steps of some frames. Depthwise convolutions (after
Howard et al. 2017) keep it small enough for an old laptop.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from loxo.spectrogram import FrontEnd

__all__ = ["Pictures"]


class Pictures(nn.Module):
    """Features `(batch, band, frame)` -> `(batch, joined, 1, step)`.

    It stays a picture of height 1, since convolutions of pictures are what runtimes have fast kernels for.

    Args:
        channels: of each convolution of a stack; all but the first are separable.
        joined: channels of what the two stacks are joined to.
        strides: frames that the second and each further convolution joins to one step.
    """

    def __init__(self, front_end: FrontEnd, channels: tuple[int, ...], joined: int, strides: tuple[int, ...], dropout: float) -> None:
        super().__init__()
        self.planes = (front_end.long.per_frame, front_end.short.per_frame)
        heights = (len(front_end.long.centres_hz), len(front_end.short.centres_hz))
        self.n_long = self.planes[0] * heights[0]
        self.step_frames = math.prod(strides)
        self.reach_frames = 1 + sum(2 * math.prod(strides[:number]) for number in range(len(strides)))
        self.stacks = nn.ModuleList(stack(planes, channels, strides) for planes in self.planes)
        lowest = [-(-height // 2 ** len(channels)) for height in heights]
        self.joins = nn.ModuleList(nn.Conv2d(channels[-1], joined, (height, 1), bias=False) for height in lowest)
        self.norm = nn.Sequential(nn.BatchNorm2d(joined), nn.ReLU(), nn.Dropout(dropout))

    def forward(self, features: Tensor) -> Tensor:
        parts = features[:, : self.n_long], features[:, self.n_long :]
        pictures = [torch.unflatten(part, 1, (planes, -1)) for part, planes in zip(parts, self.planes, strict=True)]
        long, short = (join(layers(picture)) for join, layers, picture in zip(self.joins, self.stacks, pictures, strict=True))
        joined: Tensor = self.norm(long + short)
        return joined


def stack(planes: int, channels: tuple[int, ...], strides: tuple[int, ...]) -> nn.Sequential:
    """Convolutions `(batch, plane, band, frame)` -> `(batch, channel, band / 2 ** layers, step)`."""
    layers: list[nn.Module] = [
        nn.Conv2d(planes, channels[0], 3, stride=(2, 1), padding=1, bias=False),
        nn.BatchNorm2d(channels[0]),
        nn.ReLU(),
    ]
    for stride, (before, after) in zip(strides, pairwise(channels), strict=True):
        layers += [
            nn.Conv2d(before, before, (3, 5), stride=(2, stride), padding=(1, 2), groups=before, bias=False),
            nn.Conv2d(before, after, 1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(),
        ]
    return nn.Sequential(*layers)
