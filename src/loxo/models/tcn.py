"""The default model: a temporal convolutional network (after Bai et al. 2018).

A stem of separable convolutions turns the features into steps of one vector each; dilated
convolutions over time follow. Each looks twice as far to either side as the one before, so that six
layers see a dozen seconds at either side. Unlike those of Bai et al. they look ahead too, since a
recording is complete when it is searched.

There is no recurrence: all frames are computed at once. What a score depends on has an end
(`context_frames`), so that long recordings can be cut anywhere without changing a score.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from loxo.augment import AugmentSettings
from loxo.events import EVENT_LABELS
from loxo.models.abstract_model import AbstractModel, split_steps
from loxo.models.conv_stem import ConvStem
from loxo.models.optimiser import OptimiserSettings
from loxo.spectrogram import FrontEnd

__all__ = ["TCN", "TCNSettings"]


@dataclass(frozen=True, slots=True)
class TCNSettings:
    """Sizes of the stem, and of the layers over time.

    Args:
        stem_channels: output channels of each convolution of the stem's branches.
        strides: frames that become one step in the second and each further convolution of the
            stem; the head answers for each frame of a step.
        channels: of the layers over time.
        dilations: for each layer over time, the distance in steps between the three steps that it
            looks at.
        dropout: share of the channels that are set to zero in training.

    Raises:
        ValueError: if a size is not positive, or strides do not fit the stem.
    """

    stem_channels: tuple[int, ...] = (32, 64, 96)
    strides: tuple[int, ...] = (1, 2)
    channels: int = 192
    dilations: tuple[int, ...] = (1, 2, 4, 8, 16, 32)
    dropout: float = 0.1

    def __post_init__(self) -> None:
        sizes = (*self.stem_channels, *self.strides, *self.dilations, self.channels)
        if not self.stem_channels or min(sizes) < 1:
            raise ValueError(
                f"stem_channels {self.stem_channels}, strides {self.strides},"
                f" channels {self.channels} and dilations {self.dilations} must be positive"
            )
        if len(self.strides) != len(self.stem_channels) - 1:
            raise ValueError(
                f"strides {self.strides} must be one fewer than stem_channels"
                f" {self.stem_channels}: the first convolution has none"
            )
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout {self.dropout} must lie in [0, 1)")


class TCN(AbstractModel):
    """Temporal convolutional network; one score per label and frame.

    Shape:
        - input: waveforms `(batch, sample)`
        - output: scores `(batch, label, frame)`; the frames are those of whole steps
    """

    def __init__(
        self,
        settings: TCNSettings | None = None,
        front_end: FrontEnd | None = None,
        optimiser: OptimiserSettings | None = None,
        labels: tuple[str, ...] = EVENT_LABELS,
        augment: AugmentSettings | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(front_end, optimiser, labels, augment, seed)
        settings = TCNSettings() if settings is None else settings
        self.stem = ConvStem(
            self.front_end,
            settings.stem_channels,
            settings.channels,
            settings.strides,
            settings.dropout,
        )
        step = self.stem.step_frames
        self.temporal = nn.Sequential(
            *(
                ResidualBlock(settings.channels, dilation, settings.dropout)
                for dilation in settings.dilations
            )
        )
        # One 1 x 1 convolution answers for all frames of a step, so that steps of two frames cost
        # half as much and scores are still one per frame.
        self.head = nn.Conv2d(settings.channels, len(labels) * step, 1)
        # Layers over time reach the sum of their dilations. The context is whole steps, so that a
        # window of detection begins where a step does, and one step more, since the last frame of
        # a step sees as far back as its first.
        stem_steps = -(-self.stem.reach_frames // step)
        self.context_frames = step * (1 + sum(settings.dilations) + stem_steps)

    def network(self, features: Tensor) -> Tensor:
        # (batch, band, frame) -> (batch, channel, 1, step) -> (batch, label * frame, 1, step)
        answers = self.head(self.temporal(self.stem(features)))
        return split_steps(answers[:, :, 0], len(self.labels))


class ResidualBlock(nn.Module):
    """A dilated separable convolution over time that is added to its input (He et al. 2016).

    Shape:
        - input and output: `(batch, channel, 1, step)`
    """

    def __init__(self, channels: int, dilation: int, dropout: float) -> None:
        super().__init__()
        # Padding by the dilation keeps the number of steps. Offsets are left to the batch norm.
        within_channels = nn.Conv2d(
            channels,
            channels,
            (1, 3),
            padding=(0, dilation),
            dilation=(1, dilation),
            groups=channels,
            bias=False,
        )
        self.layers = nn.Sequential(
            within_channels,
            nn.Conv2d(channels, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Dropout(dropout),
        )

    def forward(self, steps: Tensor) -> Tensor:
        # No ReLU after the sum: a layer that has nothing to add passes its input on unchanged.
        total: Tensor = steps + self.layers(steps)
        return total
