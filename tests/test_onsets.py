"""Levels of cells follow physics and do not depend on blocks; silence is found where it is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from loxo.spectrogram import (
    CELL_S,
    LEVEL_STEP_DB,
    FrontEnd,
    cells_per_frame,
    dequantize_levels,
    log_bands,
    onset_levels,
    quantize_levels,
    silent_frames,
    tainted_frames,
)

Array = NDArray[np.float32]

FRONT_END = FrontEnd()
RATE, HOP, MARGIN = FRONT_END.rate, FRONT_END.hop, FRONT_END.margin
N_CELLS = cells_per_frame(FRONT_END)


def padded(waveform: Array) -> Array:
    return np.pad(waveform, MARGIN)


def noise(n_frames: int, seed: int = 0) -> Array:
    """White noise of a hundredth of full scale."""
    rng = np.random.default_rng(seed)
    waveform: Array = np.float32(0.01) * rng.standard_normal(n_frames * HOP, np.float32)
    return waveform


def tone(hz: float) -> Array:
    """A second of a tone whose mean square is 1/100, -20 dB."""
    time_s = np.arange(RATE) / RATE
    return np.asarray(np.sqrt(2) * 0.1 * np.sin(2 * np.pi * hz * time_s), np.float32)


# ---- levels


def test_a_frame_is_ten_cells_none_longer_than_the_limit() -> None:
    assert N_CELLS == 10
    assert pytest.approx(CELL_S * N_CELLS) == FRONT_END.grid.frame_s
    for hop in (40, 100, 250):
        front_end = FrontEnd(hop=hop, long=FRONT_END.short, short=FRONT_END.short)
        assert hop / RATE / cells_per_frame(front_end) <= CELL_S


@pytest.mark.parametrize("hz", [100.0, 200.0, 300.0, 500.0, 1000.0])
def test_tones_of_the_band_keep_their_level(hz: float) -> None:
    # Means over 10 ms hold whole periods of these tones.
    levels = onset_levels(padded(tone(hz)), FRONT_END)[2:-2]
    np.testing.assert_allclose(levels, -20.0, atol=2.0)


@pytest.mark.parametrize(("hz", "least_db"), [(10.0, 30.0), (30.0, 15.0), (1950.0, 10.0)])
def test_tones_beside_the_band_are_attenuated(hz: float, least_db: float) -> None:
    levels = onset_levels(padded(tone(hz)), FRONT_END)[2:-2]
    # The cells are shorter than the period of a low tone, so their levels differ.
    mean_db = 10 * np.log10(np.mean(10 ** (levels / 10)))
    assert mean_db < -20.0 - least_db


@given(st.integers(0, 10 * HOP - 1))
def test_a_click_is_in_its_own_cell(sample: int) -> None:
    waveform = np.zeros(10 * HOP, np.float32)
    waveform[sample] = 0.5
    levels = onset_levels(padded(waveform), FRONT_END).ravel()
    own = sample // (HOP // N_CELLS)
    assert levels.argmax() == own
    elsewhere = np.delete(levels, range(max(0, own - 1), min(len(levels), own + 2)))
    assert elsewhere.max() < levels[own] - 15.0


@given(gain_db=st.floats(-20, 20), seed=st.integers(0, 100))
def test_levels_follow_the_gain(gain_db: float, seed: int) -> None:
    waveform = noise(5, seed)
    louder = (10 ** (gain_db / 20) * waveform).astype(np.float32)
    change = onset_levels(padded(louder), FRONT_END) - onset_levels(padded(waveform), FRONT_END)
    np.testing.assert_allclose(change, gain_db, atol=1e-3)


@settings(max_examples=30)
@given(st.integers(0, 19), st.integers(1, 20), st.integers(0, 100))
def test_levels_do_not_depend_on_where_a_block_begins(first: int, size: int, seed: int) -> None:
    waveform = padded(noise(20, seed))
    last = min(20, first + size)
    block = waveform[first * HOP : last * HOP + 2 * MARGIN]
    np.testing.assert_allclose(
        onset_levels(block, FRONT_END), onset_levels(waveform, FRONT_END)[first:last], atol=1e-3
    )


def test_no_frames_have_no_levels_and_parts_of_frames_are_refused() -> None:
    assert onset_levels(np.zeros(2 * MARGIN, np.float32), FRONT_END).shape == (0, N_CELLS)
    with pytest.raises(ValueError, match="are not whole frames"):
        onset_levels(np.zeros(2 * MARGIN + 1, np.float32), FRONT_END)


def test_levels_are_rounded_to_the_nearest_step_over_their_whole_range() -> None:
    levels = np.linspace(-130.0, -2.5, 1001, dtype=np.float32)
    rounded = dequantize_levels(quantize_levels(levels))
    np.testing.assert_allclose(rounded, levels, atol=LEVEL_STEP_DB / 2 + 1e-3)
    np.testing.assert_array_equal(quantize_levels(rounded), quantize_levels(levels))
    silence = onset_levels(np.zeros(HOP + 2 * MARGIN, np.float32), FRONT_END)
    assert (quantize_levels(silence) == 0).all()
    assert quantize_levels(np.array([30.0], np.float32)) == 255


# ---- silence


@settings(max_examples=50)
@given(first=st.integers(0, 30 * HOP), length=st.integers(0, 12 * HOP), seed=st.integers(0, 9))
def test_frames_whose_windows_hold_nothing_but_zeros_are_silent(
    first: int, length: int, seed: int
) -> None:
    waveform = noise(30, seed)
    waveform[first : first + length] = 0.0
    silent = silent_frames(log_bands(padded(waveform), FRONT_END))
    windows = np.lib.stride_tricks.sliding_window_view(padded(waveform), HOP + 2 * MARGIN)[::HOP]
    # A few samples at a window's edge hardly count, because windows are tapered.
    only_zeros = ~windows.any(axis=1)
    nearly = ~windows[:, 60:-60].any(axis=1)
    assert (only_zeros <= silent).all()
    assert (silent <= nearly).all()


@settings(max_examples=50)
@given(first=st.integers(5 * HOP, 15 * HOP), length=st.integers(5 * HOP, 10 * HOP))
def test_frames_beside_a_silence_are_tainted_if_their_windows_overlap_it(
    first: int, length: int
) -> None:
    waveform = noise(30)
    waveform[first : first + length] = 0.0
    silent = np.flatnonzero(silent_frames(log_bands(padded(waveform), FRONT_END)))
    starts = np.arange(30) * HOP - MARGIN
    overlaps = (starts < first + length) & (starts + HOP + 2 * MARGIN > first)
    distance = np.abs(np.arange(30)[:, None] - silent).min(axis=1)
    assert distance[overlaps].max() <= tainted_frames(FRONT_END)
    assert distance[~overlaps].min() >= tainted_frames(FRONT_END)


def test_the_rounding_noise_of_samples_is_no_silence() -> None:
    steps = np.random.default_rng(0).integers(-1, 2, 10 * HOP) / 32768
    assert not silent_frames(log_bands(padded(steps.astype(np.float32)), FRONT_END)).any()
