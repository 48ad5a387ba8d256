"""`loxo prepare`: the four steps from tables and recordings to a clip set, and all of them in a row.

Every option may also stand in a file (`loxo prepare --config configs/prepare.yaml all`), under its own name; the command line wins.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from loxo.cli.shared import progress_bar, zone

if TYPE_CHECKING:
    from loxo.preparation import Report
    from loxo.preparation.folder import Watch

__all__ = ["prepare"]

prepare = typer.Typer(help="Make a clip set for training from recordings and annotation tables, on a disk or on S3.", no_args_is_help=True)

Recordings = Annotated[
    list[str] | None, typer.Option(help="Recordings: a folder, file, s3://bucket/prefix or http(s) address; may be repeated.")
]
Rumbles = Annotated[list[str] | None, typer.Option(help="Tables of rumbles: files, folders or addresses; may be repeated.")]
Gunshots = Annotated[list[str] | None, typer.Option(help="Tables of gunshots.")]
Tables = Annotated[list[str] | None, typer.Option(help="Tables that name a label in each row.")]
Timezone = Annotated[str | None, typer.Option(help="Of the times in file names, for example Africa/Brazzaville.")]
Refresh = Annotated[bool, typer.Option(help="List remote recordings anew.")]
Ratio = Annotated[float, typer.Option(help="Background clips for each clip with events; 0 for none.", min=0)]
Margin = Annotated[float, typer.Option(help="Least seconds from background to any event.", min=0)]
From = Annotated[
    Path | None, typer.Option("--from", help="Results of a `loxo detect` in these recordings, whose false detections become background.")
]
HardShare = Annotated[float, typer.Option(help="Most of the background that false detections may be.", min=0, max=1)]
ClipLength = Annotated[float, typer.Option(help="Seconds of a clip, at most.", min=0.1, max=3600)]
Channel = Annotated[int | None, typer.Option(help="Channel of recordings with several, from 1; else their mean.", min=1)]
Marginal = Annotated[bool, typer.Option(help="Make clips around events in doubt, too.")]
SplitBy = Annotated[Literal["recording", "site"], typer.Option(help="What lies whole in one of train, validation and test.")]
Validation = Annotated[float, typer.Option(help="Share of the clips for validation.", min=0, max=1)]
Test = Annotated[float, typer.Option(help="Share of the clips for testing.", min=0, max=1)]
TestRecordings = Annotated[Path | None, typer.Option(help="Recordings for testing: an annotation table, or a file with a name a line.")]
Rate = Annotated[int, typer.Option(help="Samples a second of the resampled clips.", min=100)]
Jobs = Annotated[int, typer.Option(help="Recordings, or clips, that are worked on at a time; 0 chooses.", min=0)]
Seed = Annotated[int, typer.Option(help="The same seed gives the same clips.", min=0)]
Data = Annotated[Path, typer.Option(help="Folder to write to.")]
Dev = Annotated[bool, typer.Option(help="A small trial of the same, in the folder `dev` of the data folder.")]
Connection = Annotated[Path | None, typer.Option(help="Connection to S3; else config/connection_config.yaml, if it is there.")]
Anonymous = Annotated[bool, typer.Option(help="Read public buckets without keys.")]


@prepare.callback()
def settings(
    context: typer.Context,
    config: Annotated[Path | None, typer.Option(help="File with options, for example configs/prepare.yaml.")] = None,
) -> None:
    """Take options from a file, each for the commands that have it."""
    if config is None:
        return
    values = _read_options(config)
    commands: dict[str, Any] = context.command.commands  # type: ignore[attr-defined]  # of a group there are
    known = {name: {parameter.name for parameter in command.params} for name, command in commands.items()}
    strangers = [key for key in values if not any(key in names for names in known.values())]
    if strangers:
        names = ", ".join(sorted({name for each in known.values() for name in each if name != "help"}))
        raise typer.BadParameter(f"{config}: {strangers[0]}: no such option; there are {names}")
    context.default_map = {name: {key: values[key] for key in values if key in names} for name, names in known.items()}


def _read_options(config: Path) -> dict[str, Any]:
    import yaml

    try:
        values = yaml.safe_load(config.read_text(encoding="utf-8"))
    except OSError as error:
        raise typer.BadParameter(f"{config}: {error.strerror}; give the path of a file as configs/prepare.yaml is one") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"{config}: not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise typer.BadParameter(f"{config}: options are wanted, as `clip_length: 20`, a line each")
    return {str(key): value for key, value in values.items()}


@prepare.command()
def table(
    recordings: Recordings = None,
    rumbles: Rumbles = None,
    gunshots: Gunshots = None,
    tables: Tables = None,
    timezone: Timezone = None,
    refresh: Refresh = False,
    seed: Seed = 0,
    data: Data = Path("data"),
    dev: Dev = False,
    connection: Connection = None,
    anonymous: Anonymous = False,
) -> None:
    """Step 1: all tables and the listing of the recordings, as one training table."""
    step = _table(recordings, rumbles, gunshots, tables, timezone, refresh, seed)
    _run([step], data, dev, connection, anonymous)


@prepare.command()
def background(
    ratio: Ratio = 1.0,
    margin: Margin = 10.0,
    detections: From = None,
    hard_share: HardShare = 0.5,
    clip_length: ClipLength = 20.0,
    seed: Seed = 0,
    data: Data = Path("data"),
    dev: Dev = False,
    connection: Connection = None,
    anonymous: Anonymous = False,
) -> None:
    """Step 1.5: stretches without events, in recordings that somebody searched."""
    _run([_background(ratio, margin, detections, hard_share, clip_length, seed)], data, dev, connection, anonymous)


@prepare.command()
def clips(
    clip_length: ClipLength = 20.0,
    channel: Channel = None,
    marginal: Marginal = True,
    split_by: SplitBy = "recording",
    validation: Validation = 0.15,
    test: Test = 0.15,
    test_recordings: TestRecordings = None,
    jobs: Jobs = 0,
    seed: Seed = 0,
    data: Data = Path("data"),
    dev: Dev = False,
    connection: Connection = None,
    anonymous: Anonymous = False,
) -> None:
    """Step 2: cut clips around the events, and of the background."""
    step = _clips(clip_length, channel, marginal, split_by, validation, test, test_recordings, jobs, seed)
    _run([step], data, dev, connection, anonymous)


@prepare.command()
def resample(rate: Rate = 8000, jobs: Jobs = 0, data: Data = Path("data"), dev: Dev = False) -> None:
    """Step 3: all clips at one rate, in a folder of their own."""
    _run([_resample(rate, jobs)], data, dev, None, anonymous=False)


@prepare.command(name="all")
def everything(
    recordings: Recordings = None,
    rumbles: Rumbles = None,
    gunshots: Gunshots = None,
    tables: Tables = None,
    timezone: Timezone = None,
    refresh: Refresh = False,
    ratio: Ratio = 1.0,
    margin: Margin = 10.0,
    detections: From = None,
    hard_share: HardShare = 0.5,
    clip_length: ClipLength = 20.0,
    channel: Channel = None,
    marginal: Marginal = True,
    split_by: SplitBy = "recording",
    validation: Validation = 0.15,
    test: Test = 0.15,
    test_recordings: TestRecordings = None,
    rate: Rate = 8000,
    jobs: Jobs = 0,
    seed: Seed = 0,
    data: Data = Path("data"),
    dev: Dev = False,
    connection: Connection = None,
    anonymous: Anonymous = False,
) -> None:
    """All steps in a row; those whose inputs and settings are as before do nothing."""
    steps = [
        _table(recordings, rumbles, gunshots, tables, timezone, refresh, seed),
        _background(ratio, margin, detections, hard_share, clip_length, seed),
        _clips(clip_length, channel, marginal, split_by, validation, test, test_recordings, jobs, seed),
        _resample(rate, jobs),
    ]
    _run(steps, data, dev, connection, anonymous)


Step = Callable[..., "Report"]
"""Takes `folder`, `storage` and `watch`."""


def _table(
    recordings: list[str] | None,
    rumbles: list[str] | None,
    gunshots: list[str] | None,
    tables: list[str] | None,
    timezone: str | None,
    refresh: bool,
    seed: int,
) -> Step:
    from loxo.preparation import TableSettings, make_table

    if not recordings:
        raise typer.BadParameter("--recordings is missing; name a folder, or an address such as s3://bucket/prefix")
    chosen = TableSettings(tuple(recordings), tuple(rumbles or ()), tuple(gunshots or ()), tuple(tables or ()), zone(timezone), seed)
    return partial(make_table, settings=chosen, refresh=refresh)


def _background(ratio: float, margin: float, detections: Path | None, hard_share: float, clip_length: float, seed: int) -> Step:
    from loxo.preparation import BackgroundSettings, draw_background

    chosen = BackgroundSettings(ratio, clip_length, margin, hard_share, seed)
    return partial(draw_background, settings=chosen, detections=detections)


def _clips(
    clip_length: float,
    channel: int | None,
    marginal: bool,
    split_by: Literal["recording", "site"],
    validation: float,
    test: float,
    test_recordings: Path | None,
    jobs: int,
    seed: int,
) -> Step:
    from loxo.preparation import ClipSettings, cut_clips, names_of
    from loxo.splits import SplitSettings

    split = SplitSettings(split_by, validation, test, seed)
    named = names_of(test_recordings) if test_recordings is not None else ()
    chosen = ClipSettings(clip_length, None if channel is None else channel - 1, marginal, split, named, seed)
    return partial(cut_clips, settings=chosen, jobs=jobs)


def _resample(rate: int, jobs: int) -> Step:
    from loxo.preparation import ResampleSettings, resample_clips

    chosen = ResampleSettings(rate)
    return lambda folder, watch, **_: resample_clips(folder, chosen, jobs=jobs, watch=watch)


def _run(steps: list[Step], data: Path, dev: bool, connection: Path | None, anonymous: bool) -> None:
    """Do the steps, and tell in one table what each read, wrote and skipped, also if one of them fails."""
    from loxo.preparation import Folder
    from loxo.storage import Storage, read_connection

    storage = Storage(read_connection(connection, anonymous=anonymous) if connection or anonymous else None)
    folder = Folder.at(data, dev=dev)
    reports: list[Report] = []
    try:
        for step in steps:
            began = time.perf_counter()
            with _watched() as watch:
                report = step(folder=folder, storage=storage, watch=watch)
            took = ", ".join(filter(None, (f"{time.perf_counter() - began:.1f} s", report.effort)))
            reports.append(report if report.as_before else replace(report, effort=took))
    finally:
        _close(reports)


@contextmanager
def _watched() -> Iterator[Watch]:
    with progress_bar() as bar:
        tasks: dict[str, Any] = {}

        def watch(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what)
            bar.update(tasks[what], completed=done, total=total or None)

        yield watch


def _close(reports: list[Report]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    if not reports:
        return
    console = Console(soft_wrap=True)
    shown = Table("step", "read", "wrote", "skipped", "this time", box=SIMPLE_HEAD)
    for report in reports:
        this_time = "as before" if report.as_before else report.effort
        shown.add_row(report.step, report.read, report.wrote, report.skipped or "-", this_time)
    console.print(shown)
    for report in reports:
        for note in report.notes:
            console.print(f"{report.step}: {note}", highlight=False, markup=False)
