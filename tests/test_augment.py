"""Each change does what physics says, to the sound and to nothing else; chance is in the draw
alone; targets say what is heard."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from loxo import acoustics
from loxo.acoustics import air_absorption_db_per_km, foliage_db_per_m
from loxo.augment import (
    Augmentation,
    AugmentSettings,
    Background,
    BackgroundSettings,
    Clipping,
    ClippingSettings,
    Crop,
    CropSettings,
    Distance,
    DistanceSettings,
    Gain,
    GainSettings,
    Masks,
    MaskSettings,
    Mixup,
    MixupSettings,
    SelfNoise,
    SelfNoiseSettings,
    WindowChanges,
    combine_targets,
    mask_each,
)
from loxo.augment.mixing import BANDS_HZ
from loxo.events import EVENT_LABELS, Event
from loxo.spectrogram import FrontEnd
from loxo.targets import targets_from_events
from loxo.timeline import FrameGrid

Array = NDArray[np.float32]

RATE = 4000
SEEDS = st.integers(0, 2**32)
DB = st.floats(-40, 40)
RUMBLE_HZ, SHOT_HZ = 20.0, 600.0
"""A frequency that lies in the band of rumbles only, and one that lies in that of gunshots only."""


def tone(hz: float, seconds: float = 4.0, amplitude: float = 0.1) -> Array:
    """A sine `(sample,)` of whole periods."""
    return (amplitude * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)).astype(
        np.float32
    )


def noise(seed: int, shape: int | tuple[int, ...] = 4 * RATE, level: float = 0.1) -> Array:
    return level * np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def db(ratio: float | np.floating) -> float:
    """Decibels of a ratio of powers."""
    return float(10 * np.log10(ratio))


def power(waveform: Array) -> float:
    return float(np.mean(waveform.astype(np.float64) ** 2))


def band_powers(waveform: Array, rate: int) -> NDArray[np.float64]:
    """Powers `(..., band)` in the bands in which levels are compared."""
    return acoustics.band_powers(waveform, rate, BANDS_HZ)


def amplitude_at(waveform: Array, hz: float) -> float:
    """Amplitude of the sine of a frequency of whole periods in a waveform `(sample,)`."""
    return float(
        2 * np.abs(np.mean(waveform * np.exp(-2j * np.pi * hz * np.arange(len(waveform)) / RATE)))
    )


# ---- crop

CROPS = st.builds(CropSettings, share=st.floats(0, 1), shortest=st.floats(0.01, 1))


@given(SEEDS, st.integers(1, 500), CROPS)
def test_a_cut_lies_in_the_window_and_is_not_shorter_than_the_shortest(
    seed: int, bins: int, chosen: CropSettings
) -> None:
    crop = Crop.draw(np.random.default_rng(seed), bins, chosen)
    assert 0 <= crop.first < crop.last <= bins
    assert crop.last - crop.first >= max(1, round(chosen.shortest * bins))


@given(SEEDS, st.integers(1, 500), CROPS)
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
    octaves = [
        np.mean((lengths >= low) & (lengths < high))
        for low, high in pairwise([128, 256, 512, 1025])
    ]
    np.testing.assert_allclose(octaves, 1 / 3, atol=0.04)


def test_cuts_reach_both_ends_of_the_window() -> None:
    rng = np.random.default_rng(3)
    crops = [Crop.draw(rng, 20, CropSettings(share=1.0, shortest=0.2)) for _ in range(500)]
    assert any(crop.first == 0 and crop.last < 20 for crop in crops)
    assert any(crop.first > 0 and crop.last == 20 for crop in crops)


@given(st.integers(1, 12), st.integers(1, 7), st.data())
def test_sound_and_targets_are_cut_to_the_same_time(
    bins: int, samples: int, data: st.DataObject
) -> None:
    first = data.draw(st.integers(0, bins - 1))
    crop = Crop(first, data.draw(st.integers(first + 1, bins)))
    targets = torch.arange(bins).float().repeat(3, 2, 1)
    waveform = targets[:, 0].repeat_interleave(samples, dim=1)  # every sample says its bin
    cut, kept = crop.apply(waveform, targets)
    assert kept[0, 0].tolist() == list(range(crop.first, crop.last))
    assert torch.equal(kept[:, 0].repeat_interleave(samples, dim=1), cut)
    assert torch.equal(kept[:, 0], kept[:, 1])
    for array, tensor in zip(
        crop.apply(waveform.numpy(), targets.numpy()), (cut, kept), strict=True
    ):
        np.testing.assert_array_equal(array, tensor.numpy())


def test_bins_that_are_no_whole_number_of_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="1001 samples are not a whole number of 10 bins"):
        Crop(0, 5).apply(torch.zeros(2, 1001), torch.zeros(2, 2, 10))


@pytest.mark.parametrize(
    "wrong", [{"share": -0.1}, {"share": 1.1}, {"shortest": 0.0}, {"shortest": 2.0}]
)
def test_parts_beyond_the_whole_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must lie in"):
        CropSettings(**wrong)


# ---- distance

OCTAVES_HZ: NDArray[np.float64] = (1000 * 10 ** (0.3 * np.arange(-4, 4))).astype(np.float64)
"""The exact midbands that are called 63 Hz to 8 kHz."""


@pytest.mark.parametrize("hz", [20.0, 125.0, 500.0, 1750.0])
@pytest.mark.parametrize("metres", [50.0, 400.0, 2000.0])
def test_a_tone_arrives_weaker_by_what_air_and_leaves_take(hz: float, metres: float) -> None:
    heard = Distance(metres).apply(tone(hz, 6.0), RATE)
    frequency = np.array([hz])
    air_db = metres / 1000 * air_absorption_db_per_km(frequency)
    lost = air_db + min(metres, 200) * foliage_db_per_m(frequency)
    middle = slice(RATE, 5 * RATE)
    assert db(power(tone(hz, 6.0)[middle]) / power(heard[middle])) == pytest.approx(
        lost[0], abs=0.05
    )


def test_a_rumble_arrives_as_it_was_sent_and_a_shot_loses_its_edge() -> None:
    rumble, blast = Distance(2000.0).gain_db(np.array([20.0, 1500.0]))
    assert rumble > -1.5
    assert blast < -25


@given(st.floats(0, 100), st.floats(0, 100))
def test_two_ways_through_the_leaves_take_as_much_as_one_of_both_lengths(
    first_m: float, second_m: float
) -> None:
    first, second, both = (
        Distance(metres).gain_db(OCTAVES_HZ) for metres in (first_m, second_m, first_m + second_m)
    )
    np.testing.assert_allclose(first + second, both, atol=1e-9)


@given(st.floats(0, 5000), st.floats(0, 5000))
def test_nothing_gets_louder_by_distance(near_m: float, more_m: float) -> None:
    near, far = (Distance(metres).gain_db(OCTAVES_HZ) for metres in (near_m, near_m + more_m))
    assert (near <= 0).all()
    assert (far <= near).all()


@given(st.integers(0, 2 * RATE - 1), st.floats(50, 3000))
def test_a_click_stays_where_it_is_and_does_not_come_in_at_the_other_end(
    at: int, metres: float
) -> None:
    click = np.zeros(2 * RATE, np.float32)
    click[at] = 1.0
    heard = Distance(metres).apply(click, RATE)
    assert np.argmax(np.abs(heard)) == at
    assert np.abs(heard[np.abs(np.arange(len(heard)) - at) > RATE // 2]).max() < 1e-4


# ---- recorder


@given(DB, DB)
def test_gains_add_in_decibels(first: float, second: float) -> None:
    waveform = noise(0, 100)
    np.testing.assert_allclose(
        Gain(second).apply(Gain(first).apply(waveform)),
        Gain(first + second).apply(waveform),
        rtol=1e-5,
    )
    assert db(power(Gain(first).apply(waveform)) / power(waveform)) == pytest.approx(
        first, abs=1e-4
    )


def test_gain_alone_changes_nothing_behind_the_floor() -> None:
    from loxo.spectrogram import spectrogram

    waveform = noise(1, 8 * RATE)
    np.testing.assert_allclose(
        spectrogram(Gain(15.0).apply(waveform), FrontEnd()),
        spectrogram(waveform, FrontEnd()),
        atol=1e-4,
    )


@pytest.mark.parametrize("size", [15 * RATE, 15 * RATE + 5])
@settings(max_examples=30)
@given(level=st.floats(-90, -40), seed=SEEDS)
def test_a_recorder_has_the_noise_that_was_drawn(size: int, level: float, seed: int) -> None:
    heard = SelfNoise(level, corner_hz=1.0, seed=seed).apply(np.zeros(size, np.float32), RATE)
    assert db(power(heard)) == pytest.approx(level, abs=0.3)
    assert abs(heard.mean()) < 1e-4 * heard.std()


def test_below_its_corner_noise_rises_by_three_decibels_an_octave() -> None:
    heard = SelfNoise(-40.0, corner_hz=100.0, seed=1).apply(
        np.zeros((200, 2 * RATE), np.float32), RATE
    )
    spectrum = (np.abs(np.fft.rfft(heard)) ** 2).mean(axis=0)

    def around(hz: float) -> float:
        return float(spectrum[round(1.8 * hz) : round(2.2 * hz) + 1].mean())

    assert db(around(10) / around(20)) == pytest.approx(
        db((1 + 100 / 10) / (1 + 100 / 20)), abs=0.4
    )
    assert db(around(100) / around(1600)) == pytest.approx(db(2 / (1 + 100 / 1600)), abs=0.4)
    assert db(power(heard)) == pytest.approx(-40, abs=0.1)


def test_noise_adds_to_the_sound_and_each_window_has_its_own() -> None:
    sounds = noise(2, (3, RATE))
    hiss = SelfNoise(-50.0, 10.0, seed=3).apply(np.zeros_like(sounds), RATE)
    np.testing.assert_allclose(
        SelfNoise(-50.0, 10.0, seed=3).apply(sounds, RATE), sounds + hiss, atol=1e-7
    )
    assert np.abs(np.corrcoef(hiss) - np.eye(3)).max() < 0.1
    other = SelfNoise(-50.0, 10.0, seed=4).apply(np.zeros_like(sounds), RATE)
    assert abs(np.corrcoef(hiss[0], other[0])[0, 1]) < 0.1


@given(st.floats(0, 30), SEEDS)
def test_clipping_cuts_what_is_above_full_scale_and_leaves_the_rest(
    over_db: float, seed: int
) -> None:
    waveform = noise(seed, (2, 500))
    clipped = Clipping(over_db).apply(waveform)
    full_scale = np.abs(clipped).max(axis=1)
    np.testing.assert_allclose(
        20 * np.log10(np.abs(waveform).max(axis=1) / full_scale), over_db, atol=1e-4
    )
    below = np.abs(waveform) < full_scale[:, None]
    np.testing.assert_array_equal(clipped[below], waveform[below])
    np.testing.assert_array_equal(np.sign(clipped), np.sign(waveform))


def test_flat_tops_add_odd_harmonics_only() -> None:
    clipped = Clipping(9.0).apply(tone(20.0))
    levels = [amplitude_at(clipped, 20.0 * k) for k in range(1, 6)]
    assert levels[2] > 0.1 * levels[0]
    assert max(levels[1], levels[3]) < 1e-6


def test_silence_is_not_clipped() -> None:
    np.testing.assert_array_equal(Clipping(6.0).apply(np.zeros(10, np.float32)), np.zeros(10))


# ---- mixing: levels


def test_power_is_measured_in_the_bands_of_the_labels() -> None:
    np.testing.assert_allclose(
        band_powers(tone(RUMBLE_HZ, amplitude=0.2), RATE), [0.02, 0], atol=1e-7
    )
    np.testing.assert_allclose(
        band_powers(tone(SHOT_HZ, amplitude=0.2), RATE), [0, 0.02], atol=1e-7
    )
    np.testing.assert_allclose(
        band_powers(tone(200.0, amplitude=0.2), RATE), [0.02, 0.02], atol=1e-7
    )
    np.testing.assert_allclose(
        band_powers(tone(3.0, amplitude=0.2) + tone(1800.0, amplitude=0.2), RATE), [0, 0], atol=1e-7
    )


def two_tones(low: float, high: float) -> Array:
    return tone(RUMBLE_HZ, amplitude=low) + tone(SHOT_HZ, amplitude=high)


LEVELS = st.floats(0.01, 1.0)


@given(LEVELS, LEVELS, LEVELS, LEVELS, DB)
def test_the_band_that_a_background_disturbs_more_has_the_ratio_that_was_drawn(
    low: float, high: float, other_low: float, other_high: float, snr_db: float
) -> None:
    waveform, background = two_tones(low, high), two_tones(other_low, other_high)
    added = Background(0, snr_db).apply(waveform, background, RATE) - waveform
    ratios = 10 * np.log10(band_powers(waveform, RATE) / band_powers(added, RATE))
    assert ratios.min() == pytest.approx(snr_db, abs=0.1)


@given(DB, DB)
def test_how_loud_a_background_was_recorded_does_not_matter(gain_db: float, snr_db: float) -> None:
    mixed, again = (
        Background(0, snr_db).apply(noise(1), background, RATE)
        for background in (noise(2), Gain(gain_db).apply(noise(2)))
    )
    np.testing.assert_allclose(mixed, again, rtol=1e-3, atol=1e-5)


def test_wind_and_insects_beyond_the_bands_do_not_make_a_background_weaker() -> None:
    quiet = noise(2, level=0.01)
    storm = quiet + tone(3.0, amplitude=0.5) + tone(1800.0, amplitude=0.5)
    mixed, stormy = (
        Background(0, 10.0).apply(noise(1), background, RATE) for background in (quiet, storm)
    )
    assert amplitude_at(stormy, RUMBLE_HZ) == pytest.approx(
        amplitude_at(mixed, RUMBLE_HZ), rel=0.02
    )


@pytest.mark.parametrize("part", [0.05, 0.5, 1.0])
@pytest.mark.parametrize("times_noise", [0.5, 3.0, 300.0])
def test_an_event_is_still_heard_on_the_noisiest_day(part: float, times_noise: float) -> None:
    size = 20 * RATE
    own, other = noise(3, size), noise(4, size)
    event = np.zeros(size, np.float32)
    stop = round(part * size)
    event[:stop] = tone(
        RUMBLE_HZ, 20.0, amplitude=math.sqrt(2 * times_noise * band_powers(own, RATE)[0])
    )[:stop]
    around = Background(0, 0.0).apply(own + event, other, RATE) - event
    left = band_powers(event, RATE)[0] / part / band_powers(around, RATE)[0]
    assert db(left) > db(1 / (2 / times_noise + part)) - 0.5


def test_backgrounds_are_mixed_into_batches_each_at_its_own_level() -> None:
    waveform = noise(5, (3, RATE)) * np.array([[0.01], [1], [100]], np.float32)
    background = noise(6, RATE)
    mixed = Background(0, 6.0).apply(waveform, background, RATE)
    for row, window in zip(mixed, waveform, strict=True):
        np.testing.assert_allclose(
            row, Background(0, 6.0).apply(window, background, RATE), rtol=1e-5
        )


def test_silence_has_no_ratio() -> None:
    silence = np.zeros(RATE, np.float32)
    np.testing.assert_array_equal(
        Background(0, 0.0).apply(noise(1, RATE), silence, RATE), noise(1, RATE)
    )
    np.testing.assert_array_equal(Background(0, 0.0).apply(silence, noise(1, RATE), RATE), silence)


# ---- mixing: mixup

NO_TARGETS, ALL_TARGETS = np.zeros((2, 4), np.float32), np.ones((2, 4), np.float32)


@given(DB, st.floats(-12, 12), SEEDS)
def test_the_partner_has_the_level_that_was_drawn_however_it_was_recorded(
    recorded_db: float, level_db: float, seed: int
) -> None:
    own, other = noise(seed), Gain(recorded_db).apply(noise(seed + 1))
    mixed, _ = Mixup(0, level_db).apply(own, NO_TARGETS, other, NO_TARGETS, RATE)
    ratios = 10 * np.log10(band_powers(mixed - own, RATE) / band_powers(own, RATE))
    assert ratios.mean() == pytest.approx(level_db, abs=0.1)


@given(LEVELS, LEVELS, LEVELS, LEVELS)
def test_a_rumble_and_a_shot_are_equally_audible(
    low: float, high: float, other_low: float, other_high: float
) -> None:
    own, other = two_tones(low, high), two_tones(other_low, other_high)
    mixed, asked = Mixup(0, 0.0).apply(own, NO_TARGETS, other, ALL_TARGETS, RATE)
    if abs(db((low * other_high / (high * other_low)) ** 2)) > 20.1:
        np.testing.assert_array_equal(mixed, own)
        np.testing.assert_array_equal(asked, NO_TARGETS)
    elif abs(db((low * other_high / (high * other_low)) ** 2)) < 19.9:
        of_rumble, of_shot = band_powers(own, RATE) / band_powers(mixed - own, RATE)
        assert db(of_rumble) == pytest.approx(db(1 / of_shot), abs=0.1)
        assert abs(db(of_rumble)) < 10
        np.testing.assert_array_equal(asked, ALL_TARGETS)


@pytest.mark.parametrize(
    "other",
    [np.zeros(4 * RATE, np.float32), tone(1800.0), tone(RUMBLE_HZ)],
    ids=["silence", "insect", "one band"],
)
def test_what_cannot_be_brought_to_a_level_is_not_mixed(other: Array) -> None:
    for own, partner, targets in ((noise(1), other, NO_TARGETS), (other, noise(1), ALL_TARGETS)):
        mixed, asked = Mixup(0, 0.0).apply(own, targets, partner, 1 - targets, RATE)
        np.testing.assert_array_equal(mixed, own)
        np.testing.assert_array_equal(asked, targets)


def test_batches_are_not_mixed_as_one() -> None:
    with pytest.raises(ValueError, match="one by one"):
        Mixup(0, 0.0).apply(noise(1, (2, 10)), NO_TARGETS, noise(2, 10), NO_TARGETS, RATE)


# ---- mixing: targets

EVENTS = st.lists(
    st.builds(
        lambda label, start, length, marginal: Event(
            label,
            start / 8,
            (start + length) / 8,
            marginal=marginal,
        ),
        st.sampled_from(EVENT_LABELS),
        st.integers(-8, 79),
        st.integers(1, 40),
        st.booleans(),
    ),
    max_size=4,
)
TARGETS = arrays(np.float32, (2, 5), elements=st.sampled_from([0.0, 0.25, 0.5, 1.0, math.nan]))


@given(EVENTS, EVENTS)
def test_the_targets_of_two_windows_are_those_of_the_events_of_both(
    first: list[Event], second: list[Event]
) -> None:
    one, two, both = (
        targets_from_events(events, 0.0, 10.0, 10) for events in (first, second, first + second)
    )
    np.testing.assert_array_equal(combine_targets(one, two), both)


@given(EVENTS, EVENTS)
def test_fractional_targets_are_the_least_that_both_can_cover(
    first: list[Event], second: list[Event]
) -> None:
    one, two, both = (
        targets_from_events(events, 0.0, 10.0, 10, fractional=True)
        for events in (first, second, first + second)
    )
    joined = combine_targets(one, two)
    np.testing.assert_array_equal(np.isnan(joined), np.isnan(both))
    known = ~np.isnan(both)
    assert (joined[known] <= both[known] + 1e-6).all()
    assert (both[known] <= np.nan_to_num(one)[known] + np.nan_to_num(two)[known] + 1e-6).all()


@given(TARGETS, TARGETS, TARGETS)
def test_targets_are_united_in_any_order_and_silence_adds_none(
    one: Array, two: Array, three: Array
) -> None:
    np.testing.assert_array_equal(combine_targets(one, two), combine_targets(two, one))
    np.testing.assert_array_equal(
        combine_targets(combine_targets(one, two), three),
        combine_targets(one, combine_targets(two, three)),
    )
    np.testing.assert_array_equal(combine_targets(one, one), one)
    np.testing.assert_array_equal(combine_targets(one, np.zeros_like(one)), one)


def test_doubt_gives_way_to_what_is_sure_and_to_nothing_else() -> None:
    nan = math.nan
    joined = combine_targets(
        np.array([[nan, nan, nan, nan, 0.3]], np.float32),
        np.array([[0, 0.3, 1, nan, 0.6]], np.float32),
    )
    np.testing.assert_array_equal(joined, np.array([[nan, 0.3, 1, nan, 0.6]], np.float32))


# ---- masks

FRONT_END = FrontEnd()
CENTRES_HZ = FRONT_END.band_centres_hz
MASKS = st.builds(
    MaskSettings,
    share=st.just(1.0),
    times=st.integers(0, 4),
    longest_s=st.floats(0, 3),
    frequencies=st.integers(0, 3),
    widest_octaves=st.floats(0, 2),
    lowest_hz=st.floats(10, 500),
)


def masks(seed: int, n_frames: int, chosen: MaskSettings) -> Masks:
    return Masks.draw(
        np.random.default_rng(seed), n_frames, FRONT_END.grid, float(CENTRES_HZ.max()), chosen
    )


@given(SEEDS, st.integers(1, 300), MASKS)
def test_stripes_have_the_size_and_the_place_that_they_may(
    seed: int, n_frames: int, chosen: MaskSettings
) -> None:
    drawn = masks(seed, n_frames, chosen)
    assert (len(drawn.frames), len(drawn.bands_hz)) == (chosen.times, chosen.frequencies)
    for first, last in drawn.frames:
        assert 0 <= first <= last < n_frames
        assert (last - first) * FRONT_END.grid.frame_s <= chosen.longest_s + 1e-9
    for low_hz, high_hz in drawn.bands_hz:
        assert chosen.lowest_hz * (1 - 1e-9) <= low_hz <= high_hz <= CENTRES_HZ.max() * (1 + 1e-9)
        assert np.log2(high_hz / low_hz) <= chosen.widest_octaves + 1e-9


@given(SEEDS, st.integers(6, 300), st.integers(1, 5))
def test_an_event_of_half_a_second_is_never_hidden_as_a_whole(
    seed: int, n_frames: int, times: int
) -> None:
    features = masks(seed, n_frames, MaskSettings(share=1.0, times=times, frequencies=0)).apply(
        torch.ones(1, n_frames), np.array([20.0])
    )
    hidden = features[0].numpy() == 0
    assert not np.lib.stride_tricks.sliding_window_view(hidden, 5).all(axis=1).any()


@given(SEEDS)
def test_the_only_line_of_a_far_rumble_is_never_hidden(seed: int) -> None:
    features = masks(seed, 100, MaskSettings(share=1.0, times=0, frequencies=4)).apply(
        torch.ones(len(CENTRES_HZ), 100), CENTRES_HZ
    )
    assert (features[CENTRES_HZ < 60] == 1).all()


@given(SEEDS, MASKS)
def test_what_is_hidden_is_the_floor_and_the_rest_is_as_it_was(
    seed: int, chosen: MaskSettings
) -> None:
    features = torch.from_numpy(noise(seed, (2, len(CENTRES_HZ), 40)) + 3)
    before = features.clone()
    drawn = masks(seed, 40, chosen)
    masked = drawn.apply(features, CENTRES_HZ)
    in_time = {frame for first, last in drawn.frames for frame in range(first, last)}
    in_band = {
        row
        for row, hz in enumerate(CENTRES_HZ)
        if any(low <= hz < high for low, high in drawn.bands_hz)
    }
    expected = before.clone()
    expected[:, :, sorted(in_time)] = 0
    expected[:, sorted(in_band)] = 0
    assert torch.equal(masked, expected)
    assert torch.equal(features, before)


def test_a_frequency_is_hidden_in_every_row_that_shows_it() -> None:
    masked = Masks(bands_hz=((200.0, 300.0),)).apply(torch.ones(len(CENTRES_HZ), 5), CENTRES_HZ)
    np.testing.assert_array_equal(
        masked[:, 0].numpy() == 0, (CENTRES_HZ >= 200) & (CENTRES_HZ < 300)
    )
    rows = np.flatnonzero(masked[:, 0].numpy() == 0)
    assert len(np.flatnonzero(np.diff(rows) > 1)) == 1  # the long bands, and the short ones


def test_each_window_of_a_batch_has_stripes_of_its_own() -> None:
    masked = mask_each(
        [Masks(frames=((0, 1),)), Masks(), Masks(frames=((2, 3),))],
        torch.ones(3, 1, 3),
        np.array([20.0]),
    )
    assert masked[:, 0].tolist() == [[0, 1, 1], [1, 1, 1], [1, 1, 0]]


# ---- what is drawn


def test_a_share_of_the_windows_is_changed_within_the_range_that_is_set() -> None:
    rng = np.random.default_rng(4)
    gains = [Gain.draw(rng, GainSettings(0.3, (2.0, 5.0))).db for _ in range(2000)]
    assert all(gain == 0 or 2 <= gain <= 5 for gain in gains)
    assert 0.27 < np.mean(np.array(gains) != 0) < 0.33
    assert np.mean([gain for gain in gains if gain]) == pytest.approx(3.5, abs=0.15)


def test_each_doubling_of_the_distance_is_drawn_as_often() -> None:
    rng = np.random.default_rng(5)
    metres = np.array(
        [Distance.draw(rng, DistanceSettings(1.0, (100.0, 800.0))).metres for _ in range(3000)]
    )
    octaves = [np.mean((metres >= low) & (metres <= 2 * low)) for low in (100, 200, 400)]
    np.testing.assert_allclose(octaves, 1 / 3, atol=0.04)


ALWAYS = AugmentSettings(
    **{
        field.name: replace(getattr(AugmentSettings(), field.name), share=1.0)
        for field in fields(AugmentSettings)
    }
)
NEVER = AugmentSettings(
    **{
        field.name: replace(getattr(AugmentSettings(), field.name), share=0.0)
        for field in fields(AugmentSettings)
    }
)


@given(SEEDS)
def test_a_share_of_nothing_switches_a_change_off_and_of_all_always_on(seed: int) -> None:
    rng = np.random.default_rng(seed)
    targets = np.stack(
        [np.zeros((2, 10)), np.ones((2, 10)), np.zeros((2, 10)), np.ones((2, 10))]
    ).astype(np.float32)
    assert Augmentation.draw(rng, targets, NEVER) == Augmentation(
        Crop(0, 10), (WindowChanges(),) * 4
    )
    for changes in Augmentation.draw(rng, targets, ALWAYS).windows:
        assert all(
            getattr(changes, field.name) != getattr(WindowChanges(), field.name)
            for field in fields(WindowChanges)
        )


@given(
    SEEDS,
    arrays(np.float32, (5, 2, 3), elements=st.sampled_from([0.0, 0.0, 0.0, 0.5, 1.0, math.nan])),
)
def test_windows_without_events_are_backgrounds_and_those_with_them_partners(
    seed: int, targets: Array
) -> None:
    chosen = replace(ALWAYS, crop=CropSettings(share=0.0))
    windows = Augmentation.draw(np.random.default_rng(seed), targets, chosen).windows
    for own, changes in enumerate(windows):
        if changes.mixup != Mixup():
            assert changes.mixup.partner != own
            assert (targets[changes.mixup.partner] > 0).any()
        if changes.background != Background():
            assert changes.background.source != own
            assert (targets[changes.background.source] == 0).all()
    quiet = [(window == 0).all() for window in targets]
    if sum(quiet) >= 2:
        assert all(changes.background != Background() for changes in windows)


# ---- a batch


def batch(seed: int) -> tuple[Array, Array]:
    """Six windows of two seconds in ten bins; of some of them the targets are fractional, in doubt,
    or nothing."""
    targets = np.zeros((6, 2, 10), np.float32)
    targets[1, 0, 2:5] = [0.3, 1, 0.6]
    targets[2, 1, 4:6] = np.nan
    targets[3, 0, 5:9] = 1
    targets[4, 1, 0:4] = [1, np.nan, np.nan, 1]
    return noise(seed, (6, 2 * RATE)), targets


@settings(max_examples=30)
@given(SEEDS)
def test_what_is_drawn_decides_all_and_the_batch_that_is_given_stays(seed: int) -> None:
    waveform, targets = batch(seed)
    once, again = (
        Augmentation.draw(np.random.default_rng(seed), targets, ALWAYS) for _ in range(2)
    )
    assert once == again
    changed, asked = once.apply(waveform, targets, RATE)
    for first, second in zip((changed, asked), again.apply(waveform, targets, RATE), strict=True):
        np.testing.assert_array_equal(first, second)
    for given_, anew in zip((waveform, targets), batch(seed), strict=True):
        np.testing.assert_array_equal(given_, anew)
    assert {changed.dtype, asked.dtype} == {np.dtype(np.float32)}
    bins = once.crop.last - once.crop.first
    assert (changed.shape, asked.shape) == ((6, bins * RATE // 5), (6, 2, bins))
    assert np.isfinite(changed).all()


def test_a_batch_that_nothing_happens_to_stays_bit_by_bit() -> None:
    waveform, targets = batch(1)
    changed, asked = Augmentation.draw(np.random.default_rng(0), targets, NEVER).apply(
        waveform, targets, RATE
    )
    np.testing.assert_array_equal(changed, waveform)
    np.testing.assert_array_equal(asked, targets)


@settings(max_examples=30)
@given(SEEDS)
def test_targets_change_by_the_cut_and_by_partners_alone(seed: int) -> None:
    waveform, targets = batch(seed)
    drawn = Augmentation.draw(
        np.random.default_rng(seed), targets, replace(ALWAYS, mixup=MixupSettings(share=0.5))
    )
    _, asked = drawn.apply(waveform, targets, RATE)
    kept = targets[..., drawn.crop.first : drawn.crop.last]
    for answer, own, changes in zip(asked, kept, drawn.windows, strict=True):
        expected = (
            own if changes.mixup == Mixup() else combine_targets(own, kept[changes.mixup.partner])
        )
        np.testing.assert_array_equal(answer, expected)


def test_changes_happen_on_the_way_from_the_sound_to_the_file() -> None:
    waveform, targets = batch(2)
    changes = WindowChanges(
        Distance(800.0),
        Mixup(1, -3.0),
        Background(2, 5.0),
        Gain(6.0),
        SelfNoise(-40.0, 20.0, 9),
        Clipping(8.0),
    )
    still = (WindowChanges(),) * 5
    changed, _ = Augmentation(Crop(0, 10), (changes, *still)).apply(waveform, targets, RATE)
    sound = changes.distance.apply(waveform[0], RATE)
    sound, _ = changes.mixup.apply(sound, targets[0], waveform[1], targets[1], RATE)
    sound = changes.gain.apply(changes.background.apply(sound, waveform[2], RATE))
    np.testing.assert_array_equal(
        changed[0], changes.clipping.apply(changes.self_noise.apply(sound, RATE))
    )
    np.testing.assert_array_equal(changed[1:], waveform[1:])


def test_backgrounds_may_come_from_elsewhere_and_are_cut_like_the_windows() -> None:
    waveform, targets = batch(3)
    elsewhere = noise(4, (2, 2 * RATE))
    drawn = Augmentation.draw(
        np.random.default_rng(1),
        np.ones_like(targets),
        replace(NEVER, background=BackgroundSettings(1.0)),
        2,
    )
    assert {changes.background.source for changes in drawn.windows} == {0, 1}
    drawn = replace(drawn, crop=Crop(2, 6))
    changed, _ = drawn.apply(waveform, targets, RATE, elsewhere)
    part = slice(2 * RATE // 5, 6 * RATE // 5)
    for heard, window, changes in zip(changed, waveform, drawn.windows, strict=True):
        background = elsewhere[changes.background.source, part]
        np.testing.assert_array_equal(
            heard, changes.background.apply(window[part], background, RATE)
        )


def test_batches_of_another_size_than_was_drawn_for_are_refused() -> None:
    waveform, targets = batch(3)
    drawn = Augmentation.draw(np.random.default_rng(1), targets, ALWAYS)
    with pytest.raises(ValueError, match="shorter"):
        drawn.apply(waveform[:4], targets[:4], RATE)
    with pytest.raises(ValueError, match="backgrounds of 100 samples for windows of 8000"):
        drawn.apply(waveform, targets, RATE, np.zeros((2, 100), np.float32))


# ---- settings


def test_settings_are_read_from_a_configuration_and_back() -> None:
    adapter = TypeAdapter(AugmentSettings)
    chosen = adapter.validate_python(
        {"gain": {"db": [-3, 3]}, "masks": {"share": 0}}, extra="forbid"
    )
    assert chosen == AugmentSettings(
        gain=GainSettings(db=(-3.0, 3.0)), masks=MaskSettings(share=0.0)
    )
    assert adapter.validate_json(adapter.dump_json(ALWAYS)) == ALWAYS


@pytest.mark.parametrize(
    "wrong",
    [
        {"volume": {}},
        {"gain": {"decibels": [0, 1]}},
        {"gain": {"share": 2}},
        {"mixup": {"level_db": [1]}},
    ],
)
def test_settings_that_do_not_exist_or_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(AugmentSettings).validate_python(wrong, extra="forbid")


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (GainSettings, {"share": 1.5}),
        (GainSettings, {"db": (3.0, -3.0)}),
        (GainSettings, {"db": (0.0, math.inf)}),
        (DistanceSettings, {"metres": (0.0, 10.0)}),
        (SelfNoiseSettings, {"corner_hz": (0.0, 10.0)}),
        (SelfNoiseSettings, {"level_dbfs": (math.nan, 0.0)}),
        (ClippingSettings, {"over_db": (-1.0, 10.0)}),
        (BackgroundSettings, {"share": -0.1}),
        (MixupSettings, {"level_db": (0.0, -6.0)}),
        (MaskSettings, {"times": -1}),
        (MaskSettings, {"longest_s": -0.1}),
        (MaskSettings, {"lowest_hz": 0.0}),
    ],
)
def test_ranges_that_cannot_be_drawn_from_are_refused(kind: type, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must (lie in|be two|be positive|not be)|is not clipped"):
        kind(**wrong)


def test_frames_of_another_length_are_counted_in_seconds() -> None:
    grid = FrameGrid(RATE, 40)  # 10 ms
    chosen = MaskSettings(share=1.0, times=1, longest_s=0.4, frequencies=0)
    drawn = [
        Masks.draw(np.random.default_rng(seed), 1000, grid, 1900.0, chosen) for seed in range(300)
    ]
    lengths = [last - first for of_window in drawn for first, last in of_window.frames]
    assert max(lengths) == 40
    assert min(lengths) == 0
