"""Settings of the loss and of the optimiser, which all architectures share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["OptimiserSettings"]


@dataclass(frozen=True, slots=True)
class OptimiserSettings:
    """The loss, and the optimiser (AdamW) that minimises it.

    The learning rate rises over the first steps and falls over the rest along a cosine (Smith &
    Topin 2019).

    Args:
        learning_rate: the highest one.
        weight_decay: of weight matrices and filters; offsets and norms have none.
        warm_up_share: share of the steps over which the learning rate rises.
        positive_weight: weight of a positive target in the loss, where a negative one has 1: one
            number, or one for each label.
        focal_gamma: the loss of a target that is missed by `d` is multiplied by `d ** gamma`, so
            that targets that are already right count little (focal loss, Lin et al. 2017, where
            `d = 1 - p_t`); 0 is plain cross-entropy, 2 is the choice of that paper.

    Raises:
        ValueError: if a number is impossible.
    """

    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    warm_up_share: float = 0.05
    positive_weight: float | dict[str, float] = 1.0
    focal_gamma: float = 0.0

    def __post_init__(self) -> None:
        weight = self.positive_weight
        weights = weight.values() if isinstance(weight, dict) else [weight]
        if not (self.learning_rate > 0 and min(weights, default=1.0) > 0):
            raise ValueError(
                f"learning rate {self.learning_rate} and positive weight {weight} must be positive"
            )
        if not (self.weight_decay >= 0 and 0 <= self.warm_up_share <= 1):
            raise ValueError(
                f"weight decay {self.weight_decay} must not be negative,"
                f" warm-up share {self.warm_up_share} must lie in [0, 1]"
            )
        if not self.focal_gamma >= 0:
            raise ValueError(
                f"focal gamma {self.focal_gamma} must not be negative; 0 is plain cross-entropy"
            )

    def positive_weights(self, labels: Sequence[str]) -> tuple[float, ...]:
        """Weight of a positive target of each label, in the order of the labels.

        Raises:
            ValueError: if a label has no weight, or a weight is of another label.
        """
        weight = self.positive_weight
        if not isinstance(weight, dict):
            return (weight,) * len(labels)
        if set(weight) != set(labels):
            raise ValueError(
                f"positive weights for {', '.join(weight)}; give one for each of"
                f" {', '.join(labels)}"
            )
        return tuple(weight[label] for label in labels)
