"""The first layers of `tcn` and `crnn`: separable convolutions over time and frequency.

Features on long windows and on short windows share one time axis, but not their bands: the long
ones hold the lines of rumbles, the short ones the edges of gunshots. Each has its own branch of
convolutions, and the branches are added.

Depthwise separable convolutions (Howard et al. 2017) keep the network small enough for an old
laptop: a filter of 3 x 5 within each channel, then a 1 x 1 convolution between channels, instead of
3 x 5 filters between all channels.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from loxo.spectrogram import FrontEnd

__all__ = ["ConvStem"]


class ConvStem(nn.Module):
    """Two branches of convolutions, one for each window length of the front end, added.

    The output keeps a frequency axis of height 1, because runtimes have their fastest kernels for
    convolutions over two axes.

    Args:
        stem_channels: output channels of each convolution of a branch.
        channels: output channels of the stem.
        strides: frames that become one step in the second and each further convolution.

    Shape:
        - input: features `(batch, band, frame)`
        - output: `(batch, channel, 1, step)`

    Attributes:
        step_frames: frames per step.
        reach_frames: frames at either side of a step's own that the step depends on, at most.
    """

    def __init__(
        self,
        front_end: FrontEnd,
        stem_channels: tuple[int, ...],
        channels: int,
        strides: tuple[int, ...],
        dropout: float,
    ) -> None:
        super().__init__()
        both = (front_end.long, front_end.short)
        # A frame with several windows has one spectrogram for each of them, as images have planes.
        self.planes = tuple(bands.per_frame for bands in both)
        heights = [len(bands.centres_hz) for bands in both]
        self.n_long = self.planes[0] * heights[0]
        self.step_frames = math.prod(strides)
        # Each convolution reaches some of its own input steps further to either side: the first one
        # frame (width 3), each further one two steps (width 5), which are as many frames as the
        # strides before it multiply to.
        step_sizes = [math.prod(strides[:number]) for number in range(len(strides))]
        self.reach_frames = 1 + sum(2 * frames for frames in step_sizes)
        self.branches = nn.ModuleList(
            branch(planes, stem_channels, strides) for planes in self.planes
        )
        # What is left of the frequency axis, halved and rounded up by each convolution, becomes
        # one value per channel.
        lowest = [-(-height // 2 ** len(stem_channels)) for height in heights]
        self.projections = nn.ModuleList(
            nn.Conv2d(stem_channels[-1], channels, (height, 1), bias=False) for height in lowest
        )
        self.norm = nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU(), nn.Dropout(dropout))

    def forward(self, features: Tensor) -> Tensor:
        parts = features[:, : self.n_long], features[:, self.n_long :]
        projected = []
        for number, part in enumerate(parts):
            # (batch, plane * band, frame) -> (batch, plane, band, frame)
            planes = torch.unflatten(part, 1, (self.planes[number], -1))
            projected.append(self.projections[number](self.branches[number](planes)))
        # A sum of two projections is one projection of both branches side by side.
        steps: Tensor = self.norm(projected[0] + projected[1])
        return steps


def branch(planes: int, channels: tuple[int, ...], strides: tuple[int, ...]) -> nn.Sequential:
    """Convolutions `(batch, plane, band, frame)` -> `(batch, channel, band / 2 ** layers, step)`.

    Each halves the frequency axis. The first is an ordinary one, since it has next to no input
    channels to separate. Offsets are left to the batch norms.
    """
    layers: list[nn.Module] = [
        nn.Conv2d(planes, channels[0], 3, stride=(2, 1), padding=1, bias=False),
        nn.BatchNorm2d(channels[0]),
        nn.ReLU(),
    ]
    for stride, (before, after) in zip(strides, pairwise(channels), strict=True):
        within_channels = nn.Conv2d(
            before,
            before,
            (3, 5),
            stride=(2, stride),
            padding=(1, 2),
            groups=before,
            bias=False,
        )
        between_channels = nn.Conv2d(before, after, 1, bias=False)
        layers += [within_channels, between_channels, nn.BatchNorm2d(after), nn.ReLU()]
    return nn.Sequential(*layers)
