"""A network whose scores can be computed by hand: means of bands over the frames around a frame.

The first label is the mean of the long bands, the second that of the short ones, and further labels
take turns. `write_model` writes it as a model folder; `scores` computes its scores of a whole
recording, frame by frame.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from loxo.model_folder import ModelSpec
from loxo.spectrogram import FrontEnd, spectrogram

Array = NDArray[np.float32]


def weights(front_end: FrontEnd, n_labels: int, reach: int) -> Array:
    """Filter `(label, band, offset)`."""
    n_long = len(front_end.long.centres_hz) * front_end.long.per_frame
    filters = np.zeros((n_labels, front_end.n_bands, 2 * reach + 1), np.float32)
    filters[::2, :n_long] = 1 / (n_long * (2 * reach + 1))
    filters[1::2, n_long:] = 1 / ((front_end.n_bands - n_long) * (2 * reach + 1))
    return filters


def write_model(folder: Path, spec: ModelSpec, reach: int) -> None:
    """Write a convolution over `reach` frames at either side and the logistic function.

    Outside the features that it is given, the network sees zeros.
    """
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["features", "filters"], ["logits"], pads=[reach, reach]),
            helper.make_node("Sigmoid", ["logits"], ["scores"]),
        ],
        "moving_mean",
        [
            helper.make_tensor_value_info(
                "features", TensorProto.FLOAT, ["batch", spec.front_end.n_bands, "frame"]
            )
        ],
        [
            helper.make_tensor_value_info(
                "scores", TensorProto.FLOAT, ["batch", len(spec.labels), "frame"]
            )
        ],
        [numpy_helper.from_array(weights(spec.front_end, len(spec.labels), reach), "filters")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    folder.mkdir()
    onnx.save(model, folder / "model.onnx")
    (folder / "spec.json").write_text(json.dumps(asdict(spec)))


def scores(waveform: Array, front_end: FrontEnd, reach: int) -> NDArray[np.float64]:
    """Scores `(frame, label)` of a whole recording."""
    features = spectrogram(waveform, front_end)
    n_long = len(front_end.long.centres_hz) * front_end.long.per_frame
    found = np.zeros((features.shape[1], 2))
    for frame in range(len(found)):
        for column, rows in enumerate((features[:n_long], features[n_long:])):
            total = 0.0
            for k in range(max(0, frame - reach), min(len(found), frame + reach + 1)):
                total += float(rows[:, k].mean())
            found[frame, column] = 1 / (1 + math.exp(-total / (2 * reach + 1)))
    return found
