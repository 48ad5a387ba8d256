"""Figures of a run: curves over the epochs, confusion matrices, and the table at its end."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from loxo.model_folder import ModelSpec
from loxo.storage import atomic_write

__all__ = ["confusion", "draw_confusion", "draw_curves", "validation_table"]


def confusion(
    scores: NDArray[np.float32], targets: NDArray[np.float32], thresholds: Mapping[str, float]
) -> dict[str, list[list[int]]]:
    """Count the frames of each label by truth (row) and detection (column), absent first.

    Args:
        scores: scores `(label, frame)`.
        targets: targets `(label, frame)`; positive from 0.5 on, NaN is ignored.
        thresholds: of each label, in the order of the rows.
    """
    tables = {}
    for (label, threshold), score, target in zip(thresholds.items(), scores, targets, strict=True):
        known = ~np.isnan(target)
        true = (target[known] >= 0.5).astype(int)
        found = (score[known] >= threshold).astype(int)
        tables[label] = np.bincount(2 * true + found, minlength=4).reshape(2, 2).tolist()
    return tables


def draw_confusion(tables: Mapping[str, list[list[int]]], path: Path) -> None:
    """Draw a confusion matrix for each label, shaded by the share of each field in its row."""
    figure = Figure(figsize=(3 * len(tables), 3.2), layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, len(tables)))
    for axes, (label, table) in zip(panels, tables.items(), strict=True):
        counts = np.array(table)
        shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
        axes.imshow(shares, cmap="Greys", vmin=0, vmax=1.6)
        for row, column in np.ndindex(2, 2):
            axes.text(column, row, f"{counts[row, column]:,}", ha="center", va="center")
        axes.set_xticks([0, 1], ["not detected", "detected"])
        axes.set_yticks([0, 1], ["absent", "present"])
        axes.set_title(f"{label}, frames")
    _save(figure, path)


def draw_curves(metrics: Path, labels: Sequence[str], path: Path) -> None:
    """Draw losses, and average precision and F1 of each label, over the epochs.

    Args:
        metrics: the `metrics.jsonl` of a run.
        path: of the PNG file.
    """
    rows = [json.loads(line) for line in metrics.read_text(encoding="utf-8").splitlines()]
    of_labels = [f"validation_{kind}_{label}" for kind in ("ap", "f1") for label in labels]
    figure = Figure(figsize=(9, 3.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    panels = ((left, ["train_loss", "validation_loss"], "loss"), (right, of_labels, "validation"))
    for axes, names, title in panels:
        for name in names:
            label = name.removeprefix("validation_") if name in of_labels else name
            values = [row[name] for row in rows]
            axes.plot([row["epoch"] for row in rows], values, marker=".", label=_in_words(label))
        axes.set_title(title)
        axes.set_xlabel("epoch")
        axes.legend(fontsize="small")
    right.set_title("validation, frame by frame")
    right.set_ylim(0, 1)
    _save(figure, path)


def _in_words(name: str) -> str:
    return name.replace("_", " ")


def _save(figure: Figure, path: Path) -> None:
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format="png", dpi=100)


def validation_table(spec: ModelSpec) -> str:
    """Table of the figures of each label on the validation frames, as lines of text.

    Args:
        spec: of a model that training wrote.
    """
    validation = spec.training.get("validation")
    if not isinstance(validation, dict) or not validation:
        return ""
    columns = list(next(iter(validation.values())))
    width = max(len(label) for label in validation)
    names = [column.replace("_", " ") for column in columns]
    lines = [" ".join([" " * width, *(f"{name:>{_width(name)}}" for name in names)])]
    for label, figures in validation.items():
        values = [
            f"{figures[column]:{_width(name)}.3f}"
            for column, name in zip(columns, names, strict=True)
        ]
        lines.append(" ".join([f"{label:<{width}}", *values]))
    return "\n".join(lines)


def _width(name: str) -> int:
    return max(6, len(name) + 1)
