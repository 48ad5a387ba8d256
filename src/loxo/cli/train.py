"""`loxo train` and `loxo export`: from a configuration to a model folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from loxo.cli.shared import ConsoleProgress, NothingDoneError

if TYPE_CHECKING:
    from loxo.training import TrainingConfig

__all__ = ["export", "train"]


def train(
    config: Annotated[
        Path,
        typer.Option(help="Configuration file (YAML), for example configs/tcn.yaml."),
    ],
    change: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Change a setting of the file for this run, for example epochs=3, "
            "augment=none or data.window_s=20. Repeat it for several.",
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            help="Continue an interrupted run in the same output folder; without one, start it."
        ),
    ] = False,
    dev: Annotated[
        bool,
        typer.Option(
            help="Make a short trial of some minutes: apply the changes under the file's key dev, "
            "take clips from data/dev, and add -dev to the output's name."
        ),
    ] = False,
) -> None:
    """Train a model from a configuration file."""
    try:
        from loxo.training import read_config
        from loxo.training import train as run
    except ModuleNotFoundError as error:
        raise NothingDoneError(
            f"training needs {error.name}; install it with: pip install 'loxo[train]'"
        ) from error

    settings = read_config(config, change or [], dev=dev)
    with ConsoleProgress() as progress:
        folder = run(settings, resume=resume, progress=progress)
    # A run on several devices starts this command once for each.
    if os.environ.get("LOCAL_RANK", "0") == "0":
        _report(settings, folder)


def _report(settings: TrainingConfig, folder: Path) -> None:
    """Print the figures of a trained model and the next commands, the one for detection last."""
    from loxo.model_folder import load_spec
    from loxo.training import validation_table

    print(f"\nValidation, frame by frame (F with {settings.recall_weight:g} times recall):")
    print(validation_table(load_spec(folder)))
    print("\nChoose thresholds on annotated recordings of your own, or detect at once:")
    print(f"  loxo calibrate {folder} --recordings RECORDINGS --truth TABLES")
    print(f"  loxo detect RECORDINGS --output DETECTIONS --model {folder}")


def export(
    run: Annotated[
        Path, typer.Argument(help="Folder of a training run: the key output of its configuration.")
    ],
    output: Annotated[Path, typer.Option(help="Folder that the model is written to.")],
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            help="Checkpoint of the run, for example RUN/checkpoints/best.ckpt; "
            "by default the last one."
        ),
    ] = None,
) -> None:
    """Write the model folder of a checkpoint, for `loxo detect --model`."""
    try:
        from loxo.training import export_run
    except ModuleNotFoundError as error:
        raise NothingDoneError(
            f"exporting needs {error.name}; install it with: pip install 'loxo[train]'"
        ) from error

    print(export_run(run, output, checkpoint=checkpoint))
