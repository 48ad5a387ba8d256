"""The model folder: all that detection needs to know of a model, in files that hold no code.

    model.onnx            the network: features (batch, band, frame) -> scores (batch, label, frame)
    spec.json             `ModelSpec`: labels, front end, context, post-processing, training
    weights.safetensors   the weights by name, to train further
    README.md             the model card

The front end is not part of the network: it is computed from the settings in `spec.json`. Nothing
is ever unpickled. A folder is written under a temporary name and renamed, so that no program finds
a half-written model.
"""

from loxo.model_folder.folders import (
    find_model,
    load_weights,
    model_hash,
    network_hash,
    packaged_models,
    save_model,
)
from loxo.model_folder.network_file import check_network, check_self_contained
from loxo.model_folder.spec import (
    Calibration,
    ModelError,
    ModelSpec,
    OperatingPoint,
    PostProcessing,
    default_post_processing,
)
from loxo.model_folder.spec_file import FORMAT, load_spec, save_spec

__all__ = [
    "FORMAT",
    "Calibration",
    "ModelError",
    "ModelSpec",
    "OperatingPoint",
    "PostProcessing",
    "check_network",
    "check_self_contained",
    "default_post_processing",
    "find_model",
    "load_spec",
    "load_weights",
    "model_hash",
    "network_hash",
    "packaged_models",
    "save_model",
    "save_spec",
]
