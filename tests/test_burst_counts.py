"""Shots are counted in synthetic bursts, and there is no number where none can be told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from loxo.burst_counts import (
    Counter,
    count_shots,
    counter_input,
    packaged_counter,
    shots_within,
)
from loxo.scoring import Scores
from loxo.spectrogram import (
    FrontEnd,
    cells_per_frame,
    dequantize_levels,
    onset_levels,
    quantize_levels,
)

Array = NDArray[np.float32]

FRONT_END = FrontEnd()
RATE, HOP = FRONT_END.rate, FRONT_END.hop
N_CELLS = cells_per_frame(FRONT_END)
LEAD_S = 1.5
"""Noise before the first shot and after the last tail."""


def blows(starts_s: list[float], snr_db: float, tail_s: float = 0.03, seed: int = 0) -> Array:
    """Bursts of noise that begin at once and fade, in white noise of a hundredth of full scale.

    Args:
        starts_s: times of the shots after the first second and a half.
        snr_db: level of a shot's first moment above the noise.
        tail_s: time in which a shot's amplitude falls to 1/e.
    """
    rng = np.random.default_rng(seed)
    n_frames = 10 * int(2 * LEAD_S + starts_s[-1] + 8 * tail_s + 1)
    waveform = 0.01 * rng.standard_normal(n_frames * HOP)
    time_s = np.arange(int(8 * tail_s * RATE)) / RATE
    for start_s in starts_s:
        start = round((LEAD_S + start_s) * RATE)
        shot = rng.standard_normal(len(time_s)) * np.exp(-time_s / tail_s)
        waveform[start : start + len(shot)] += 0.01 * 10 ** (snr_db / 20) * shot
    return waveform.astype(np.float32)


def levels_of(waveform: Array) -> Array:
    """Levels `(frame, cell)` as they are kept."""
    codes = quantize_levels(onset_levels(np.pad(waveform, FRONT_END.margin), FRONT_END))
    return dequantize_levels(codes)


def count(waveform: Array, last_s: float) -> int | None:
    """Count the shots of `blows` in a detection from just before the first to after the last."""
    cells = round(100 * (LEAD_S - 0.1)), round(100 * (LEAD_S + last_s + 0.3))
    return count_shots(levels_of(waveform).ravel(), cells)


# ---- synthetic bursts


@settings(max_examples=60, deadline=None)
@given(
    shots=st.integers(2, 20),
    per_s=st.floats(1.0, 5.0),
    snr_db=st.floats(22.0, 40.0),
    tail_s=st.sampled_from([0.02, 0.04, 0.08]),
    seed=st.integers(0, 1000),
)
def test_slow_fire_is_counted_within_a_fifth(
    shots: int, per_s: float, snr_db: float, tail_s: float, seed: int
) -> None:
    jitter = np.random.default_rng(seed).uniform(0.8, 1.2, shots - 1)
    starts_s = [0.0, *np.cumsum(jitter / per_s).tolist()]
    number = count(blows(starts_s, snr_db, tail_s, seed), starts_s[-1])
    assert number is not None
    assert abs(number - shots) <= 0.2 * shots


@settings(max_examples=60, deadline=None)
@given(
    shots=st.integers(4, 40),
    per_s=st.floats(8.0, 15.0),
    snr_db=st.floats(22.0, 40.0),
    seed=st.integers(0, 1000),
)
def test_automatic_fire_is_counted_within_three_tenths(
    shots: int, per_s: float, snr_db: float, seed: int
) -> None:
    starts_s = (np.arange(shots) / per_s).tolist()
    number = count(blows(starts_s, snr_db, 0.02, seed), starts_s[-1])
    assert number is not None
    assert abs(number - shots) <= 0.3 * shots


@settings(max_examples=40, deadline=None)
@given(
    snr_db=st.floats(20.0, 45.0),
    tail_s=st.sampled_from([0.02, 0.1, 0.3]),
    seed=st.integers(0, 1000),
)
def test_a_single_shot_is_one_however_long_its_tail(
    snr_db: float, tail_s: float, seed: int
) -> None:
    assert count(blows([0.0], snr_db, tail_s, seed), 0.5) in (1, None)
    assert count(blows([0.0], 35.0, tail_s, seed), 0.5) == 1


@pytest.mark.parametrize("delay_s", [0.2, 0.4, 0.8])
def test_an_echo_is_no_shot(delay_s: float) -> None:
    waveform = blows([0.0], 36.0, 0.1)
    echo = blows([delay_s], 20.0, 0.1, seed=1)
    both = waveform.copy()
    both[: len(echo)] += echo[: len(both)]
    assert count(both, 1.0) == 1


# ---- what has no number


def test_noise_and_faint_sounds_have_no_number() -> None:
    assert count(blows([0.0], -20.0), 1.0) is None
    assert count(blows([0.0, 0.5, 1.0], 4.0), 1.2) is None
    assert count_shots(np.full(300, -130.0, np.float32), (100, 200)) is None


def test_a_slow_swell_has_no_number() -> None:
    waveform = blows([0.0], -20.0)
    time_s = np.arange(len(waveform)) / RATE
    swell = 1 + 30 * np.exp(-(((time_s - 2.0) / 0.5) ** 2))
    assert count((swell * waveform).astype(np.float32), 1.0) is None


# ---- laws


@settings(max_examples=20, deadline=None)
@given(gain_steps=st.integers(-40, 40), seed=st.integers(0, 100))
def test_a_count_does_not_depend_on_the_gain(gain_steps: int, seed: int) -> None:
    levels = levels_of(blows([0.0, 0.3, 0.6], 30.0, seed=seed)).ravel()
    cells = 140, 240
    assert count_shots(levels, cells) == count_shots(levels + gain_steps / 2, cells)


def test_the_network_is_that_of_torch() -> None:
    counter = packaged_counter()
    features = counter_input(levels_of(blows([0.0, 0.1, 0.2, 0.6], 30.0)).ravel(), (140, 240))
    hidden = torch.from_numpy(features)[None]
    for depth, (weight, bias) in enumerate(counter.layers):
        convolved = torch.nn.functional.conv1d(
            hidden,
            torch.from_numpy(weight),
            torch.from_numpy(bias),
            padding=2**depth * (weight.shape[2] // 2),
            dilation=2**depth,
        )
        hidden = torch.relu(convolved) + (hidden if depth else 0)
    head, bias = counter.head
    density, sureness = head @ hidden[0].numpy() + bias[:, None]
    found = counter(features)
    np.testing.assert_allclose(found[0], np.logaddexp(density, 0), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found[1], sureness, rtol=1e-3, atol=1e-3)


def test_the_packaged_network_is_small_and_sees_little_more_than_what_is_kept() -> None:
    counter = packaged_counter()
    arrays = [array for layer in (*counter.layers, counter.head) for array in layer]
    assert sum(array.size for array in arrays) < 10_000
    reach = sum(
        2**depth * (weight.shape[2] // 2) for depth, (weight, _) in enumerate(counter.layers)
    )
    assert reach <= 130


# ---- from scores


def scores_of(waveform: Array, kept: NDArray[np.int64]) -> Scores:
    """Scores of which the levels of some frames are kept."""
    n_frames = len(waveform) // HOP
    codes = quantize_levels(onset_levels(np.pad(waveform, FRONT_END.margin), FRONT_END))
    return Scores(
        FRONT_END.grid,
        ("Gunshot",),
        np.zeros((n_frames, 1), np.float32),
        kept,
        np.zeros((len(kept), FRONT_END.n_bands), np.uint8),
        codes[kept],
        len(waveform),
    )


def test_the_shots_of_frames_are_those_of_their_cells() -> None:
    waveform = blows([0.0, 0.4, 0.8, 1.2, 1.6], 30.0)
    everything = np.arange(len(waveform) // HOP)
    levels = levels_of(waveform)
    expected = count_shots(levels[4:44].ravel(), (100, 300))
    assert expected == 5
    assert shots_within(scores_of(waveform, everything), 14, 34) == expected
    assert shots_within(scores_of(waveform, everything[4:44]), 14, 34) == expected
    first, second = scores_of(waveform, everything).split(4)
    assert shots_within(second, 14, 34) == expected
    assert shots_within(first, 14, 34) is None


def test_frames_of_which_nothing_is_kept_are_quiet() -> None:
    waveform = blows([0.0, 2.5], 30.0)
    kept = np.array([*range(5, 20), *range(37, 50)])
    assert shots_within(scores_of(waveform, kept), 14, 45) == 2
    assert shots_within(scores_of(waveform, kept), 22, 35) is None
    assert shots_within(scores_of(waveform, kept[:0]), 14, 45) is None


def test_cells_of_another_length_are_not_counted() -> None:
    scores = scores_of(blows([0.0], 30.0), np.arange(30))
    assert shots_within(replace(scores, onsets=scores.onsets[:, ::2]), 14, 20) is None


def test_a_counter_is_made_of_its_arrays() -> None:
    rng = np.random.default_rng(0)
    arrays = {
        "layer0.weight": rng.normal(size=(3, 2, 5)),
        "layer0.bias": rng.normal(size=3),
        "layer1.weight": rng.normal(size=(3, 3, 3)),
        "layer1.bias": rng.normal(size=3),
        "head.weight": rng.normal(size=(2, 3)),
        "head.bias": rng.normal(size=2),
    }
    density, sureness = Counter.of(arrays)(np.zeros((2, 17), np.float32))
    assert density.shape == sureness.shape == (17,)
    assert (density >= 0).all()
