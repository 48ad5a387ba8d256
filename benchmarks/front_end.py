"""Processor seconds of a day of audio in each part of the front end: one thread, the least of some turns.

python benchmarks/front_end.py
"""

from __future__ import annotations

import os

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from loxo import spectrogram
from loxo.spectrogram import Bands, FrontEnd, log_bands, subtract_floor

HOURS, TURNS = 0.5, 5
FRONT_END = FrontEnd()
BEFORE = replace(FRONT_END, long=replace(FRONT_END.long, every=1), short=replace(FRONT_END.short, window=320, per_frame=2, flat=0.0))
"""Long windows of all samples, and short ones of 80 ms, two a frame."""


def seconds_a_day(work: Callable[[], object]) -> float:
    """Least processor seconds, for a day."""
    least = np.inf
    for _ in range(TURNS):
        began = time.process_time()
        work()
        least = min(least, time.process_time() - began)
    return float(least) * 24 / HOURS


def parts(front_end: FrontEnd) -> dict[str, float]:
    """Seconds a day of each part; that of long windows has their filter in it."""
    n_frames = front_end.grid.n_frames(int(HOURS * 3600 * front_end.rate))
    n_samples = n_frames * front_end.hop + 2 * front_end.margin
    samples = np.random.default_rng(0).normal(0, 0.01, n_samples).astype(np.float32)

    def windows(bands: Bands) -> float:
        out = np.empty((n_frames, len(bands.centres_hz) * bands.per_frame), np.float32)
        return seconds_a_day(lambda: spectrogram._band_power(samples, front_end, bands, out))

    power = log_bands(samples, front_end)
    long = front_end.long
    return {
        "long windows": windows(long),
        "of which the filter": seconds_a_day(lambda: spectrogram._decimated(samples, long)) if long.every > 1 else 0.0,
        "short windows": windows(front_end.short),
        "all, with logarithm": seconds_a_day(lambda: log_bands(samples, front_end)),
        "floor": seconds_a_day(lambda: subtract_floor(power, front_end)),
    }


def main() -> None:
    before, now = parts(BEFORE), parts(FRONT_END)
    print("| part | before | now |\n|---|---|---|")
    for name, seconds in now.items():
        print(f"| {name} | {before[name]:.1f} | {seconds:.1f} |")


if __name__ == "__main__":
    main()
