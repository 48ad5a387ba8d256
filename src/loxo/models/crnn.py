"""A convolutional recurrent network (after Cakir et al. 2017).

A stem of separable convolutions, then a bidirectional GRU over time (Cho et al. 2014). A GRU has no
limit to its memory: a score depends, ever less, on the whole sound. It computes step by step, which
is slower than convolutions of the same size.
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

__all__ = ["CRNN", "CRNNSettings"]


@dataclass(frozen=True, slots=True)
class CRNNSettings:
    """Sizes of the stem, and of the recurrent layer.

    Args:
        stem_channels: output channels of each convolution of the stem's branches.
        channels: input channels of the recurrent layer.
        hidden: state of the recurrent layer, for each direction.
        step_frames: frames that become one step of the recurrent layer, which costs less the fewer
            steps there are. The second convolution of the stem takes them together, and the head
            answers for each frame of a step.
        dropout: share of the channels that are set to zero in training.

    Raises:
        ValueError: if a size is not positive, or nothing takes the frames of a step together.
    """

    stem_channels: tuple[int, ...] = (16, 32, 48)
    channels: int = 96
    hidden: int = 64
    step_frames: int = 1
    dropout: float = 0.1

    def __post_init__(self) -> None:
        sizes = (*self.stem_channels, self.channels, self.hidden, self.step_frames)
        if not self.stem_channels or min(sizes) < 1:
            raise ValueError(
                f"stem_channels {self.stem_channels}, channels {self.channels},"
                f" hidden {self.hidden} and step_frames {self.step_frames} must be positive"
            )
        if self.step_frames > 1 and len(self.stem_channels) < 2:
            raise ValueError(
                f"steps of {self.step_frames} frames need a second convolution;"
                f" stem_channels {self.stem_channels} give one"
            )
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout {self.dropout} must lie in [0, 1)")

    @property
    def strides(self) -> tuple[int, ...]:
        """Frames that become one step in the second and each further convolution of the stem."""
        further = len(self.stem_channels) - 1
        return (self.step_frames, *(1,) * (further - 1)) if further else ()


class CRNN(AbstractModel):
    """Convolutional recurrent network; one score per label and frame.

    Shape:
        - input: waveforms `(batch, sample)`
        - output: scores `(batch, label, frame)`; the frames are those of whole steps
    """

    context_frames = 800  # with less, a score depends visibly on where a window begins

    def __init__(
        self,
        settings: CRNNSettings | None = None,
        front_end: FrontEnd | None = None,
        optimiser: OptimiserSettings | None = None,
        labels: tuple[str, ...] = EVENT_LABELS,
        augment: AugmentSettings | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(front_end, optimiser, labels, augment, seed)
        settings = CRNNSettings() if settings is None else settings
        self.stem = ConvStem(
            self.front_end,
            settings.stem_channels,
            settings.channels,
            settings.strides,
            settings.dropout,
        )
        # Both directions, since a recording is complete when it is searched: the end of a call
        # helps to find its start. `exporting` replaces this layer by an operator of ONNX.
        self.recurrent = nn.GRU(
            settings.channels, settings.hidden, batch_first=True, bidirectional=True
        )
        # A step has the states of both directions side by side.
        self.head = nn.Sequential(
            nn.Dropout(settings.dropout),
            nn.Linear(2 * settings.hidden, len(labels) * settings.step_frames),
        )

    def network(self, features: Tensor) -> Tensor:
        # (batch, channel, 1, step) -> (batch, step, channel), the order that a GRU takes
        steps = self.stem(features)[:, :, 0].transpose(1, 2)
        over_time, _ = self.recurrent(steps)
        return split_steps(self.head(over_time).transpose(1, 2), len(self.labels))
