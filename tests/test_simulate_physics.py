"""The physics of simulated sounds: air, forest, blasts, shock waves, transient engines, voices and
recorders."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from loxo.simulate import (
    LOOKALIKES,
    SceneSettings,
    beds,
    engines,
    gunshots,
    mammals,
    overload,
    propagation,
    recorder,
    rumble,
    rumbles,
    scene,
    signals,
    thumps,
    voices,
    weapons,
    weather,
)
from loxo.simulate.places import Place
from loxo.simulate.rumbles import Caller
from loxo.timeline import samples_at, seconds_at, times_s

Array = NDArray[np.float64]
RATE = 4000

DURATIONS_S = {
    "Roar": (0.5, 6.0),
    "Trumpet": (0.2, 4.8),
    "Blow": (0.3, 4),
    "Bark": (0.1, 26.0),
    "Knock": (0.05, 3.5),
    "Branch": (0.3, 2.0),
    "Thunder": (3, 14),
    "Wind": (0.4, 8),
    "Drumming": (0.5, 8.7),
    "Chest beats": (0.7, 3.7),
    "Hammering": (0.3, 20),
    "Boat knocks": (0.5, 20),
    "Fire": (2, 15),
    "Surf": (3, 25),
    "Stream": (3, 15),
    "Drums": (1, 20),
    "Aircraft": (6, 30),
    "Vehicle": (6, 30),
    "Boat": (6, 30),
    "Train": (8, 30),
    "Idling engine": (5, 31.5),
    "Generator": (5, 30),
    "Mains hum": (2, 25),
    "Big cat": (1.5, 35),
    "Cattle": (0.8, 25),
    "Donkey": (1.5, 15),
    "Colobus": (0.4, 30),
    "Hippo": (1, 14),
    "Frog chorus": (5, 21.5),
    "Music": (2, 24),
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
    wave = weapons.n_wave(length_s, rate)
    inside = np.flatnonzero(np.abs(wave) > 1e-9)
    assert seconds_at(inside[-1] - inside[0] + 1, rate) == pytest.approx(length_s, abs=2 / rate)
    assert (wave.max(), wave.min()) == pytest.approx((1, -1), abs=0.02)
    assert wave.sum() == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(np.diff(wave[inside], 2), 0, atol=1e-6)


def test_an_n_wave_shorter_than_a_sample_is_not_lost() -> None:
    assert np.abs(weapons.n_wave(0.0001, 2000)).max() > 0.01


def test_a_rifle_bullet_makes_a_wave_of_some_tenths_of_a_millisecond() -> None:
    """Maher 2007: some 200 microseconds close by, growing with the fourth root of the distance."""
    lengths = [weapons.shock_length_s(miss_m, 2.5) for miss_m in (1.0, 16.0)]
    assert 1e-4 < lengths[0] < 3e-4
    assert lengths[1] == pytest.approx(2 * lengths[0])


def test_a_blast_turns_to_suction_after_its_overpressure() -> None:
    wave = weapons.blast_wave(0.002, 100_000)
    assert wave.max() == pytest.approx(1, abs=0.01)
    assert np.flatnonzero(wave < 0)[0] == pytest.approx(200, abs=1)
    assert wave.sum() == pytest.approx(0, abs=0.1)


def test_the_shock_wave_leads_by_the_mach_geometry() -> None:
    """On the line of fire the bullet itself arrives; behind the cone nothing does; it leads less
    the farther off the line."""
    assert weapons.shock_lead_s(346.0, 0.0, 2.0) == pytest.approx(0.5)
    assert weapons.shock_lead_s(346.0, np.radians(60.1), 2.0) is None
    leads = [
        weapons.shock_lead_s(346.0, np.radians(angle), 2.0) or 0.0 for angle in (0, 20, 40, 59)
    ]
    assert leads == sorted(leads, reverse=True)
    assert leads[-1] == pytest.approx(0, abs=1e-3)


def test_a_larger_charge_makes_a_lower_blast() -> None:
    """A Friedlander wave has most energy at 1 / (2 pi T), T being the time of overpressure."""
    peaks_hz = []
    for name in ("pistol", "automatic rifle", "hunting rifle", "shotgun", "muzzle-loader"):
        shortest_s, longest_s = weapons.WEAPONS[name].overpressure_s
        wave = weapons.blast_wave(np.sqrt(shortest_s * longest_s), 48_000)
        energy = np.abs(np.fft.rfft(wave, 48_000)) ** 2
        peaks_hz.append(int(energy.argmax()))
    assert peaks_hz == sorted(peaks_hz, reverse=True)
    assert 300 < peaks_hz[0] < 500
    assert 40 < peaks_hz[-1] < 70


def test_pellets_and_balls_have_no_shock_wave() -> None:
    for name, always in (("shotgun", True), ("muzzle-loader", True), ("hunting rifle", False)):
        leads_s = [
            gunshots._lead_s(generator(seed), weapons.WEAPONS[name], 0.3) for seed in range(60)
        ]
        assert (max(leads_s) == 0) == always
        # Behind the gun there is none of a rifle either.
        assert min(leads_s) == 0


@pytest.mark.parametrize("surroundings", ["dry", "open", "forest"])
def test_a_shot_fades_and_is_not_cut(surroundings: gunshots.Surroundings) -> None:
    """Nor are its echoes: what sounds last is far below the peak."""
    for seed in range(40):
        path = gunshots.draw_path(generator(seed), surroundings)
        weapon = weapons.WEAPONS["hunting rifle"]
        shot = gunshots.shots_at(generator(seed), RATE, weapon, path, np.zeros(1))
        ends_at = int(np.flatnonzero(shot)[-1])
        assert np.abs(shot[ends_at - 20 : ends_at + 1]).max() < 0.01 * np.abs(shot).max()


def test_a_causal_filter_has_the_same_gain_and_no_ringing_ahead() -> None:
    click = np.zeros(RATE)
    click[1000] = 1.0

    def gain_db(frequency_hz: Array) -> Array:
        return signals.high_pass_db(frequency_hz, 150, 18)

    causal = gunshots._filtered_causally(click, RATE, gain_db)
    symmetric = signals.filtered(click, RATE, gain_db)
    bins = slice(50, 1900)  # of 1 Hz
    np.testing.assert_allclose(
        20 * np.log10(np.abs(np.fft.rfft(causal))[bins]), gain_db(np.arange(50.0, 1900)), atol=0.1
    )
    ahead = [np.sum(wave[:990] ** 2) / np.sum(wave**2) for wave in (causal, symmetric)]
    assert ahead[0] < 1e-6
    assert ahead[1] > 1e-3


def test_a_gate_leaves_the_onset_and_closes_without_a_click() -> None:
    decaying = generator(1).normal(size=2 * RATE) * np.exp(-3 * times_s(2 * RATE, RATE))
    for seed in range(20):
        gated = gunshots._gated(generator(seed), decaying, RATE)
        assert len(gated) < len(decaying)
        kept = len(gated) - samples_at(0.01, RATE)
        np.testing.assert_array_equal(gated[:kept], decaying[:kept])
        assert np.abs(gated[-4:]).max() < 0.1 * np.abs(gated).max()


# Overloads.


@pytest.mark.parametrize("drive", [2.0, 64.0])
def test_a_clipped_shot_has_flat_tops(drive: float) -> None:
    wave = np.sin(2 * np.pi * 50 * times_s(RATE, RATE)) * np.exp(-times_s(RATE, RATE))
    cut = overload.clipped(wave, drive)
    flat = np.abs(cut) == np.abs(cut).max()
    assert np.abs(cut).max() == pytest.approx(np.abs(wave).max() / drive)
    assert (np.abs(wave[flat]) >= np.abs(cut).max()).all()
    np.testing.assert_array_equal(cut[~flat], wave[~flat])
    assert flat.mean() > 0.3


@pytest.mark.parametrize("slope_db", [24.0, 60.0])
def test_a_steep_high_pass_takes_the_lows_and_does_not_ring_ahead(slope_db: float) -> None:
    click = np.zeros(2 * RATE)
    click[RATE] = 1.0
    passed = overload.steep_high_pass(click, RATE, 300, slope_db)
    assert not passed[:RATE].any()
    gain_db = 20 * np.log10(np.abs(np.fft.rfft(passed)) + 1e-12)  # bins of half a hertz
    assert gain_db[600] == pytest.approx(-3, abs=0.1)
    assert gain_db[300] == pytest.approx(-slope_db, abs=1.5)
    assert np.abs(gain_db[1400:]).max() < 0.2


@pytest.mark.parametrize("attack_s", [0.001, 0.05])
def test_automatic_gain_comes_down_within_its_attack_and_back_in_steps(attack_s: float) -> None:
    heard = generator(1).choice([-1.0, 1.0], size=10 * RATE)
    heard[3 * RATE : 3 * RATE + 1200] *= 30
    control = overload.GainControl(3, 6.0, attack_s)
    gain_db = 20 * np.log10(overload.automatic_gain(heard, RATE, control, 1.0))
    assert gain_db[: 3 * RATE].min() > -0.1
    lowest_db = gain_db.min()
    assert lowest_db < -15
    one_attack, five_attacks = (
        gain_db[3 * RATE + samples_at(0.002 + times * attack_s, RATE)] for times in (1, 5)
    )
    assert 0.4 * lowest_db > one_attack > lowest_db - 0.1
    assert five_attacks < 0.8 * lowest_db
    recovering = gain_db[3 * RATE + 1200 + samples_at(5 * attack_s, RATE) :]
    assert (np.diff(recovering) >= -1e-9).all()
    assert recovering[-1] > -0.1


# Engines.


def test_a_passing_engine_shifts_by_the_ratio_of_doppler() -> None:
    factor = engines.doppler(times_s(200_001, 1000) - 100, 60.0, 50.0)
    assert factor[0] / factor[-1] == pytest.approx((346 + 60) / (346 - 60), rel=1e-3)
    assert factor[100_000] == pytest.approx(1)
    assert (np.diff(factor) < 0).all()


def test_an_idling_engine_glides_and_never_jumps_nor_stands_still() -> None:
    spreads = []
    for seed in range(60):
        speed = engines._load(generator(seed), 12 * 400, 400)
        assert speed.min() > 0.05
        assert np.abs(np.diff(np.log(speed))).max() < 0.05  # within a four hundredth of a second
        middle = speed[800:-800]
        spreads.append(middle.max() / middle.min())
    assert np.quantile(spreads, 0.1) < 1.1
    assert np.quantile(spreads, 0.9) > 1.5


def test_the_strongest_line_of_an_idling_engine_lies_below_250_hz() -> None:
    shares = [1 - energy_above(engines.idling(generator(s), RATE), 250) for s in range(20)]
    assert np.median(shares) > 0.9


def test_a_train_is_loud_as_long_as_it_passes() -> None:
    """Next to a train its power is constant until its end."""
    sound = engines.train(generator(3), RATE)
    cells = np.square(sound[: len(sound) // RATE * RATE].reshape(-1, RATE)).mean(axis=1)
    assert np.sum(cells > 0.1 * cells.max()) > 5


# Beds.


def test_mains_hum_is_nothing_but_multiples_of_50_or_60_hz() -> None:
    found = set()
    for seed in range(20):
        hum = beds.mains_hum(generator(seed), RATE)(generator(1, seed), 8 * RATE)
        energy = np.abs(np.fft.rfft(hum * np.hanning(len(hum)))) ** 2
        frequency = np.fft.rfftfreq(len(hum), 1 / RATE)
        shares = []
        for mains_hz in (50, 60):
            beside_hz = np.abs(frequency - mains_hz * np.round(frequency / mains_hz))
            # It wanders by a quarter of a per cent, which is 2.5 Hz at 1 kHz.
            on_line = beside_hz < 0.5 + 0.003 * frequency
            shares.append(energy[on_line & (frequency > 40)].sum() / energy.sum())
        assert max(shares) > 0.999
        assert energy[frequency > 1010].sum() < 1e-4 * energy.sum()
        found.add(int(np.argmax(shares)))
    assert found == {0, 1}


def test_odd_multiples_of_mains_are_stronger_in_most_hums() -> None:
    stronger = 0
    for seed in range(40):
        hum = beds.mains_hum(generator(seed), RATE)(generator(1, seed), 4 * RATE)
        energy = np.abs(np.fft.rfft(hum * np.hanning(len(hum)))) ** 2
        pairs = max(
            (
                [energy[4 * mains * k - 9 : 4 * mains * k + 10].sum() for k in range(1, 9)]
                for mains in (50, 60)
            ),
            key=sum,
        )
        stronger += sum(pairs[::2]) > sum(pairs[1::2])
    assert 0.6 < stronger / 40 < 0.98


@pytest.mark.parametrize("kind", beds.BEDS)
def test_a_bed_is_steady_and_the_same_in_all_its_pieces(kind: str) -> None:
    draw, _ = beds.BEDS[kind]
    alike, others = [], []
    for seed in range(6):
        bed = draw(generator(seed), RATE)
        pieces = [bed(generator(1, seed, piece), 20 * RATE) for piece in range(2)]
        bands_db = [octaves_db(piece) for piece in pieces]
        for piece in pieces:
            assert piece.std() == pytest.approx(1)
            powers = np.square(piece.reshape(5, -1)).mean(axis=1)
            assert powers.max() < 4.5  # five cells of 4 s
        alike.append(np.abs(bands_db[0] - bands_db[1]).mean())
        others.append(bands_db[0])
    apart = np.abs(np.diff(others, axis=0)).mean()
    assert np.mean(alike) < 0.5 * apart


def octaves_db(sound: Array) -> Array:
    """Level of octaves from 15 Hz on, at least 60 dB below the loudest."""
    energy = np.abs(np.fft.rfft(sound)) ** 2
    hz = np.fft.rfftfreq(len(sound), 1 / RATE)
    edges_hz = 15.0 * 2 ** np.arange(8)
    bands = [energy[(hz >= low) & (hz < high)].sum() for low, high in pairwise(edges_hz)]
    levels: Array = 10 * np.log10(np.array(bands) / max(bands) + 1e-6)
    return levels


def test_a_place_may_hum_at_a_stated_level_and_noise_is_to_be_had_without() -> None:
    humming = 0
    for seed in range(300):
        place = Place.draw(generator(seed), 2000, (), 0.0)
        humming += place.mains is not None
        if place.mains is None or humming > 12:
            continue
        noise, hum = place.noise_and_mains(generator(1, seed), 8000)
        level_db = 20 * np.log10(hum.std() / noise.std())
        assert level_db == pytest.approx(place.mains_db)
        assert -15 <= level_db <= 20
        np.testing.assert_array_equal(place.noise(generator(1, seed), 8000), noise + hum)
    assert humming / 300 == pytest.approx(0.12, abs=0.05)


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
    for bend in (0.5, 2.0):
        courses = [
            rumbles.fundamental(generator(seed), 4000, 4.0, 15.0, rumbles.CONTOURS, bend)
            for seed in range(100)
        ]
        assert min(map(np.min, courses)) >= 15 * 0.95 * 0.988 - 1e-9
        most = 15 * (1 + bend + 0.05)
        assert 0.9 * most < max(map(np.max, courses)) <= 1.012 * most


def test_of_the_farthest_calls_a_single_line_is_left() -> None:
    """Of 14-36 Hz, softly bent: all of the energy is near it, and it lasts."""
    for seed in range(30):
        caller = Caller.draw(generator(seed), "line")
        source = caller.source(generator(1, seed), RATE)
        assert 3 <= seconds_at(len(source), RATE) <= 8
        energy = np.abs(np.fft.rfft(source)) ** 2
        frequency = np.fft.rfftfreq(len(source), 1 / RATE)
        lowest_hz, highest_hz = 0.9 * caller.pitch_hz, 1.35 * caller.pitch_hz
        assert 14 * 0.9 <= lowest_hz < highest_hz <= 36 * 1.35
        near = (frequency > lowest_hz) & (frequency < highest_hz)
        assert energy[near].sum() > 0.96 * energy.sum()


def test_of_some_calls_only_a_formant_is_left() -> None:
    """Lines at 60-200 Hz, an unseen fundamental apart."""
    for seed in range(30):
        caller = Caller.draw(generator(seed), "formant")
        call = caller.call(generator(1, seed), RATE)
        assert 10 <= caller.pitch_hz <= 20
        assert 1 - energy_above(call, 45) < 0.01
        assert energy_above(call, 300) < 0.15


def test_the_lines_of_a_formant_are_a_fundamental_apart() -> None:
    """Of a call that does not bend, the power has a maximum at each multiple of its pitch."""
    caller = replace(Caller.draw(generator(1), "formant"), pitch_hz=14.0)
    f0 = np.full(4 * RATE, 14.0)
    energy = np.abs(np.fft.rfft(caller._voice(generator(2), f0, RATE))) ** 2
    multiple = np.arange(len(energy)) / 4 / 14
    on_line = np.abs(multiple - multiple.round()) < 0.02
    assert energy[on_line].sum() > 0.99 * energy.sum()
    loudest = np.argsort(energy)[::-1][:3]
    assert (np.diff(np.sort(loudest)) >= 4 * 13).all()


def test_calls_of_one_animal_are_more_alike_than_those_of_several() -> None:
    animals = [Caller.draw(generator(seed), "far") for seed in range(25)]
    bands_db = np.array(
        [
            [octaves_db(animal.call(generator(seed, call), RATE)) for call in range(4)]
            for seed, animal in enumerate(animals)
        ]
    )
    within_db = bands_db.std(axis=1).mean()
    among_db = bands_db.mean(axis=1).std(axis=0).mean()
    assert within_db < 0.5 * among_db
    first, second = (animals[0].call(generator(7, call), RATE) for call in range(2))
    assert len(first) != len(second)


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


def test_lines_have_the_amplitudes_that_are_given() -> None:
    amplitudes = np.array([1.0, 0.0, 0.5j, -0.1])
    sound = signals.lines(np.full(4 * RATE, 20.0), RATE, amplitudes)
    found = np.abs(np.fft.rfft(sound))[80:321:80] / (2 * RATE)
    np.testing.assert_allclose(found, np.abs(amplitudes), atol=1e-3)


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


def test_a_chorus_of_frogs_is_whole_within_a_second_or_so() -> None:
    for seed in range(20):
        chorus = voices.frog_chorus(generator(seed), RATE)
        cells = np.square(chorus[: 5 * RATE].reshape(5, -1)).mean(axis=1)
        # Callers have periods of up to 2 s.
        assert cells[:2].max() > 0.05 * cells.max()
        assert seconds_at(len(chorus), RATE) > 5


def test_monkeys_roar_in_pulses_of_15_to_25_a_second() -> None:
    peaks_hz = []
    for seed in range(30):
        envelope = np.abs(mammals.colobus(generator(seed), RATE))
        cells = envelope[: len(envelope) // 20 * 20].reshape(-1, 20).mean(axis=1)  # 200 a second
        energy = np.abs(np.fft.rfft(cells - cells.mean())) ** 2
        frequency = np.fft.rfftfreq(len(cells), 1 / 200)
        searched = frequency > 8
        peaks_hz.append(frequency[searched][energy[searched].argmax()])
    assert np.mean([14 < peak_hz < 26 for peak_hz in peaks_hz]) > 0.8


def calls_in(sound: Array) -> int:
    """Count the calls of a series: stretches that no silence of 10 ms breaks."""
    heard = np.flatnonzero(sound)
    return 1 + int(np.sum(np.diff(heard) > samples_at(0.01, RATE)))


@pytest.mark.parametrize(
    ("maker", "fewest", "most"),
    [(mammals._roars, 3, 12), (mammals._sawing, 8, 17), (mammals.cattle, 1, 4),
     (mammals.donkey, 4, 16), (mammals.colobus, 1, 8), (mammals.hippo, 3, 11)],
)  # fmt: skip
def test_mammals_call_in_series_with_pauses(
    maker: signals.Maker, fewest: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the forest, which fills the pauses with its reverberation."""
    monkeypatch.setattr(mammals, "propagate", lambda _rng, sound, *_: sound)
    counts = [calls_in(maker(generator(seed), RATE)) for seed in range(40)]
    assert fewest <= min(counts) < max(counts) <= most


