"""Export of a trained network as ONNX: features in, scores out.

The file takes any batch, and any number of frames unless the network takes a fixed one. It holds
the network only: detection computes features with NumPy.

A GRU is one operator in ONNX, but PyTorch's exporter does not write our network with it. With
torch 2.13.0 and onnxscript 0.7.2, `CRNN` with `step_frames` 2 fails ("size of tensor a (96) must
match the size of tensor b (288)"). With `step_frames` 1 the GRU becomes that operator, but the
length of the example (5 frames) stays behind in a later shape: ONNX Runtime refuses 37 frames, and
answers 6,000 frames as 1,200 pieces of 5. Its speed is the same (59 and 61 ms for 6,000 frames on
one core). So recurrent layers are replaced by `OnnxGRU` during the export.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from loxo.models.abstract_model import AbstractModel

__all__ = ["OnnxGRU", "export_network"]


def export_network(model: AbstractModel, path: Path) -> None:
    """Write a network as ONNX: `features` (batch, band, frame) -> `scores` (batch, label, frame).

    The model is moved to the processor and set to evaluation mode.

    Raises:
        ValueError: if a recurrent layer is not one that `OnnxGRU` knows.
    """
    # The values do not matter, the axes do. A batch of 2, since the exporter takes a size of 1 for
    # a constant.
    example = torch.zeros(2, model.front_end.n_bands, model.window_frames or 5)
    axes = {0: torch.export.Dim("batch")}
    if model.window_frames is None:
        axes[2] = torch.export.Dim("frame")
    with _gru_as_operator(model.cpu().eval()), _silent_exporter():
        torch.onnx.export(
            FrameScores(model).eval(),
            (example,),
            path,
            input_names=["features"],
            output_names=["scores"],
            dynamic_shapes=(axes,),
            dynamo=True,  # the exporter by `torch.export`; the older one traces single operators
            external_data=False,  # a model's network is one file
            verbose=False,
        )
    _remove_origins(path)


def _remove_origins(path: Path) -> None:
    """Remove what the exporter notes about each operator: source lines and files here."""
    network = onnx.load(path)
    graph = network.graph
    values = (*graph.value_info, *graph.input, *graph.output, *graph.initializer)
    for part in (network, graph, *graph.node, *values):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    onnx.save(network, path)


class FrameScores(nn.Module):
    """What is exported of a model: features `(batch, band, frame)` -> scores, one per frame."""

    def __init__(self, model: AbstractModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, features: Tensor) -> Tensor:
        # With the sigmoid, so that detection need not know that the network computes logits.
        return torch.sigmoid(self.model.frame_logits(features))


class OnnxGRU(nn.Module):
    """A bidirectional GRU of one layer as ONNX's operator; it can be exported, not computed.

    PyTorch stores the gates in the order reset, update, new; ONNX in the order update, reset, new.
    PyTorch's cell is ONNX's with `linear_before_reset`.

    Shape:
        - input: `(batch, step, feature)`
        - output: `(batch, step, 2 * hidden)`

    Raises:
        ValueError: for a GRU of another kind.
    """

    input_weights: Tensor
    hidden_weights: Tensor
    biases: Tensor

    def __init__(self, gru: nn.GRU) -> None:
        super().__init__()
        if gru.num_layers != 1 or not (gru.bidirectional and gru.batch_first and gru.bias):
            raise ValueError(
                f"{gru} cannot be exported: it must have one layer, be bidirectional and batch"
                " first, and have a bias"
            )
        self.hidden = gru.hidden_size
        self.register_buffer("input_weights", _both_directions(gru, "weight_ih"))
        self.register_buffer("hidden_weights", _both_directions(gru, "weight_hh"))
        biases = [_both_directions(gru, "bias_ih"), _both_directions(gru, "bias_hh")]
        self.register_buffer("biases", torch.cat(biases, dim=1))

    def forward(self, sequence: Tensor) -> tuple[Tensor, None]:
        steps_first = sequence.transpose(0, 1)
        # `symbolic` puts an operator of ONNX into the graph; nothing is computed.
        over_time = torch.onnx.ops.symbolic(
            "GRU",
            (steps_first, self.input_weights, self.hidden_weights, self.biases),
            attrs={
                "hidden_size": self.hidden,
                "direction": "bidirectional",
                "linear_before_reset": 1,
            },
            dtype=sequence.dtype,
            shape=(sequence.shape[1], 2, sequence.shape[0], self.hidden),
        )
        # (step, direction, batch, hidden) -> (batch, step, direction * hidden)
        return over_time.permute(2, 0, 1, 3).flatten(2), None


def _both_directions(gru: nn.GRU, kind: str) -> Tensor:
    """A parameter of both directions `(direction, gate, ...)`, its gates in ONNX's order."""
    parameters = [getattr(gru, f"{kind}_l0{suffix}").detach() for suffix in ("", "_reverse")]
    reset, update, new = torch.stack(parameters).chunk(3, dim=1)
    return torch.cat([update, reset, new], dim=1)


@contextmanager
def _gru_as_operator(model: nn.Module) -> Iterator[None]:
    """Replace every GRU by an `OnnxGRU`, and put it back at the end."""
    layers = {name: module for name, module in model.named_modules() if isinstance(module, nn.GRU)}
    operators = {name: OnnxGRU(layer) for name, layer in layers.items()}
    try:
        # Within the `try`: if one layer cannot be replaced, those before it are put back.
        for name, operator in operators.items():
            model.set_submodule(name, operator)
        yield
    finally:
        for name, layer in layers.items():
            model.set_submodule(name, layer)


@contextmanager
def _silent_exporter() -> Iterator[None]:
    """Hide the exporter's warnings about its own deprecated calls and about optional packages.

    A user can do nothing about them.
    """
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
