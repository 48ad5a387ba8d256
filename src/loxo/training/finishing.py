"""The end of a training run: thresholds, figures and the model folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from loxo.model_folder import ModelSpec, PostProcessing, save_model
from loxo.models import AbstractModel
from loxo.storage import write_json
from loxo.training.config import TrainingConfig
from loxo.training.data import TrainingData, Windows, trained_on
from loxo.training.figures import confusion, draw_confusion, draw_curves
from loxo.training.run_folder import RunFolder, package_versions, without_folders
from loxo.training.thresholds import FrameFigures, frame_figures

__all__ = ["finish"]

Array = NDArray[np.float32]


def finish(
    config: TrainingConfig,
    model: AbstractModel,
    data: TrainingData,
    output: Path,
    run: RunFolder | None = None,
) -> None:
    """Choose thresholds on the validation windows, write the model folder, and draw figures.

    Args:
        output: the model folder.
        run: the folder that the figures go to; None draws none.
    """
    scores, targets = _predict(config, model.eval(), data.validation)
    figures = {
        label: frame_figures(scores[row], targets[row], config.recall_weight)
        for row, label in enumerate(config.labels)
    }
    spec = _spec(config, model, data.fingerprint, figures)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    save_model(model, spec, output, model_card(spec, parameters, config.card))
    if run is not None:
        thresholds = {label: found.threshold for label, found in figures.items()}
        tables = confusion(scores, targets, thresholds)
        write_json(run.path / "confusion.json", tables)
        draw_confusion(tables, run.path / "confusion.png")
        draw_curves(run.metrics, config.labels, run.path / "curves.png")


def _predict(config: TrainingConfig, model: AbstractModel, windows: Windows) -> tuple[Array, Array]:
    """Scores and targets `(label, frame)` of all windows of a dataset, one after another."""
    scores, targets = [], []
    for waveform, target in DataLoader(windows, config.batch_size, num_workers=config.workers):
        scores.append(model.infer(waveform.to(model.device), target.shape[-1]).cpu().numpy())
        targets.append(target.numpy())
    return _in_a_row(scores), _in_a_row(targets)


def _in_a_row(batches: list[Array]) -> Array:
    """Batches `(window, label, frame)` as `(label, frame)`."""
    joined = np.concatenate(batches).swapaxes(0, 1)
    return joined.reshape(len(joined), -1)


def _spec(
    config: TrainingConfig,
    model: AbstractModel,
    fingerprint: Mapping[str, Any],
    figures: Mapping[str, FrameFigures],
) -> ModelSpec:
    """Specification of the trained model, with its thresholds and its origin."""
    settings = config.model_dump() | {"init_from": Path(config.init_from).name}
    return ModelSpec(
        name=config.model.name,
        version=metadata.version("loxo"),
        front_end=config.front_end,
        labels=config.labels,
        context_frames=model.context_frames,
        window_frames=model.window_frames,
        post_processing={
            label: _at_threshold(config.post_processing[label], found.threshold)
            for label, found in figures.items()
        },
        training={
            "config": without_folders(settings),
            **fingerprint,
            "validation": {label: asdict(found) for label, found in figures.items()},
            "versions": package_versions(),
        },
    )


def _at_threshold(processing: PostProcessing, threshold: float) -> PostProcessing:
    """Post-processing with another threshold; the off-threshold keeps its ratio to it."""
    ratio = min(1.0, processing.off_threshold / processing.threshold)
    return replace(processing, threshold=threshold, off_threshold=round(ratio * threshold, 6))


def model_card(spec: ModelSpec, parameters: int, card: str) -> str:
    """What a user of the model must know, as Markdown."""
    frame_s, rate = spec.front_end.grid.frame_s, spec.front_end.rate
    return f"""# {spec.name} {spec.version}

Scores {" and ".join(spec.labels)} in frames of {frame_s:g} s of audio at {rate} Hz; {parameters:,}
parameters.

Trained on {trained_on(spec.training)}. The whole configuration, hashes of the data, and the
thresholds of detection are in `spec.json`.

{card}"""