def test_what_a_donkey_breathes_out_is_lower_than_what_it_breathes_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mammals, "propagate", lambda _rng, sound, *_: sound)
    lower = []
    for seed in range(20):
        bray = mammals.donkey(generator(seed), RATE)
        heard = np.flatnonzero(bray)
        breaks = np.flatnonzero(np.diff(heard) > samples_at(0.01, RATE)) + 1
        breaths = [bray[part[0] : part[-1]] for part in np.split(heard, breaks)]
        shares = [1 - energy_above(breath, 280) for breath in breaths]
        lower.append(np.mean(shares[1::2]) > np.mean(shares[::2]))
    assert np.mean(lower) > 0.75


def test_what_carries_far_of_music_is_bass() -> None:
    shares = [1 - energy_above(voices.music(generator(s), RATE), 250) for s in range(20)]
    assert np.median(shares) > 0.8


def test_barks_are_of_many_kinds() -> None:
    """Low and high, one and many."""
    barks = [voices.bark(generator(seed), RATE) for seed in range(60)]
    above = [energy_above(bark, 500) for bark in barks]
    assert np.quantile(above, 0.1) < 0.35
    assert np.quantile(above, 0.9) > 0.8
    seconds = [seconds_at(len(bark), RATE) for bark in barks]
    assert min(seconds) < 0.7
    assert max(seconds) > 5


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


