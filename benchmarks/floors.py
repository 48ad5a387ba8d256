"""What the arithmetic of `loxo detect` takes alone, on one core and in its cache: the floors in docs/performance.md, in seconds for a day.

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

from loxo.spectrogram import log_bands, subtract_floor
from loxo.training import build_model, read_config

DAY_S = 24 * 3600
RATE = 8000
FRAMES = 600
"""Frames of the front end at a time: a minute, as in detection."""


def least(work: Callable[[], object], turns: int = 40) -> float:
    """Processor seconds of the shortest of some turns."""
    took = []
    for _ in range(turns):
        began = time.thread_time()
        work()
        took.append(time.thread_time() - began)
    return min(took)


def main() -> None:
    rng = np.random.default_rng(0)
    model = build_model(read_config(Path("configs/finetune.yaml"))).eval()  # which begins with the packaged weights
    front_end = model.front_end
    frames_a_day = front_end.grid.n_frames(DAY_S * front_end.rate)

    minute = rng.standard_normal(60 * RATE).astype(np.float32)
    alone = least(lambda: soxr.resample(minute, RATE, front_end.rate))
    print(f"resampling: {alone * DAY_S / 60:.1f} s, {60 / alone:,.0f} times real time")

    padded = rng.standard_normal(FRAMES * front_end.hop + 2 * front_end.margin).astype(np.float32)
    log_power = log_bands(padded, front_end)
    bands, floor = least(lambda: log_bands(padded, front_end)), least(lambda: subtract_floor(log_power, front_end))
    print(f"front end: bands {bands / FRAMES * frames_a_day:.1f} s, floor {floor / FRAMES * frames_a_day:.1f} s")

    matrix = rng.standard_normal((1024, 1024)).astype(np.float32)
    flops_s = 2 * 1024**3 / least(lambda: matrix @ matrix)
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        model.network(torch.zeros(1, front_end.n_bands, FRAMES))
    flops = counter.get_total_flops() / FRAMES * frames_a_day
    print(f"network: {flops / 1e9:.0f} GFLOP at {flops_s / 1e9:.0f} GFLOP/s of a matrix product, {flops / flops_s:.1f} s")

    values = rng.standard_normal(50_000_000).astype(np.float32)
    copied = least(values.copy, 10)
    print(f"memory: {values.nbytes / copied / 1e9:.0f} GB/s copied, {DAY_S * RATE * 4 / 1e9 / (values.nbytes / copied / 1e9):.1f} s")


if __name__ == "__main__":
    main()
