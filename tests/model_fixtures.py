"""Small, quick versions of every architecture, with every part that the real ones have."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import torch
from torch import Tensor

from loxo.models import (
    MODELS,
    AbstractModel,
    CRNNSettings,
    FeedforwardSettings,
    HTSATSettings,
    TCNSettings,
    TransformerSettings,
)

__all__ = ["FIXED", "SMALL", "TINY", "noise", "once", "small", "some_features"]

TINY = CRNNSettings(stem_channels=(4, 4), channels=8, hidden=4)
SMALL: dict[str, Any] = {
    "tcn": TCNSettings(stem_channels=(4, 4, 4), strides=(1, 2), channels=8, dilations=(1, 2)),
    "crnn": replace(TINY, step_frames=2),
    "transformer": TransformerSettings(width=16, heads=2, layers=1),
    "htsat": HTSATSettings(embed_dim=8, depths=(1, 1, 2, 1), heads=(2, 2, 2, 2)),
    "feedforward": FeedforwardSettings(neighbours=2, hidden=(6, 4)),
}
"""Settings of small networks by architecture; htsat has one layer with shifted windows."""
FIXED = [name for name in SMALL if name in {"transformer", "htsat"}]


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def small(name: str, seed: int = 0) -> AbstractModel:
    """Build a small model of an architecture with the random weights of a seed."""
    architecture: Any = MODELS[name][0]
    torch.manual_seed(seed)
    made: AbstractModel = architecture(SMALL[name])
    return made.eval()


@cache
def once(name: str) -> AbstractModel:
    """Build a small model once, for tests that do not change it."""
    return small(name)


def some_features(
    module: AbstractModel, batch: int, frames: int | None = None, seed: int = 0
) -> Tensor:
    """Random features `(batch, band, frame)`, of as many frames as the network takes by default."""
    return noise(batch, module.front_end.n_bands, frames or module.window_frames or 37, seed=seed)
