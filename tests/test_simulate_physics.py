"""The physics of simulated sounds: air, forest, blasts, shock waves, transient engines, voices and
recorders."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from loxo.simulate import (
    LOOKALIKES,
    SceneSettings,
    engines,
    gunshots,
    propagation,
    recorder,
    rumble,
    rumbles,
    scene,
    signals,
    voices,
)
from loxo.timeline import samples_at, seconds_at, times_s

Array = NDArray[np.float64]
RATE = 4000

DURATIONS_S = {
    "Roar": (0.5, 6.0),
    "Trumpet": (0.2, 4.8),
    "Blow": (0.3, 4),
    "Bark": (0.1, 12.0),
    "Knock": (0.05, 3.5),
    "Branch": (0.3, 2.0),
    "Thunder": (3, 14),
    "Wind": (0.4, 8),
    "Drumming": (0.5, 8.7),
    "Chest beats": (0.7, 3.7),
    "Aircraft": (6, 30),
    "Vehicle": (6, 30),
    "Generator": (5, 30),
    "Chainsaw": (2, 12),
    "Tree fall": (2, 8.1),
    "Rain": (2, 12),
    "Bird": (0.2, 8.5),
    "Frog": (0.1, 9),
    "Insects": (0.5, 8),
    "People": (0.3, 9),
}


def generator(*seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def energy_above(sound: Array, hz: float, rate: int = RATE) -> float:
    """Share of the energy above a frequency."""
    energy = np.abs(np.fft.rfft(sound)) ** 2
    return float(energy[samples_at(seconds_at(len(sound), rate), int(hz)) :].sum() / energy.sum())


# Propagation.


def test_a_rumble_from_afar_keeps_only_its_lowest_harmonics() -> None:
    call = signals.harmonics(generator(1), np.full(4 * RATE, 20.0), RATE, limit_hz=500, spread_db=0)
    near, far = (
        [energy_above(propagation.propagate(generator(s), call, RATE, km), 70) for s in range(8)]
        for km in (0.02, 3.0)
    )
    assert min(near) > 0.5
    assert max(far) < min(near)
    first_db, tenth_db = propagation.path_gain_db(np.array([20.0, 200.0]), 3.0, wooded_km=1.0)
    assert first_db - tenth_db > 18


def test_a_propagated_sound_does_not_begin_before_itself_nor_ring_at_its_end() -> None:
    click = np.zeros(RATE)
    click[500] = 1.0
    heard = propagation.propagate(generator(1), click, RATE, 0.3)
    assert np.abs(heard).argmax() == 500
    assert np.abs(heard[:100]).max() < 0.02 * np.abs(heard).max()
    assert np.abs(heard[-20:]).max() < 0.02 * np.abs(heard).max()


# Shots.


@pytest.mark.parametrize("length_s", [0.0002, 0.001, 0.01])
def test_an_n_wave_falls_in_a_line_from_1_to_minus_1_over_its_length(length_s: float) -> None:
    rate = 1_000_000
    wave = gunshots.n_wave(length_s, rate)
    inside = np.flatnonzero(np.abs(wave) > 1e-9)
    assert seconds_at(inside[-1] - inside[0] + 1, rate) == pytest.approx(length_s, abs=2 / rate)
    assert (wave.max(), wave.min()) == pytest.approx((1, -1), abs=0.02)
    assert wave.sum() == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(np.diff(wave[inside], 2), 0, atol=1e-6)


def test_an_n_wave_shorter_than_a_sample_is_not_lost() -> None:
    assert np.abs(gunshots.n_wave(0.0001, 2000)).max() > 0.01


def test_a_rifle_bullet_makes_a_wave_of_some_tenths_of_a_millisecond() -> None:
    """Maher 2007: some 200 microseconds close by, growing with the fourth root of the distance."""
    lengths = [gunshots.shock_length_s(miss_m, 2.5) for miss_m in (1.0, 16.0)]
    assert 1e-4 < lengths[0] < 3e-4
    assert lengths[1] == pytest.approx(2 * lengths[0])


def test_a_blast_turns_to_suction_after_its_overpressure() -> None:
    wave = gunshots.blast_wave(0.002, 100_000)
    assert wave.max() == pytest.approx(1, abs=0.01)
    assert np.flatnonzero(wave < 0)[0] == pytest.approx(200, abs=1)
    assert wave.sum() == pytest.approx(0, abs=0.1)


def test_the_shock_wave_leads_by_the_mach_geometry() -> None:
    """On the line of fire the bullet itself arrives; behind the cone nothing does; it leads less
    the farther off the line."""
    assert gunshots.shock_lead_s(346.0, 0.0, 2.0) == pytest.approx(0.5)
    assert gunshots.shock_lead_s(346.0, np.radians(60.1), 2.0) is None
    leads = [
        gunshots.shock_lead_s(346.0, np.radians(angle), 2.0) or 0.0 for angle in (0, 20, 40, 59)
    ]
    assert leads == sorted(leads, reverse=True)
    assert leads[-1] == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("dry", [True, False])
def test_a_shot_fades_and_is_not_cut(dry: bool) -> None:  # a parameter of the test
    """Nor are its echoes: what sounds last is far below the peak."""
    for seed in range(40):
        shot = gunshots.single_shot(generator(seed), RATE, 0.3, dry=dry)
        ends_at = int(np.flatnonzero(shot)[-1])
        assert np.abs(shot[ends_at - 20 : ends_at + 1]).max() < 0.01 * np.abs(shot).max()


# Engines.


def test_a_passing_engine_shifts_by_the_ratio_of_doppler() -> None:
    factor = engines.doppler(times_s(200_001, 1000) - 100, 60.0, 50.0)
    assert factor[0] / factor[-1] == pytest.approx((346 + 60) / (346 - 60), rel=1e-3)
    assert factor[100_000] == pytest.approx(1)
    assert (np.diff(factor) < 0).all()


# Voices.


@pytest.mark.parametrize(("kind", "tops"), [("arched", 1), ("double", 2), ("flat", 1)])
def test_a_contour_has_as_many_maxima_as_its_name_says(kind: str, tops: int) -> None:
    for seed in range(20):
        course = rumbles.pitch_contour(generator(seed), 2000, kind)
        steps = np.sign(np.diff(course))
        steps = steps[np.abs(np.diff(course)) > 1e-12]
        assert np.sum((steps[:-1] > 0) & (steps[1:] < 0)) == tops
        assert 0 <= course.min() <= course.max() <= 1


@pytest.mark.parametrize(("kind", "sign"), [("rising", 1), ("falling", -1)])
def test_a_contour_goes_one_way(kind: str, sign: int) -> None:
    assert (sign * np.diff(rumbles.pitch_contour(generator(1), 500, kind)) >= 0).all()


def test_the_fundamental_stays_within_its_contour() -> None:
    for steep, most in ((False, 1.55), (True, 3.05)):
        courses = [
            rumbles._fundamental(generator(seed), 4000, 4.0, 15.0, steep=steep)
            for seed in range(100)
        ]
        assert min(map(np.min, courses)) >= 15 * 0.95 * 0.988 - 1e-9
        assert 15 * 0.9 * most < max(map(np.max, courses)) <= 15 * most * 1.012


def test_harmonics_follow_the_fundamental_and_nothing_else_is_there() -> None:
    """Read along its own phase, a gliding sound is nothing but whole multiples."""
    f0 = 12 + 8 * np.sin(np.pi * np.linspace(0, 1, 4 * RATE))
    sound = signals.harmonics(generator(1), f0, RATE, limit_hz=300)
    cycles = np.cumsum(f0) / RATE
    even = np.interp(np.arange(1, np.floor(cycles[-1]), 1 / 256), cycles, sound)
    energy = np.abs(np.fft.rfft(even)) ** 2
    multiple = np.fft.rfftfreq(len(even), 1 / 256)
    whole = np.abs(multiple - multiple.round()) < 1e-6
    assert energy[whole].sum() > 0.99 * energy.sum()


def test_harmonics_fade_from_half_their_limit_on_and_end_there() -> None:
    f0 = np.full(4 * 2000, 20.0)
    source = signals.harmonics(generator(1), f0, 2000, limit_hz=210, spread_db=0)
    energy = np.abs(np.fft.rfft(source)) ** 2
    lines_db = 10 * np.log10(energy[80:961:80] / energy[80])  # a line each 20 Hz
    np.testing.assert_allclose(lines_db[:10], [0, 0, 0, 0, 0, -8, -16, -24, -32, -40], atol=0.2)
    assert lines_db[10:].max() < -60


def test_harmonics_beyond_half_the_rate_fade_and_do_not_fold_back() -> None:
    energy = np.mean([harmonic_energy(seed) for seed in range(20)], axis=0)
    frequency = np.fft.rfftfreq(4 * 2000, 1 / 2000)
    beside_hz = np.abs(frequency - 21 * np.round(frequency / 21))
    assert energy[(beside_hz > 1) & (frequency < 850)].sum() < 2e-3 * energy.sum(), (
        "what folds back stays next to half the rate"
    )
    lines = energy[(beside_hz == 0) & (frequency > 0)]
    assert lines[: int(0.85 * 1000 / 21)].min() > 0.2 * lines.mean()
    assert 0.001 < lines[-1] / lines.mean() < 0.5, "the last line is neither whole nor gone"


def harmonic_energy(seed: int) -> Array:
    sound = signals.harmonics(generator(seed), np.full(4 * 2000, 21.0), 2000, limit_hz=5000)
    energy: Array = np.abs(np.fft.rfft(sound * np.hanning(len(sound)))) ** 2
    return energy


def test_a_trumpet_is_brighter_than_a_rumble() -> None:
    calls, blares = (
        [energy_above(maker(generator(s), RATE), 250) for s in range(15)]
        for maker in (rumble, voices.trumpet)
    )
    assert np.median(blares) > 0.9
    assert np.median(calls) < 0.1


def test_what_wavers_does_so_by_the_second() -> None:
    """The spectrum of the wavering is the same at 4 and at 8 kHz; counted in samples, it would be
    an octave higher."""
    bands = []
    for rate in (4000, 8000):
        waver = np.array(
            [
                signals.wavering_envelope(generator(s), 8 * rate, rate, 0.01, 0.01)[:: rate // 100]
                for s in range(40)
            ]
        )
        energy = (np.abs(np.fft.rfft(waver - waver.mean(axis=1, keepdims=True))) ** 2).mean(axis=0)
        bands.append([energy[start : 2 * start].sum() for start in (2, 4, 8, 16, 32)])
    np.testing.assert_allclose(bands[0], bands[1], rtol=0.05)


@pytest.mark.parametrize("label", ["Thunder", "Wind", "Rain", "Drumming"])
def test_a_sound_has_like_bands_at_every_rate(label: str) -> None:
    maker = LOOKALIKES[label].make
    shares = [
        np.mean([1 - energy_above(maker(generator(s), rate), 500, rate) for s in range(24)])
        for rate in (4000, 8000)
    ]
    assert shares[0] == pytest.approx(shares[1], abs=0.2)


def test_every_lookalike_has_its_durations() -> None:
    assert set(DURATIONS_S) == set(LOOKALIKES)


@pytest.mark.parametrize("label", LOOKALIKES)
def test_a_lookalike_is_finite_heard_and_as_long_as_stated(label: str) -> None:
    shortest_s, longest_s = DURATIONS_S[label]
    for seed in range(12):
        sound = LOOKALIKES[label].make(generator(seed), RATE)
        assert np.isfinite(sound).all()
        assert sound.std() > 0
        assert shortest_s <= seconds_at(len(sound), RATE) <= longest_s


# Recorders and scenes.


def test_automatic_gain_comes_down_at_once_and_back_in_steps() -> None:
    heard = generator(1).normal(size=10 * RATE)
    heard[3 * RATE : 3 * RATE + 400] *= 30
    gain = recorder._automatic_gain(heard, RATE, recorder.GainControl(12, 6.0))
    assert gain[: 3 * RATE].min() > 0.99
    assert gain[3 * RATE] < 0.5
    assert (np.diff(gain[3 * RATE + 400 :]) >= 0).all()
    assert gain[-1] > 0.99


def test_no_recorder_hears_all_the_way_to_half_the_rate_alike() -> None:
    """White noise fades towards half the rate, from a frequency that recorders differ in."""
    edges_hz = []
    for seed in range(12):
        drawn = recorder.Recorder.draw(generator(seed), RATE)
        recorded = drawn.record(generator(seed), generator(1, seed).normal(size=8 * RATE))
        energy = np.abs(np.fft.rfft(recorded)) ** 2
        bands = energy[1:].reshape(100, -1).mean(axis=1)  # of 20 Hz
        edges_hz.append(20 * (np.flatnonzero(bands > 0.3 * np.median(bands[40:70]))[-1] + 1))
    assert min(edges_hz) > 1500
    assert len(set(edges_hz)) > 5


@pytest.mark.parametrize("threshold_db", [-3.0, 10.0])
def test_a_coder_does_not_silence_what_surrounds_a_loud_sound(threshold_db: float) -> None:
    heard = generator(1).normal(size=10 * RATE)
    coded = [
        recorder._code(generator(2), loud * heard, RATE, threshold_db)
        for loud in (1.0, np.where(np.arange(len(heard)) < 4000, 1e3, 1.0))
    ]
    quiet, beside_loud = (np.sqrt(np.mean(waveform[2 * RATE :] ** 2)) for waveform in coded)
    assert 0.3 < quiet <= 1.01
    assert beside_loud == pytest.approx(quiet, rel=0.1)


def test_dropped_samples_are_gaps() -> None:
    heard = recorder._drop_samples(generator(1), np.ones(RATE), RATE)
    assert 0 < np.sum(heard == 0) <= 3 * samples_at(0.04, RATE)


def test_calls_overlap_at_times() -> None:
    busy = SceneSettings(
        rate=2000,
        rumbles_per_minute=12,
        gunshots_per_minute=0,
        lookalikes_per_minute=0,
        empty_share=0,
    )
    overlaps = 0
    for seed in range(6):
        _, events = scene(generator(seed), busy)
        overlaps += sum(after.start_s < before.end_s for before, after in pairwise(events))
    assert overlaps > 4
