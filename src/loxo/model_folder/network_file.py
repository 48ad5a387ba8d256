"""Checks that a network file is whole and is what its specification says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from loxo.model_folder.spec import ModelError, ModelSpec

if TYPE_CHECKING:
    import onnxruntime as ort

__all__ = ["check_network", "check_self_contained"]

_EXTERNAL_DATA = re.compile(rb"\x6a.\x0a\x08location\x12", re.DOTALL)
"""Entry `location` of a tensor's field `external_data` (number 13), as ONNX files encode it."""


def check_self_contained(path: str | Path) -> None:
    """Check that a network file holds its own weights, before it is loaded.

    Weights in a further file (external data) would be covered neither by the hash of a model nor by
    a copy of its four files.

    Raises:
        ModelError: if it does not, or cannot be read.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise ModelError(
            f"{path}: {error.strerror}; a model is a folder with model.onnx and spec.json"
        ) from error
    if _EXTERNAL_DATA.search(content):
        raise ModelError(
            f"{path}: its weights are in another file (external data);"
            " export it again with the weights inside"
        )


def check_network(session: ort.InferenceSession, spec: ModelSpec, path: str | Path) -> None:
    """Check that a loaded network takes and gives what detection needs.

    Args:
        path: of its file, for the error message.

    Raises:
        ModelError: if it has other inputs or outputs than `features` (batch, band, frame) and
            `scores` (batch, label, frame), or other sizes than the specification.
    """
    inputs, outputs = session.get_inputs(), session.get_outputs()
    _check_tensor(inputs, "features", "bands", spec.front_end.n_bands, path)
    _check_tensor(outputs, "scores", "labels", len(spec.labels), path)
    n_frames = inputs[0].shape[2]
    if isinstance(n_frames, int) and n_frames != spec.window_frames:
        raise ModelError(
            f"{path}: the network takes {n_frames} frames, but spec.json gives"
            f" {spec.window_frames or 'any number'}; both files must come from one training"
        )


def _check_tensor(
    tensors: Sequence[ort.NodeArg], name: str, axis: str, size: int, path: str | Path
) -> None:
    """Check that there is one tensor `(batch, axis, frame)` of that name and size."""
    found = [(tensor.name, tensor.type, len(tensor.shape)) for tensor in tensors]
    if found != [(name, "tensor(float)", 3)]:
        described = ", ".join(f"{tensor.name} {tensor.type}{tensor.shape}" for tensor in tensors)
        raise ModelError(
            f"{path}: expected one tensor of floats, {name} (batch, {axis}, frame), not"
            f" {described or 'none'}; export the network with `loxo export`"
        )
    # A size that the network leaves open is a name or None.
    found_size = tensors[0].shape[1]
    if isinstance(found_size, int) and found_size != size:
        raise ModelError(
            f"{path}: {name} of {found_size} {axis}, but spec.json gives {size};"
            " both files must come from one training"
        )
