"""Sets of soundscapes: those of others, single recordings, and hours of the simulator.

Hours of the simulator have seeds that training does not use. They are written once: the sets of one
folder stay those of the simulator that wrote them.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import soundfile

from judging.composing import Truth
from judging.sets import Judged, JudgedSet, written_set
from judging.sources import Clip, source_of
from loxo.annotations import read_table
from loxo.events import Event
from loxo.simulate import RECORDING, load_backgrounds, write_recordings

__all__ = ["SINGLE", "bench", "event_free", "single", "with_events"]

SINGLE = {
    "nn01b": "soundscape of Nouabalé-Ndoki",
    "dzanga": "close calls at Dzanga",
    "belize": "gunshots in forest, Belize",
    "urbansound8k": "gunshots at close range",
    "weak-Rumble": "clips of rumbles",
    "weak-Roar": "clips of roars",
    "weak-Trumpet": "clips of trumpets",
    "backgrounds": "backgrounds",
}
"""Groups of single recordings."""
HOURS_FREE, HOURS = 20, 5
JOBS = 2


# ---- recordings as they are


def bench(folder: Path) -> JudgedSet:
    """The two composed soundscapes."""
    recordings = []
    for name in ("dev_mixed", "dev_mixed2"):
        path = folder / f"{name}.flac"
        events = read_table(path.with_suffix(".selections.txt")).events
        provenance = path.with_suffix(".provenance.tsv")
        sources = read_sources(provenance) if provenance.is_file() else {}
        truths = tuple(Truth(event, source_by(event, sources)) for event in events)
        recordings.append(Judged(path, name, soundfile.info(path).duration, truths))
    return JudgedSet("bench", tuple(recordings))


def read_sources(table: Path) -> dict[tuple[str, float], str]:
    """Read which recording each sound is from, by its label and start."""
    with table.open(encoding="utf-8", newline="") as lines:
        return {
            (row["kind"], float(row["start_s"])): source_of(row["file"])
            for row in csv.DictReader(lines, delimiter="\t")
        }


def source_by(event: Event, sources: dict[tuple[str, float], str]) -> str:
    """The recording that an event is from.

    Without a table of sources, events of one length are taken for copies of one sound.
    """
    known = sources.get((event.label, event.start_s))
    return known or f"{event.label} of {event.duration_s:.2f} s"


def single(clips: Sequence[Clip]) -> JudgedSet:
    """All recordings of the manifest, each in its group of `SINGLE`."""
    return JudgedSet("single", tuple(_single(clips)))


def _single(clips: Sequence[Clip]) -> Iterator[Judged]:
    for clip in clips:
        truths = tuple(Truth(event, source_of(clip.file)) for event in clip.events)
        yield Judged(clip.path, _group_of(clip), clip.seconds, truths)


def _group_of(clip: Clip) -> str:
    if clip.role == "background":
        return "backgrounds"
    if clip.role == "weak":
        return f"weak-{clip.events[0].label}"
    return clip.group


# ---- simulated


def event_free(folder: Path, clips: Sequence[Clip]) -> JudgedSet:
    """Twenty hours without events, half of them over the real backgrounds."""
    backgrounds = [clip.path for clip in clips if clip.role == "background"]
    return written_set(folder, lambda place: _write(place, HOURS_FREE, 3600, 0, 7000, backgrounds))


def with_events(folder: Path) -> JudgedSet:
    """Five hours with twenty rumbles and twenty gunshots an hour."""
    return written_set(folder, lambda place: _write(place, 2 * HOURS, 1800, 20, 6000, ()))


def _write(
    folder: Path,
    recordings: int,
    seconds: float,
    per_hour: float,
    seed: int,
    backgrounds: Sequence[Path],
) -> None:
    """Simulate recordings as `loxo simulate` does, with so many events of each label an hour."""
    per_minute = per_hour / 60
    loaded = load_backgrounds(backgrounds, RECORDING.rate) if backgrounds else {}
    settings = replace(
        RECORDING,
        rumbles_per_minute=per_minute,
        gunshots_per_minute=per_minute,
        others_per_minute=per_minute,
        backgrounds=tuple(loaded.values()),
    )
    # Names as recorders write them: a site, a date and a time.
    paths = [
        folder / f"sim{number + 1:02d}_20260101_{number % 24:02d}0000.flac"
        for number in range(recordings)
    ]
    write_recordings(paths, settings, seconds, seed=seed, jobs=JOBS)
