"""The architectures, by the name that a configuration gives.

`abstract_model` has what all of them share: the front end, the loss, the metrics and the optimiser.
Each architecture is one further file and one line of `MODELS`; docs/new-model.md shows how to add
one. `exporting` writes a trained network as ONNX.
"""

from loxo.models.abstract_model import AbstractModel
from loxo.models.crnn import CRNN, CRNNSettings
from loxo.models.feedforward import Feedforward, FeedforwardSettings
from loxo.models.htsat import HTSAT, HTSATSettings
from loxo.models.optimiser import OptimiserSettings
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
"""Architecture and its settings class, by name.

An architecture is built as `Architecture(settings, front_end, optimiser, labels, augment, seed)`.
"""
