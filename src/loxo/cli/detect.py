"""`loxo detect`: recordings in, tables out."""

from __future__ import annotations

import ctypes
import os
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from loxo.cli.shared import (
    ConsoleProgress,
    NothingDoneError,
    SkippedError,
    by_label,
    local_path,
    zone,
)

if TYPE_CHECKING:
    from loxo.messages import Progress
    from loxo.model import Model
    from loxo.model_folder import PostProcessing
    from loxo.runs import Outcome, Run, RunSettings, RunSummary
    from loxo.scoring import Profile

__all__ = ["detect"]

MOST_JOBS = 4
"""Recordings at once, unless `--jobs` says otherwise: each holds some blocks in memory."""
TOP_PAD = -2, 64 * 2**20
"""`M_TOP_PAD` of glibc's malloc.h, and the number of free bytes to keep at the end of the heap."""


def detect(
    recordings: Annotated[
        list[str],
        typer.Argument(help="Recordings, or folders with recordings.", show_default=False),
    ],
    output: Annotated[
        str,
        typer.Option(
            help="Folder for the results. A recording ROOT/siteA/x.wav has its table in "
            "OUTPUT/siteA/x.selections.txt.",
            show_default=False,
        ),
    ],
    root: Annotated[
        str | None,
        typer.Option(
            help="Folder below which results mirror the recordings' folders; otherwise the folder "
            "that was given, or the deepest one that holds all recordings.",
        ),
    ] = None,
    model: Annotated[
        str, typer.Option(help="Name of a packaged model (see `loxo models`), or a model folder.")
    ] = "tcn",
    threshold: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LABEL=X",
            help="Lowest score of a detection, in (0, 1]; otherwise the model's. It does not "
            "change the times of detections, unless it is below the model's off-threshold. "
            "Example: Rumble=0.6. May be repeated.",
        ),
    ] = None,
    false_positives_per_hour: Annotated[
        float | None,
        typer.Option(
            help="Use the lowest thresholds with at most this rate of false positives in the "
            "model's calibration. Example: 0.5.",
            min=0,
        ),
    ] = None,
    minimum: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LABEL=SECONDS",
            help="Shortest detection in seconds; otherwise the model's. Example: Rumble=1.",
        ),
    ] = None,
    merge_gap: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LABEL=SECONDS",
            help="Detections with a gap of at most so many seconds become one; otherwise the "
            "model's. Example: Gunshot=0.5.",
        ),
    ] = None,
    formats: Annotated[
        str,
        typer.Option(
            "--format",
            help="What to write, separated by commas: raven, audacity, csv, parquet.",
        ),
    ] = "raven,parquet",
    site_from: Annotated[
        str | None,
        typer.Option(
            help="Where sites come from: a level of folders below the root (1 is the first, -1 the "
            "recording's own), or a table with the columns recording,site or folder,site; "
            "otherwise the site in the file's name, or else the recording's folder."
        ),
    ] = None,
    channel: Annotated[
        int | None,
        typer.Option(help="Channel to search, counted from 1; otherwise the mean of all.", min=1),
    ] = None,
    timezone: Annotated[
        str | None,
        typer.Option(help="Time zone of the times in file names. Example: Africa/Brazzaville."),
    ] = None,
    scores: Annotated[
        bool,
        typer.Option(
            help="Keep the scores of each recording, about 0.1 % of its size, so that other "
            "thresholds take seconds and need no audio."
        ),
    ] = True,
    draw: Annotated[
        bool, typer.Option(help="Draw a spectrogram of each recording with its detections.")
    ] = False,
    threads: Annotated[
        int, typer.Option(help="Processor threads; 0 takes one for each core.", min=0)
    ] = 0,
    jobs: Annotated[
        int,
        typer.Option(
            help="Recordings that are read at once and share the threads; 0 takes as many as "
            f"threads, but at most {MOST_JOBS}.",
            min=0,
        ),
    ] = 0,
    force: Annotated[
        bool,
        typer.Option(help="Read recordings again that were done before with the same settings."),
    ] = False,
    strict: Annotated[
        bool, typer.Option(help="End with status 3 if a recording was skipped.")
    ] = False,
    profile: Annotated[
        bool, typer.Option(help="Print the processor time of each stage, in seconds.")
    ] = False,
) -> None:
    """Find events in recordings; write a selection table for each recording."""
    folder = local_path(output, "--output")
    if not output or (folder.exists() and not folder.is_dir()):
        raise typer.BadParameter(f"--output {output}: not a folder; name one for the results")
    inputs = [str(local_path(each, "recordings")) for each in recordings]
    # The workers use all cores already; matrix products with threads of their own would compete.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    _keep_freed_memory()
    from loxo.model import load_model
    from loxo.recordings import read_site_rule
    from loxo.runs import Run, RunSettings, list_recordings, run_root

    loaded = load_model(model, threads=threads)
    thresholds = by_label(threshold, "--threshold", loaded.labels, "Rumble=0.6")
    settings = RunSettings(
        post_processing=_post_processing(
            loaded.post_processing(thresholds, false_positives_per_hour),
            by_label(minimum, "--minimum", loaded.labels, "Rumble=1"),
            by_label(merge_gap, "--merge-gap", loaded.labels, "Gunshot=0.5"),
        ),
        formats=_formats(formats),
        channel=None if channel is None else channel - 1,
        timezone=zone(timezone),
        sites=read_site_rule(site_from),
        keep_scores=scores,
    )
    files = list_recordings(inputs, folder)
    if not files:
        raise NothingDoneError(
            f"no recordings in {', '.join(inputs)}; .wav, .flac, .ogg, .mp3 and .aiff are read"
        )
    most_jobs = jobs or min(loaded.threads, MOST_JOBS)
    with ConsoleProgress() as progress:
        run = Run(
            loaded,
            settings,
            folder,
            run_root(inputs, root),
            jobs=min(len(files), most_jobs),
            force=force,
            progress=progress,
        )
        for number, outcome in enumerate(run.outcomes(files), start=1):
            progress.message(_line(outcome, loaded.labels))
            if draw:
                _draw(outcome, run, progress)
            progress.update("recordings", number, len(files))
        summary = run.collect()
    if profile:
        _print_profile(run.profile)
    _print_summary(summary, loaded, folder)
    _check_skipped(summary, strict)


