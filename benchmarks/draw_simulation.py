"""Draws ten sounds of each kind that `loxo.simulate` makes, as spectrograms for docs/simulation.md.

python benchmarks/draw_simulation.py docs
python benchmarks/draw_simulation.py docs ../shared/audio   also sounds beside recorded ones of ESC-10 in that folder
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
import soundfile
import soxr
from PIL import Image
from scipy.signal import spectrogram

from loxo.simulate import LOOKALIKES, gunshot, rumble
from loxo.simulate.signals import Array

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

RATE, COUNT = 4000, 10
KINDS = {"Rumble": rumble, "Gunshot": gunshot, **{label: maker for label, (maker, _) in LOOKALIKES.items()}}
PICTURES = {
    "events": ["Rumble", "Gunshot"],
    "calls": ["Roar", "Trumpet", "Blow", "Bark", "Bird", "Frog", "Insects", "People"],
    "blows": ["Knock", "Branch", "Drumming", "Chest beats", "Tree fall"],
    "noises": ["Thunder", "Wind", "Rain", "Aircraft", "Vehicle", "Generator", "Saw"],
}
RECORDED = {"Bark": "esc10_-_Dog_bark", "Rain": "esc10_-_Rain", "Aircraft": "esc10_-_Helicopter", "Saw": "esc10_-_Chainsaw"}
"""Folders of ESC-10 (K. J. Piczak, CC BY 3.0), ten sounds each."""
WINDOWS = {"Rumble": 1024, "Aircraft": 1024, "Vehicle": 1024, "Generator": 1024}
TOPS_HZ = {"Rumble": 400.0, "Aircraft": 600.0, "Vehicle": 600.0, "Generator": 600.0, "Thunder": 600.0, "Wind": 600.0}


def draw(axes: Axes, sound: Array, label: str) -> None:
    """One sound, 55 dB deep, with its kind's window and highest frequency."""
    size = WINDOWS.get(label, 256)
    hz, time_s, power = spectrogram(np.pad(sound, size), RATE, nperseg=size, noverlap=size * 3 // 4)
    level_db = 10 * np.log10(power[hz <= TOPS_HZ.get(label, 2000.0)] + 1e-20)
    top_hz = hz[len(level_db) - 1]
    extent = (0, time_s[-1], 0, top_hz)
    axes.imshow(level_db, origin="lower", aspect="auto", extent=extent, vmin=level_db.max() - 55, vmax=level_db.max(), cmap="magma")
    axes.tick_params(labelsize=5, length=2, pad=1)


def simulated(label: str, row: int) -> Iterator[Array]:
    """Ten sounds of a kind."""
    return (KINDS[label](np.random.default_rng([row, column]), RATE) for column in range(COUNT))


def recorded(folder: Path) -> Iterator[Array]:
    """The first ten recordings of a folder."""
    for path in sorted(folder.glob("*.flac"))[:COUNT]:
        sound, rate = soundfile.read(path)
        yield soxr.resample(sound, rate, RATE)


def write(path: Path, rows: Sequence[tuple[str, str, Iterator[Array]]]) -> None:
    """Rows of ten spectrograms, each with its title, the kind of sound it is, and the sounds."""
    figure, grid = plt.subplots(len(rows), COUNT, figsize=(14, 1.25 * len(rows)), squeeze=False)
    for axes, (title, label, sounds) in zip(grid, rows, strict=True):
        axes[0].set_ylabel(f"{title} (Hz)", fontsize=7)
        for cell, sound in zip(axes, sounds, strict=True):
            draw(cell, sound, label)
    figure.tight_layout(pad=0.2)
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=80)
    plt.close(figure)
    # Spectrograms are noise to a compressor; a palette is a third of the size and looks the same.
    Image.open(drawn).convert("RGB").quantize(32, dither=Image.Dither.NONE).save(path, optimize=True)


def main(folder: Path, recordings: Path | None) -> None:
    """Write `simulation_<picture>.png` for each group of kinds, and of those that there are recordings of."""
    for name, labels in PICTURES.items():
        rows = labels if len(labels) > 2 else [label for label in labels for _ in range(2)]
        write(folder / f"simulation_{name}.png", [(label, label, simulated(label, row)) for row, label in enumerate(rows)])
    if recordings is not None:
        pairs = [
            row
            for label, kind in RECORDED.items()
            for row in (("recorded", label, recorded(recordings / kind)), (label, label, simulated(label, 0)))
        ]
        write(folder / "simulation_recorded.png", pairs)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
