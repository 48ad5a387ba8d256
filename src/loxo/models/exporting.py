"""A trained network as ONNX: features in, probabilities out, for any batch and as many frames as the network takes.

The exporter follows a recurrent layer through its example step by step: minutes for some hundred frames, and the example's length stays
behind in the shapes of the graph. ONNX has the layer as one operator, so while a network is exported its recurrent layers say that
operator (`OnnxGRU`).
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
    """Write `frame_logits` and their sigmoid: `features` (batch, band, frame) -> `scores` (batch, class, frame).

    A network that takes a fixed number of frames keeps it. The model is moved to the processor and set to evaluation.

    Raises:
        ValueError: if a recurrent layer is not one that `OnnxGRU` knows.
    """
    example = torch.zeros(2, model.front_end.n_bands, model.window_frames or 5)
    axes = {0: torch.export.Dim("batch")} | ({} if model.window_frames else {2: torch.export.Dim("frame")})
    with _recurrent_as_operators(model.cpu().eval()), _silent_exporter():
        torch.onnx.export(
            Scores(model).eval(),
            (example,),
            path,
            input_names=["features"],
            output_names=["scores"],
            dynamic_shapes=(axes,),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    _forget_where(path)


def _forget_where(path: Path) -> None:
    """Take out what the exporter notes of each operator: the files and lines that it came from, on the machine where it was made."""
    network = onnx.load(path)
    graph = network.graph
    for part in (network, graph, *graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    onnx.save(network, path)


class Scores(nn.Module):
    """Probabilities of features, as they are exported."""

    def __init__(self, model: AbstractModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, features: Tensor) -> Tensor:
        return torch.sigmoid(self.model.frame_logits(features))


class OnnxGRU(nn.Module):
    """A bidirectional GRU of one layer, `(batch, frame, feature)` -> `(batch, frame, 2 * hidden)`, as ONNX's operator, to be exported only.

    torch keeps the gates as reset, update, new; ONNX as update, reset, new, and torch's cell is its `linear_before_reset`.

    Raises:
        ValueError: for a GRU of another kind.
    """

    input_weights: Tensor
    hidden_weights: Tensor
    biases: Tensor

    def __init__(self, gru: nn.GRU) -> None:
        super().__init__()
        if gru.num_layers != 1 or not (gru.bidirectional and gru.batch_first and gru.bias):
            raise ValueError(f"{gru} cannot be exported: one layer, bidirectional, batch first and with a bias is what is known")
        self.hidden = gru.hidden_size
        self.register_buffer("input_weights", _both_ways(gru, "weight_ih"))
        self.register_buffer("hidden_weights", _both_ways(gru, "weight_hh"))
        self.register_buffer("biases", torch.cat([_both_ways(gru, "bias_ih"), _both_ways(gru, "bias_hh")], dim=1))

    def forward(self, sequence: Tensor) -> tuple[Tensor, None]:
        frames_first = sequence.transpose(0, 1)
        over_time = torch.onnx.ops.symbolic(
            "GRU",
            (frames_first, self.input_weights, self.hidden_weights, self.biases),
            attrs={"hidden_size": self.hidden, "direction": "bidirectional", "linear_before_reset": 1},
            dtype=sequence.dtype,
            shape=(sequence.shape[1], 2, sequence.shape[0], self.hidden),
        )
        return over_time.permute(2, 0, 1, 3).flatten(2), None


def _both_ways(gru: nn.GRU, kind: str) -> Tensor:
    """A parameter `(direction, gate, ...)`, its gates in ONNX's order."""
    resets, updates, news = torch.stack([getattr(gru, f"{kind}_l0{way}").detach() for way in ("", "_reverse")]).chunk(3, dim=1)
    return torch.cat([updates, resets, news], dim=1)


@contextmanager
def _recurrent_as_operators(model: nn.Module) -> Iterator[None]:
    """Every GRU as an `OnnxGRU`, until the export is done."""
    layers = {name: module for name, module in model.named_modules() if isinstance(module, nn.GRU)}
    operators = {name: OnnxGRU(layer) for name, layer in layers.items()}
    try:
        for name, operator in operators.items():
            model.set_submodule(name, operator)
        yield
    finally:
        for name, layer in layers.items():
            model.set_submodule(name, layer)


@contextmanager
def _silent_exporter() -> Iterator[None]:
    """The exporter warns of its own deprecated calls, and of operators of packages that are not there: nothing that a user can act on."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