def test_no_recorder_hears_all_the_way_to_half_the_rate_alike() -> None:
    """White noise fades towards half the rate, from a frequency that recorders differ in."""
    edges_hz = []
    for seed in range(12):
        drawn = replace(recorder.Recorder.draw(generator(seed), RATE), coding_db=None, clicks=None)
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


def plain_recorder(**changes: object) -> recorder.Recorder:
    """A recorder that changes hardly anything but what is asked for."""
    plain = recorder.Recorder.draw(generator(1), RATE)
    plain = replace(
        plain,
        level_db=-40.0,
        high_pass_hz=1.0,
        high_pass_slope_db=12.0,
        self_noise=None,
        coding_db=None,
        gain_control=None,
        drops_samples=False,
        clicks=None,
        zeros=None,
        offset=0.01,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def digitised(used: recorder.Recorder, heard: Array) -> Array:
    """What a recorder writes, and the same as a signal of the level of its noise."""
    signal = used.record(generator(3), heard)
    return used.digitise(signal, recorder.noise_level(signal)).astype(float)


def test_recorders_fail_as_often_as_stated() -> None:
    drawn = [recorder.Recorder.draw(generator(seed), RATE) for seed in range(3000)]
    for share, found in (
        (recorder.OVERLOAD_SHARE, [one.level_db > -25 for one in drawn]),
        (recorder.STEEP_SHARE, [one.high_pass_hz >= 100 for one in drawn]),
        (recorder.ZEROS_SHARE, [one.zeros is not None for one in drawn]),
        (recorder.CLICKS_SHARE, [one.clicks is not None for one in drawn]),
        (recorder.GAIN_CONTROL_SHARE, [one.gain_control is not None for one in drawn]),
    ):
        assert np.mean(found) == pytest.approx(share, abs=0.015)
    assert {one.high_pass_slope_db for one in drawn if one.high_pass_hz < 100} == {12.0}
    assert min(one.high_pass_slope_db for one in drawn if one.high_pass_hz >= 100) >= 24


def test_a_recorder_without_lows_keeps_nothing_of_rumbles() -> None:
    heard = generator(1).normal(size=8 * RATE)
    written = digitised(plain_recorder(high_pass_hz=200.0, high_pass_slope_db=36.0), heard)
    energy = np.abs(np.fft.rfft((written - written.mean()) * np.hanning(len(written)))) ** 2
    below, above = energy[8 * 5 : 8 * 60].mean(), energy[8 * 300 : 8 * 1000].mean()
    assert 10 * np.log10(below / above) < -45


def test_an_overloaded_recorder_clips_loud_sounds_and_not_the_noise() -> None:
    heard = generator(1).normal(size=8 * RATE)
    heard[RATE : 2 * RATE] *= 100
    written = digitised(plain_recorder(level_db=-15.0), heard)
    full = np.abs(written) > 0.999
    assert full[RATE : 2 * RATE].mean() > 0.8
    assert full[2 * RATE + 400 :].mean() < 1e-3


def test_zeros_are_exact_in_the_file_and_only_where_stated() -> None:
    """Not even the offset of the recorder is left, which everything else has."""
    heard = generator(1).normal(size=20 * RATE)
    for zeros, share in (
        (recorder.Zeros(1.0, None, (0.0, 1.0)), 0.1),
        (recorder.Zeros(0.5, 5.0, (0.3,)), 0.1),
        (recorder.Zeros(0.004, 2.0, (0.9,)), 0.002),
        (recorder.Zeros(30.0, None, (0.5,)), 1.0),
    ):
        marked = zeros.mask(len(heard), RATE)
        assert marked.mean() == pytest.approx(share, rel=0.01)
        written = digitised(plain_recorder(zeros=zeros), heard)
        without = digitised(plain_recorder(), heard)
        assert not written[marked].any()
        np.testing.assert_array_equal(written[~marked], without[~marked])
    starts = np.flatnonzero(np.diff(recorder.Zeros(0.5, 5.0, (0.3,)).mask(20 * RATE, RATE)))[::2]
    np.testing.assert_allclose((starts + 1) / RATE, [1.5, 6.5, 11.5, 16.5])


@given(st.integers(0, 10_000), st.floats(0.01, 12.0))
def test_zeros_and_clicks_fit_a_file_of_any_length(seed: int, seconds: float) -> None:
    rng = generator(seed)
    n = samples_at(seconds, RATE)
    assert recorder._draw_zeros(rng).mask(n, RATE).shape == (n,)
    clicked = recorder._add_clicks(rng, np.ones(n), RATE, recorder._draw_clicks(rng))
    assert clicked.shape == (n,)


@pytest.mark.parametrize("period_s", [2.0, None])
@pytest.mark.parametrize("seconds", [0.0, 0.003])
def test_clicks_are_short_and_loud_and_come_regularly_or_seldom(
    seconds: float, period_s: float | None
) -> None:
    heard = generator(1).normal(size=20 * RATE)
    clicks = recorder.Clicks(seconds, period_s, 40.0)
    clicked = recorder._add_clicks(generator(2), heard, RATE, clicks)
    at = np.flatnonzero(np.abs(clicked - heard) > 50)
    size = max(1, samples_at(seconds, RATE))
    starts = at[np.diff(at, prepend=-RATE) > 1]
    assert len(at) == len(starts) * size
    if period_s is None:
        assert 1 <= len(starts) <= 4
    else:
        assert len(starts) == 10
        assert set(np.diff(starts)) == {2 * RATE}


# Water, fire and thumps.


def cell_powers(sound: Array, cell_s: float) -> Array:
    """Mean power of one cell after another, the rest left out."""
    size = samples_at(cell_s, RATE)
    cells: Array = np.square(sound[: len(sound) // size * size].reshape(-1, size)).mean(axis=1)
    return cells


NEW_SECONDS: dict[signals.Maker, tuple[float, float]] = {
    weather.fire_crackle: (2, 15),
    weather.stream: (3, 15),
    weather.surf: (3, 25),
    thumps.boat_knocks: (2, 10.7),
    thumps.drums: (1.5, 14),
    thumps.hammering: (0.4, 19),
}


@pytest.mark.parametrize("maker", NEW_SECONDS, ids=lambda maker: maker.__name__)
@pytest.mark.parametrize("rate", [2000, 8000])
def test_water_fire_and_thumps_are_finite_and_as_long_as_stated(
    maker: signals.Maker, rate: int
) -> None:
    for seed in range(12):
        sound = maker(generator(seed), rate)
        assert np.isfinite(sound).all()
        assert sound.std() > 0
        shortest_s, longest_s = NEW_SECONDS[maker]
        assert shortest_s <= seconds_at(len(sound), rate) <= longest_s
        np.testing.assert_array_equal(sound, maker(generator(seed), rate))
        # They end silently.
        assert np.abs(sound[-4:]).max() < 0.1 * np.abs(sound).max()


def test_a_fire_crackles_and_surf_does_not() -> None:
    """Pops of milliseconds stand far above the mean; surf swells over seconds."""
    peaks_db = []
    for maker in (weather.fire_crackle, weather.surf):
        ratios = []
        for seed in range(20):
            cells = cell_powers(maker(generator(seed), RATE), 0.01)
            ratios.append(10 * np.log10(cells.max() / np.median(cells)))
        peaks_db.append(float(np.median(ratios)))
    assert peaks_db[0] > peaks_db[1] + 6
    rises = []
    for seed in range(20):
        cells = np.sqrt(cell_powers(weather.surf(generator(seed), RATE), 0.1))
        rises.append(np.diff(cells).max() / cells.max())
    assert np.median(rises) < 0.35


def test_a_membrane_is_higher_right_after_the_stroke() -> None:
    glides = []
    for seed in range(30):
        stroke = thumps._membrane(generator(seed), RATE, low=True)
        halves = [zero_crossings(part) for part in (stroke[:200], stroke[200:400])]
        glides.append(halves[0] - halves[1])
    assert np.mean(np.array(glides) >= 0) > 0.8
    assert np.median(glides) > 1


def zero_crossings(sound: Array) -> int:
    """How often a waveform changes its sign; twice a period for a tone."""
    smooth = signals.filtered(sound, RATE, lambda f: signals.low_pass_db(f, 250, 24))
    return int(np.sum(np.diff(np.sign(smooth)) != 0))


def test_a_rhythm_repeats_its_bar() -> None:
    """Powers over time are alike some bar later, and a knocking boat's are not."""
    alike = []
    for maker in (thumps.drums, thumps.boat_knocks):
        best = []
        for seed in range(20):
            cells = np.sqrt(cell_powers(maker(generator(seed), RATE), 0.02))
            cells = cells - cells.mean()
            lags = np.correlate(cells, cells, "full")[len(cells) + 10 :]
            best.append(lags.max() / np.sum(cells**2))
        alike.append(float(np.median(best)))
    assert alike[0] > alike[1] + 0.2


def test_strokes_of_a_hammer_are_nearly_regular() -> None:
    for seed in range(20):
        sound = thumps.hammering(generator(seed), RATE)
        cells = cell_powers(sound, 0.02)
        loud = np.flatnonzero(cells > 0.05 * cells.max())
        starts_s = 0.02 * loud[np.diff(loud, prepend=-100) > 12]
        gaps_s = np.diff(starts_s)
        if len(gaps_s):
            assert gaps_s.max() < 1.6 * gaps_s.min()


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
