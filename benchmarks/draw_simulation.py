"""Draw ten sounds of each kind that `loxo.simulate` makes, as spectrograms for docs/simulation.md.

    python benchmarks/draw_simulation.py docs
    python benchmarks/draw_simulation.py docs ../shared/audio

The second form also draws sounds beside recordings of ESC-10 in that folder.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
import soundfile
import soxr
from PIL import Image
from scipy.signal import spectrogram

from loxo.simulate import SOUNDS
from loxo.simulate.signals import Array

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

RATE, COUNT = 4000, 10
DEPTH_DB = 55.0
"""Range of levels below the peak that a spectrogram shows."""
PICTURES = {
    "events": ["Rumble", "Gunshot"],
    "calls": ["Roar", "Trumpet", "Blow", "Bark", "Bird", "Frog", "Frog chorus", "Insects"],
    "mammals": ["Big cat", "Cattle", "Donkey", "Colobus", "Hippo"],
    "people": ["People", "Music", "Drums", "Hammering", "Boat knocks"],
    "blows": ["Knock", "Branch", "Drumming", "Chest beats", "Tree fall"],
    "noises": ["Thunder", "Fire", "Surf", "Stream", "Wind", "Rain"],
    "engines": [
        "Aircraft",
        "Vehicle",
        "Boat",
        "Train",
        "Idling engine",
        "Generator",
        "Mains hum",
        "Chainsaw",
    ],
}
RECORDED = {
    "Bark": "esc10_-_Dog_bark",
    "Rain": "esc10_-_Rain",
    "Aircraft": "esc10_-_Helicopter",
    "Chainsaw": "esc10_-_Chainsaw",
}
"""Folders of ESC-10 (K. J. Piczak, CC BY 3.0), ten sounds each."""
LOW_KINDS = ["Aircraft", "Vehicle", "Boat", "Train", "Idling engine", "Generator", "Mains hum"]
WINDOWS = dict.fromkeys(["Rumble", *LOW_KINDS], 1024)
"""Length of the analysis window in samples, where it is not 256: for low harmonics."""
TOPS_HZ = {"Rumble": 400.0, **dict.fromkeys(["Thunder", "Wind", *LOW_KINDS], 600.0)}
"""Highest frequency that is drawn, where it is not 2 kHz."""


class Row(NamedTuple):
    """A row of spectrograms: its title, the kind of sound, and the sounds."""

    title: str
    label: str
    sounds: Iterator[Array]


def draw(axes: Axes, sound: Array, label: str) -> None:
    """Draw one sound `(sample,)`, with the window and the highest frequency of its kind."""
    size = WINDOWS.get(label, 256)
    hz, time_s, power = spectrogram(np.pad(sound, size), RATE, nperseg=size, noverlap=size * 3 // 4)
    level_db = 10 * np.log10(power[hz <= TOPS_HZ.get(label, 2000.0)] + 1e-20)
    axes.imshow(
        level_db,
        origin="lower",
        aspect="auto",
        extent=(0, time_s[-1], 0, hz[len(level_db) - 1]),
        vmin=level_db.max() - DEPTH_DB,
        vmax=level_db.max(),
        cmap="magma",
    )
    axes.tick_params(labelsize=5, length=2, pad=1)


def simulated(label: str, row: int) -> Iterator[Array]:
    """Make ten sounds of a kind; other rows have other sounds."""
    return (SOUNDS[label](np.random.default_rng([row, column]), RATE) for column in range(COUNT))


def recorded(folder: Path) -> Iterator[Array]:
    """Read the first ten recordings of a folder, at the rate of the pictures."""
    for path in sorted(folder.glob("*.flac"))[:COUNT]:
        sound, rate = soundfile.read(path)
        yield soxr.resample(sound, rate, RATE)


def write(path: Path, rows: Sequence[Row]) -> None:
    """Write a picture of rows of ten spectrograms."""
    figure, grid = plt.subplots(len(rows), COUNT, figsize=(14, 1.25 * len(rows)), squeeze=False)
    for axes, row in zip(grid, rows, strict=True):
        axes[0].set_ylabel(f"{row.title} (Hz)", fontsize=7)
        for cell, sound in zip(axes, row.sounds, strict=True):
            draw(cell, sound, row.label)
    figure.tight_layout(pad=0.2)
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=80)
    plt.close(figure)
    # Spectrograms are noise to a compressor. A palette is a third of the size and looks the same.
    picture = Image.open(drawn).convert("RGB").quantize(32, dither=Image.Dither.NONE)
    picture.save(path, optimize=True)


def main(folder: Path, recordings: Path | None) -> None:
    """Write the pictures of all kinds, and those beside recordings if there are any."""
    for name, labels in PICTURES.items():
        # Two rows of each of the events, one of each look-alike.
        titles = labels if len(labels) > 2 else [*labels[:1] * 2, *labels[1:] * 2]
        rows = [Row(label, label, simulated(label, row)) for row, label in enumerate(titles)]
        write(folder / f"simulation_{name}.png", rows)
    if recordings is None:
        return
    pairs = []
    for label, kind in RECORDED.items():
        pairs.append(Row("recorded", label, recorded(recordings / kind)))
        pairs.append(Row(label, label, simulated(label, 0)))
    write(folder / "simulation_recorded.png", pairs)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
