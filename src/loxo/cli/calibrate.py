"""`loxo calibrate`: scores and thresholds of a model, fitted on annotated recordings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from loxo.cli.shared import ConsoleProgress, LabelMap, RowLabel, by_label

if TYPE_CHECKING:
    from loxo.model_folder import ModelSpec

__all__ = ["calibrate"]


def calibrate(
    model: Annotated[Path, typer.Argument(help="Folder of the model; its spec.json is changed.")],
    recordings: Annotated[
        list[Path],
        typer.Option(help="Annotated recordings, or folders of them; may be repeated."),
    ],
    truth: Annotated[Path, typer.Option(help="Table of true events, or a folder of tables.")],
    false_positives_per_hour: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[LABEL=]X",
            help="Choose the lowest thresholds with at most this rate of false positives, of all "
            "labels or of one; by default those with the best F1. Example: Rumble=8. May be "
            "repeated.",
        ),
    ] = None,
    label: RowLabel = None,
    label_map: LabelMap = None,
) -> None:
    """Turn scores into probabilities and choose thresholds, on annotated recordings.

    Use recordings that the model was not trained on, with as many events and other sounds an hour
    as those that it will search.
    """
    from loxo.annotations import read_annotations, read_label_map
    from loxo.calibration import calibrate as run
    from loxo.model_folder import load_spec
    from loxo.recordings import find_recordings

    rates = _rates(false_positives_per_hour or [], load_spec(model).labels)
    marked = read_annotations([truth], label=label, label_map=read_label_map(label_map or ()))
    with ConsoleProgress() as progress:
        spec = run(
            model,
            find_recordings(recordings),
            marked,
            false_positives_per_hour=rates,
            progress=progress,
        )
    for name in spec.labels:
        print(_summary(spec, name))
    print(spec.prior)


def _rates(texts: list[str], labels: tuple[str, ...]) -> dict[str, float]:
    """Parse rates given as X, of all labels, or as LABEL=X, which goes before."""
    option, example = "--false-positives-per-hour", "Rumble=8"
    of_all = [f"{label}={text}" for text in texts if "=" not in text for label in labels]
    of_one = [text for text in texts if "=" in text]
    rates = by_label([*of_all, *of_one], option, labels, example)
    below = [label for label, rate in rates.items() if rate < 0]
    if below:
        raise typer.BadParameter(f"{option} {rates[below[0]]:g}: a rate cannot be below 0")
    return rates


def _summary(spec: ModelSpec, label: str) -> str:
    """The chosen threshold of a label, and what was found at it."""
    threshold = spec.post_processing[label].threshold
    points = spec.operating_points[label]
    point = next(point for point in points if point.threshold == threshold)
    return (
        f"{label}: threshold {threshold:g}, precision {_share(point.precision)}, "
        f"recall {_share(point.recall)}, {point.false_positives_per_hour:.1f} false per hour"
    )


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
