"""Simulated sounds are what physics and the field's tables say; scenes hold them where, and as loud
as, their events say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from loxo.annotations import read_annotations
from loxo.clips import read_clips
from loxo.events import EVENT_LABELS, Event
from loxo.messages import Progress
from loxo.simulate import (
    LOOKALIKES,
    SOUNDS,
    SceneSettings,
    excerpts,
    gunshot,
    gunshots,
    load_backgrounds,
    mixture,
    rumble,
    rumbles,
    scene,
    signals,
    soundscape,
    weapons,
    weather,
    write_clip_set,
    write_recording,
    write_recordings,
    writing,
)
from loxo.simulate import scenes as scenes_module
from loxo.simulate.gunshots import Fire
from loxo.simulate.recorder import Recorder, Zeros
from loxo.simulate.rumbles import Caller
from loxo.simulate.signals import Maker, Rng
from loxo.timeline import samples_at

Array = NDArray[np.float64]

RATE = 4000
SMALL = SceneSettings(
    rate=2000, seconds=6.0, rumbles_per_minute=15, gunshots_per_minute=15, lookalikes_per_minute=15
)
"""Short and full."""
QUIET = SceneSettings(
    rate=2000, seconds=6.0, rumbles_per_minute=0, gunshots_per_minute=0, lookalikes_per_minute=0
)


def generator(*seed: int) -> Rng:
    return np.random.default_rng(seed)


def powers(waveform: Array, cell_s: float, rate: int = RATE) -> Array:
    """Power of one cell after another, the rest left out."""
    size = samples_at(cell_s, rate)
    cells: Array = np.square(waveform[: len(waveform) // size * size].reshape(-1, size)).sum(axis=1)
    return cells


def rise_s(waveform: Array, cell_s: float = 0.005) -> float:
    """From the first cell with a tenth of the highest power to the one that has it."""
    cells = powers(waveform, cell_s)
    return float(cells.argmax() - np.flatnonzero(cells > 0.1 * cells.max())[0]) * cell_s


def drawn(maker: Maker, count: int, rate: int = RATE) -> Iterator[Array]:
    return (maker(generator(seed), rate) for seed in range(count))


def one_shot(
    seed: int,
    surroundings: gunshots.Surroundings,
    distance_km: float | None = None,
    weapon: str = "shotgun",
) -> Array:
    """One round as it arrives."""
    rng = generator(seed)
    path = gunshots.draw_path(rng, surroundings, distance_km)
    return gunshots.shots_at(rng, RATE, weapons.WEAPONS[weapon], path, np.zeros(1))


# Single sounds.


@pytest.mark.parametrize("rate", [2000, 8000])
@pytest.mark.parametrize("label", SOUNDS)
def test_a_sound_is_decided_by_its_seed(label: str, rate: int) -> None:
    first, again, other = (SOUNDS[label](generator(seed), rate) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert len(first) != len(other) or (first != other).any()
    for sound in (first, other):
        assert sound.ndim == 1
        assert np.isfinite(sound).all()
        assert np.abs(sound).max() > 0


def marked_s(call: Array, drop_db: float, rate: int = RATE) -> float:
    """How long a person marks a call that stands so far above the noise."""
    first, last = excerpts.extent(call, rate, drop_db)
    return (last - first) / rate


def test_rumbles_last_as_long_as_those_of_the_elp_table() -> None:
    """0.9-12.8 s, median 3.8 s, 95th percentile 7.0 s; clearings add short ones."""
    callers = [Caller.draw(generator(seed)) for seed in range(700)]
    seconds = np.array(
        [
            marked_s(caller.call(generator(1, seed), 400), 15.0, 400)
            for seed, caller in enumerate(callers)
        ]
    )
    short = np.array([caller.kind == "short" for caller in callers])
    np.testing.assert_allclose(np.quantile(seconds[~short], [0.5, 0.95]), [3.8, 7.0], rtol=0.08)
    assert seconds[~short].min() > 0.6
    assert seconds.max() < 13.5
    assert seconds[short].max() < 2.3
    assert np.mean(short) == pytest.approx(rumbles.CALLERS["short"], abs=0.04)


def test_the_boxes_of_far_rumbles_end_at_30_to_60_hz_and_of_whole_ones_above() -> None:
    tops_hz = {}
    for kind in ("whole", "far"):
        calls = [Caller.draw(generator(s), kind).call(generator(s), 1000) for s in range(80)]
        fits = [excerpts.fit_to_noise(call, call[::-1], 1000, 0.0) for call in calls]
        tops_hz[kind] = np.array([fit.high_hz for fit in fits])
    assert 30 < np.median(tops_hz["far"]) < 60
    assert np.mean((tops_hz["far"] > 30) & (tops_hz["far"] < 60)) > 0.45
    assert np.median(tops_hz["whole"]) > 1.5 * np.median(tops_hz["far"])


def test_most_rumbles_fade_slowly() -> None:
    """From the last moment near the peak to the last one that is 15 dB below it."""
    fades_s = []
    for seed in range(80):
        call = Caller.draw(generator(seed), "far").call(generator(1, seed), RATE)
        ends = [excerpts.extent(call, RATE, drop_db)[1] for drop_db in (3.0, 15.0)]
        fades_s.append((ends[1] - ends[0]) / RATE)
    assert np.median(fades_s) > 0.6
    assert np.quantile(fades_s, 0.1) > 0.2


def test_a_shot_rises_within_milliseconds_and_far_thunder_does_not() -> None:
    shots = [rise_s(one_shot(seed, "forest")) for seed in range(60)]
    rolls = [rise_s(sound) for sound in drawn(weather.rolling_thunder, 60)]
    assert np.median(shots) <= 0.025
    assert np.quantile(shots, 0.75) <= 0.1
    assert min(rolls) > 0.05
    assert np.median(rolls) > 1


def test_close_thunder_begins_at_once_and_rolls_on() -> None:
    """Hundredths of a second after its start it is loud; from a second after its peak on, there is
    still much."""
    starts, left = [], []
    for sound in drawn(weather.cracking_thunder, 30):
        cells = powers(sound, 0.01)
        starts.append(cells[:6].max() / cells.max())
        left.append(cells[cells.argmax() + 100 :].sum() / cells.sum())
    assert min(starts) > 0.005
    assert np.median(starts) > 0.1
    assert np.median(left) > 0.03
    far = [powers(sound, 0.01) for sound in drawn(weather.rolling_thunder, 30)]
    assert np.median([cells[:6].max() / cells.max() for cells in far]) < 0.001


@pytest.mark.parametrize("surroundings", ["dry", "open", "forest"])
def test_a_near_shot_is_an_edge(surroundings: gunshots.Surroundings) -> None:
    """A shotgun has no shock wave, which would come first."""
    rises_s = [rise_s(one_shot(seed, surroundings, 0.03)) for seed in range(30)]
    assert max(rises_s) <= 0.03


def test_a_shot_decays() -> None:
    """The half second from the peak on holds more than the next, and the end is silent."""
    drops_db, ends_db = [], []
    for seed in range(60):
        cells = powers(one_shot(seed, "forest"), 0.02)
        peak = int(cells.argmax())
        drops_db.append(
            10
            * np.log10(cells[peak : peak + 25].sum() / (cells[peak + 25 : peak + 50].sum() + 1e-30))
        )
        ends_db.append(10 * np.log10(cells[-3:].mean() / cells[peak] + 1e-30))
    assert np.median(drops_db) > 10
    # Of a shot with echoes, the second half may be nearly as loud.
    assert np.quantile(drops_db, 0.05) > 0
    assert max(ends_db) < -40


def test_far_shots_lose_their_highs() -> None:
    shares = []
    for distance_km in (0.03, 3.0):
        shots = [one_shot(seed, "forest", distance_km) for seed in range(10)]
        energy = np.mean([np.abs(np.fft.rfft(shot, 32768)) ** 2 for shot in shots], axis=0)
        shares.append(energy[8192:].sum() / energy.sum())  # above 1 kHz
    assert shares[1] < shares[0]


def test_a_quarter_of_all_fire_is_bursts_that_end_in_time() -> None:
    volleys = [gunshots.fire(generator(seed), 2000) for seed in range(600)]
    shots = np.array([volley.shots for volley in volleys])
    assert np.mean(shots > 1) == pytest.approx(0.26, abs=0.06)
    assert 30 < shots.max() <= 40
    assert max(len(volley.waveform) for volley in volleys) <= samples_at(15, 2000)


def test_a_gunshot_is_the_waveform_of_fire() -> None:
    for seed in range(5):
        shots = gunshots.fire(generator(seed), RATE)
        np.testing.assert_array_equal(gunshot(generator(seed), RATE), shots.waveform)


def test_automatic_fire_is_regular_and_fast_and_single_fire_neither() -> None:
    """8-15 rounds a second but for pauses, against 1-5 a second."""
    for seed in range(100):
        starts_s = gunshots._automatic_starts_s(generator(seed))
        gaps_s = np.diff(starts_s)
        assert starts_s[0] == 0
        assert 3 <= len(starts_s) <= 40
        steady_s = gaps_s[gaps_s < 1.4 * np.median(gaps_s)]
        assert 1 / 15.1 < np.median(steady_s) < 1 / 7.7
        assert steady_s.std() < 0.1 * np.median(steady_s)
    irregularities = []
    for seed in range(100):
        starts_s = gunshots._rapid_starts_s(generator(seed))
        gaps_s = np.diff(starts_s)
        assert 2 <= len(starts_s) <= 20
        assert starts_s[-1] <= gunshots.LAST_START_S
        assert gaps_s.min() >= 0.1
        irregularities.append(gaps_s.std() / gaps_s.mean())
    assert np.median(irregularities) > 0.1


def test_each_round_of_a_burst_is_an_onset_of_its_own_level() -> None:
    """Close and dry, nothing blurs them."""
    starts_s = np.array([0.0, 0.12, 0.25, 0.4, 0.51])
    for seed in range(20):
        path = gunshots.draw_path(generator(seed), "dry", 0.02)._replace(tail_db=-30.0)
        burst = gunshots.shots_at(generator(seed), RATE, weapons.WEAPONS["shotgun"], path, starts_s)
        cells = powers(burst, 0.01)
        cell_of = [round(100 * start_s) for start_s in starts_s]
        energies = [cells[max(0, cell - 1) : cell + 5].sum() for cell in cell_of]
        between = [cells[cell - 3 : cell - 1].sum() for cell in cell_of[1:]]
        assert max(between) < 0.1 * min(energies)
        levels_db = 10 * np.log10(np.array(energies) / max(energies))
        assert -9 < levels_db.min() < -0.1


def test_a_dry_shot_is_over_within_a_tenth_of_a_second_and_may_be_a_low_thump() -> None:
    over_s, below_80_hz = [], []
    for seed in range(80):
        shot = one_shot(seed, "dry", weapon="muzzle-loader")
        cells = powers(shot, 0.01)
        over_s.append(0.01 * np.flatnonzero(cells > 0.01 * cells.max())[-1])
        energy = np.abs(np.fft.rfft(shot, 2 * RATE)) ** 2
        below_80_hz.append(energy[: 2 * 80].sum() / energy.sum())
    assert np.mean(np.array(over_s) < 0.1) > 0.85
    assert np.quantile(over_s, 0.2) < 0.05
    assert np.quantile(below_80_hz, 0.85) > 0.5
    assert min(below_80_hz) < 0.05


def test_a_branch_that_snaps_has_no_tail() -> None:
    for sound in drawn(weather.branch_snap, 60):
        cells = powers(sound, 0.02)
        after = cells[cells.argmax() :]
        assert (np.flatnonzero(after < 0.01 * after[0]) * 0.02)[0] <= 0.2


@given(st.integers(10, 3000), st.sampled_from([1000, 4000]), st.integers(0, 9))
def test_a_filter_changes_each_frequency_by_its_gain(n: int, rate: int, seed: int) -> None:
    waveform = generator(seed).normal(size=n)
    np.testing.assert_allclose(
        signals.filtered(waveform, rate, lambda f: 0 * f - 6.0),
        waveform * 10 ** (-6 / 20),
        atol=1e-5,
    )


def test_an_excerpt_is_the_body_of_a_sound_in_some_noise_cut_within_milliseconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(excerpts, "PART_SHARE", 0.0)
    for seed, call in enumerate(drawn(rumble, 20)):
        excerpt = excerpts.draw_excerpt(generator(seed), call, RATE, shot=False)
        assert RATE * 0.04 <= len(excerpt) <= len(call)
        alike = np.correlate(call, excerpt, "valid") / (
            np.linalg.norm(call) * np.linalg.norm(excerpt)
        )
        assert 0.85 < alike.max() < 1 - 1e-6
        edge, inner = np.abs(excerpt[[0, -1]]).max(), np.abs(excerpt).max()
        assert edge < 0.1 * inner


@pytest.mark.parametrize("onset", [False, True])
@pytest.mark.parametrize("maker", [rumble, gunshot])
def test_a_part_of_a_sound_holds_its_loudest_moment_and_of_a_shot_the_onset(
    maker: Maker, onset: bool
) -> None:
    lengths = []
    for seed, sound in enumerate(drawn(maker, 40)):
        extent = excerpts.extent(sound, RATE, 30.0)
        start, stop = excerpts.draw_part(generator(seed), sound, extent, RATE, onset=onset)
        assert extent[0] <= start < stop <= extent[1]
        assert stop - start >= min(
            samples_at(excerpts.SHORTEST_PART_S, RATE), extent[1] - extent[0]
        )
        if onset:
            assert start == extent[0]
        cells = powers(sound, excerpts.ENVELOPE_S)
        assert start <= cells.argmax() * samples_at(excerpts.ENVELOPE_S, RATE) < stop
        lengths.append((stop - start) / (extent[1] - extent[0]))
    assert min(lengths) < 0.5
    assert max(lengths) > 0.8


# Scenes.


@given(st.integers(0, 10_000), st.sampled_from([4.1, 6.0, 9.3]))
@settings(max_examples=25)
def test_the_events_of_a_scene_lie_in_it_in_order(seed: int, seconds: float) -> None:
    _, events = scene(
        generator(seed),
        SceneSettings(rate=2000, seconds=seconds, rumbles_per_minute=20, lookalikes_per_minute=20),
    )
    starts_s = [event.start_s for event in events]
    assert starts_s == sorted(starts_s)
    for event in events:
        assert event.label in {*EVENT_LABELS, *LOOKALIKES}
        assert 0 <= event.start_s < event.end_s <= seconds
        assert event.low_hz is not None
        assert event.high_hz is not None
        assert 0 <= event.low_hz < event.high_hz <= 1001


def test_a_scene_is_decided_by_its_seed() -> None:
    (first, events), (again, same), (other, others) = (
        scene(generator(seed), SMALL) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert events == same
    assert (first != other).any()
    assert events != others


@pytest.mark.parametrize("seed", range(12))
def test_a_recorder_gives_samples_of_16_bits(seed: int) -> None:
    waveform, _ = scene(generator(seed), SMALL)
    assert waveform.dtype == np.float32
    assert waveform.shape == (12_000,)
    steps = waveform.astype(float) * 32768
    np.testing.assert_array_equal(steps, steps.round())
    assert np.abs(waveform).max() <= 1
    assert waveform.std() > 0


def test_an_empty_scene_has_sound_but_no_events() -> None:
    for seed in range(4):
        waveform, events = scene(generator(seed), QUIET)
        assert events == []
        assert waveform.std() > 0
        busy = SceneSettings(
            rate=2000, seconds=6.0, rumbles_per_minute=60, gunshots_per_minute=60, empty_share=1.0
        )
        assert {event.label for event in scene(generator(seed), busy)[1]} <= set(LOOKALIKES)


@pytest.mark.parametrize("seconds", [0.0, 4.0])
def test_a_scene_that_is_too_short_to_fade_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match=f"{seconds} s"):
        SceneSettings(seconds=seconds)


def placed(seed: int, label: str, snr_db: float, seconds: float = 20.0) -> tuple[Event, Array]:
    """One sound on white noise of variance 1: its event, and what was added to the noise."""
    rng = generator(seed)
    noise = rng.normal(size=samples_at(seconds, RATE))
    kind = mixture.Kind(label, SOUNDS[label], (snr_db, snr_db), label in EVENT_LABELS)
    mixed = mixture.Mixture(noise, RATE, 8000)
    mixed.add(rng, kind, noise)
    (event,) = mixed.events
    return event, mixed.waveform - noise


@pytest.mark.parametrize("label", EVENT_LABELS)
@pytest.mark.parametrize("snr_db", [0.0, 12.0, 25.0])
def test_the_stated_ratio_of_signal_to_noise_holds(label: str, snr_db: float) -> None:
    """White noise has in a band the power of the band's share of half the rate."""
    found_db, shares = [], []
    for seed in range(16):
        event, sound = placed(seed, label, snr_db)
        cells = powers(sound, 0.04)
        body = np.flatnonzero(cells > cells.max() / 100)
        part = sound[body[0] * 160 : (body[-1] + 1) * 160]
        energy, hz = np.abs(np.fft.rfft(part)) ** 2, np.fft.rfftfreq(len(part), 1 / RATE)
        assert event.low_hz is not None
        assert event.high_hz is not None
        band = (hz >= event.low_hz) & (hz <= event.high_hz)
        found_db.append(10 * np.log10(energy[band].sum() / (len(part) * band.sum())))
        shares.append(energy[band].sum() / energy.sum())
    assert np.mean(found_db) == pytest.approx(snr_db, abs=1.0)
    np.testing.assert_allclose(found_db, snr_db, atol=6)
    assert np.median(shares) == pytest.approx(0.9, abs=0.05)
    assert min(shares) > 0.85


