"""`loxo evaluate`: detections judged by a truth, as tables, JSON and figures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["evaluate"]


def evaluate(
    truth: Annotated[Path, typer.Option(help="Table of true events, or a folder of tables.")],
    detections: Annotated[Path, typer.Option(help="Table of detections, or the output folder of `loxo detect`.")],
    json: Annotated[Path, typer.Option(help="Where to write all figures.")],
    audio_seconds: Annotated[float | None, typer.Option(help="Length of all recordings together, where no run.json says it.")] = None,
    label: Annotated[str | None, typer.Option(help="Label of tables that name none.")] = None,
    against: Annotated[Path | None, typer.Option(help="Other detections of the same recordings, to compare with.")] = None,
    figures: Annotated[Path | None, typer.Option(help="Folder for figures, and for pictures of the worst errors.")] = None,
    recordings: Annotated[
        Path | None, typer.Option(help="Folder of the recordings, for pictures of errors; else where run.json says.")
    ] = None,
) -> None:
    """Compare detections with true events: precision, recall, F1, false positives per hour."""
    from rich.console import Console

    from loxo.evaluation import comparison_table, curve_table, evaluate_paths, notices, recording_paths, summary_table, write_json

    if recordings is not None and figures is None:
        raise typer.BadParameter(f"--recordings {recordings}: only pictures of errors need recordings; give --figures too")
    evaluation = evaluate_paths(truth, detections, audio_seconds=audio_seconds, label=label)
    others = evaluate_paths(truth, against, audio_seconds=audio_seconds, label=label) if against is not None else None
    write_json(evaluation, json, others)
    console = Console()
    for table in (summary_table(evaluation), curve_table(evaluation), comparison_table(evaluation, others) if others is not None else None):
        if table is not None:
            console.print(table)
    for notice in notices(evaluation):
        console.print(notice, highlight=False, soft_wrap=True)
    if figures is not None:
        from loxo.report import draw_errors, draw_figures

        paths = recording_paths(detections, recordings, evaluation.recordings)
        troubles: dict[str, None] = {}
        drawn = [*draw_figures(evaluation, figures), *draw_errors(evaluation, paths, figures, tell=troubles.setdefault)]
        console.print(f"in {figures}: {', '.join(path.name for path in drawn)}", highlight=False, soft_wrap=True)
        for trouble in troubles:
            console.print(f"not drawn: {trouble}", highlight=False, soft_wrap=True)
        if not paths:
            console.print("no recording was found to draw errors from; --recordings says where they are", highlight=False, soft_wrap=True)
