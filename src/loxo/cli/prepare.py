"""`loxo prepare`: the four steps from tables and recordings to a clip set, or all in a row.

The options are those of `loxo.preparation.PrepareSettings`. A file may hold them under their names
(`--config configs/prepare.yaml`); `--set name=value` wins over the file, and an option over both.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from inspect import Parameter, Signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from loxo.cli.shared import ConsoleProgress
from loxo.settings import merge, parse_change, read_yaml, validate

if TYPE_CHECKING:
    from loxo.preparation import Folder, PrepareSettings, Report
    from loxo.storage import Storage

__all__ = ["prepare"]

EXAMPLE = "configs/prepare.yaml"

prepare = typer.Typer(
    help="Make a clip set for training from recordings and annotation tables, on a disk or on S3.",
)


def _option(kind: Any, default: object, description: str, *names: str) -> tuple[str, Any]:
    """Declare an option; `default` is what the help shows, and None shows nothing.

    An option that is not given has the value None, so that a file and `--set` can decide it.
    """
    shown = str(default) if default is not None else False
    return kind, typer.Option(*names, help=description, show_default=shown)


OPTIONS: dict[str, tuple[Any, Any]] = {
    "recordings": _option(
        list[str],
        None,
        "Recordings: a folder, file, s3://bucket/prefix or http(s) address; may be repeated.",
    ),
    "rumbles": _option(
        list[str],
        None,
        "Tables whose rows without a label are rumbles: files, folders or addresses; "
        "may be repeated.",
    ),
    "gunshots": _option(
        list[str], None, "Tables whose rows without a label are gunshots; may be repeated."
    ),
    "tables": _option(list[str], None, "Tables that name a label in each row; may be repeated."),
    "map": _option(
        list[str],
        None,
        "Another name of a label in the tables, as in tir=Gunshot, or a file of such pairs; "
        "may be repeated.",
    ),
    "labels": _option(
        list[str],
        "Rumble,Gunshot",
        "Labels of the events that clips are cut around, separated by commas.",
    ),
    "timezone": _option(
        str, None, "Zone of the times in file names, for example Africa/Brazzaville."
    ),
    "root": _option(
        str,
        "the folder of --recordings",
        "Folder or prefix that paths of recordings are relative to, in tables and names of clips.",
    ),
    "site_from": _option(
        str,
        "the file's name, else its folder",
        "Site of a recording: a level of folders below the root (1 is the first, -1 the "
        "recording's own), or a table with the columns recording,site or folder,site.",
    ),
    "refresh": _option(
        bool, None, "List remote recordings again instead of using the kept listing."
    ),
    "ratio": _option(float, 1.0, "Background clips for each clip with events; 0 for none."),
    "margin": _option(float, 10.0, "Least distance from background to any event, in seconds."),
    "detections": _option(
        Path,
        None,
        "Results of `loxo detect` in these recordings; those far from all events are false "
        "positives and become background.",
        "--from",
    ),
    "hard_share": _option(
        float, 0.5, "Largest share of the background that false positives may be, 0 to 1."
    ),
    "clip_length": _option(float, 20.0, "Greatest length of a clip, in seconds."),
    "channel": _option(
        int, "the mean of all", "Channel of recordings with several, counted from 1."
    ),
    "marginal": _option(bool, "marginal", "Cut clips around events in doubt, too."),
    "split_by": _option(
        Literal["recording", "site"],
        "recording",
        "Unit that is never divided between train, validation and test.",
    ),
    "validation": _option(float, 0.15, "Share of the clips of each label for validation, 0 to 1."),
    "test": _option(float, 0.15, "Share of the clips of each label for testing, 0 to 1."),
    "test_recordings": _option(
        Path,
        None,
        "Recordings for testing: an annotation table, or a file with a name in each line.",
    ),
    "rate": _option(int, 8000, "Sample rate of the resampled clips, in Hz."),
    "jobs": _option(
        int,
        0,
        "Recordings or clips that are processed at a time; 0 chooses by the number of cores.",
    ),
    "seed": _option(int, 0, "Seed of all draws; the same seed gives the same clips."),
    "data": _option(Path, "data", "Folder to write to."),
    "dev": _option(bool, None, "Make a small trial, in the folder `dev` of the data folder."),
    "connection": _option(
        Path, "config/connection_config.yaml, if it exists", "File with the connection to S3."
    ),
    "anonymous": _option(bool, None, "Read public buckets without keys."),
    "config": _option(Path, None, f"File with options under their names, for example {EXAMPLE}."),
    "change": _option(
        list[str],
        None,
        "NAME=VALUE instead of the file's, as in clip_length=30; may be repeated.",
        "--set",
    ),
}
"""Type and declaration of each option; names and defaults are those of `PrepareSettings`."""

WINDOWS = ("labels", "clip_length", "marginal", "seed")
# The same as `loxo.preparation.STEPS`, whose import would slow down the start of every command.
STEP_OPTIONS: dict[str, tuple[str, ...]] = {
    "table": (
        *("recordings", "rumbles", "gunshots", "tables", "map", "labels"),
        *("timezone", "root", "site_from", "refresh", "seed"),
    ),
    "background": ("ratio", "margin", "detections", "hard_share", *WINDOWS),
    "clips": (
        *("channel", "split_by", "validation", "test", "test_recordings", "root", "jobs"),
        *WINDOWS,
    ),
    "resample": ("rate", "jobs"),
}
"""Options of each step."""


@prepare.callback()
def _config(
    context: typer.Context,
    config: Annotated[
        Path | None, typer.Option(help=f"File with options for the command, for example {EXAMPLE}.")
    ] = None,
) -> None:
    """Accept `--config` before the name of the step, too."""
    context.obj = config


def _add_command(name: str, description: str, *steps: str) -> None:
    """Add a command with the options of some steps."""
    names = list(dict.fromkeys([option for step in steps for option in STEP_OPTIONS[step]]))
    names += ["data", "dev", "connection", "anonymous", "config", "change"]

    def command(context: typer.Context, **given: Any) -> None:
        _run(steps, _settings(context, given))

    annotations: dict[str, Any] = {"context": typer.Context}
    for option in names:
        kind, declaration = OPTIONS[option]
        annotations[option] = Annotated[kind | None, declaration]
    parameters = [
        Parameter(
            option,
            Parameter.POSITIONAL_OR_KEYWORD,
            default=Parameter.empty if option == "context" else None,
            annotation=annotation,
        )
        for option, annotation in annotations.items()
    ]
    command.__doc__ = description
    command.__annotations__ = annotations
    command.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    prepare.command(name)(command)


_add_command(
    "table", "Step 1: all tables and the listing of the recordings, as one training table.", "table"
)
_add_command(
    "background",
    "Step 1.5: segments without events, in recordings that a person searched.",
    "background",
)
_add_command("clips", "Step 2: cut clips around the events, and of the background.", "clips")
_add_command("resample", "Step 3: all clips at one rate, in a folder of their own.", "resample")
_add_command(
    "all",
    "All steps in a row; steps with unchanged inputs and settings are skipped.",
    "table",
    "background",
    "clips",
    "resample",
)


def _settings(context: typer.Context, given: Mapping[str, Any]) -> PrepareSettings:
    """Settings of a file, changed by `--set` and by the options that are given."""
    from loxo.preparation import PrepareSettings

    options = dict(given)
    config = options.pop("config") or context.obj
    content = read_yaml(config, EXAMPLE) if config else {}
    for change in options.pop("change") or ():
        content = merge(content, parse_change(change, "clip_length=30"))
    content |= {name: value for name, value in options.items() if value not in (None, [])}
    return validate(PrepareSettings, content, *([str(config)] if config else []))


def _run(steps: Sequence[str], settings: PrepareSettings) -> None:
    """Do the steps, and print what each read, wrote and skipped, also if one of them fails."""
    from loxo.preparation import Folder
    from loxo.storage import Storage, read_connection

    connection = None
    if settings.connection or settings.anonymous:
        connection = read_connection(settings.connection, anonymous=settings.anonymous)
    storage = Storage(connection)
    folder = Folder.at(settings.data, dev=settings.dev)
    reports: list[Report] = []
    try:
        for step in steps:
            began = time.perf_counter()
            with ConsoleProgress() as progress:
                report = _step(step, folder, settings, storage)(progress=progress)
            if not report.cached:
                seconds = f"{time.perf_counter() - began:.1f} s"
                report = replace(report, effort=", ".join(filter(None, (seconds, report.effort))))
            reports.append(report)
    finally:
        _print(reports)


def _step(
    step: str, folder: Folder, settings: PrepareSettings, storage: Storage
) -> Callable[..., Report]:
    """The function of a step, which takes only `progress`."""
    from loxo.preparation import cut_clips, draw_background, make_table, resample_clips

    steps: dict[str, Callable[..., Report]] = {
        "table": partial(make_table, folder, settings, storage),
        "background": partial(draw_background, folder, settings),
        "clips": partial(cut_clips, folder, settings, storage),
        "resample": partial(resample_clips, folder, settings),
    }
    return steps[step]


def _print(reports: Sequence[Report]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if not reports:
        return
    console = Console(soft_wrap=True)
    table = Table("step", "read", "wrote", "skipped", "this time", box=SIMPLE_HEAD)
    for report in reports:
        this_time = "cached" if report.cached else report.effort
        cells = (report.step, report.read, report.wrote, report.skipped or "-", this_time)
        table.add_row(*map(Text, cells))  # as `Text`, since file names are not markup
    console.print(table)
    for report in reports:
        for note in report.notes:
            console.print(f"{report.step}: {note}", highlight=False, markup=False)
