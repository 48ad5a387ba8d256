"""The baseline: each frame and its neighbours, and nothing else; what the other models add is what they are better by.

The bands of a frame and of `neighbours` frames at either side are one vector, which goes through a small multi-layer perceptron. As a
convolution over time it is the same perceptron at every frame. Nothing is remembered beyond the neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from loxo.events import EVENT_LABELS
from loxo.models.abstract_model import AbstractModel, OptimiserSettings
from loxo.spectrogram import FrontEnd

__all__ = ["Feedforward", "FeedforwardSettings"]


@dataclass(frozen=True, slots=True)
class FeedforwardSettings:
    """Frames at either side that are looked at, and the sizes of the hidden layers.

    Raises:
        ValueError: if there is no layer, a layer is empty, or all is dropped.
    """

    neighbours: int = 5
    hidden: tuple[int, ...] = (64, 32)
    dropout: float = 0.1

    def __post_init__(self) -> None:
        if self.neighbours < 0 or not self.hidden or min(self.hidden) < 1:
            raise ValueError(f"neighbours {self.neighbours} must not be negative, hidden {self.hidden} must be positive")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout {self.dropout} must lie in [0, 1)")


class Feedforward(AbstractModel):
    """Scores `(batch, class, frame)` of waveforms `(batch, sample)`, one a frame of the front end."""

    def __init__(
        self, settings: FeedforwardSettings | None = None, front_end: FrontEnd | None = None, optimiser: OptimiserSettings | None = None
    ) -> None:
        super().__init__(front_end, optimiser)
        settings = FeedforwardSettings() if settings is None else settings
        self.context_frames = settings.neighbours
        layers: list[nn.Module] = []
        before, width = self.front_end.n_bands, 2 * settings.neighbours + 1
        for hidden in settings.hidden:
            layers += [
                nn.Conv1d(before, hidden, width, padding=width // 2, bias=False),
                nn.BatchNorm1d(hidden),
                nn.ReLU(),
                nn.Dropout(settings.dropout),
            ]
            before, width = hidden, 1
        self.perceptron = nn.Sequential(*layers, nn.Conv1d(before, len(EVENT_LABELS), 1))

    def network(self, features: Tensor) -> Tensor:
        logits: Tensor = self.perceptron(features)
        return logits