def chorus(seed: int) -> list[Event]:
    settings = replace(
        QUIET, seconds=60.0, rumbles_per_minute=1.0, chorus_share=1.0, rumble_db=(0.0, 10.0)
    )
    return [event for event in scene(seed, settings)[1] if event.label == "Rumble"]


def test_calls_of_a_chorus_follow_closely_or_overlap() -> None:
    gaps = [
        after.start_s - before.end_s
        for seed in range(20)
        for before, after in pairwise(chorus(seed))
    ]
    assert len(gaps) > 40
    assert max(gaps) < 4.5  # a call may lie within a longer one
    apart = [gap for gap in gaps if gap >= 0.3]
    assert 0.5 < len(apart) / len(gaps) < 0.95
    assert min(gaps) < 0


def test_bursts_have_the_number_of_their_shots_unless_they_are_cut() -> None:
    settings = replace(QUIET, seconds=15.0, gunshots_per_minute=12.0)
    shots = [event for seed in range(20) for event in scene(seed, settings)[1]]
    assert all(event.label == "Gunshot" for event in shots)
    counts = [event.shots for event in shots]
    assert counts.count(1) > 20
    assert sum(count is not None and count > 2 for count in counts) > 5
    assert None in counts
    for event in shots:
        if event.shots is None:
            assert event.start_s == 0 or event.end_s == settings.seconds


