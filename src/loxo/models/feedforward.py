"""The baseline: a small perceptron that sees a frame and its neighbours.

The bands of a frame and of `neighbours` frames at either side are one vector, which goes through a
multi-layer perceptron. Nothing further away has an influence. What another model finds beyond this
one is what its longer memory is worth.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from loxo.augment import AugmentSettings
from loxo.events import EVENT_LABELS
from loxo.models.abstract_model import AbstractModel
from loxo.models.optimiser import OptimiserSettings
from loxo.spectrogram import FrontEnd

__all__ = ["Feedforward", "FeedforwardSettings"]


@dataclass(frozen=True, slots=True)
class FeedforwardSettings:
    """What the perceptron sees, and its size.

    Args:
        neighbours: frames at either side.
        hidden: units of each hidden layer.
        dropout: share of the hidden units that are set to zero in training.

    Raises:
        ValueError: if a size is impossible.
    """

    neighbours: int = 5
    hidden: tuple[int, ...] = (64, 32)
    dropout: float = 0.1

    def __post_init__(self) -> None:
        if self.neighbours < 0 or not self.hidden or min(self.hidden) < 1:
            raise ValueError(
                f"neighbours {self.neighbours} must not be negative,"
                f" hidden {self.hidden} must be positive"
            )
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout {self.dropout} must lie in [0, 1)")


class Feedforward(AbstractModel):
    """Perceptron over a few frames; one score per label and frame.

    Shape:
        - input: waveforms `(batch, sample)`
        - output: scores `(batch, label, frame)`
    """

    def __init__(
        self,
        settings: FeedforwardSettings | None = None,
        front_end: FrontEnd | None = None,
        optimiser: OptimiserSettings | None = None,
        labels: tuple[str, ...] = EVENT_LABELS,
        augment: AugmentSettings | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(front_end, optimiser, labels, augment, seed)
        settings = FeedforwardSettings() if settings is None else settings
        # Nothing further away has an influence, so detection need not show more.
        self.context_frames = settings.neighbours
        # A perceptron that is applied to every frame is a convolution over time: the first layer as
        # wide as the neighbours reach, the others of width 1.
        layers: list[nn.Module] = []
        before, width = self.front_end.n_bands, 2 * settings.neighbours + 1
        for hidden in settings.hidden:
            layers += [
                # The padding keeps the number of frames; the batch norm has an offset of its own.
                nn.Conv1d(before, hidden, width, padding=width // 2, bias=False),
                nn.BatchNorm1d(hidden),
                nn.ReLU(),
                nn.Dropout(settings.dropout),
            ]
            before, width = hidden, 1
        self.perceptron = nn.Sequential(*layers, nn.Conv1d(before, len(labels), 1))

    def network(self, features: Tensor) -> Tensor:
        logits: Tensor = self.perceptron(features)
        return logits
