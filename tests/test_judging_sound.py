"""What `benchmarks/accuracy.py` composes: levels, beds, changes of recordings, and sets on disk."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from judging.changes import (
    ZEROS_FROM_S,
    clicks,
    clipped,
    dry,
    gain_controlled,
    high_passed,
    hum,
    wind,
    zeros,
)
from judging.composing import (
    BANDS_HZ,
    Placed,
    Sound,
    band_power,
    bed_of,
    faded,
    in_turn,
    mix,
    noise,
)
from judging.sets import Composed, composed_set
from judging.sounds import burst, far_line, simulated_call, simulated_shot, until_next_onset
from judging.sources import CLASSES, RATE, Waveform, event_of, source_of

from loxo.events import Event


def tone(hz: float, seconds: float) -> Waveform:
    """A sine of amplitude 1."""
    return np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)


def decaying_shot(seconds: float = 1.0) -> Waveform:
    """Noise that begins at once and falls by 60 dB a second."""
    time_s = np.arange(round(seconds * RATE)) / RATE
    return np.random.default_rng(0).standard_normal(len(time_s)) * 10 ** (-3 * time_s)


def decibels_of(power: float, of: float) -> float:
    return float(10 * np.log10(power / of))


# ---- levels and beds


@pytest.mark.parametrize(("label", "hz"), [("Rumble", 60.0), ("Gunshot", 500.0)])
@pytest.mark.parametrize("snr_db", [-6.0, 3.0, 24.0])
def test_a_sound_has_its_level_in_the_band_of_its_label(
    label: str, hz: float, snr_db: float
) -> None:
    bed = noise(30.0, np.random.default_rng(1), 3.0, 20.0)
    sound = Sound(label, faded(tone(hz, 4.0), 0.05, 0.05), "here")
    total, (truth,) = mix(bed, [Placed(sound, 10.0, snr_db)])
    start, stop = 10 * RATE, 14 * RATE
    turned_down = total[: 5 * RATE].std() / bed[: 5 * RATE].std()
    added = total[start:stop] - turned_down * bed[start:stop]
    under = bed[start:stop] * turned_down * np.hanning(4 * RATE) * np.sqrt(8 / 3)
    band = BANDS_HZ[label]
    measured = decibels_of(band_power(added, band), band_power(under, band))
    assert measured == pytest.approx(snr_db, abs=0.2)
    assert truth.event == Event(label, 10.0, 14.0, snr_db=snr_db)


def test_power_outside_of_the_band_does_not_count() -> None:
    assert band_power(tone(60, 2.0), (25, 200)) == pytest.approx(0.5, rel=1e-3)
    assert band_power(tone(1000, 2.0), (25, 200)) == pytest.approx(0, abs=1e-9)


def test_the_level_of_a_short_sound_is_that_of_a_long_one() -> None:
    band = BANDS_HZ["Gunshot"]
    assert band_power(tone(500, 0.3), band) == pytest.approx(
        band_power(tone(500, 3), band), rel=0.02
    )


def test_a_loud_recording_is_turned_down_as_a_whole() -> None:
    bed = noise(20.0, np.random.default_rng(1), 3.0, 20.0)
    loud, _ = mix(bed, [Placed(Sound("Gunshot", decaying_shot(), "gun"), 5.0, 60.0)])
    assert np.abs(loud).max() == pytest.approx(0.9)
    assert np.corrcoef(loud[: 4 * RATE], bed[: 4 * RATE])[0, 1] == pytest.approx(1.0)


def test_a_bed_joins_recordings_at_one_level() -> None:
    rng = np.random.default_rng(2)
    recordings = [level * rng.standard_normal(10 * RATE) for level in (0.01, 1.0, 0.1)]
    bed = bed_of(recordings, 60.0, rng)
    levels_db = 20 * np.log10(bed.reshape(60, RATE).std(axis=1))
    assert len(bed) == 60 * RATE
    assert np.ptp(levels_db) < 1.0  # no steps, neither at the joints nor between the recordings


def test_sounds_follow_one_another_with_pauses() -> None:
    sounds = [(Sound("Rumble", tone(30, 2.0), "here"), 6.0, "row")] * 5
    placed = in_turn(sounds, np.random.default_rng(0), (3.0, 4.0))
    pauses = [b.start_s - a.end_s for a, b in pairwise(placed)]
    assert all(2.99 <= pause <= 4.01 for pause in pauses)


# ---- changes


@pytest.mark.parametrize("mains_hz", [50.0, 60.0])
def test_hum_has_its_level_and_lines(mains_hz: float) -> None:
    bed = noise(20.0, np.random.default_rng(1), 3.0, 20.0)
    added = hum(bed, mains_hz, 10.0, seed=1) - bed
    window = np.hanning(len(bed)) * np.sqrt(8 / 3)
    over, under = (band_power(each * window, (25, 200)) for each in (added, bed))
    assert decibels_of(over, under) == pytest.approx(10, abs=0.5)
    around = band_power(added * window, (mains_hz - 1, mains_hz + 1))
    between = band_power(added * window, (1.2 * mains_hz, 1.8 * mains_hz))
    assert between < 1e-6 * around


def test_wind_is_low() -> None:
    bed = noise(20.0, np.random.default_rng(1), 0.0, 20.0)
    window = np.hanning(len(bed)) * np.sqrt(8 / 3)
    windy = wind(bed, 10.0, seed=1)
    low, high = ((5.0, 100.0), (1000.0, 3000.0))
    rise_db = [
        decibels_of(band_power(windy * window, band), band_power(bed * window, band))
        for band in (low, high)
    ]
    assert rise_db[0] == pytest.approx(10.4, abs=1.2)  # ten times the power is added to one
    assert rise_db[1] == pytest.approx(0, abs=0.1)


def test_zeros_are_a_second_of_every_thirty() -> None:
    bed = noise(120.0, np.random.default_rng(1), 3.0, 20.0)
    silenced = zeros(bed)
    seconds = np.flatnonzero((silenced.reshape(-1, RATE) == 0).all(axis=1))
    assert seconds.tolist() == [int(ZEROS_FROM_S) + 30 * k for k in range(4)]
    assert (silenced != bed).sum() <= 4 * RATE


def test_clicks_are_short_and_regular() -> None:
    bed = noise(20.0, np.random.default_rng(1), 3.0, 20.0)
    changed = np.flatnonzero(clicks(bed) != bed)
    starts = changed[np.diff(changed, prepend=-RATE) > RATE // 2]
    assert np.diff(starts).tolist() == [2 * RATE] * (len(starts) - 1)
    assert len(changed) <= len(starts) * RATE // 500


def test_gain_drops_at_once_and_recovers_slowly() -> None:
    quiet = 0.01 * np.random.default_rng(0).standard_normal(20 * RATE)
    loud = quiet.copy()
    loud[5 * RATE : 6 * RATE] *= 100
    gain_db = 20 * np.log10(gain_controlled(loud)[::80] / loud[::80])
    assert gain_db[: 5 * 100].min() > -3  # the beginning is as it was
    assert gain_db[5 * 100 + 50] == pytest.approx(-34, abs=3)  # 40 dB too loud, 6 dB are allowed
    assert gain_db[8 * 100] - gain_db[7 * 100] == pytest.approx(6, abs=0.1)


def test_clipping_leaves_a_share_of_the_peak() -> None:
    shot = decaying_shot()
    for factor in (4.0, 64.0):
        flat = clipped(shot, factor)
        assert np.abs(flat).max() == pytest.approx(np.abs(shot).max() / factor)
        quiet = np.abs(shot) < np.abs(shot).max() / factor
        assert (flat[quiet] == shot[quiet]).all()


def test_a_high_pass_takes_the_lows_only() -> None:
    low, high = (high_passed(tone(hz, 2.0), 300.0)[RATE:].std() for hz in (100.0, 1000.0))
    assert low < 0.003
    assert high == pytest.approx(tone(1000, 1).std(), rel=0.01)


def test_a_dry_shot_is_short_and_its_thump_low() -> None:
    shot = decaying_shot()
    shot[0] = 10.0  # the onset, which is the loudest sample
    without = dry(shot, 60.0, None)
    tail_db = 20 * np.log10(np.abs(without) / np.abs(shot[: len(without)]))
    assert tail_db[RATE // 10] == pytest.approx(-20, abs=1)
    assert tail_db[RATE // 5] == pytest.approx(-40, abs=1)
    thump = dry(shot, 60.0, 0.0) - without
    assert (thump**2).sum() == pytest.approx((without**2).sum())
    spectrum = np.abs(np.fft.rfft(thump, RATE)) ** 2
    assert 40 < spectrum.argmax() < 80


# ---- single sounds


def test_a_shot_ends_where_the_next_begins() -> None:
    shot = decaying_shot(0.6)
    two = np.concatenate([shot, shot])
    assert len(until_next_onset(two)) == pytest.approx(len(shot), abs=0.05 * RATE)
    assert len(until_next_onset(shot)) == len(shot)


def test_a_burst_holds_its_rounds() -> None:
    click = Sound("Gunshot", np.r_[np.ones(8), np.zeros(72)], "gun")
    fired = burst(click, 30, 10.0, 0.05, np.random.default_rng(0))
    onsets = np.flatnonzero(np.diff((fired.waveform > 0.1).astype(int), prepend=0) > 0)
    assert fired.shots == len(onsets) == 30
    assert np.diff(onsets).mean() == pytest.approx(RATE / 10, rel=0.05)


def test_a_far_call_is_one_line() -> None:
    for number in range(5):
        call = far_line(np.random.default_rng(number), "line")
        band = (call.low_hz or 0.0, call.high_hz or 0.0)
        assert 22 < band[0] < band[1] < 37
        inside, whole = (band_power(call.waveform, each) for each in (band, (1.0, 4000.0)))
        assert inside > 0.98 * whole


@pytest.mark.parametrize("dry", [False, True])
def test_a_simulated_shot_begins_at_once_and_fades(dry: bool) -> None:
    for number in range(5):
        shot = simulated_shot(np.random.default_rng(number), "shot", dry=dry).waveform
        energy = np.cumsum(shot**2) / (shot**2).sum()
        assert np.abs(shot).argmax() < 0.1 * RATE
        tail = 1 - energy[RATE // 5]
        assert tail < 1e-3 if dry else tail > 1e-3


def test_a_simulated_call_has_harmonics_and_soft_ends() -> None:
    call = simulated_call(np.random.default_rng(0)).waveform
    assert band_power(call, (10, 300)) > 0.99 * band_power(call, (1, 4000))
    level_db = 20 * np.log10(call[: len(call) // 400 * 400].reshape(-1, 400).std(axis=1))
    assert level_db.max() - level_db[1] > 12
    assert level_db.max() - level_db[-2] > 12


def test_clips_of_one_recording_have_one_source() -> None:
    first, second = "urbansound8k/197318-6-3-0_d8a6.flac", "urbansound8k/197318-6-9-0_a03d.flac"
    assert source_of(first) == source_of(second) != source_of("urbansound8k/7061-6-0-0_bff.flac")
    assert source_of("belize/a.flac") != source_of("belize/b.flac")


def test_events_of_the_manifest_have_bands() -> None:
    assert event_of("Rumble:1.5:2.5:8:40.5") == Event("Rumble", 1.5, 2.5, 8.0, 40.5)


def test_a_background_is_in_one_class() -> None:
    beginnings = [each for prefixes in CLASSES.values() for each in prefixes]
    for one in beginnings:
        assert sum(one.startswith(other) for other in beginnings) == 1


# ---- sets on disk


def test_a_set_is_written_once(tmp_path: Path) -> None:
    composed = noise(2.0, np.random.default_rng(1), 3.0, 20.0)
    total, truths = mix(composed, [Placed(Sound("Rumble", tone(60, 1), "here"), 0.5, 6.0, "row")])
    made = 0

    def make() -> list[Composed]:
        nonlocal made
        made += 1
        return [Composed("one", "condition", total, truths)]

    first, second = (composed_set(tmp_path / "set", make) for _ in range(2))
    assert made == 1
    assert first == second
    (recording,) = first.recordings
    assert (recording.row, recording.seconds) == ("condition", 2.0)
    assert recording.truths == tuple(truths)
    samples, rate = soundfile.read(recording.path)
    assert rate == RATE
    assert np.abs(samples - total).max() < 1e-4


def test_a_set_without_its_table_is_written_again(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    silence = np.zeros(RATE)
    first = composed_set(folder, lambda: [Composed("one", "", silence, [])])
    key = first.key
    (folder / "set.json").unlink()
    second = composed_set(folder, lambda: [Composed("two", "", silence, [])])
    assert [each.path.name for each in second.recordings] == ["two.flac"]
    assert not (folder / "one.flac").exists()
    assert key != second.key


def test_names_of_recordings_are_unique(tmp_path: Path) -> None:
    twice = [Composed("one", "", np.zeros(RATE), [])] * 2
    with pytest.raises(ValueError, match="two recordings of the set"):
        composed_set(tmp_path / "set", lambda: twice)
