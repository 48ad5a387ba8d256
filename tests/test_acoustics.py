"""Absorption follows the tables of ISO 9613; levels, bands and draws are what they say."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from loxo.acoustics import (
    air_absorption_db_per_km,
    amplitude_factor,
    band_powers,
    decibels,
    foliage_db_per_m,
    log_uniform,
    scattering_db_per_m,
)

OCTAVES_HZ: NDArray[np.float64] = (1000 * 10 ** (0.3 * np.arange(-4, 4))).astype(np.float64)
"""The exact midbands that are called 63 Hz to 8 kHz."""
NOMINAL_HZ = np.array([63.0, 125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0])
FOLIAGE = [0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.09, 0.12]
"""ISO 9613-2:1996, table A.1, in dB/m."""


@pytest.mark.parametrize(
    ("celsius", "humidity", "expected"),
    [
        (10, 70, [0.1, 0.4, 1.0, 1.9, 3.7, 9.7, 32.8, 117]),
        (20, 70, [0.1, 0.3, 1.1, 2.8, 5.0, 9.0, 22.9, 76.6]),
        (30, 70, [0.1, 0.3, 1.0, 3.1, 7.4, 12.7, 23.1, 59.3]),
        (15, 50, [0.1, 0.5, 1.2, 2.2, 4.2, 10.8, 36.2, 129]),
    ],
)
def test_air_absorbs_as_in_the_table_of_the_standard(
    celsius: float, humidity: float, expected: list[float]
) -> None:
    """ISO 9613-2:1996, table 2, computed by ISO 9613-1 and rounded."""
    found = air_absorption_db_per_km(OCTAVES_HZ, celsius, humidity)
    np.testing.assert_allclose(found, expected, atol=0.051, rtol=0.005)


def test_air_absorbs_by_the_square_of_low_frequencies() -> None:
    loss = air_absorption_db_per_km(np.array([10.0, 20.0, 40.0]))
    np.testing.assert_allclose(loss[1:] / loss[:-1], 4.0, rtol=0.05)


def test_a_kilometre_of_tropical_air_takes_little_of_low_frequencies() -> None:
    loss_db = air_absorption_db_per_km(np.array([20.0, 100.0, 1000.0]))
    assert loss_db[0] < 0.02
    assert 0.1 < loss_db[1] < 0.3
    assert 5 < loss_db[2] < 7.5


def test_foliage_attenuates_as_in_the_table_of_the_standard() -> None:
    np.testing.assert_allclose(foliage_db_per_m(NOMINAL_HZ), FOLIAGE)
    assert foliage_db_per_m(np.array([0.0])) == 0


def test_the_power_law_of_a_forest_is_close_to_the_table_of_the_standard() -> None:
    found = scattering_db_per_m(NOMINAL_HZ[:7])
    np.testing.assert_allclose(found, FOLIAGE[:7], atol=0.016)


@given(st.floats(-120, 120))
def test_decibels_are_the_inverse_of_a_factor(db: float) -> None:
    assert decibels(amplitude_factor(db) ** 2) == pytest.approx(db, abs=1e-9)
    assert decibels(np.array([amplitude_factor(db) ** 2]))[0] == pytest.approx(db, abs=1e-9)


@given(st.floats(1e-3, 1e3), st.floats(1, 1e3), st.integers(0, 99))
def test_a_draw_lies_within_its_limits(low: float, ratio: float, seed: int) -> None:
    drawn = log_uniform(np.random.default_rng(seed), low, low * ratio)
    assert low <= drawn <= low * ratio


def test_each_octave_is_drawn_as_often() -> None:
    rng = np.random.default_rng(5)
    drawn = np.array([log_uniform(rng, 100.0, 800.0) for _ in range(3000)])
    shares = [
        np.mean((drawn >= low) & (drawn < high)) for low, high in pairwise([100, 200, 400, 800])
    ]
    np.testing.assert_allclose(shares, 1 / 3, atol=0.04)


def test_the_power_of_a_tone_is_found_in_its_band_alone() -> None:
    rate = 4000
    tone = (0.2 * np.sin(2 * np.pi * 20 * np.arange(rate) / rate)).astype(np.float32)
    powers = band_powers(np.stack([tone, 0 * tone]), rate, [(8, 250), (100, 1500)])
    assert powers[0, 0] == pytest.approx(0.02, rel=1e-5)
    assert powers[0, 1] == powers[1, 0] == powers[1, 1] == 0
