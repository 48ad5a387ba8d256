"""A cut takes sound and targets of the same time, and lengths are drawn as they are said to be."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from loxo.augment import Crop, CropSettings

SETTINGS = st.builds(CropSettings, share=st.floats(0, 1), shortest=st.floats(0.01, 1))
SEEDS = st.integers(0, 2**32)


@given(SEEDS, st.integers(1, 500), SETTINGS)
def test_a_cut_lies_in_the_window_and_is_not_shorter_than_the_shortest(seed: int, bins: int, chosen: CropSettings) -> None:
    crop = Crop.draw(np.random.default_rng(seed), bins, chosen)
    assert 0 <= crop.first < crop.last <= bins
    assert crop.last - crop.first >= max(1, round(chosen.shortest * bins))


@given(SEEDS, st.integers(1, 500), SETTINGS)
def test_the_same_generator_draws_the_same_cut(seed: int, bins: int, chosen: CropSettings) -> None:
    once, again = (Crop.draw(np.random.default_rng(seed), bins, chosen) for _ in range(2))
    assert once == again


def test_a_share_of_the_batches_is_cut() -> None:
    rng = np.random.default_rng(1)
    cut = [Crop.draw(rng, 300, CropSettings(share=0.3)) != Crop(0, 300) for _ in range(2000)]
    assert 0.27 < np.mean(cut) < 0.33
    assert all(Crop.draw(rng, 300, CropSettings(share=0.0)) == Crop(0, 300) for _ in range(200))


def test_each_octave_of_length_is_drawn_as_often() -> None:
    rng = np.random.default_rng(2)
    crops = [Crop.draw(rng, 1024, CropSettings(share=1.0, shortest=1 / 8)) for _ in range(3000)]
    lengths = np.array([crop.last - crop.first for crop in crops])
    octaves = [np.mean((lengths >= low) & (lengths < high)) for low, high in pairwise([128, 256, 512, 1025])]
    np.testing.assert_allclose(octaves, 1 / 3, atol=0.04)


def test_cuts_reach_both_ends_of_the_window() -> None:
    rng = np.random.default_rng(3)
    crops = [Crop.draw(rng, 20, CropSettings(share=1.0, shortest=0.2)) for _ in range(500)]
    assert any(crop.first == 0 and crop.last < 20 for crop in crops)
    assert any(crop.first > 0 and crop.last == 20 for crop in crops)


@given(st.integers(1, 12), st.integers(1, 7), st.data())
def test_sound_and_targets_are_cut_to_the_same_time(bins: int, samples: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, bins - 1))
    crop = Crop(first, data.draw(st.integers(first + 1, bins)))
    targets = torch.arange(bins).repeat(3, 2, 1)
    waveform = targets[:, 0].repeat_interleave(samples, dim=1)  # every sample says its bin
    cut, kept = crop.apply(waveform, targets)
    assert kept[0, 0].tolist() == list(range(crop.first, crop.last))
    assert torch.equal(kept[:, 0].repeat_interleave(samples, dim=1), cut)
    assert torch.equal(kept[:, 0], kept[:, 1])


def test_bins_that_are_no_whole_number_of_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="1001 samples are not a whole number of 10 bins"):
        Crop(0, 5).apply(torch.zeros(2, 1001), torch.zeros(2, 2, 10))


@pytest.mark.parametrize("wrong", [{"share": -0.1}, {"share": 1.1}, {"shortest": 0.0}, {"shortest": 2.0}])
def test_parts_beyond_the_whole_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must lie in"):
        CropSettings(**wrong)
