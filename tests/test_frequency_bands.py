"""Frequency bands hold the energy of a sound, whatever the noise around it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from loxo.frequency_bands import energy_bands, frequency_extents, quantile_bands
from loxo.scoring import Scores, quantize
from loxo.simulate.signals import coloured_noise
from loxo.spectrogram import Bands, FrontEnd, cells_per_frame, spectrogram

FRONT_END = FrontEnd()
RATE = FRONT_END.rate
LIMITS_HZ = 7.0, 250.0
SEVERAL = FrontEnd(
    hop=1000,
    long=Bands(1600, 1, 5.0, 250.0, 2.5, 120.0, 1.085, decimation=4),
    short=Bands(480, 5, 300.0, 1900.0, 13.0, 0.0, 1.13),
)
"""Five short windows a frame, and no band in both kinds of windows."""


def scores_of(features: NDArray[np.float32], front_end: FrontEnd = FRONT_END) -> Scores:
    """Scores of nothing, with features `(frame, band)` of all frames."""
    n_frames = len(features)
    return Scores(
        front_end.grid,
        ("Rumble",),
        np.zeros((n_frames, 1), np.float32),
        np.arange(n_frames),
        quantize(features),
        np.zeros((n_frames, cells_per_frame(front_end)), np.uint8),
        n_frames * front_end.hop,
    )


def band_of(
    waveform: NDArray[np.float32],
    run: tuple[int, int],
    limits_hz: tuple[float, float] = LIMITS_HZ,
    front_end: FrontEnd = FRONT_END,
) -> tuple[float, float]:
    """Band of the frames `[first, last)` of a waveform."""
    scores = scores_of(spectrogram(waveform, front_end).T, front_end)
    active = np.zeros(len(scores.values), bool)
    active[slice(*run)] = True
    (band,) = frequency_extents(scores, front_end, np.array([run]), active, limits_hz).tolist()
    return band[0], band[1]


def noise(seconds: int, slope_db: float, seed: int) -> NDArray[np.float32]:
    """Noise whose level changes by so many decibels an octave; its standard deviation is 1."""
    rng = np.random.default_rng(seed)
    made = coloured_noise(
        rng, seconds * RATE, RATE, lambda hz: slope_db * np.log2(np.maximum(hz, 5.0) / 100.0)
    )
    scaled: NDArray[np.float32] = (made / made.std()).astype(np.float32)
    return scaled


def with_sound(
    waveform: NDArray[np.float32], sound: NDArray[np.float32], start_s: float
) -> NDArray[np.float32]:
    mixed = waveform.copy()
    first = int(start_s * RATE)
    mixed[first : first + len(sound)] += sound
    return mixed


def line(hz: float, seconds: float, amplitude: float) -> NDArray[np.float32]:
    times_s = np.arange(int(seconds * RATE)) / RATE
    return (amplitude * np.sin(2 * np.pi * hz * times_s)).astype(np.float32)


# ---- the bands of a front end


@pytest.mark.parametrize("front_end", [FRONT_END, SEVERAL])
def test_energy_bands_cover_all_frequencies_once(front_end: FrontEnd) -> None:
    bands = energy_bands(front_end)
    assert (np.diff(bands.edges_hz) > 0).all()
    assert bands.weights.shape == (front_end.n_bands, len(bands.edges_hz) - 1)
    np.testing.assert_allclose(bands.weights.sum(axis=0), 1.0, rtol=1e-6)
    centres_hz = front_end.band_centres_hz
    for column, (low, high) in enumerate(zip(bands.edges_hz, bands.edges_hz[1:], strict=False)):
        rows = np.flatnonzero(bands.weights[:, column])
        assert ((centres_hz[rows] > low) & (centres_hz[rows] < high)).all()


# ---- quantiles


@given(
    excess=st.lists(st.integers(0, 8), min_size=7, max_size=7),
    limits_hz=st.tuples(st.integers(0, 100), st.integers(1, 200)),
)
def test_a_band_leaves_out_a_twentieth_at_either_end(
    excess: list[int], limits_hz: tuple[int, int]
) -> None:
    edges_hz = np.geomspace(5.0, 640.0, 8)
    limits = float(limits_hz[0]), float(sum(limits_hz))
    ((low, high),) = quantile_bands(np.array([excess], float), edges_hz, limits).tolist()
    # The energy is spread evenly over the octaves of each band: sum it on a fine grid.
    grid = np.geomspace(5.0, 640.0, 70_001)
    density = np.repeat(excess, 10_000) * ((grid[:-1] >= limits[0]) & (grid[1:] <= limits[1]))
    if density.sum() == 0:  # such limits lie within one step of the grid, or outside of it
        return
    share = np.cumsum(density) / density.sum()
    expected = [grid[np.searchsorted(share, part)] for part in (0.05, 0.95)]
    # Where a quantile falls into a gap, any frequency of the gap is right.
    below = share[np.searchsorted(grid, [low, high]) - 1] - [0.05, 0.95]
    assert np.abs(below).max() < 2e-3 or [low, high] == pytest.approx(expected, rel=2e-3)
    assert limits[0] - 1e-9 <= low <= high <= limits[1] + 1e-9


def test_without_energy_the_band_is_the_limits() -> None:
    bands = quantile_bands(np.zeros((2, 3)), np.array([5.0, 10, 20, 40]), (7.0, 30.0))
    assert bands.tolist() == [[7.0, 30.0], [7.0, 30.0]]


# ---- sounds in noise


@pytest.mark.parametrize("slope_db", [-6.0, -3.0, 0.0])
@pytest.mark.parametrize("hz", [24.0, 30.0, 36.0, 90.0])
def test_one_line_has_a_narrow_band_around_it(hz: float, slope_db: float) -> None:
    mixed = with_sound(noise(40, slope_db, int(hz)), line(hz, 5.0, 1.0), 15.0)
    low, high = band_of(mixed, (150, 200))
    assert hz - 10 < low < hz < high < hz + 10


def test_the_band_of_noise_in_noise_is_its_own() -> None:
    rng = np.random.default_rng(0)
    spectrum = np.fft.rfft(rng.normal(size=3 * RATE))
    hz = np.fft.rfftfreq(3 * RATE, 1 / RATE)
    spectrum[(hz < 300) | (hz > 900)] = 0
    sound = np.fft.irfft(spectrum).astype(np.float32)
    mixed = with_sound(noise(40, -3.0, 1), 3 * sound / sound.std(), 15.0)
    low, high = band_of(mixed, (150, 180), (50.0, 1800.0))
    assert low == pytest.approx(315, abs=40)
    assert high == pytest.approx(860, abs=80)


def test_a_steady_line_belongs_to_the_surroundings() -> None:
    """A hum that lasts rises above the floor of a recording, but not above what is around."""
    hum = with_sound(noise(40, -3.0, 2), line(120.0, 20.0, 3.0), 8.0)
    mixed = with_sound(hum, line(30.0, 5.0, 1.0), 15.0)
    low, high = band_of(mixed, (150, 200))
    assert 20 < low < 30 < high < 40


def test_neighbours_of_the_same_label_are_no_surroundings() -> None:
    line_hz = FRONT_END.band_centres_hz == 30.0
    quiet, loud, louder = (np.where(line_hz, bel, 0.0) for bel in (0.0, 2.0, 3.0))
    features = np.array([quiet] * 20 + [loud] * 20 + [quiet] + [louder] * 20 + [quiet] * 20)
    scores = scores_of(features.astype(np.float32))
    runs = np.array([[20, 40], [41, 61]])
    active = np.zeros(len(features), bool)
    active[20:40] = active[41:61] = True
    both = frequency_extents(scores, FRONT_END, runs, active, LIMITS_HZ)
    np.testing.assert_allclose(both, np.full((2, 2), 30.0), atol=1.3)
    alone = active.copy()
    alone[41:61] = False
    spoilt = frequency_extents(scores, FRONT_END, runs[:1], alone, LIMITS_HZ)
    assert spoilt[0].tolist() == list(LIMITS_HZ), "nothing rises above a louder call"


def test_what_chance_may_give_is_not_in_the_band() -> None:
    rng = np.random.default_rng(3)
    features = np.log10(rng.exponential(size=(40, FRONT_END.n_bands)))
    features[15:25, FRONT_END.band_centres_hz == 30.0] += 1.5
    active = np.zeros(40, bool)
    active[15:25] = True
    scores = scores_of(np.clip(features, -2, 5).astype(np.float32))
    run = np.array([[15, 25]])
    ((low, high),) = frequency_extents(scores, FRONT_END, run, active, LIMITS_HZ).tolist()
    assert 25 < low < 31
    assert 29 < high < 60


# ---- exact for any cut


@given(st.integers(0, 2**32 - 1))
def test_bands_do_not_depend_on_other_runs_or_on_the_segment(seed: int) -> None:
    rng = np.random.default_rng(seed)
    features = np.clip(rng.normal(0.3, 0.6, (120, FRONT_END.n_bands)), -2, 5).astype(np.float32)
    edges = np.sort(rng.choice(np.arange(1, 119), 8, replace=False))
    runs = edges.reshape(-1, 2)
    active = np.zeros(120, bool)
    for first, last in runs.tolist():
        active[first:last] = rng.random(last - first) < 0.9  # runs bridge gaps
    whole = scores_of(features)
    together = frequency_extents(whole, FRONT_END, runs, active, LIMITS_HZ)
    for (first, last), band in zip(runs.tolist(), together, strict=True):
        start, stop = max(0, first - 10), min(120, last + 10)
        _, rest = whole.split(start)
        part, _ = rest.split(stop)
        alone = frequency_extents(
            part, FRONT_END, np.array([[first, last]]), active[start:stop], LIMITS_HZ
        )
        np.testing.assert_allclose(alone[0], band, rtol=1e-9)


def test_runs_of_which_nothing_is_kept_have_the_limits() -> None:
    scores = scores_of(np.zeros((50, FRONT_END.n_bands), np.float32))
    none = scores.with_kept(slice(0, 0))
    runs = np.array([[3, 9], [20, 21]])
    found = frequency_extents(none, FRONT_END, runs, np.zeros(50, bool), LIMITS_HZ)
    assert found.tolist() == [list(LIMITS_HZ)] * 2


def test_several_windows_a_frame_are_averaged() -> None:
    rng = np.random.default_rng(4)
    sound = line(700.0, 3.0, 1.0)
    mixed = with_sound(rng.normal(0, 0.3, 40 * RATE).astype(np.float32), sound, 15.0)
    low, high = band_of(mixed, (60, 72), (50.0, 1800.0), SEVERAL)
    assert 550 < low < 700 < high < 900
