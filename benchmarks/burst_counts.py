"""Fit the network that counts the shots of a burst, and measure how often it is right.

    python benchmarks/burst_counts.py --fit build/burst_counter.npz
    python benchmarks/burst_counts.py --counter build/burst_counter.npz

Everything is simulated: fire of a known number of rounds in the noise of simulated places, and
noises without onsets. Fitting takes some 15 minutes on one core. Without `--counter` the packaged
one is measured, `src/loxo/packaged/burst_counter/weights.npz`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import signal
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, softplus

from loxo.acoustics import amplitude_factor, log_uniform
from loxo.burst_counts import (
    LEAD_CELLS,
    Counter,
    background_level,
    count_shots,
    counter_input,
)
from loxo.simulate import gunshots
from loxo.simulate.excerpts import extent
from loxo.simulate.places import Place
from loxo.simulate.signals import Array, Rng, coloured_noise
from loxo.simulate.voices import bird
from loxo.simulate.weapons import WEAPONS
from loxo.simulate.weather import rolling_thunder, surf, wind_gust
from loxo.spectrogram import (
    FrontEnd,
    cells_per_frame,
    dequantize_levels,
    onset_levels,
    quantize_levels,
)

FRONT_END = FrontEnd()
RATE = FRONT_END.rate
SHARES = {
    "single": 0.45,
    "double": 0.08,
    "rapid": 0.2,
    "automatic": 0.15,
    "groups": 0.07,
    "none": 0.05,
}
"""Shares of kinds of fire; "none" is a noise that begins slowly."""
SURROUNDINGS = {"dry": 0.15, "open": 0.2, "forest": 0.65}
SNR_DB = (6.0, 36.0)
"""Range of the ratio of the mean powers in 100-1,500 Hz over the fire."""
SLOW_PER_S = 5.0
"""Rate up to which a number is to be within 20 %; above, within 30 %."""
CHANNELS, TAPS, BATCH = 14, (13, 9, 9, 9, 9), 24
BAND = signal.butter(4, (100, 1500), "bandpass", fs=RATE, output="sos")
NOISE_DEGREES = 14
"""Half the degrees of freedom of the power of noise in a cell: 10 ms of 1,400 Hz."""


class Case(NamedTuple):
    """A detection of fire: levels of its cells as they are kept, and what is known about it."""

    codes: NDArray[np.uint8]
    cells: tuple[int, int]
    shots: int
    per_s: float
    snr_db: float
    surroundings: str
    distance_km: float

    @property
    def levels_db(self) -> NDArray[np.float32]:
        """Levels `(cell,)` in decibels."""
        return dequantize_levels(self.codes)

    @property
    def detected(self) -> tuple[int, int]:
        """The cells that are counted."""
        return max(0, self.cells[0] - LEAD_CELLS), self.cells[1]

    def within_limits(self, number: float) -> bool:
        """Whether a number is as near to the true one as it should be."""
        limit = 0.2 if self.per_s <= SLOW_PER_S else 0.3
        return abs(number - self.shots) <= limit * self.shots


# ---- simulated cases


def draw_starts_s(rng: Rng, kind: str) -> tuple[str, Array]:
    """Draw a weapon and the times in seconds of its rounds."""
    if kind == "single":
        weapon = gunshots.SINGLE_WEAPONS[rng.integers(len(gunshots.SINGLE_WEAPONS))]
        return weapon, np.zeros(1)
    if kind == "double":
        return "shotgun", np.array([0.0, rng.uniform(0.1, 0.4)])
    if kind == "rapid":
        weapon = gunshots.RAPID_WEAPONS[rng.integers(len(gunshots.RAPID_WEAPONS))]
        n = int(log_uniform(rng, 2, 20.99))
        per_s = log_uniform(rng, max(1.0, n / 10), 6)
        gaps_s = rng.lognormal(0, rng.uniform(0.02, 0.4), n).clip(0.5, 2) / per_s
    else:
        weapon = "automatic rifle"
        n = int(log_uniform(rng, 3, 40.99))
        gaps_s = rng.normal(1, 0.03, n).clip(0.85, 1.15) / rng.uniform(6, 15)
        if kind == "groups":
            group = int(rng.integers(3, 9))
            gaps_s[group::group] += rng.uniform(0.2, 1.0)
    starts_s = np.cumsum(gaps_s) - gaps_s[0]
    return weapon, starts_s[starts_s <= gunshots.LAST_START_S]


def draw_noise(rng: Rng, n: int) -> Array:
    """Draw background noise `(sample,)` of a place, at times with birds, or of one slope."""
    if rng.random() < 0.5:
        slope_db = rng.uniform(-8, 3)
        return coloured_noise(rng, n, RATE, lambda f: slope_db * np.log2(np.maximum(f, 20) / 100))
    noise = Place.draw(rng, RATE, (), 0.0).noise(rng, n)
    for _ in range(rng.poisson(0.3)):
        call = bird(rng, RATE)[:n]
        start = rng.integers(n - len(call) + 1)
        level = amplitude_factor(rng.uniform(-20, 6)) * noise.std() / (call.std() + 1e-9)
        noise[start : start + len(call)] += level * call
    return noise


def draw_sound(rng: Rng, kind: str) -> tuple[Array, Array, gunshots.Path]:
    """Draw what is detected `(sample,)`, the times of its rounds, and its way."""
    surroundings = rng.choice(list(SURROUNDINGS), p=list(SURROUNDINGS.values()))
    path = gunshots.draw_path(rng, surroundings)
    if kind == "none":
        make = (rolling_thunder, surf, wind_gust)[rng.integers(3)]
        return np.asarray(make(rng, RATE), float)[: 12 * RATE], np.zeros(0), path
    weapon, starts_s = draw_starts_s(rng, kind)
    shots = gunshots.shots_at(rng, RATE, WEAPONS[weapon], path, starts_s)
    return gunshots._record(rng, shots, RATE), starts_s, path


def in_band(waveform: Array) -> Array:
    """Limit a waveform `(sample,)` to 100-1,500 Hz."""
    limited: Array = signal.sosfilt(BAND, waveform)
    return limited


def draw_case(rng: Rng, kind: str | None = None, snr_db: float | None = None) -> Case:
    """Draw a detection of fire, or of a noise without onsets.

    Args:
        kind: one of `SHARES`; None: at random.
        snr_db: see `SNR_DB`; None: at random.
    """
    drawn = kind or str(rng.choice(list(SHARES), p=list(SHARES.values())))
    sound, starts_s, path = draw_sound(rng, drawn)
    snr_db = float(rng.uniform(*SNR_DB)) if snr_db is None else snr_db
    before_n = int(rng.uniform(1.0, 4.0) * RATE)
    noise = draw_noise(rng, before_n + len(sound) + int(rng.uniform(1.0, 3.0) * RATE))
    noise_power = float(np.mean(in_band(noise) ** 2))
    first, last = extent(sound, RATE, 25.0)
    power = float(np.mean(in_band(sound)[first:last] ** 2)) + 1e-30
    heard = sound * np.sqrt(noise_power / power) * amplitude_factor(snr_db)
    mixed = noise.copy()
    mixed[before_n : before_n + len(sound)] += heard
    mixed *= amplitude_factor(rng.uniform(-60, -40)) / (noise.std() + 1e-12)
    start_s = (before_n + first) / RATE
    last_start_s = start_s + (starts_s[-1] if len(starts_s) else 0.5)
    # The end is where the sound sinks into the noise, not exactly.
    sunk_s = _last_above(in_band(heard), 2 * noise_power) / RATE + before_n / RATE
    end_s = max(sunk_s + rng.uniform(-0.3, 0.3), last_start_s + rng.uniform(0.15, 0.3))
    first_frame = max(0, int((start_s + rng.uniform(-0.2, 0.1)) * 10))
    codes = _codes(mixed)
    last_frame = min(len(codes), max(first_frame + 1, int(np.ceil(end_s * 10))))
    outer = max(0, first_frame - 10), min(len(codes), last_frame + 10)
    n_cells = cells_per_frame(FRONT_END)
    cells = (first_frame - outer[0]) * n_cells, (last_frame - outer[0]) * n_cells
    gaps_s = np.diff(starts_s)
    per_s = 1 / float(np.median(gaps_s)) if len(gaps_s) else 0.0
    kept = codes[slice(*outer)].ravel()
    return Case(kept, cells, len(starts_s), per_s, snr_db, path.surroundings, path.distance_km)


def _last_above(waveform: Array, power: float) -> int:
    """The last sample around which the mean power of 50 ms is above a limit."""
    width = RATE // 20
    cumulative = np.cumsum(np.append(0.0, waveform**2))
    loud = np.flatnonzero((cumulative[width:] - cumulative[:-width]) / width > power)
    return int(loud[-1]) + width if len(loud) else len(waveform)


def _codes(waveform: Array) -> NDArray[np.uint8]:
    """Quantised levels `(frame, cell)` of a waveform."""
    missing = FRONT_END.grid.n_frames(len(waveform)) * FRONT_END.hop - len(waveform)
    padded = np.pad(waveform, (FRONT_END.margin, FRONT_END.margin + missing))
    return quantize_levels(onset_levels(padded.astype(np.float32), FRONT_END))


def varied(rng: Rng, case: Case) -> Case:
    """Change a case: another pace, more noise, and other ends of the detection."""
    pace = rng.uniform(0.85, 1.2)
    n = max(2, round(len(case.codes) * pace))
    codes = case.codes[np.minimum((np.arange(n) / pace).astype(int), len(case.codes) - 1)]
    levels_db = dequantize_levels(codes)
    # In a third of cases nothing is added, and what is added leaves some of the fire.
    added_db = (
        rng.uniform(-6, max(-5.0, min(12.0, case.snr_db - 6))) if rng.random() < 0.67 else -60
    )
    noise_db = background_level(levels_db) + added_db
    noise = 10 ** (noise_db / 10) * rng.gamma(NOISE_DEGREES, 1 / NOISE_DEGREES, n)
    mixed_db = 10 * np.log10(10 ** (levels_db / 10) + noise)
    first = int(np.clip(round(case.cells[0] * pace) + rng.integers(-10, 8), 0, n - 2))
    last = int(np.clip(round(case.cells[1] * pace) + rng.integers(-8, 30), first + 1, n))
    return case._replace(
        codes=quantize_levels(mixed_db.astype(np.float32)),
        cells=(first, last),
        per_s=case.per_s / pace,
        snr_db=case.snr_db - 10 * float(np.log10(1 + 10 ** (added_db / 10))),
    )


# ---- fitting


class CounterNetwork(nn.Module):
    """The network of `loxo.burst_counts.Counter`, for fitting."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList()
        for depth, taps in enumerate(TAPS):
            self.layers.append(
                nn.Conv1d(
                    CHANNELS if depth else 2,
                    CHANNELS,
                    taps,
                    padding=2**depth * (taps // 2),
                    dilation=2**depth,
                )
            )
        self.head = nn.Conv1d(CHANNELS, 2, 1)

    def forward(self, features: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        """Density and sureness `(batch, cell)` of features `(batch, 2, cell)`.

        Args:
            known: 1 where a cell `(batch, 1, cell)` exists, else 0.
        """
        first, *others = self.layers
        hidden = torch.relu(first(features)) * known
        for layer in others:
            hidden = (hidden + torch.relu(layer(hidden))) * known
        density, sureness = self.head(hidden).unbind(1)
        return softplus(density), sureness

    def arrays(self) -> dict[str, NDArray[np.float16]]:
        """Weights and biases, named as in a counter's file."""
        found = {}
        for name, values in self.state_dict().items():
            # A kernel of one cell is a matrix.
            array = values.squeeze(-1) if name == "head.weight" else values
            found[name.replace("layers.", "layer")] = array.numpy().astype(np.float16)
        return found


def batch_of(cases: Sequence[Case]) -> tuple[Tensor, Tensor, Tensor]:
    """Features, which cells exist, and which are detected, padded to one length."""
    n = max(len(case.codes) for case in cases)
    features, known, detected = (
        torch.zeros(len(cases), 2, n),
        torch.zeros(len(cases), 1, n),
        torch.zeros(len(cases), n),
    )
    for row, case in enumerate(cases):
        size = len(case.codes)
        features[row, :, :size] = torch.from_numpy(counter_input(case.levels_db, case.detected))
        known[row, :, :size] = 1
        detected[row, slice(*case.detected)] = 1
    return features, known, detected


def fit(cases: Sequence[Case], steps: int, seed: int) -> CounterNetwork:
    """Fit a network to cases; the learning rate falls linearly to nearly zero."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    rng = np.random.default_rng(seed)
    network = CounterNetwork()
    optimiser = torch.optim.AdamW(network.parameters(), 4e-3)
    loss = torch.zeros(())
    for step in range(0, steps, 4):
        for group in optimiser.param_groups:
            group["lr"] = 4e-3 * (1 - step / steps) + 1e-5
        # Cases of like length make batches with little padding.
        pool = [cases[each] for each in rng.choice(len(cases), 4 * BATCH, replace=False)]
        pool.sort(key=lambda case: len(case.codes))
        for turn in rng.permutation(4).tolist():
            chosen = [varied(rng, case) for case in pool[turn * BATCH : (turn + 1) * BATCH]]
            loss = loss_of(network, chosen)
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            if step % 400 == 0 and not turn:
                print(f"step {step} of {steps}: loss {loss.item():.3f}", flush=True)
    return network


def loss_of(network: CounterNetwork, cases: Sequence[Case]) -> Tensor:
    """Mean error of the logarithm of the number, and cross-entropy of the sureness."""
    features, known, detected = batch_of(cases)
    density, sureness = network(features, known)
    density = density * detected
    numbers = density.sum(1)
    true = torch.tensor([float(case.shots) for case in cases])
    counted = true > 0
    error = torch.abs(torch.log(numbers + 0.1) - torch.log(true + 0.1))[counted].mean()
    rounded = numbers.detach().round().clamp(min=1).tolist()
    right = torch.tensor(
        [float(case.within_limits(number)) for case, number in zip(cases, rounded, strict=True)]
    )
    # The sureness is judged by the density as it is, and does not change it.
    weights = density.detach() / numbers.detach().clamp(min=1e-6)[:, None]
    sure = binary_cross_entropy_with_logits((weights * sureness).sum(1), right)
    return error + 0.3 * sure


# ---- measuring


def group_of(case: Case) -> tuple[str, str]:
    """Row and column of a case in the table."""
    if case.shots == 1 or (case.shots == 2 and case.per_s > 2):
        fire = "one shot" if case.shots == 1 else "two shots"
    elif case.per_s <= SLOW_PER_S:
        fire = "up to 5 a second"
    else:
        fire = "5-10 a second" if case.per_s <= 10 else "10-15 a second"
    if case.surroundings != "forest":
        return fire, case.surroundings
    return fire, "forest, < .3 km" if case.distance_km < 0.3 else (
        "forest, .3-1 km" if case.distance_km < 1 else "forest, > 1 km"
    )


def measure(cases: Sequence[Case], counter: Counter | None) -> None:
    """Print the share of cases without a number, and of numbers within their limits."""
    results: dict[tuple[str, str], list[tuple[bool, bool]]] = {}
    for case in cases:
        number = count_shots(case.levels_db, case.cells, counter)
        result = number is None, number is not None and case.within_limits(number)
        fire, place = group_of(case)
        level = f"{10 * int(case.snr_db // 10)} dB and more"
        for column in ("all", place, level):
            results.setdefault((fire, column), []).append(result)
    print("fire              where                cases   within limits   no number   of numbers")
    for (fire, column), found in sorted(results.items()):
        none = sum(missing for missing, _ in found)
        right = sum(good for _, good in found)
        numbers = max(1, len(found) - none)
        print(
            f"{fire:17s} {column:20s} {len(found):5d}   {right / len(found):13.2f}"
            f"   {none / len(found):9.2f}   {right / numbers:10.2f}"
        )


def main() -> None:
    """Fit and measure, as the options say."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fit", type=Path, metavar="FILE", help="fit a counter and write it")
    parser.add_argument("--counter", type=Path, metavar="FILE", help="the counter to measure")
    parser.add_argument("--cases", type=int, default=18_000, help="number of cases to fit to")
    parser.add_argument("--steps", type=int, default=8000, help="steps of fitting")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    counter = None
    if options.fit:
        rng = np.random.default_rng(options.seed)
        cases = [draw_case(rng) for _ in range(options.cases)]
        arrays = fit(cases, options.steps, options.seed).arrays()
        options.fit.parent.mkdir(parents=True, exist_ok=True)
        with options.fit.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)
        counter = Counter.of(arrays)
    elif options.counter:
        with np.load(options.counter) as weights:
            counter = Counter.of(dict(weights))
    rng = np.random.default_rng(options.seed + 1000)
    kinds = [kind for kind in SHARES if kind != "none"]
    measured = [
        draw_case(rng, kind, float(rng.uniform(12, 30))) for kind in kinds for _ in range(400)
    ]
    measure(measured, counter)


if __name__ == "__main__":
    main()
