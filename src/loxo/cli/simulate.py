"""`loxo simulate`: recordings with known events, or clip sets for training."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from loxo.cli.shared import ConsoleProgress
from loxo.messages import pluralize

__all__ = ["simulate"]


def simulate(
    output: Annotated[
        Path, typer.Option(help="Folder to write to; it is created if it does not exist.")
    ],
    hours: Annotated[
        float, typer.Option(help="Length of each recording in hours.", min=0.003)
    ] = 0.5,
    recordings: Annotated[int, typer.Option(help="Number of recordings.", min=1)] = 1,
    clips: Annotated[
        int,
        typer.Option(
            help="Write a clip set for training instead: number of scenes of 30 s, at 4 kHz. "
            "--hours, --recordings, --rate, --events-per-hour and --lookalikes-per-hour have no "
            "effect then.",
            min=0,
        ),
    ] = 0,
    background: Annotated[
        list[Path] | None,
        typer.Option(
            help="Real recordings without events, as background noise: a file, or a folder of "
            "files. May be repeated. Without, all noise is simulated."
        ),
    ] = None,
    labels: Annotated[
        str,
        typer.Option(
            help="Labels of the events, separated by commas, such as Rumble,Gunshot,Chainsaw. "
            "Other sounds are simulated as well, but are not in the tables."
        ),
    ] = "Rumble,Gunshot",
    rate: Annotated[int, typer.Option(help="Samples a second of the recordings.", min=2000)] = 8000,
    events_per_hour: Annotated[
        float, typer.Option(help="Mean number of events of each label in an hour.", min=0)
    ] = 60,
    lookalikes_per_hour: Annotated[
        float,
        typer.Option(
            help="Mean number of other sounds in an hour: engines, calls, thunder, ... A quiet "
            "forest has some dozens.",
            min=0,
        ),
    ] = 360,
    seed: Annotated[
        int,
        typer.Option(
            help="Decides everything that is random: the same seed gives the same sounds.", min=0
        ),
    ] = 0,
    jobs: Annotated[
        int,
        typer.Option(
            help="Number of processes that simulate; 0 for one per processor core.", min=0
        ),
    ] = 0,
) -> None:
    """Simulate recordings with known events, with Raven tables; or a clip set for training.

    Example: loxo simulate --output forest --recordings 2 --hours 1 --seed 7
    """
    from loxo.simulate import (
        RECORDING,
        SceneSettings,
        load_backgrounds,
        write_clip_set,
        write_recordings,
    )

    names = tuple(label.strip() for label in labels.split(","))
    per_minute = events_per_hour / 60
    settings = replace(
        RECORDING,
        labels=names,
        rate=rate,
        rumbles_per_minute=per_minute,
        gunshots_per_minute=per_minute,
        others_per_minute=per_minute,
        lookalikes_per_minute=lookalikes_per_hour / 60,
    )
    if clips:
        settings = SceneSettings(labels=names)
    # Impossible settings have raised an error by now, before anything is written.
    output.mkdir(parents=True, exist_ok=True)
    jobs = jobs or os.cpu_count() or 1
    loaded = load_backgrounds(background or [], settings.rate)
    with ConsoleProgress() as progress:
        if clips:
            write_clip_set(output, clips, settings, loaded, seed=seed, jobs=jobs, progress=progress)
        else:
            settings = replace(settings, backgrounds=tuple(loaded.values()))
            # Names as recorders write them: a site, a date and a time.
            paths = [
                output / f"sim{number + 1:02d}_20260101_{number % 24:02d}0000.flac"
                for number in range(recordings)
            ]
            write_recordings(paths, settings, hours * 3600, seed=seed, jobs=jobs, progress=progress)
    if clips:
        count, backgrounds = pluralize(clips, "clip"), pluralize(len(loaded), "real background")
        print(f"{count} with {backgrounds} in {output}")
