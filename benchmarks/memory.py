"""Peak memory and speed of `loxo detect` against the length of the recording.

Each length is a process of its own, so that the peak is that of one recording: `python benchmarks/memory.py [--hours 1 6]`.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path

import numpy as np
import soundfile
from detection import command, measure

RATE = 8000
HOUR = 3600 * RATE


def write_noise(path: Path, hours: int) -> None:
    """A PCM recording of brownish noise with a burst each minute, written an hour at a time."""
    rng = np.random.default_rng(0)
    with soundfile.SoundFile(os.fspath(path), "w", RATE, 1, subtype="PCM_16", format="WAV") as out:
        for _ in range(hours * 60):
            minute = 0.01 * rng.normal(size=HOUR // 60).astype(np.float32)
            minute[:RATE] *= 20
            out.write(np.clip(minute, -1, 1))


def main() -> None:
    """Print a line for each length, and JSON of all at the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=int, nargs="+", default=[1, 6])
    results = {}
    for hours in parser.parse_args().hours:
        with tempfile.TemporaryDirectory() as folder:
            recording = Path(folder) / f"noise_{hours:02d}h.wav"
            write_noise(recording, hours)
            results[hours] = measure(command("detect", recording, Path(folder) / "out"))
        figures = results[hours]
        print(
            f"{hours:3d} h  {figures['wall_s']:7.1f} s  {figures['wall_s'] / hours:6.2f} s an hour of audio  "
            f"processor {figures['cpu_s']:7.1f} s  peak {figures['peak_mb']:6.0f} MB",
            flush=True,
        )
    print(json.dumps(results))


if __name__ == "__main__":
    main()