def test_the_parts_of_a_burst_are_those_in_which_it_is_heard() -> None:
    rng = generator(3)
    noise = 1e-6 * rng.normal(size=10 * RATE)
    shots = np.zeros(4 * RATE)
    for start in (0, 2 * RATE):
        shots[start : start + RATE // 10] = rng.normal(size=RATE // 10)
    kind = mixture.Kind("Gunshot", lambda _rng, _rate: Fire(shots, 2), (30.0, 30.0), True)
    mixed = mixture.Mixture(noise, RATE)
    event = mixed.add(rng, kind, noise, start_s=1.0)
    assert event is not None
    assert event.shots == 2
    assert event.end_s == pytest.approx(3.1, abs=0.05)
    assert len(event.parts) == 2
    for (start_s, end_s), at_s in zip(event.parts, (1.0, 3.0), strict=True):
        assert start_s == pytest.approx(at_s, abs=0.05)
        assert end_s == pytest.approx(at_s + 0.1, abs=0.05)


def test_pieces_of_real_recordings_are_among_the_look_alikes() -> None:
    known = np.full(3 * RATE, 0.5, np.float32)  # too short to be the noise of a place
    settings = replace(QUIET, lookalikes_per_minute=20.0, backgrounds=(known,), recorded_share=1.0)
    assert {event.label for event in scene(1, settings)[1]} == {"Recorded"}
    assert "Recorded" not in {event.label for event in scene(1, QUIET)[1]}


def test_events_that_a_recorder_loses_are_marginal() -> None:
    rumble, shot = Event("Rumble", 2.0, 6.0), Event("Gunshot", 4.0, 5.0)
    recorder = replace(Recorder.draw(generator(0), RATE), high_pass_hz=10.0, zeros=None)

    def marginal(changed: Recorder) -> list[bool]:
        found = scenes_module._as_recorded([rumble, shot], QUIET, changed, 10 * RATE)
        return [event.marginal for event in found]

    assert marginal(recorder) == [False, False]
    assert marginal(replace(recorder, high_pass_hz=200.0)) == [True, False]
    onset = Zeros(seconds=0.2, period_s=None, phases=(3.9 / 9.8,))
    assert marginal(replace(recorder, zeros=onset)) == [False, True]
    most = Zeros(seconds=3.0, period_s=None, phases=(2.5 / 7.0,))
    assert marginal(replace(recorder, zeros=most)) == [True, True]


@pytest.mark.parametrize("label", EVENT_LABELS)
def test_louder_sounds_are_marked_longer_and_all_marks_hold_the_peak(label: str) -> None:
    for seed in range(10):
        (faint, sound), (loud, _) = (placed(seed, label, snr_db) for snr_db in (-3.0, 40.0))
        assert loud.start_s <= faint.start_s < faint.end_s <= loud.end_s
        peak_s = float(powers(sound, 0.04).argmax()) * 0.04
        assert faint.start_s - 0.08 <= peak_s <= faint.end_s + 0.08


@pytest.mark.parametrize(("label", "limit_db"), mixture.MARGINAL_DB.items())
def test_a_sound_below_its_limit_is_marginal(label: str, limit_db: float) -> None:
    marks = [placed(1, label, limit_db + more)[0].marginal for more in (-1e-6, 0.0, 5.0)]
    assert marks == [True, False, False]


@pytest.mark.parametrize(("label", "at_s", "marginal"), [
    ("Rumble", -1.0, False), ("Rumble", -1.9, True), ("Rumble", 7.0, False), ("Rumble", 7.9, True),
    ("Gunshot", -0.1, True), ("Gunshot", 7.0, False), ("Gunshot", 7.9, False),
    ("Roar", -1.9, False),
])  # fmt: skip
def test_an_event_that_an_end_cuts_is_marginal_where_little_is_left_or_the_onset_is_not(
    label: str, at_s: float, marginal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:  # a parameter of the test
    """Three seconds of sound, one and a half of which may lie before a scene of nine; here they are
    not drawn but set."""
    rng = generator(1)
    noise = rng.normal(size=9 * RATE)
    monkeypatch.setattr(mixture, "draw_start", lambda *_: samples_at(at_s, RATE))
    sound = np.concatenate([np.ones(3 * RATE), np.zeros(RATE)])
    kind = mixture.Kind(label, lambda *_: sound, (20.0, 20.0), label in EVENT_LABELS)
    mixed = mixture.Mixture(noise, RATE)
    mixed.add(rng, kind, noise)
    (event,) = mixed.events
    assert (event.start_s, event.end_s) == pytest.approx((max(0, at_s), min(9, at_s + 3)), abs=0.05)
    assert event.marginal == marginal
    assert set(np.flatnonzero(mixed.waveform != noise)) == set(
        range(max(0, samples_at(event.start_s, RATE)), samples_at(event.end_s, RATE))
    )


def test_sounds_lie_anywhere_in_a_scene_and_across_its_ends() -> None:
    full = SceneSettings(
        rate=2000,
        seconds=8.0,
        rumbles_per_minute=30,
        gunshots_per_minute=30,
        lookalikes_per_minute=0,
        empty_share=0,
    )
    events = [event for seed in range(60) for event in scene(generator(seed), full)[1]]
    starts = np.histogram([event.start_s for event in events], 4, (0, 8))[0]
    assert sum(event.start_s == 0 for event in events) > 5
    assert sum(event.end_s == 8 for event in events) > 5
    assert starts.min() > 0.08 * len(events)


def test_a_sound_that_is_too_long_for_a_piece_is_faded_out() -> None:
    tone = np.ones(10 * RATE)
    assert excerpts.fade_to_length(tone, len(tone), RATE) is tone
    fitted = excerpts.fade_to_length(tone, 4 * RATE, RATE)
    assert (fitted[: 3 * RATE] == 1).all()
    assert np.abs(np.diff(fitted[3 * RATE :])).max() <= 1.1 / RATE
    assert fitted[-1] < 0.001


def test_look_alikes_are_never_marginal() -> None:
    assert not any(placed(1, label, -10.0)[0].marginal for label in ("Knock", "Thunder"))


# Labels.

THREE = SceneSettings(
    rate=2000,
    seconds=10.0,
    rumbles_per_minute=8,
    gunshots_per_minute=8,
    others_per_minute=8,
    labels=("Rumble", "Gunshot", "Chainsaw"),
)


def test_a_look_alike_can_be_a_label_with_events_as_often_as_the_others() -> None:
    events = [event for seed in range(30) for event in scene(seed, THREE)[1]]
    counts = {label: sum(event.label == label for event in events) for label in THREE.labels}
    assert min(counts.values()) > 0.6 * max(counts.values()) > 15
    saws = [event for event in events if event.label == "Chainsaw"]
    assert {event.marginal for event in saws} == {True, False}
    for event in saws:
        assert event.snr_db is not None
        assert event.low_hz is not None
        assert event.high_hz is not None
        assert event.marginal or event.snr_db >= 3
    assert {event.label for event in THREE.truth(events)} == set(THREE.labels)
    assert len(THREE.truth(events)) < len(events)


def test_a_scene_without_events_holds_none_of_any_label() -> None:
    for seed in range(5):
        _, events = scene(seed, replace(THREE, empty_share=1.0))
        assert THREE.truth(events) == []


def test_events_that_are_no_label_are_heard_but_are_no_truth() -> None:
    """Nor are they marginal: nobody asks for them."""
    alone = replace(THREE, labels=("Chainsaw",), gunshot_db=(0.0, 1.0))
    events = [event for seed in range(10) for event in scene(seed, alone)[1]]
    shots = [event for event in events if event.label == "Gunshot"]
    assert len(shots) > 5
    assert not any(event.marginal for event in shots)
    assert {event.label for event in alone.truth(events)} == {"Chainsaw"}


def test_every_kind_of_sound_can_be_a_label() -> None:
    every = replace(THREE, labels=tuple(SOUNDS), others_per_minute=20, empty_share=0.0)
    _, events = scene(1, every)
    assert every.truth(events) == events
    assert len({event.label for event in events}) > 10


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (("Rumble", "Saw"), "'Saw' can be simulated; there are Rumble, Gunshot, Roar"),
        (("Background",), "'Background' can be simulated"),
        (("Rumble", "Rumble"), "each once"),
        ((), "at least one"),
    ],
)
def test_labels_that_cannot_be_simulated_are_refused(labels: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SceneSettings(labels=labels)


def test_recordings_and_clips_hold_the_events_of_the_labels(tmp_path: Path) -> None:
    events = write_recording(tmp_path / "a.wav", THREE, 120.0, seed=1)
    assert {event.label for event in events} == set(THREE.labels)
    table = read_annotations([tmp_path / "a.selections.txt"]).rows
    assert [row.event.label for row in table] == [event.label for event in events]
    clips = write_clip_set(tmp_path / "set", 24, THREE, {}, seed=1)
    assert {event.label for clip in clips for event in clip.events} == set(THREE.labels)


# Long soundscapes.


def mixed(waveform: Array, events: list[Event]) -> mixture.Mixture:
    """A mixture that holds these events."""
    made = mixture.Mixture(waveform, QUIET.rate)
    made.events += events
    return made


@given(st.integers(0, 50_001), st.integers(0, 99))
@settings(max_examples=12)
def test_pieces_add_up_to_the_length_that_was_asked_for(samples: int, seed: int) -> None:
    pieces = list(soundscape(generator(seed), SMALL, samples / SMALL.rate))
    assert sum(len(waveform) for waveform, _ in pieces) == samples
    done = 0
    for waveform, events in pieces:
        assert 0 < len(waveform) <= samples_at(SMALL.seconds, SMALL.rate)
        for event in events:
            assert done <= event.start_s * SMALL.rate
            assert event.end_s * SMALL.rate <= done + len(waveform) + 1e-6
        done += len(waveform)


def test_a_soundscape_is_made_piece_by_piece() -> None:
    """A million seconds begin at once."""
    waveform, _ = next(soundscape(generator(1), SMALL, 1e6))
    assert len(waveform) == samples_at(SMALL.seconds - scenes_module.FADE_S, SMALL.rate)


def test_events_of_a_soundscape_are_where_the_sound_is() -> None:
    loud = SceneSettings(
        rate=2000,
        seconds=8.0,
        rumbles_per_minute=0,
        gunshots_per_minute=11,
        lookalikes_per_minute=0,
        gunshot_db=(38, 38),
    )
    ratios_db = []
    for seed in range(4):
        pieces = list(soundscape(generator(seed), loud, 41.3))
        waveform = np.concatenate([piece for piece, _ in pieces]).astype(float)
        waveform -= np.median(waveform)
        events = [event for _, found in pieces for event in found]
        inside = np.zeros(len(waveform), bool)
        for event in events:
            inside[samples_at(event.start_s, 2000) : samples_at(event.end_s, 2000)] = True
        assert len(events) > 2
        high = np.square(np.diff(waveform))
        ratios_db.append(10 * np.log10(high[inside[1:]].mean() / high[~inside[1:]].mean()))
    assert min(ratios_db) > 3


def test_an_event_that_the_end_cuts_is_marginal(monkeypatch: pytest.MonkeyPatch) -> None:
    marked = [
        Event("Rumble", 2.0, 3.0, 10.0, 20.0, snr_db=9.0),
        Event("Gunshot", 2.5, 3.9),
        Event("Rumble", 3.5, 4.0),
    ]
    monkeypatch.setattr(
        scenes_module, "_mix", lambda *_: mixed(generator(1).normal(size=12_000), marked)
    )
    (_, first), (_, second) = soundscape(generator(1), QUIET, 4.0 + 3.25)
    assert first == marked
    assert second == [
        Event("Rumble", 6.0, 7.0, 10.0, 20.0, snr_db=9.0),
        Event("Gunshot", 6.5, 7.25, marginal=True),
    ]


def test_the_seams_of_a_soundscape_are_not_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """The recorder hears one place: in a bed whose level rises by 20 dB, no sample jumps where
    pieces meet."""
    swell = np.geomspace(1, 10, samples_at(QUIET.seconds, QUIET.rate))
    tone = np.sin(2 * np.pi * 5 * np.arange(len(swell)) / QUIET.rate)
    monkeypatch.setattr(scenes_module, "_mix", lambda *_: mixed(swell * tone, []))
    for seed in range(6):
        pieces = [
            waveform.astype(float) for waveform, _ in soundscape(generator(seed), QUIET, 12.0)
        ]
        for before, after in pairwise(pieces):
            near = np.abs(np.diff(np.concatenate([before[-400:], after[:400]])))
            assert near[399] <= 1.5 * np.delete(near, 399).max()


# On disk.


class Noted(Progress):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.updates: list[tuple[str, float, float | None]] = []
        self.lines: list[str] = []

    def update(self, task: str, done: float, total: float | None = None) -> None:
        self.updates.append((task, done, total))

    def message(self, line: str) -> None:
        self.lines.append(line)


def test_one_call_makes_a_recording_with_its_truth(tmp_path: Path) -> None:
    """A path may be text; without settings there are a rumble and a gunshot a minute."""
    noted = Noted()
    events = write_recording(str(tmp_path / "a.flac"), seconds=90.0, seed=3, progress=noted)
    assert soundfile.info(tmp_path / "a.flac").duration == 90.0
    assert soundfile.info(tmp_path / "a.flac").samplerate == 8000
    assert {event.label for event in events} <= set(EVENT_LABELS)
    assert noted.updates[-1] == ("simulated (s of audio)", 90.0, 90.0)
    assert [done for _, done, _ in noted.updates] == sorted(done for _, done, _ in noted.updates)


@pytest.mark.parametrize("name", ["a.mp3", "a", "a.txt"])
def test_a_format_that_cannot_be_written_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"cannot write this format; use the suffix \.wav or"):
        write_recording(tmp_path / name, QUIET, 5.0)
    assert not list(tmp_path.iterdir())


