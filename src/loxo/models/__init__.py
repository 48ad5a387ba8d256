"""The architectures, by the name that a configuration gives."""

from loxo.models.abstract_model import AbstractModel, OptimiserSettings
from loxo.models.crnn import CRNN, CRNNSettings
from loxo.models.feedforward import Feedforward, FeedforwardSettings
from loxo.models.htsat import HTSAT, HTSATSettings
from loxo.models.tcn import TCN, TCNSettings
from loxo.models.transformer import Transformer, TransformerSettings

__all__ = [
    "CRNN",
    "HTSAT",
    "MODELS",
    "TCN",
    "AbstractModel",
    "CRNNSettings",
    "Feedforward",
    "FeedforwardSettings",
    "HTSATSettings",
    "OptimiserSettings",
    "TCNSettings",
    "Transformer",
    "TransformerSettings",
]

MODELS: dict[str, tuple[type[AbstractModel], type]] = {
    "tcn": (TCN, TCNSettings),
    "crnn": (CRNN, CRNNSettings),
    "transformer": (Transformer, TransformerSettings),
    "htsat": (HTSAT, HTSATSettings),
    "feedforward": (Feedforward, FeedforwardSettings),
}
"""Architecture and settings class, by name. An architecture is called with its settings, a front end and an optimiser."""
