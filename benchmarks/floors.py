"""What the arithmetic of `loxo detect` costs alone, on one core, with its data in the cache.

These are the floors in docs/performance.md, in seconds per day of audio.

python benchmarks/floors.py
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soxr
import torch
from torch.utils.flop_counter import FlopCounterMode

from loxo.models import AbstractModel
from loxo.spectrogram import FrontEnd, log_bands, subtract_floor
from loxo.training import build_model, read_config

DAY_S = 24 * 3600
RATE = 8000
"""Samples per second of the recordings."""
FRAMES = 600
"""Frames of the front end at a time: a minute, as in detection."""


def least_seconds(work: Callable[[], object], turns: int = 40) -> float:
    """Least processor seconds of some turns."""
    seconds = []
    for _ in range(turns):
        began = time.thread_time()
        work()
        seconds.append(time.thread_time() - began)
    return min(seconds)


def resampling(rng: np.random.Generator, front_end: FrontEnd) -> str:
    minute = rng.standard_normal(60 * RATE).astype(np.float32)
    seconds = least_seconds(lambda: soxr.resample(minute, RATE, front_end.rate))
    return f"{seconds * DAY_S / 60:.1f} s, {60 / seconds:,.0f} times real time"


def bands_and_floor(rng: np.random.Generator, front_end: FrontEnd) -> str:
    n_samples = FRAMES * front_end.hop + 2 * front_end.margin
    padded = rng.standard_normal(n_samples).astype(np.float32)
    log_power = log_bands(padded, front_end)
    bands = least_seconds(lambda: log_bands(padded, front_end))
    floor = least_seconds(lambda: subtract_floor(log_power, front_end))
    minutes = frames_per_day(front_end) / FRAMES
    return f"bands {bands * minutes:.1f} s, floor {floor * minutes:.1f} s"


def network(rng: np.random.Generator, model: AbstractModel) -> str:
    """Operations of the network, at the speed of a matrix product."""
    matrix = rng.standard_normal((1024, 1024)).astype(np.float32)
    flops_per_s = 2 * 1024**3 / least_seconds(lambda: matrix @ matrix)
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        model.network(torch.zeros(1, model.front_end.n_bands, FRAMES))
    flops = counter.get_total_flops() / FRAMES * frames_per_day(model.front_end)
    return (
        f"{flops / 1e9:.0f} GFLOP at {flops_per_s / 1e9:.0f} GFLOP/s of a matrix product,"
        f" {flops / flops_per_s:.1f} s"
    )


def memory(rng: np.random.Generator) -> str:
    """Time to copy a day of samples once."""
    values = rng.standard_normal(50_000_000).astype(np.float32)
    gb_per_s = values.nbytes / 1e9 / least_seconds(values.copy, 10)
    return f"{gb_per_s:.0f} GB/s copied, {DAY_S * RATE * 4 / 1e9 / gb_per_s:.1f} s"


def frames_per_day(front_end: FrontEnd) -> int:
    return front_end.grid.n_frames(DAY_S * front_end.rate)


def main() -> None:
    """Print the floor of each stage."""
    rng = np.random.default_rng(0)
    # This configuration begins with the packaged weights.
    model = build_model(read_config(Path("configs/finetune.yaml"))).eval()
    print(f"resampling: {resampling(rng, model.front_end)}")
    print(f"front end: {bands_and_floor(rng, model.front_end)}")
    print(f"network: {network(rng, model)}")
    print(f"memory: {memory(rng)}")


if __name__ == "__main__":
    main()