def _keep_freed_memory() -> None:
    """Tell glibc to keep freed memory for the next block.

    Returning and reallocating memory causes page faults, which took a fifteenth of the time.
    """
    keep = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if keep is not None:
        keep(*TOP_PAD)


def _draw(outcome: Outcome, run: Run, progress: Progress) -> None:
    """Draw a recording beside its table, unless the picture exists."""
    from loxo.messages import one_line
    from loxo.report import draw_recording, headline
    from loxo.runs import PICTURE_ENDING

    picture = run.output / f"{outcome.name}{PICTURE_ENDING}"
    if outcome.skipped or picture.exists():
        return
    picture.parent.mkdir(parents=True, exist_ok=True)
    settings: RunSettings = run.settings
    try:
        draw_recording(
            Path(outcome.recording),
            outcome.detections,
            picture,
            channel=settings.channel,
            timezone=settings.timezone,
            title=headline(outcome.detections, outcome.seconds, run.model.labels),
        )
    except (OSError, ValueError) as error:
        reason = one_line(error).removeprefix(f"{outcome.recording}: ")
        progress.message(f"not drawn  {outcome.recording}: {reason}")


STATES = {"audio": "done", "journal": "resumed", "scores": "rescored"}
"""Words for where detections come from: the audio, an earlier run, or the scores that it kept."""


def _line(outcome: Outcome, labels: tuple[str, ...]) -> str:
    """Write the line that is printed for a recording."""
    if outcome.skipped:
        reason = outcome.skipped.removeprefix(f"{outcome.recording}: ")
        return f"skipped   {outcome.recording}: {reason}"
    found = Counter(detection.label for detection in outcome.detections)
    counts = ", ".join(f"{found[label]} {label}" for label in labels)
    notes = list(outcome.damage)
    if outcome.unmeasured:
        notes.append(
            f"{outcome.unmeasured} without a band, and their times and number less exact: the kept "
            "scores do not suffice for these settings, and the recording is not there"
        )
    if outcome.estimated_bands:
        notes.append(
            "some bands and counts are estimates: scores were kept for other thresholds or another "
            "merge gap, and the recording is not there"
        )
    hours = f"{outcome.seconds / 3600:.2f} h"
    return "; ".join(
        [f"{STATES[outcome.origin]:8}  {outcome.recording}: {counts} in {hours}", *notes]
    )


def _print_profile(profile: Profile) -> None:
    total = sum(profile.seconds.values())
    print("processor seconds of all threads")
    for stage, seconds in profile.seconds.items():
        print(f"  {stage:15} {seconds:8.2f}  {seconds / total if total else 0:6.1%}")


def _print_summary(summary: RunSummary, model: Model, output: Path) -> None:
    from loxo.messages import pluralize

    n_skipped = sum(bool(outcome.skipped) for outcome in summary.outcomes)
    n_all = len(summary.outcomes)
    speed = f" ({summary.times_real_time:,.0f} x real time) on {model.device}"
    print(
        f"{n_all - n_skipped} of {n_all} recordings, {summary.audio_s / 3600:.2f} h in "
        f"{summary.wall_s:.1f} s" + (speed if summary.times_real_time else ", without audio")
    )
    skipped = f", skipped recordings in {output / 'skipped.tsv'}" if n_skipped else ""
    print(f"tables in {output}{skipped}")
    if summary.n_others:
        others = pluralize(summary.n_others, "recording")
        print(
            f"not in these tables: {others} of earlier runs into {output}; give all recordings at "
            "once for tables of all"
        )


def _check_skipped(summary: RunSummary, strict: bool) -> None:
    """Raise the error of the exit status, if recordings were skipped."""
    n_skipped = sum(bool(outcome.skipped) for outcome in summary.outcomes)
    if n_skipped == len(summary.outcomes):
        raise NothingDoneError("no recording could be read; the reasons are above")
    if strict and n_skipped:
        raise SkippedError(f"{n_skipped} of {len(summary.outcomes)} recordings were skipped")


def _post_processing(
    chosen: dict[str, PostProcessing], minimum_s: dict[str, float], merge_gap_s: dict[str, float]
) -> dict[str, PostProcessing]:
    """Post-processing with other lengths and gaps."""
    return {
        label: replace(
            processing,
            minimum_s=minimum_s.get(label, processing.minimum_s),
            merge_gap_s=merge_gap_s.get(label, processing.merge_gap_s),
        )
        for label, processing in chosen.items()
    }


def _formats(text: str) -> tuple[str, ...]:
    from loxo.runs import FORMATS

    chosen = tuple(part.strip() for part in text.split(",") if part.strip())
    unknown = [part for part in chosen if part not in FORMATS]
    if unknown or not chosen:
        raise typer.BadParameter(
            f"--format {text}: {', '.join(unknown) or 'nothing'} is not one of {', '.join(FORMATS)}"
        )
    return chosen
