"""A network whose answers can be worked out by hand: the mean of the long bands, and of the short ones, over the frames around.

`write_model` makes it as a model folder; `scores` is what it must say of a whole recording, frame by frame.
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

from loxo.checkpoints import ModelSpec
from loxo.spectrogram import FrontEnd, spectrogram

Array = NDArray[np.float32]


def weights(front_end: FrontEnd, reach: int) -> Array:
    """Filter `(class, band, offset)`."""
    n_long = len(front_end.long.centres_hz) * front_end.long.per_frame
    filters = np.zeros((2, front_end.n_bands, 2 * reach + 1), np.float32)
    filters[0, :n_long] = 1 / (n_long * (2 * reach + 1))
    filters[1, n_long:] = 1 / ((front_end.n_bands - n_long) * (2 * reach + 1))
    return filters


def write_model(folder: Path, spec: ModelSpec, reach: int) -> None:
    """A convolution over `reach` frames at either side, beyond which it sees zeros, and the logistic function."""
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["features", "filters"], ["logits"], pads=[reach, reach]),
            helper.make_node("Sigmoid", ["logits"], ["scores"]),
        ],
        "moving_mean",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", spec.front_end.n_bands, "frame"])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 2, "frame"])],
        [numpy_helper.from_array(weights(spec.front_end, reach), "filters")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    folder.mkdir()
    onnx.save(model, folder / "model.onnx")
    (folder / "spec.json").write_text(json.dumps(asdict(spec)))


def scores(waveform: Array, front_end: FrontEnd, reach: int) -> NDArray[np.float64]:
    """Scores `(frame, class)` of a whole recording."""
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
