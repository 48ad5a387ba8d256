"""Shared recordings: what they hold, and which recording a sound is from.

Several clips may be cut from one recording, and several events lie in one clip. Sounds of one
recording are alike, so intervals are drawn over recordings (`source_of`), not over events.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from loxo.events import Event

__all__ = [
    "BEDS",
    "CLASSES",
    "RATE",
    "Clip",
    "Waveform",
    "background_clips",
    "event_of",
    "read_manifest",
    "read_waveform",
    "source_of",
]

Waveform = NDArray[np.float64]

RATE = 8000
"""Samples per second of composed recordings."""

BEDS: Mapping[str, tuple[str, ...]] = {
    "Borneo": ("behaviouR/Borneo",),
    "Sulawesi": ("behaviouR/Sulawesi",),
    "spruce": ("scikit-maad/",),
    "forest": ("relaxing/forest", "alarmclock/forest"),
    "rain": ("blanket/rain", "rainyrain/calpo_rain"),
}
"""Beds of composed recordings: the beginnings of the names of the files they are made of."""
CLASSES: Mapping[str, tuple[str, ...]] = {
    "rain": (
        "blanket/rain",
        "alarmclock/rain",
        "quietsleep/rain",
        "rainyrain/",
        "relaxing/ligth_rain",
        "esc10_-_Rain/",
    ),
    "thunder": ("alarmclock/thunder", "relaxing/thunder_storm"),
    "wind": ("alarmclock/wind", "blanket/wind", "blanket/storm"),
    "surf and water": (
        "alarmclock/waves",
        "blanket/waves",
        "relaxing/ocean",
        "relaxing/water",
        "esc10_-_Sea_waves/",
    ),
    "fire": (
        "alarmclock/fireplace",
        "blanket/fireplace",
        "relaxing/fire",
        "esc10_-_Fire_crackling/",
    ),
    "engines": ("blanket/boat", "blanket/train", "esc10_-_Helicopter/", "esc10_-_Chainsaw/"),
    "dogs": ("esc10_-_Dog_bark/",),
    "drums and music": ("sonicpi/",),
    "forest": (
        "alarmclock/forest",
        "relaxing/forest",
        "behaviouR/Borneo",
        "behaviouR/Sulawesi",
        "scikit-maad/",
    ),
    "gibbons and argus": ("behaviouR/F", "behaviouR/G", "behaviouR/M"),
    "insects": ("blanket/summer-night", "quietsleep/forest-night-insects"),
    "birds": ("blanket/birds", "relaxing/birds"),
    "city": ("blanket/city", "alarmclock/city"),
}
"""Classes of look-alikes: the beginnings of the names of their files."""


@dataclass(frozen=True)
class Clip:
    """A recording of the manifest, and its events.

    Args:
        file: path below the folder of the manifest, with slashes.
        role: `natural`, `gunshot`, `weak` or `background`.
    """

    path: Path
    file: str
    role: str
    group: str
    seconds: float
    events: tuple[Event, ...]


def read_manifest(folder: Path) -> list[Clip]:
    """Read the recordings of `manifest.tsv`."""
    with (folder / "manifest.tsv").open(encoding="utf-8", newline="") as lines:
        return [
            Clip(
                folder / row["file"],
                row["file"],
                row["role"],
                row["group"],
                float(row["seconds"]),
                tuple(map(event_of, filter(None, row["events"].split(";")))),
            )
            for row in csv.DictReader(lines, delimiter="\t")
        ]


def event_of(text: str) -> Event:
    """Read an event that is written as `label:start:end:low:high`."""
    label, start_s, end_s, low_hz, high_hz = text.split(":")
    return Event(label, float(start_s), float(end_s), float(low_hz), float(high_hz))


def source_of(file: str) -> str:
    """The recording that a clip was cut from.

    Clips of `urbansound8k` begin with the number of the recording, and all of `nn01b` are of one
    day. Other clips are taken for recordings of their own.

    >>> source_of("urbansound8k/197318-6-3-0_d8a649.flac")
    'urbansound8k/197318'
    """
    group, _, name = file.rpartition("/")
    if group == "urbansound8k":
        return f"{group}/{name.split('-')[0]}"
    return group if group == "nn01b" else file


def background_clips(clips: Sequence[Clip], prefixes: tuple[str, ...]) -> Iterator[Clip]:
    """Backgrounds whose files begin with one of some prefixes, in the order of the manifest."""
    return (clip for clip in clips if clip.role == "background" and clip.file.startswith(prefixes))


@cache
def read_waveform(path: Path) -> Waveform:
    """Read a recording `(sample,)` at `RATE`."""
    samples, rate = soundfile.read(path, dtype="float64", always_2d=True)
    return np.asarray(soxr.resample(samples.mean(axis=1), rate, RATE), np.float64)
