"""`loxo detect`: recordings in, tables out."""

from __future__ import annotations

import ctypes
import os
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from loxo.cli.shared import NothingDoneError, progress_bar, zone

if TYPE_CHECKING:
    from loxo.checkpoints import Decision, ModelSpec
    from loxo.scoring import Profile
    from loxo.surveys import Outcome

__all__ = ["detect"]

MOST_JOBS = 4
"""Recordings at once, unless told: each holds some blocks in memory."""
TOP_PAD = -2, 64 * 2**20
"""`M_TOP_PAD` of glibc's malloc.h, and how many free bytes of a heap are kept."""


def detect(
    recordings: Annotated[list[Path], typer.Argument(help="Recordings, or folders of them.")],
    output: Annotated[Path, typer.Option(help="Folder for the tables.")],
    model: Annotated[str, typer.Option(help="A packaged model (see `loxo models`) or a model folder.")] = "tcn",
    threshold: Annotated[list[str] | None, typer.Option(help="LABEL=X with X in (0, 1]; higher is stricter.")] = None,
    false_positives_per_hour: Annotated[
        float | None, typer.Option(help="Thresholds with no more of them, where the model was calibrated.", min=0)
    ] = None,
    formats: Annotated[str, typer.Option("--format", help="Any of raven,audacity,csv,parquet.")] = "raven,parquet",
    channel: Annotated[int | None, typer.Option(help="Channel of recordings with several, from 1; else their mean.", min=1)] = None,
    timezone: Annotated[str | None, typer.Option(help="Of the times in file names, for example Africa/Brazzaville.")] = None,
    threads: Annotated[int, typer.Option(help="Processor threads; 0 means all.", min=0)] = 0,
    jobs: Annotated[int, typer.Option(help="Recordings at once, which share the threads; 0 means as many as threads, up to 4.", min=0)] = 0,
    profile: Annotated[bool, typer.Option(help="Print what the processor's time went to.")] = False,
    draw: Annotated[bool, typer.Option(help="Draw each recording, with its detections boxed.")] = False,
    force: Annotated[bool, typer.Option(help="Do again what is already done with the same settings.")] = False,
) -> None:
    """Find rumbles and gunshots; write a Raven table for each recording."""
    # Workers have a core each already; matrix products that start threads of their own would only be in their way.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    _keep_freed_memory()
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
    survey = Survey(scorer, folder, settings, output, jobs=min(len(files), jobs or min(scorer.threads, MOST_JOBS)))
    if draw:
        from loxo.report import draw_recording

        survey.draw = partial(draw_recording, channel=settings.channel, timezone=settings.timezone)
    with progress_bar() as bar:
        overall = bar.add_task("recordings", total=len(files))
        if survey.jobs == 1:
            within = bar.add_task("this one", total=None, audio=True)
            survey.heard = lambda done_s, length_s: bar.update(within, completed=done_s, total=length_s)

        def tell(outcome: Outcome) -> None:
            bar.console.print(_line(outcome), highlight=False, soft_wrap=True)
            bar.advance(overall)

        outcomes = run_survey(survey, files, force=force, each=tell)
    if profile:
        _print_profile(survey.profile)
    _close(outcomes, output)


def _keep_freed_memory() -> None:
    """Keep what a block frees for the next one, where glibc would give it back: the page faults were a fifteenth of the work."""
    keep = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if keep is not None:
        keep(*TOP_PAD)


def _print_profile(profile: Profile) -> None:
    total = sum(profile.seconds.values())
    print("processor seconds of all threads")
    for stage, seconds in profile.seconds.items():
        print(f"  {stage:15} {seconds:8.2f}  {seconds / total if total else 0:6.1%}")


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
