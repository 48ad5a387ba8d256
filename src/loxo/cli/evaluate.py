"""`loxo evaluate`: compare detections with true events, in tables, JSON and figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from loxo.cli.shared import LabelMap, RowLabel

if TYPE_CHECKING:
    from loxo.evaluation import Evaluation

__all__ = ["evaluate"]


def evaluate(
    truth: Annotated[Path, typer.Option(help="Table of true events, or a folder of tables.")],
    detections: Annotated[
        Path, typer.Option(help="Table of detections, or the output folder of `loxo detect`.")
    ],
    json: Annotated[
        Path | None, typer.Option(help="File for all results, e.g. results.json.")
    ] = None,
    audio_seconds: Annotated[
        float | None,
        typer.Option(
            help="Total length of the evaluated recordings in seconds; by default that in the "
            "run.json of `loxo detect`. Without either there are no rates per hour."
        ),
    ] = None,
    label: RowLabel = None,
    label_map: LabelMap = None,
    labels: Annotated[
        str | None,
        typer.Option(
            help="Labels to evaluate, e.g. Rumble,Gunshot,Chainsaw; by default those of the model "
            "where run.json has them, else Rumble,Gunshot."
        ),
    ] = None,
    against: Annotated[
        Path | None, typer.Option(help="Other detections of the same recordings, to compare with.")
    ] = None,
    figures: Annotated[
        Path | None,
        typer.Option(help="Folder for figures, and for pictures of the clearest errors."),
    ] = None,
    recordings: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the recordings, for pictures of errors; by default where run.json says."
        ),
    ] = None,
) -> None:
    """Compare detections with true events: precision, recall, F1, false positives per hour."""
    from functools import partial

    from rich.console import Console

    from loxo.annotations import read_label_map
    from loxo.evaluation import (
        comparison_table,
        curve_table,
        notices,
        shots_table,
        summary_table,
        write_json,
    )
    from loxo.evaluation import evaluate as run

    if recordings is not None and figures is None:
        raise typer.BadParameter(
            f"--recordings {recordings}: only pictures of errors need recordings; give --figures "
            "too"
        )
    compare_with_truth = partial(
        run,
        truth,
        seconds=audio_seconds,
        labels=_listed(labels),
        label=label,
        label_map=read_label_map(label_map or ()),
    )
    evaluation = compare_with_truth(detections)
    others = None if against is None else compare_with_truth(against)
    if json is not None:
        write_json(evaluation, json, others)
    console = Console()
    tables = [summary_table(evaluation), curve_table(evaluation), shots_table(evaluation)]
    if others is not None:
        tables.append(comparison_table(evaluation, others))
    for table in filter(None, tables):
        console.print(table)
    for notice in notices(evaluation):
        console.print(notice, highlight=False, markup=False, soft_wrap=True)
    if figures is not None:
        _draw(evaluation, figures, detections, recordings)


def _listed(labels: str | None) -> list[str] | None:
    from loxo.annotations.dialects import canonical_label

    if labels is None:
        return None
    names = [canonical_label(name.strip()) for name in labels.split(",")]
    if not all(names) or len(set(names)) < len(names):
        raise typer.BadParameter(
            f"--labels {labels}: expected different names with commas between, e.g. Rumble,Gunshot"
        )
    return names


def _draw(evaluation: Evaluation, figures: Path, detections: Path, recordings: Path | None) -> None:
    """Draw the figures and pages of errors, and say where they are."""
    from loxo.cli.shared import ConsoleProgress
    from loxo.evaluation import recording_paths
    from loxo.report import draw_errors, draw_figures

    paths = recording_paths(detections, recordings, evaluation.recordings)
    with ConsoleProgress() as progress:
        drawn = draw_figures(evaluation, figures)
        drawn += draw_errors(evaluation, paths, figures, progress=progress)
        progress.message(f"in {figures}: {', '.join(path.name for path in drawn)}")
        if not paths:
            progress.message(
                "no recording was found, so no errors were drawn; --recordings says where they are"
            )
