"""The features show events, remove what is steady, and are the same from both implementations and
from a slow reference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.signal import firwin
from scipy.signal.windows import tukey

from loxo.simulate import SceneSettings, scene
from loxo.spectrogram import (
    SILENCE,
    Bands,
    FrontEnd,
    filter_bank,
    log_bands,
    numpy_front_end,
    spectrogram,
    subtract_floor,
)
from loxo.spectrogram.torch_front_end import TorchSpectrogram
from reference import spectrogram as reference

Array = NDArray[np.float32]

FRONT_END = FrontEnd()
ALL_SAMPLES = replace(FRONT_END.long, decimation=1)
"""The long bands on windows that are not decimated."""
QUICK = FrontEnd(floor_s=2.0)
"""A floor of two seconds, so that a few seconds of sound have frames far from both ends."""
RATE, HOP = FRONT_END.rate, FRONT_END.hop
CENTRES_HZ = FRONT_END.band_centres_hz
LONG = slice(0, len(FRONT_END.long.centres_hz))
SHORT = slice(LONG.stop, FRONT_END.n_bands)
BEYOND_SHOTS = [hz for hz in FRONT_END.short.centres_hz if hz > 1400]
SHARED = Path(__file__).parents[2] / "shared" / "audio"


def noise(seconds: float, seed: int = 0) -> Array:
    """White noise of a tenth of full scale."""
    return np.float32(0.1) * np.random.default_rng(seed).standard_normal(
        round(seconds * RATE), np.float32
    )


def wind(seconds: float, seed: int = 0) -> Array:
    """Noise of power 1/f above 1 Hz, a twentieth of full scale."""
    n = round(seconds * RATE)
    spectrum = np.fft.rfft(np.random.default_rng(seed).normal(size=n)) / np.sqrt(
        np.maximum(np.fft.rfftfreq(n, 1 / RATE), 1.0)
    )
    waveform = np.fft.irfft(spectrum, n)
    return np.asarray(0.05 * waveform / waveform.std(), np.float32)


def tone(hz: float, seconds: float, rms: float) -> Array:
    return np.asarray(
        np.sqrt(2) * rms * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE),
        np.float32,
    )


def padded(waveform: Array) -> Array:
    return np.pad(waveform, FRONT_END.margin)


# ---- bands


@pytest.mark.parametrize(
    "bands", [FRONT_END.long, FRONT_END.short, Bands(320, 2, 20.0, 500.0, 3.0, 100.0, 1.02)]
)
def test_no_band_is_empty_and_each_is_a_weighted_mean(bands: Bands) -> None:
    bank = filter_bank(bands, RATE)
    assert bank.shape == (bands.window // bands.decimation // 2 + 1, len(bands.centres_hz))
    assert bank.min() == 0
    np.testing.assert_allclose(bank.sum(axis=0), 1.0, rtol=1e-6)


@pytest.mark.parametrize("bands", [FRONT_END.long, FRONT_END.short])
def test_no_frequency_falls_between_two_bands(bands: Bands) -> None:
    hz = np.arange(bands.window // bands.decimation // 2 + 1) * RATE / bands.window
    covered = (hz >= bands.centres_hz[0]) & (hz <= bands.centres_hz[-1])
    assert filter_bank(bands, RATE)[covered].any(axis=1).all()


def test_bands_of_rumbles_are_close_and_bands_of_shots_reach_their_edge() -> None:
    low = np.array([centre for centre in FRONT_END.long.centres_hz if centre <= 120])
    assert low[0] <= 8
    assert np.diff(low).max() <= 5
    assert FRONT_END.long.centres_hz[-1] > 250
    assert FRONT_END.short.centres_hz[0] <= 100
    assert FRONT_END.short.centres_hz[-1] >= 1500


@pytest.mark.parametrize("rows", [LONG, SHORT])
def test_a_tone_is_strongest_in_its_own_band(rows: slice) -> None:
    for row, hz in enumerate(CENTRES_HZ[rows]):
        waveform = tone(hz, 1.0, 0.1)
        frame = log_bands(padded(waveform), FRONT_END)[5, rows]
        assert CENTRES_HZ[rows][frame.argmax()] == CENTRES_HZ[rows][row]


def test_white_noise_of_some_variance_has_that_power_in_every_band() -> None:
    power = 10 ** log_bands(padded(noise(400.0)), FRONT_END).astype(np.float64)
    np.testing.assert_allclose(power[3:-3].mean(axis=0), 0.1**2, rtol=0.1)


def test_rows_are_in_the_order_of_their_centres() -> None:
    assert len(CENTRES_HZ) == FRONT_END.n_bands == spectrogram(noise(0.5), FRONT_END).shape[0]
    assert CENTRES_HZ[LONG].tolist() == list(FRONT_END.long.centres_hz)
    assert CENTRES_HZ[SHORT].tolist() == list(FRONT_END.short.centres_hz)


@pytest.mark.parametrize("taper", [0.1, 0.4, 1.0])
def test_windows_are_those_of_scipy(taper: float) -> None:
    expected = tukey(480, taper, sym=False)
    window = numpy_front_end.tukey_window(480, taper)
    np.testing.assert_allclose(window / window.max(), expected / expected.max(), atol=1e-6)
    assert (window.astype(np.float64) ** 2).sum() == pytest.approx(1.0, rel=1e-6)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"hop": 401}, "does not centre"),
        ({"hop": 399}, "does not centre"),
        ({"hop": 2000}, "a window of 1600 samples does not centre on 1 parts of a hop of 2000"),
        (
            {"rate": 3000, "long": ALL_SAMPLES},
            "a band at 1879 Hz needs more than 3000 samples per second",
        ),
        ({"rate": 3000}, "a band at 376 Hz needs more than 750 samples per second"),
        ({"long": replace(FRONT_END.long, decimation=0)}, "decimation 0 must be 1 or more"),
        ({"short": replace(FRONT_END.short, tukey_taper=0.0)}, r"tukey_taper 0\.0 must lie"),
        (
            {"long": replace(FRONT_END.long, decimation=3)},
            "decimation 3 must divide the window of 1600 samples and the hop of 400",
        ),
    ],
)
def test_windows_and_bands_that_do_not_fit_are_refused(
    changed: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        FrontEnd(**changed)


def test_decimated_windows_measure_what_windows_of_all_samples_measure() -> None:
    """The power of noise that falls by 20 dB per decade agrees to .05 bel; a tone above the bands
    leaks into them at 70 dB below its level at most."""
    undecimated = replace(FRONT_END, long=ALL_SAMPLES)
    waveform = wind(20.0)
    decimated, whole = (
        log_bands(np.pad(waveform, each.margin), each)[3:-3, LONG]
        for each in (FRONT_END, undecimated)
    )
    np.testing.assert_allclose(decimated, whole, atol=0.05)
    for hz in (620, 1003, 1390, 1999):
        loud = tone(hz, 2.0, 0.5)
        leaked = log_bands(np.pad(loud, FRONT_END.margin), FRONT_END)[3:-3]
        assert leaked[:, LONG].max() < leaked[:, SHORT].max() - 7


# ---- what must be visible


def test_a_faint_line_at_30_hz_stands_out_from_wind() -> None:
    seconds = 120.0
    calling = np.arange(round(seconds * RATE)) / RATE % 15
    waveform = wind(seconds) + 0.1 * tone(30.0, seconds, 0.05) * (
        (calling >= 6) & (calling < 10)
    )  # 20 dB under the wind
    time_s = (np.arange(round(seconds * RATE / HOP)) + 0.5) * HOP / RATE % 15
    features = spectrogram(waveform.astype(np.float32), FRONT_END)[LONG]
    lift = features[:, (time_s > 6) & (time_s < 10)].mean(axis=1) - features[
        :, (time_s < 5.5) | (time_s > 10.5)
    ].mean(axis=1)
    line = np.abs(CENTRES_HZ[LONG] - 30) <= 2.5
    others = np.abs(CENTRES_HZ[LONG] - 30) > 5
    assert lift[line].min() > 0
    assert lift[CENTRES_HZ[LONG] == 30.0] > max(
        0.2, 3.5 * lift[others].std(), 2 * lift[others].max()
    )


@pytest.mark.parametrize("at", [5, 130, 200, 270, 395])
def test_a_short_burst_is_in_its_frame_and_at_most_in_a_neighbour(at: int) -> None:
    burst = firwin(81, [50, 1500], fs=RATE, pass_zero=False)  # 20 ms, most of it within 3 ms
    frame = 50
    without, with_burst = wind(10.0), wind(10.0)
    with_burst[frame * HOP + at - 40 : frame * HOP + at + 41] += 6 * burst.astype(np.float32)
    rise = (log_bands(padded(with_burst), FRONT_END) - log_bands(padded(without), FRONT_END))[
        :, SHORT
    ]
    assert rise[frame, : -len(BEYOND_SHOTS)].min() > 0.5
    assert not rise[: frame - 1].any()
    assert not rise[frame + 2 :].any()
    assert not (rise[frame - 1].any() and rise[frame + 1].any())


@pytest.mark.skipif(not SHARED.is_dir(), reason="recordings are not here")
@pytest.mark.parametrize(
    ("name", "seconds"),
    [("56830315.0", 4.8), ("56865621.0", 4.1), ("57182231.0", 3.6), ("57562263.0", 6.7)],
    ids=["1", "2", "3", "4"],
)
def test_the_lowest_line_of_a_distant_rumble_is_the_strongest_of_its_minute(
    name: str, seconds: float
) -> None:
    """Four soundscapes of Nouabale-Ndoki, each with one faint rumble that an expert marked 30 s
    after the start."""
    (path,) = (SHARED / "nn01b").glob(f"nn01b_*_{name}_*.flac")
    rows = (CENTRES_HZ >= 10) & (CENTRES_HZ <= 45) & (np.arange(FRONT_END.n_bands) < LONG.stop)
    features = spectrogram(recording(path), FRONT_END)[rows]
    length = FRONT_END.grid.frames(seconds)
    strongest = (
        np.lib.stride_tricks.sliding_window_view(features, length, axis=1).mean(axis=2).max(axis=0)
    )
    onset = FRONT_END.grid.frame(30.0)
    elsewhere = np.delete(strongest, slice(onset - length - 10, onset + length + 10))
    assert strongest[onset] > max(1.0, 1.5 * elsewhere.max())


# ---- what must vanish


@settings(max_examples=10)
@given(st.floats(0.05, 4.0), st.integers(0, 100))
def test_the_gain_of_a_recorder_changes_nothing(gain: float, seed: int) -> None:
    waveform = wind(4.0, seed)
    np.testing.assert_allclose(
        spectrogram(np.float32(gain) * waveform, QUICK), spectrogram(waveform, QUICK), atol=1e-3
    )


def test_a_steady_line_vanishes_and_a_call_of_four_seconds_stays() -> None:
    seconds = 60.0
    engine = tone(50.0, seconds, 0.02)
    calling = slice(28 * RATE, 32 * RATE)
    call = np.zeros_like(engine)
    call[calling] = engine[calling]
    row = int(np.flatnonzero(CENTRES_HZ == 50.0)[0])
    frames = slice(285, 315)
    steady = spectrogram(wind(seconds) + engine, FRONT_END)[row]
    transient = spectrogram(wind(seconds) + call, FRONT_END)[row]
    assert transient[frames].min() > 0.5
    assert transient[frames].mean() > 1.0
    assert abs(steady.mean()) < 0.15
    assert abs(steady[frames].mean()) < 0.15


def test_a_slope_of_the_spectrum_vanishes() -> None:
    means = [
        spectrogram(waveform, FRONT_END)[:, 100:-100].mean(axis=1)
        for waveform in (noise(120.0), wind(120.0))
    ]
    np.testing.assert_allclose(means[0], means[1], atol=0.12)


# ---- silence, ends and short inputs


def test_digital_silence_is_zero_and_does_not_enter_the_floor() -> None:
    waveform = noise(30.0)
    cut = waveform.copy()
    cut[10 * RATE : 20 * RATE] = 0.0
    whole, holed = spectrogram(waveform, QUICK), spectrogram(cut, QUICK)
    assert not holed[:, 102:198].any()
    np.testing.assert_array_equal(
        holed[:, :78], whole[:, :78]
    )  # two seconds of floor and a window away
    # Near the hole the floor is known from one side only, but it is that of the noise.
    near = np.r_[85:98, 202:215]
    np.testing.assert_allclose(holed[:, near].mean(axis=1), whole[:, near].mean(axis=1), atol=0.5)


def test_silence_alone_is_zero() -> None:
    assert not spectrogram(np.zeros(5 * RATE, np.float32), FRONT_END).any()


def test_rounding_noise_of_16_bit_samples_is_not_silence() -> None:
    steps = np.round(10 * noise(60.0))  # noise that turns the last bit now and then
    power = log_bands(padded(steps / np.float32(32768)), FRONT_END)
    assert (power > np.log10(SILENCE) + 0.01).mean() > 0.999


@pytest.mark.parametrize("n_samples", [0, 1, 399, 400, 401, 1601])
def test_samples_after_the_last_whole_frame_are_a_frame_too(n_samples: int) -> None:
    features = spectrogram(noise(1.0)[:n_samples], FRONT_END)
    assert features.shape == (FRONT_END.n_bands, FRONT_END.grid.n_frames(n_samples))
    assert features.dtype == np.float32
    assert np.isfinite(features).all()


def test_a_single_frame_is_its_own_floor() -> None:
    assert np.abs(spectrogram(noise(0.1), FRONT_END)).max() < 1e-5


@pytest.mark.parametrize("n_samples", [0, 1295, 1297, 1695])
def test_samples_that_are_not_whole_frames_are_refused(n_samples: int) -> None:
    with pytest.raises(
        ValueError, match=f"{n_samples} samples are not whole frames of 400 and two margins of 648"
    ):
        log_bands(np.zeros(n_samples, np.float32), FRONT_END)


# ---- the same features in pieces, shifted, and by the reference


@pytest.mark.parametrize("quantile", [None, 0.0, 0.25, 1.0])
def test_the_features_are_those_of_the_reference(quantile: float | None) -> None:
    waveform = noise(1.55) + tone(30.0, 1.55, 0.3)
    waveform[2400:4800] = 0.0
    front_end = FrontEnd(floor_s=1.0, floor_quantile=quantile)
    np.testing.assert_allclose(
        spectrogram(waveform, front_end), reference.spectrogram(waveform, front_end), atol=1e-4
    )


@settings(max_examples=10)
@given(st.integers(1, 10), st.integers(0, 100))
def test_a_shift_by_whole_frames_shifts_the_features(frames: int, seed: int) -> None:
    waveform = wind(12.0, seed)
    frames *= QUICK.floor_step  # the floor is counted from whole steps
    whole, later = spectrogram(waveform, QUICK), spectrogram(waveform[frames * HOP :], QUICK)
    away = QUICK.floor_reach + 2  # from the new start: the floor and a window
    np.testing.assert_allclose(later[:, away:], whole[:, frames + away :], atol=1e-5)


def test_frames_may_be_computed_in_any_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = padded(wind(7.0))
    whole = log_bands(samples, FRONT_END)
    pieces = [
        log_bands(samples[a * HOP : b * HOP + 2 * FRONT_END.margin], FRONT_END)
        for a, b in [(0, 1), (1, 1), (1, 24), (24, 70)]
    ]
    np.testing.assert_allclose(np.concatenate(pieces), whole, atol=1e-5)
    monkeypatch.setattr(numpy_front_end, "VALUES_AT_A_TIME", 7)
    np.testing.assert_allclose(log_bands(samples, FRONT_END), whole, atol=1e-5)


def changed_frames(front_end: FrontEnd) -> list[int]:
    """First and last frame whose features change with the level of frame 100."""
    power = log_bands(padded(wind(20.0)), front_end)
    changed = power.copy()
    changed[100] -= 1.0
    before, after = subtract_floor(power, front_end), subtract_floor(changed, front_end)
    moved = np.flatnonzero((before != after).any(axis=1))
    return [int(moved[0]), int(moved[-1])]


def test_a_mean_floor_reaches_twice_as_far_as_its_mean() -> None:
    front_end = FrontEnd(floor_s=2.0, floor_quantile=None)
    reach = 2 * front_end.floor_frames
    assert changed_frames(front_end) == [100 - reach, 100 + reach]


def test_a_floor_does_not_reach_beyond_its_reach() -> None:
    first, last = changed_frames(QUICK)
    assert 100 - QUICK.floor_reach <= first < 100 - QUICK.floor_reach // 2
    assert 100 + QUICK.floor_reach // 2 < last <= 100 + QUICK.floor_reach


# ---- events do not lift the floor


def rise_of_a_call(seconds: float, call_s: float, front_end: FrontEnd) -> float:
    """Mean rise in bel of a line of 30 Hz that fills the middle of a recording of noise."""
    waveform = noise(seconds)
    first = int((seconds - call_s) / 2 * RATE)
    call = tone(30.0, call_s, 0.1)
    waveform[first : first + len(call)] += call
    band = int(np.argmin(np.abs(front_end.band_centres_hz - 30.0)))
    frames = slice(first // HOP + 2, (first + int(call_s * RATE)) // HOP - 2)
    return float(spectrogram(waveform, front_end)[band, frames].mean())


@pytest.mark.parametrize("seconds", [10.0, 14.0, 30.0])
def test_a_call_that_fills_half_of_a_recording_stands_out_as_in_a_long_one(
    seconds: float,
) -> None:
    in_long = rise_of_a_call(60.0, 4.0, FRONT_END)
    assert rise_of_a_call(seconds, 0.5 * seconds, FRONT_END) == pytest.approx(in_long, abs=0.2)
    # A mean rises with the call.
    mean = FrontEnd(floor_quantile=None)
    assert rise_of_a_call(seconds, 0.5 * seconds, mean) < in_long - 0.5


# ---- the two implementations


def recording(path: Path) -> Array:
    waveform, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return np.asarray(soxr.resample(waveform.mean(axis=1), rate, RATE), np.float32)


def both(waveform: Array, front_end: FrontEnd = FRONT_END) -> tuple[Array, Array]:
    with torch.no_grad():
        return spectrogram(waveform, front_end), TorchSpectrogram(front_end)(
            torch.from_numpy(waveform)[None]
        )[0].numpy()


SOUNDS: dict[str, Callable[[], Array]] = {
    "white": lambda: noise(10.0),
    "wind": lambda: wind(10.0),
    "silence": lambda: np.zeros(3 * RATE, np.float32),
    "holes": lambda: np.where(np.arange(10 * RATE) // 3000 % 3 == 1, np.float32(0.0), noise(10.0)),
    "one sample": lambda: noise(1.0)[:1],
    "tail": lambda: noise(1.0)[:1999],
    **{
        f"scene {seed}": lambda seed=seed: scene(
            np.random.default_rng(seed), SceneSettings(seconds=12.0)
        )[0]  # type: ignore[misc]
        for seed in range(4)
    },
}


@pytest.mark.parametrize("name", SOUNDS)
def test_the_implementations_agree(name: str) -> None:
    of_numpy, of_torch = both(SOUNDS[name]())
    np.testing.assert_allclose(of_torch, of_numpy, atol=1e-4)


def test_the_implementations_agree_for_a_short_floor_and_other_bands() -> None:
    other = FrontEnd(
        rate=2000,
        hop=100,
        floor_s=1.5,
        long=Bands(500, 1, 10.0, 200.0, 5.0, 90.0, 1.1),
        short=Bands(60, 5, 150.0, 900.0, 0.0, 0.0, 1.2),
    )
    of_numpy, of_torch = both(noise(5.0), other)
    np.testing.assert_allclose(of_torch, of_numpy, atol=1e-4)


def test_a_batch_has_the_features_of_each_item() -> None:
    rows = np.stack([noise(3.0), wind(3.0), np.zeros(3 * RATE, np.float32)])
    batch = TorchSpectrogram(QUICK)(torch.from_numpy(rows)).numpy()
    np.testing.assert_allclose(batch, [spectrogram(row, QUICK) for row in rows], atol=1e-4)


def test_mixed_precision_leaves_the_features_in_single_precision() -> None:
    waveform = torch.from_numpy(wind(3.0))[None]
    front_end = TorchSpectrogram(QUICK)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = front_end(waveform)
    assert mixed.dtype == torch.float32
    np.testing.assert_array_equal(mixed.numpy(), front_end(waveform).numpy())


@pytest.mark.skipif(not SHARED.is_dir(), reason="recordings are not here")
@pytest.mark.parametrize("folder", ["nn01b", "dzanga", "belize", "urbansound8k", "hirudewmi"])
def test_the_implementations_agree_on_real_recordings(folder: str) -> None:
    for path in sorted((SHARED / folder).glob("*.flac"))[::8]:
        of_numpy, of_torch = both(recording(path))
        difference = np.abs(of_torch - of_numpy)
        # Single precision is worse in a band 80 dB or more below the loudest one of its frame;
        # lossy files have such bands.
        assert np.quantile(difference, 0.97) < 1e-4
        assert difference.max() < 2e-3