def test_progress_is_told_of_recordings_and_clips(tmp_path: Path) -> None:
    noted = Noted()
    paths = [str(tmp_path / "a.flac"), str(tmp_path / "b.flac")]
    write_recordings(paths, QUIET, 5.4, progress=noted)
    assert noted.updates == [("recordings", 1, 2), ("recordings", 2, 2)]
    assert noted.lines == [f"{path}: 0.0015 h, 0 events" for path in paths]
    write_clip_set(str(tmp_path / "set"), 3, QUIET, {}, progress=noted)
    assert noted.updates[2:] == [("clips", number, 3) for number in (1, 2, 3)]


@pytest.mark.parametrize("suffix", [".flac", ".wav"])
def test_a_recording_and_its_table_come_back_as_they_were_written(
    tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"sim01_20260101_000000{suffix}"
    events = write_recording(path, SMALL, 50.01, seed=5)
    waveform, rate = soundfile.read(path, dtype="float32")
    pieces = list(soundscape(np.random.default_rng(5), SMALL, 50.01))
    assert (rate, soundfile.info(path).format, soundfile.info(path).subtype) == (
        2000,
        suffix[1:].upper(),
        "PCM_16",
    )
    np.testing.assert_array_equal(waveform, np.concatenate([piece for piece, _ in pieces]))
    assert events == [
        event for _, found in pieces for event in found if event.label in EVENT_LABELS
    ]
    assert {path.name for path in tmp_path.iterdir()} == {path.name, f"{path.stem}.selections.txt"}
    read = read_annotations([tmp_path / f"{path.stem}.selections.txt"]).rows
    assert {row.recording.file for row in read} == {path.name}
    assert [(row.event.label, row.event.marginal) for row in read] == [
        (event.label, event.marginal) for event in events
    ]
    assert {event.marginal for event in events} == {True, False}
    for row, event in zip(read, events, strict=True):
        assert (row.event.start_s, row.event.end_s) == pytest.approx(
            (event.start_s, event.end_s), abs=1e-6
        )
        assert (row.event.low_hz, row.event.high_hz) == pytest.approx(
            (event.low_hz, event.high_hz), abs=1e-3
        )


def test_a_recording_that_is_interrupted_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> Iterator[tuple[NDArray[np.float32], list[Event]]]:
        yield np.zeros(1000, np.float32), [Event("Rumble", 0.1, 0.2)]
        raise KeyboardInterrupt

    path = tmp_path / "a.flac"
    write_recording(path, QUIET, 5.0, seed=1)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.setattr(writing, "soundscape", interrupted)
    for name in ("a.flac", "b.wav"):
        with pytest.raises(KeyboardInterrupt):
            write_recording(tmp_path / name, QUIET, 5.0, seed=2)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_clip_set_comes_back_as_it_was_written(tmp_path: Path) -> None:
    clips = write_clip_set(tmp_path / "set", 20, SMALL, {}, seed=4)
    assert read_clips(tmp_path / "set" / "clips.parquet") == clips
    assert [clip.split for clip in clips] == ["validation"] * 2 + ["train"] * 18
    assert len({clip.group for clip in clips}) == 20
    assert any(clip.events for clip in clips)
    for index, clip in enumerate(clips[:3]):
        waveform, rate = soundfile.read(clip.path, dtype="float32")
        expected, events = scene(np.random.default_rng([4, index]), SMALL)
        assert (rate, clip.rate, clip.seconds) == (2000, 2000, 6.0)
        np.testing.assert_array_equal(waveform, expected)
        assert list(clip.events) == [event for event in events if event.label in EVENT_LABELS]


def test_more_processes_write_the_same_recordings(tmp_path: Path) -> None:
    found = []
    for jobs in (1, 2):
        paths = [tmp_path / str(jobs) / f"{number}.flac" for number in range(3)]
        paths[0].parent.mkdir()
        found.append(
            [
                (path.read_bytes(), events)
                for path, events in write_recordings(paths, SMALL, 9.0, seed=7, jobs=jobs)
            ]
        )
    assert found[0] == found[1]
    assert len({audio for audio, _ in found[0]}) == 3
    assert found[0][2][1] == write_recording(tmp_path / "alone.flac", SMALL, 9.0, seed=9)


def test_more_processes_write_the_same_clips(tmp_path: Path) -> None:
    backgrounds = {"a.flac": generator(1).normal(size=9000).astype(np.float32)}
    for jobs in (1, 2):
        write_clip_set(
            tmp_path / str(jobs), writing.CHUNK + 2, SMALL, backgrounds, seed=5, jobs=jobs
        )
    one, two = (
        {p.relative_to(tmp_path / jobs): p.read_bytes() for p in (tmp_path / jobs).rglob("*.flac")}
        for jobs in ("1", "2")
    )
    assert one == two
    assert len(one) == writing.CHUNK + 2
    first, second = (read_clips(tmp_path / jobs / "clips.parquet") for jobs in ("1", "2"))
    assert [clip.events for clip in first] == [clip.events for clip in second]


def test_no_background_is_used_in_two_splits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {float(number): f"{number}_rain.wav" for number in range(40)}
    used: dict[int, set[str]] = {}

    def noted(seed: list[int], some: SceneSettings) -> tuple[NDArray[np.float32], list[Event]]:
        used[len(some.backgrounds)] = {
            names[background[0].item()] for background in some.backgrounds
        }
        return scene(seed, some)

    monkeypatch.setattr(writing, "scene", noted)
    backgrounds = {name: np.full(9000, number, np.float32) for number, name in names.items()}
    write_clip_set(tmp_path, 10, QUIET, backgrounds)
    validation, training = used[min(used)], used[max(used)]
    assert validation
    assert validation.isdisjoint(training)
    assert validation | training == set(names.values())


def test_a_clip_set_that_is_interrupted_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is the older one, whose files were overwritten."""
    write_clip_set(tmp_path, 3, QUIET, {}, seed=1)
    monkeypatch.setattr(writing, "soundfile", None)
    with pytest.raises(AttributeError):
        write_clip_set(tmp_path, 3, QUIET, {}, seed=2)
    assert not (tmp_path / "clips.parquet").exists()
    assert not list(tmp_path.rglob(".*"))


def test_backgrounds_are_mixed_down_and_resampled(tmp_path: Path) -> None:
    tone = np.sin(2 * np.pi * 100 * np.arange(16_000) / 8000)
    soundfile.write(tmp_path / "place.wav", np.stack([tone, 0 * tone], axis=1), 8000)
    (tmp_path / "notes.txt").touch()
    (background,) = load_backgrounds([tmp_path], 4000).values()
    assert background.shape == (8000,)
    assert background.dtype == np.float32
    np.testing.assert_allclose(background[1000:-1000], 0.5 * tone[::2][1000:-1000], atol=0.01)


def test_real_backgrounds_are_heard_in_scenes() -> None:
    """A background that is one tone: scenes over it hold that tone, others do not."""
    tone = np.sin(2 * np.pi * 333 * np.arange(20_000) / 2000).astype(np.float32)
    shares = []
    for share in (1.0, 0.0):
        over = replace(QUIET, backgrounds=(tone,), background_share=share)
        energy = np.mean(
            [np.abs(np.fft.rfft(scene(generator(seed), over)[0])) ** 2 for seed in range(5)], axis=0
        )
        shares.append(energy[1998 - 3 : 1998 + 4].sum() / energy[1:].sum())
    assert shares[0] > 0.3
    assert shares[1] < 0.1
