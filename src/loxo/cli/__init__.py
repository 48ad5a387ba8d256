"""The door: `loxo COMMAND`. Each command parses, calls one room, and prints.

Exit status: 0 done, 1 nothing could be done, 2 wrong usage. An error is one line on standard error, never a traceback. Rooms are imported
when their command runs, so that `loxo --help` answers at once.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer.exceptions import TyperException

from loxo.cli.evaluate import evaluate
from loxo.cli.prepare import prepare
from loxo.cli.shared import NothingDoneError, progress_bar, zone

if TYPE_CHECKING:
    from loxo.checkpoints import Decision, ModelSpec
    from loxo.surveys import Outcome

__all__ = ["app", "main"]

app = typer.Typer(
    help="Finds forest-elephant rumbles and gunshots in long recordings.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(prepare, name="prepare")
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
    config: Annotated[Path, typer.Option(help="Configuration file, for example configs/crnn.yaml.")],
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
def detect(
    recordings: Annotated[list[Path], typer.Argument(help="Recordings, or folders of them.")],
    output: Annotated[Path, typer.Option(help="Folder for the tables.")],
    model: Annotated[str, typer.Option(help="A packaged model (see `loxo models`) or a model folder.")] = "crnn",
    threshold: Annotated[list[str] | None, typer.Option(help="LABEL=X with X in (0, 1]; higher is stricter.")] = None,
    false_positives_per_hour: Annotated[
        float | None, typer.Option(help="Thresholds with no more of them, where the model was calibrated.", min=0)
    ] = None,
    formats: Annotated[str, typer.Option("--format", help="Any of raven,audacity,csv,parquet.")] = "raven,parquet",
    channel: Annotated[int | None, typer.Option(help="Channel of recordings with several, from 1; else their mean.", min=1)] = None,
    timezone: Annotated[str | None, typer.Option(help="Of the times in file names, for example Africa/Brazzaville.")] = None,
    threads: Annotated[int, typer.Option(help="Processor threads; 0 means all.", min=0)] = 0,
    draw: Annotated[bool, typer.Option(help="Draw each recording, with its detections boxed.")] = False,
    force: Annotated[bool, typer.Option(help="Do again what is already done with the same settings.")] = False,
) -> None:
    """Find rumbles and gunshots; write a Raven table for each recording."""
    from loxo.checkpoints import find_model
    from loxo.recordings import find_recordings
    from loxo.scoring import Scorer
    from loxo.surveys import Survey, SurveySettings, run_survey

    folder = find_model(model)
    scorer = Scorer(folder, threads=threads)
    settings = SurveySettings(
        decisions=_decisions(scorer.spec, threshold or [], false_positives_per_hour),
        formats=_formats(formats),
        channel=None if channel is None else channel - 1,
        timezone=zone(timezone),
    )
    files = find_recordings(recordings)
    if not files:
        raise NothingDoneError(f"no recordings in {', '.join(map(str, recordings))}; .wav, .flac, .ogg, .mp3 and .aiff are read")
    survey = Survey(scorer, folder, settings, output)
    if draw:
        from loxo.report import draw_recording

        survey.draw = partial(draw_recording, channel=settings.channel, timezone=settings.timezone)
    with progress_bar() as bar:
        overall = bar.add_task("recordings", total=len(files))
        within = bar.add_task("this one", total=None, audio=True)
        survey.heard = lambda done_s, length_s: bar.update(within, completed=done_s, total=length_s)

        def tell(outcome: Outcome) -> None:
            bar.console.print(_line(outcome), highlight=False, soft_wrap=True)
            bar.advance(overall)

        outcomes = run_survey(survey, files, force=force, each=tell)
    _close(outcomes, output)


def _line(outcome: Outcome) -> str:
    if outcome.skipped:
        return f"skipped  {outcome.recording}: {outcome.skipped}"
    counts = ", ".join(f"{sum(d.label == label for d in outcome.detections)} {label}" for label in ("Rumble", "Gunshot"))
    notes = "".join(f"; {note}" for note in outcome.damage)
    return f"{'as before' if outcome.resumed else 'done     '}  {outcome.recording}: {counts} in {outcome.seconds / 3600:.2f} h{notes}"


def _close(outcomes: list[Outcome], output: Path) -> None:
    import json

    run = json.loads((output / "run.json").read_text(encoding="utf-8"))
    done = sum(not outcome.skipped for outcome in outcomes)
    hours = run["audio_seconds"] / 3600
    speed = f"{run['wall_seconds']:.1f} s ({run['times_real_time']:,.0f} x real time) on {run['device']}"
    print(f"{done} of {len(outcomes)} recordings, {hours:.2f} h in {speed}")
    print(f"tables in {output}" + ("" if done == len(outcomes) else f", what was skipped in {output / 'skipped.tsv'}"))
    if not done:
        raise NothingDoneError("no recording could be read; the reasons are above")


def _decisions(spec: ModelSpec, thresholds: list[str], false_positives_per_hour: float | None) -> dict[str, Decision]:
    decisions = dict(spec.decisions)
    if false_positives_per_hour is not None:
        from loxo.calibration import threshold_for

        chosen = threshold_for(spec, false_positives_per_hour)
        decisions = {label: replace(decision, threshold=chosen[label]) for label, decision in decisions.items()}
    for text in thresholds:
        label, _, value = text.partition("=")
        if label not in decisions:
            raise typer.BadParameter(f"--threshold {text}: the label is not one of {', '.join(decisions)}; write LABEL=X, as in Rumble=0.6")
        try:
            decisions[label] = replace(decisions[label], threshold=float(value))
        except ValueError as error:
            raise typer.BadParameter(f"--threshold {text}: {value!r} is not a number in (0, 1]") from error
    return decisions


def _formats(text: str) -> tuple[str, ...]:
    from loxo.surveys import FORMATS

    chosen = tuple(part.strip() for part in text.split(",") if part.strip())
    unknown = [part for part in chosen if part not in FORMATS]
    if unknown or not chosen:
        raise typer.BadParameter(f"--format {text}: {', '.join(unknown) or 'nothing'} is not one of {', '.join(FORMATS)}")
    return chosen


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
