"""The door: `loxo COMMAND`. Each command parses, calls one room, and prints.

Exit status: 0 done, 1 nothing could be done, 2 wrong usage. An error is one line on standard error, never a traceback. Rooms are imported
when their command runs, so that `loxo --help` answers at once.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from typer.exceptions import TyperException

from loxo.cli.detect import detect
from loxo.cli.evaluate import evaluate
from loxo.cli.prepare import prepare
from loxo.cli.shared import NothingDoneError, progress_bar

__all__ = ["app", "main"]

app = typer.Typer(
    help="Finds forest-elephant rumbles and gunshots in long recordings.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(prepare, name="prepare")
app.command()(detect)
app.command()(evaluate)


def main() -> None:
    """Run a command; turn what users can mend into one line and an exit status."""
    try:
        app(standalone_mode=False)
    except TyperException as error:
        _fail(error.format_message(), 2)
    except ValueError as error:
        _fail(error, 2)
    except (OSError, NothingDoneError) as error:
        _fail(error, 1)
    except (KeyboardInterrupt, typer.Abort):
        _fail("interrupted; what was finished stays, and the same command goes on from there", 130)
    except Exception as error:
        # A user gets a line and a way to tell us, never a traceback.
        if os.environ.get("LOXO_DEBUG"):
            raise
        _fail(f"a fault in loxo itself: {type(error).__name__}: {error}; please report it with what LOXO_DEBUG=1 shows", 1)


def _fail(error: object, status: int) -> None:
    print(f"loxo: {' '.join(str(error).split())}", file=sys.stderr)
    raise SystemExit(status)


@app.command()
def simulate(
    output: Annotated[Path, typer.Option(help="Folder to write to.")],
    hours: Annotated[float, typer.Option(help="Length of each recording.", min=0.003)] = 0.5,
    recordings: Annotated[int, typer.Option(help="How many recordings.", min=1)] = 1,
    clips: Annotated[int, typer.Option(help="Write a clip set of this many 30 s scenes instead, for training.", min=0)] = 0,
    background: Annotated[
        list[Path] | None, typer.Option(help="Real recordings without events to set sounds into; files or folders.")
    ] = None,
    rate: Annotated[int, typer.Option(help="Samples a second of the recordings; clips have 4,000.", min=2000)] = 8000,
    events_per_hour: Annotated[float, typer.Option(help="Rumbles, and gunshots, in an hour of the recordings.", min=0)] = 60,
    seed: Annotated[int, typer.Option(help="The same seed gives the same sounds.", min=0)] = 0,
    jobs: Annotated[int, typer.Option(help="Processes that make recordings or clips; 0 for one a processor.", min=0)] = 0,
) -> None:
    """Make recordings with known events, and their Raven tables; or a clip set for training."""
    from loxo.simulate import SceneSettings
    from loxo.simulate.writing import load_backgrounds, write_clip_set, write_recordings

    output.mkdir(parents=True, exist_ok=True)
    jobs = jobs or os.cpu_count() or 1
    if clips:
        settings = SceneSettings()
        loaded = load_backgrounds(background or [], settings.rate)
        with progress_bar() as bar:
            for _ in bar.track(write_clip_set(output, clips, settings, loaded, seed=seed, jobs=jobs), total=clips, description="clips"):
                pass
        print(f"{clips} clips with {len(loaded)} real backgrounds in {output}")
        return
    per_minute = events_per_hour / 60
    loaded = load_backgrounds(background or [], rate)
    settings = SceneSettings(
        rate=rate, seconds=60.0, rumbles_per_minute=per_minute, gunshots_per_minute=per_minute, backgrounds=tuple(loaded.values())
    )
    paths = [output / f"sim{number + 1:02d}_20260101_{number % 24:02d}0000.flac" for number in range(recordings)]
    for path, events in write_recordings(paths, settings, hours * 3600, seed=seed, jobs=jobs):
        print(f"{path}: {hours:g} h, {len(events)} events")


@app.command()
def train(
    config: Annotated[Path, typer.Option(help="Configuration file, for example configs/tcn.yaml.")],
    change: Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE instead of the file's, as in epochs=3.")] = None,
    resume: Annotated[bool, typer.Option(help="Go on with a run that was interrupted.")] = False,
    dev: Annotated[bool, typer.Option(help="A trial of some minutes.")] = False,
) -> None:
    """Train a model from a configuration file."""
    try:
        from loxo.training import read_config
        from loxo.training import train as run
    except ModuleNotFoundError as error:
        raise NothingDoneError(f"training needs {error.name}; install it with: pip install 'loxo[train]'") from error

    settings = read_config(config, change or [], dev=dev)
    folder = run(settings, resume=resume, progress=sys.stdout.isatty())
    if os.environ.get("LOCAL_RANK", "0") == "0":  # a run on several devices starts this command once for each
        print(folder)


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="Folder of a training run.")],
    output: Annotated[Path, typer.Option(help="Folder for the model.")],
    checkpoint: Annotated[Path | None, typer.Option(help="Of the run; else its last one.")] = None,
) -> None:
    """Make a model folder, for `loxo detect --model`, of a checkpoint."""
    try:
        from loxo.training import export_run
    except ModuleNotFoundError as error:
        raise NothingDoneError(f"exporting needs {error.name}; install it with: pip install 'loxo[train]'") from error

    print(export_run(run, output, checkpoint=checkpoint))


@app.command()
def calibrate(
    model: Annotated[Path, typer.Argument(help="Folder of the model; its spec.json is changed.")],
    recordings: Annotated[list[Path], typer.Option(help="Recordings with events, or folders of them; may be repeated.")],
    truth: Annotated[Path, typer.Option(help="Table of true events, or a folder of tables.")],
    false_positives_per_hour: Annotated[
        float | None, typer.Option(help="Choose thresholds with no more of them; else those of the best F1.", min=0)
    ] = None,
    label: Annotated[str | None, typer.Option(help="Label of tables that name none.")] = None,
) -> None:
    """Make scores mean what they say, and choose thresholds, on recordings with a truth that training has not seen."""
    from loxo.annotations import read_annotations
    from loxo.calibration import calibrate as run
    from loxo.recordings import find_recordings

    files = find_recordings(recordings)
    with progress_bar() as bar:
        task = bar.add_task("recordings", total=len(files))

        def tell(path: Path, trouble: str) -> None:
            if trouble:
                bar.console.print(f"skipped  {path}: {trouble}", highlight=False, soft_wrap=True)
            bar.advance(task)

        marked = read_annotations([truth], label=label)
        spec = run(model, files, marked, false_positives_per_hour=false_positives_per_hour, each=tell)
    for name, decision in spec.decisions.items():
        point = next(point for point in spec.operating_points[name] if point.threshold == decision.threshold)
        shares = ", ".join(
            f"{what} {'-' if share is None else f'{share:.2f}'}"
            for what, share in (("precision", point.precision), ("recall", point.recall))
        )
        print(f"{name}: threshold {decision.threshold:g}, {shares}, {point.false_positives_per_hour:.1f} false an hour")


@app.command()
def models() -> None:
    """List the packaged models."""
    from loxo.checkpoints import load_spec, packaged_models

    for name, folder in packaged_models().items():
        spec = load_spec(folder)
        takes = f"{spec.front_end.rate} Hz, frames of {spec.front_end.grid.frame_s:g} s"
        thresholds = ", ".join(f"{label} {decision.threshold:g}" for label, decision in spec.decisions.items())
        print(f"{name} {spec.version}: {takes}, thresholds {thresholds}; {folder}")
