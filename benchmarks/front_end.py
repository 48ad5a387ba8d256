"""Processor seconds per day of audio of each part of the front end, on one thread.

Each figure is the least of some turns. The column `earlier` is a front end with long windows of all
samples, and two short windows of 80 ms in each frame.

python benchmarks/front_end.py
"""

from __future__ import annotations

import os

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from loxo.spectrogram import Bands, FrontEnd, log_bands, subtract_floor
from loxo.spectrogram.numpy_front_end import band_power, decimated

HOURS, TURNS = 0.5, 5
FRONT_END = FrontEnd()
EARLIER = replace(
    FRONT_END,
    long=replace(FRONT_END.long, decimation=1),
    short=replace(FRONT_END.short, window=320, per_frame=2, tukey_taper=1.0),
)


def seconds_per_day(work: Callable[[], object]) -> float:
    """Least processor seconds of some turns, scaled to a day."""
    least = np.inf
    for _ in range(TURNS):
        began = time.process_time()
        work()
        least = min(least, time.process_time() - began)
    return float(least) * 24 / HOURS


def measure(front_end: FrontEnd) -> dict[str, float]:
    """Seconds per day of each part; the long windows include their filter."""
    n_frames = front_end.grid.n_frames(int(HOURS * 3600 * front_end.rate))
    n_samples = n_frames * front_end.hop + 2 * front_end.margin
    samples = np.random.default_rng(0).normal(0, 0.01, n_samples).astype(np.float32)

    def windows(bands: Bands) -> float:
        out = np.empty((n_frames, len(bands.centres_hz) * bands.per_frame), np.float32)
        return seconds_per_day(lambda: band_power(samples, front_end, bands, out))

    power = log_bands(samples, front_end)
    long = front_end.long
    filtering = seconds_per_day(lambda: decimated(samples, long)) if long.decimation > 1 else 0.0
    return {
        "long windows": windows(long),
        "of which the filter": filtering,
        "short windows": windows(front_end.short),
        "all, with logarithm": seconds_per_day(lambda: log_bands(samples, front_end)),
        "floor": seconds_per_day(lambda: subtract_floor(power, front_end)),
    }


def main() -> None:
    """Print a table of both front ends."""
    earlier, now = measure(EARLIER), measure(FRONT_END)
    print("| part | earlier | now |\n|---|---|---|")
    for name, seconds in now.items():
        print(f"| {name} | {earlier[name]:.1f} | {seconds:.1f} |")


if __name__ == "__main__":
    main()
