"""Pictures of a run: how loss and metrics went, and, at the chosen thresholds, what is taken for what."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from loxo.events import EVENT_LABELS
from loxo.storage import replacing

__all__ = ["confusion", "draw_confusion", "draw_curves"]


def confusion(scores: NDArray[np.float32], targets: NDArray[np.float32], thresholds: Mapping[str, float]) -> dict[str, list[list[int]]]:
    """Frames of each label by truth (row) and answer (column), absent first, of scores and targets `(class, frame)`; NaN counts nowhere."""
    tables = {}
    for label, score, target in zip(EVENT_LABELS, scores, targets, strict=True):
        known = ~np.isnan(target)
        true, found = (target[known] >= 0.5).astype(int), (score[known] >= thresholds[label]).astype(int)
        tables[label] = np.bincount(2 * true + found, minlength=4).reshape(2, 2).tolist()
    return tables


def draw_confusion(tables: Mapping[str, list[list[int]]], path: Path) -> None:
    """A square for each label, the counts in its fields, shaded by their share of the row."""
    figure = Figure(figsize=(3 * len(tables), 3.2), layout="constrained")
    for axes, (label, table) in zip(np.atleast_1d(figure.subplots(1, len(tables))), tables.items(), strict=True):
        counts = np.array(table)
        axes.imshow(counts / np.maximum(1, counts.sum(axis=1, keepdims=True)), cmap="Greys", vmin=0, vmax=1.6)
        for row, column in np.ndindex(2, 2):
            axes.text(column, row, f"{counts[row, column]:,}", ha="center", va="center")
        axes.set_xticks([0, 1], ["not found", "found"])
        axes.set_yticks([0, 1], ["absent", "there"])
        axes.set_title(f"{label}, frames")
    _save(figure, path)


def draw_curves(lines: Path, path: Path) -> None:
    """Loss, and average precision and F1 of each label, over the epochs of a `metrics.jsonl`."""
    rows = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]
    epochs = [row["epoch"] for row in rows]
    figure = Figure(figsize=(9, 3.5), layout="constrained")
    loss, metrics = figure.subplots(1, 2)
    for name in ("train_loss", "validation_loss"):
        loss.plot(epochs, [row[name] for row in rows], marker=".", label=name.replace("_", " "))
    for name in (f"validation_{kind}_{label}" for kind in ("ap", "f1") for label in EVENT_LABELS):
        metrics.plot(epochs, [row[name] for row in rows], marker=".", label=name.removeprefix("validation_").replace("_", " "))
    metrics.set_ylim(0, 1)
    for axes, title in ((loss, "loss"), (metrics, "validation, frame by frame")):
        axes.set_title(title)
        axes.set_xlabel("epoch")
        axes.legend(fontsize="small")
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    with replacing(path) as passing:
        figure.savefig(passing, format="png", dpi=100)
