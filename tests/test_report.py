"""Pictures: sounds are at their time and frequency, steady noise vanishes, boxes are in place."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_rgb
from matplotlib.image import imread
from numpy.typing import NDArray

from loxo.annotations import Annotation, Annotations
from loxo.evaluation import Evaluation, evaluate
from loxo.events import Detection, Event
from loxo.messages import Progress
from loxo.recordings import Recording, RecordingError, RecordingName, open_recording
from loxo.report import (
    LOW,
    View,
    close_ups,
    draw_errors,
    draw_figures,
    draw_recording,
    draw_stretch,
    high_view,
    picture,
    ticks,
)
from loxo.report.close_ups import CLOSE_UP_S, CLOSE_UPS
from loxo.report.errors import worst_false, worst_missed
from loxo.report.figures import precision_recall
from loxo.report.panels import COLOURS, LINE_PX, SILENT_COLOUR, colour, in_order, placed, widened
from loxo.report.pictures import COLUMNS, cell_power, low_labels, tiling
from loxo.report.recordings import copy_spans
from loxo.report.words import MOST_TICKS, drawable, headline, time_text

Array = NDArray[np.float32]
HIGH = high_view(8000)
BOTH = pytest.mark.parametrize("view", [LOW, HIGH], ids=["low", "high"])
PARIS = ZoneInfo("Europe/Paris")


def noise(view: View, seconds: float, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=round(seconds * view.rate)).astype(np.float32)


def burst(view: View, seconds: float, start_s: float, end_s: float, hz: float) -> Array:
    """A tone between two times, over noise of variance one."""
    time_s = np.arange(round(seconds * view.rate)) / view.rate
    sounds = (time_s >= start_s) & (time_s < end_s)
    return (noise(view, seconds) + 30 * sounds * np.sin(2 * np.pi * hz * time_s)).astype(np.float32)


def pieces(samples: Array, cuts: Iterable[int]) -> list[Array]:
    return np.split(samples, sorted(cuts))


# ---- what is seen


@given(n_samples=st.integers(1, 10**10), window=st.integers(16, 5000), columns=st.integers(1, 3000))
def test_columns_hold_all_samples_and_windows_leave_none_out(
    n_samples: int, window: int, columns: int
) -> None:
    step, per_column = tiling(n_samples, window, columns)
    assert 1 <= step <= window
    assert step * per_column * columns >= n_samples


@given(n_samples=st.integers(5000, 10**9), columns=st.integers(100, 2000))
def test_a_long_recording_uses_most_of_its_columns(n_samples: int, columns: int) -> None:
    step, per_column = tiling(n_samples, 16, columns)
    assert n_samples / (step * per_column) >= min(columns, n_samples / 2) / 2


@settings(max_examples=40)
@given(
    start_s=st.floats(0.5, 14.0),
    share=st.floats(0.1, 0.9),
    seconds=st.floats(16.0, 100.0),
    view=st.sampled_from([LOW, HIGH]),
)
def test_a_tone_is_at_its_time_and_frequency(
    start_s: float, share: float, seconds: float, view: View
) -> None:
    hz = share * view.top_hz
    samples = burst(view, seconds, start_s, start_s + 1.5, hz)
    shown = picture([samples], view, len(samples))
    column, row = np.unravel_index(np.argmax(shown.level_db), shown.level_db.shape)
    assert start_s - shown.column_s <= column * shown.column_s <= start_s + 1.5
    assert row * view.bin_hz == pytest.approx(hz, abs=view.bin_hz)
    dark = np.flatnonzero(shown.level_db[:, row] > shown.level_db.max() - 6) * shown.column_s
    reach_s = shown.column_s + view.window / view.rate / 2
    assert dark[0] == pytest.approx(start_s, abs=reach_s)
    assert dark[-1] + shown.column_s == pytest.approx(start_s + 1.5, abs=reach_s)


@given(
    cuts=st.lists(st.integers(0, 4000), max_size=6),
    columns=st.sampled_from([7, 50, COLUMNS]),
    view=st.sampled_from([LOW, HIGH]),
)
def test_how_blocks_are_cut_does_not_show(cuts: list[int], columns: int, view: View) -> None:
    samples = noise(view, 4000 / view.rate)
    whole = picture([samples], view, len(samples), columns=columns)
    again = picture(pieces(samples, cuts), view, len(samples), columns=columns)
    np.testing.assert_allclose(again.level_db, whole.level_db, atol=1e-3)
    assert (again.end_s, again.column_s) == (whole.end_s, whole.column_s)


@BOTH
def test_white_noise_has_its_variance_at_every_frequency(view: View) -> None:
    power = np.concatenate(
        list(cell_power([3 * noise(view, 100_000 / view.rate)], view, view.window // 2))
    )
    np.testing.assert_allclose(power[1:-1, 1:-1].mean(axis=0), 9, rtol=0.25)


@BOTH
def test_gain_and_steady_lines_do_not_show(view: View) -> None:
    samples, time_s = noise(view, 20), np.arange(20 * view.rate) / view.rate
    plain = picture([samples], view, len(samples)).level_db
    np.testing.assert_allclose(
        picture([samples * np.float32(0.01)], view, len(samples)).level_db, plain, atol=0.01
    )
    humming = samples + 100 * np.sin(2 * np.pi * 0.5 * view.top_hz * time_s).astype(np.float32)
    line = picture([humming], view, len(samples)).level_db[
        10:-10, round(0.5 * view.top_hz / view.bin_hz)
    ]
    assert np.abs(line).max() < 1


def test_a_click_is_as_dark_in_a_long_column_as_in_a_short_one_but_a_mean_thins_it() -> None:
    samples = noise(HIGH, 64)
    samples[len(samples) // 2 :][:40] += 100
    mean = View(HIGH.rate, HIGH.window, HIGH.top_hz, np.mean)
    rise = [
        picture([samples], view, len(samples), columns=16).level_db.max() for view in (HIGH, mean)
    ]
    assert rise[0] > rise[1] + 10


@BOTH
def test_digital_silence_is_no_level_and_changes_no_other(view: View) -> None:
    samples = noise(view, 10)
    alone = picture([samples], view, len(samples), columns=50)
    half = picture([samples, np.zeros_like(samples)], view, 2 * len(samples), columns=100)
    assert np.isnan(half.level_db[-45:]).all()
    np.testing.assert_allclose(half.level_db[:45], alone.level_db[:45], atol=2)
    assert np.isnan(picture([np.zeros_like(samples)], view, len(samples)).level_db).all()


@given(
    n_samples=st.integers(1, 300_000), columns=st.integers(1, 60), view=st.sampled_from([LOW, HIGH])
)
def test_the_tail_of_a_recording_is_a_column_too(n_samples: int, columns: int, view: View) -> None:
    shown = picture([np.ones(n_samples, np.float32)], view, n_samples, columns=columns)
    assert shown.end_s == n_samples / view.rate
    assert (
        (len(shown.level_db) - 1) * shown.column_s
        < shown.end_s
        <= len(shown.level_db) * shown.column_s + 1e-9
    )
    assert len(shown.level_db) <= columns


def test_a_picture_ends_where_the_sound_does() -> None:
    whole, cut = (picture([noise(LOW, seconds)], LOW, 100 * LOW.rate) for seconds in (100, 40))
    assert whole.end_s == 100
    assert cut.end_s == pytest.approx(40, abs=cut.column_s)
    assert len(picture([], LOW, 1000).level_db) == 0


@pytest.mark.parametrize(("rate", "top_hz"), [(2000, 1000), (8000, 4000), (48_000, 4000)])
def test_the_high_view_ends_at_half_the_rate_or_at_4_khz(rate: int, top_hz: float) -> None:
    assert high_view(rate).top_hz == top_hz
    assert (high_view(rate).n_bins - 1) * high_view(rate).bin_hz == top_hz


# ---- which parts of it are shown


@st.composite
def found(draw: st.DrawFn) -> list[Detection]:
    times_s = draw(st.lists(st.tuples(st.floats(0, 3500), st.floats(0.1, 60)), max_size=40))
    labels = st.sampled_from(["Rumble", "Gunshot", "Roar"])
    return [
        Detection(draw(labels), start_s, start_s + length_s, 10, 40, draw(st.floats(0, 1)))
        for start_s, length_s in times_s
    ]


@given(detections=found(), duration_s=st.sampled_from([600.0, 3600.0]))
def test_close_ups_show_the_best_of_each_label(
    detections: list[Detection], duration_s: float
) -> None:
    shown = close_ups(detections, duration_s)
    assert len(shown) <= CLOSE_UPS
    assert [close_up.letter for close_up in shown] == list("abcdefghijkl"[: len(shown)])
    inside = [d for d in detections if d.start_s < duration_s]
    for label in {d.label for d in inside}:
        mine = [close_up for close_up in shown if close_up.detection.label == label]
        assert max(c.detection.score for c in mine) == max(
            d.score for d in inside if d.label == label
        )
        assert all(a.detection.start_s <= b.detection.start_s for a, b in pairwise(mine))
    for close_up in shown:
        assert 0 <= close_up.start_s <= duration_s - CLOSE_UP_S
        assert close_up.start_s <= close_up.detection.start_s < close_up.start_s + CLOSE_UP_S


def test_two_close_ups_do_not_show_the_same_call() -> None:
    calls = [
        Detection("Rumble", start_s, start_s + 4, 10, 40, score)
        for start_s, score in ((100, 0.9), (106, 0.8), (900, 0.7))
    ]
    assert [close_up.detection for close_up in close_ups(calls, 3600)] == [calls[0], calls[2]]


@given(data=st.data(), n_samples=st.integers(0, 300))
def test_what_is_kept_is_what_passed(data: st.DataObject, n_samples: int) -> None:
    samples = np.arange(n_samples, dtype=np.float32)
    cuts = data.draw(st.lists(st.integers(0, n_samples), max_size=5))
    spans = [
        (start, start + size)
        for start, size in data.draw(
            st.lists(st.tuples(st.integers(0, 350), st.integers(0, 99)), max_size=4)
        )
    ]
    kept: list[list[Array]] = [[] for _ in spans]
    passed = list(copy_spans(pieces(samples, cuts), spans, kept))
    np.testing.assert_array_equal(np.concatenate(passed), samples)
    for (start, stop), parts in zip(spans, kept, strict=True):
        np.testing.assert_array_equal(np.concatenate([*parts, samples[:0]]), samples[start:stop])


# ---- words and numbers


@given(
    end_s=st.floats(0.001, 3e6),
    start=st.none()
    | st.datetimes(
        datetime(2001, 1, 1),  # noqa: DTZ001  hypothesis adds the zone
        datetime(2040, 1, 1),  # noqa: DTZ001
        timezones=st.just(PARIS),
    ),
)
def test_ticks_are_few_and_within(end_s: float, start: datetime | None) -> None:
    times_s = [
        time_s
        for time_s, _ in ticks(end_s, None if start is None else start.replace(microsecond=0))
    ]
    assert 1 <= len(times_s) <= MOST_TICKS + 1
    assert 0 <= times_s[0] <= times_s[-1] <= end_s
    assert len({b - a for a, b in pairwise(times_s)}) <= 1


@given(end_s=st.floats(60, 3e6))
def test_a_recording_of_a_minute_or_more_has_some_ticks(end_s: float) -> None:
    assert len(ticks(end_s, None)) >= 3


def test_ticks_are_round_times_of_the_day_where_it_is_known() -> None:
    start = datetime(2026, 1, 1, 14, 3, 12, tzinfo=ZoneInfo("Africa/Brazzaville"))
    assert ticks(1800, start)[:2] == [(108, "14:05"), (408, "14:10")]
    assert ticks(1800, None)[:2] == [(0, "0:00"), (300, "0:05")]
    assert ticks(20, start)[:2] == [(0, "14:03:12"), (2, "14:03:14")]


def test_clocks_are_changed_during_a_recording() -> None:
    start = datetime(2026, 3, 29, 1, 30, tzinfo=PARIS)
    assert [time_text(time_s, start, seconds=False) for time_s in (0, 1800, 3600)] == [
        "01:30",
        "03:00",
        "03:30",
    ]


def test_the_headline_counts_every_label() -> None:
    calls = [Detection(label, 1, 2, 10, 40, 0.5) for label in ("Gunshot", "Roar", "Gunshot")]
    assert headline(calls, 86_400) == "0 rumbles, 2 gunshots and 1 roar found in 24 h"


def test_the_headline_names_the_labels_of_the_model() -> None:
    calls = [Detection("Chainsaw", 1, 2, 10, 40, 0.5)]
    assert headline(calls, 60, ("Chainsaw",)) == "1 chainsaw found in 1 min"
    assert headline([], 90, ("Chainsaw", "Rumble")) == "0 chainsaws and 0 rumbles found in 1.5 min"
    assert headline([], 2.5, ()) == "nothing found in 2.5 s"


def test_labels_have_their_own_colours_and_views() -> None:
    labels = ["Rumble", "Gunshot", "Chainsaw"]
    assert len({colour(label) for label in labels}) == 3
    assert in_order(["Chainsaw", "Gunshot", "Roar", "Rumble"]) == [
        "Rumble",
        "Gunshot",
        "Chainsaw",
        "Roar",
    ]
    found = [
        Detection("Rumble", 1, 2, 10, 250, 0.5),
        Detection("Gunshot", 1, 2, 50, 150, 0.5),
        Detection("Chainsaw", 1, 2, 200, 2000, 0.5),
        Detection("Foot", 1, 2, 10, 40, 0.5),
        Detection("Foot", 5, 6, None, None, 0.5),
    ]
    low = low_labels(found)
    assert low == {"Rumble", "Foot"}
    for view in (LOW, HIGH):
        shown = {d.label for d in found if view.shows(d.label, low)}
        assert shown == (low if view == LOW else {"Gunshot", "Chainsaw"})


def test_what_no_font_has_is_replaced() -> None:
    assert drawable("Bambélé_été$.wav") == "Bambélé_été$.wav"
    assert drawable("a\udcffb") == "a\N{REPLACEMENT CHARACTER}b"


@given(
    spans=st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)).map(sorted).map(tuple)),
    least=st.floats(0, 10),
)
def test_widened_spans_hold_what_they_held(spans: list[tuple[float, float]], least: float) -> None:
    for (start, end), (left, right) in zip(spans, widened(spans, least), strict=True):
        assert left <= start + 1e-9
        assert right >= end - 1e-9
        assert right - left == pytest.approx(max(least, end - start), abs=1e-9)


@given(
    wishes=st.lists(st.tuples(st.floats(0, 300), st.floats(0, 100)), max_size=30),
    way=st.sampled_from([0.0, LINE_PX, -LINE_PX]),
)
def test_texts_do_not_lie_on_one_another(wishes: list[tuple[float, float]], way: float) -> None:
    at = placed(wishes, [20.0] * len(wishes), [way] * len(wishes))
    for index, (x, y) in at.items():
        assert x == wishes[index][0]
        assert y in {wishes[index][1] + number * way for number in (0, 1, 2)}
        assert all(
            abs(x - u) >= 20 or abs(y - v) >= LINE_PX
            for other, (u, v) in at.items()
            if other != index
        )
    assert all(at[index] == wishes[index] for index in range(min(1, len(wishes))))


# ---- the picture


def recorded(folder: Path, seconds: float, rate: int = 2000, name: str = "r.wav") -> Path:
    path = folder / name
    samples = 0.1 * np.random.default_rng(1).normal(size=round(seconds * rate))
    soundfile.write(os.fsencode(path), samples, rate, subtype="PCM_16", format="WAV")
    return path


def drawn(
    path: Path,
    detections: Sequence[Detection] = (),
    truth: Sequence[Event] = (),
    channel: int | None = None,
) -> NDArray[np.float64]:
    """The picture of a recording `(row, column, colour)`."""
    output = path.with_name("picture.png")
    draw_recording(path, detections, output, truth=truth, channel=channel)
    pixels: NDArray[np.float64] = np.asarray(imread(output), dtype=np.float64)[..., :3]
    return pixels


def where(pixels: NDArray[np.float64], label: str) -> NDArray[np.int64]:
    """Rows and columns `(pixel, 2)` of a label's colour, the legend left out."""
    coloured = np.abs(pixels - to_rgb(COLOURS[label])).max(axis=-1) < 0.02
    coloured[:90] = False
    return np.argwhere(coloured)


def test_boxes_are_at_their_times_each_in_its_panel(tmp_path: Path) -> None:
    path = recorded(tmp_path, 20)
    assert len(where(drawn(path), "Rumble")) == 0
    calls = [Detection("Rumble", 5, 10, 20, 60, 0.9), Detection("Gunshot", 15, 16, 100, 500, 0.8)]
    pixels = drawn(path, calls)
    rumble, gunshot = where(pixels, "Rumble"), where(pixels, "Gunshot")
    assert rumble[:, 0].max() < gunshot[:, 0].min()
    left, width = 80, 1040
    for marked, call in ((rumble, calls[0]), (gunshot, calls[1])):
        sides = (marked[:, 1].min(), marked[:, 1].max())
        np.testing.assert_allclose(
            sides, [left + width * time_s / 20 for time_s in (call.start_s, call.end_s)], atol=3
        )


def test_the_picture_is_at_its_times_and_frequencies(tmp_path: Path) -> None:
    path = tmp_path / "tone.wav"
    soundfile.write(path, 0.01 * burst(View(2000, 64, 1000, np.max), 20, 12, 14, 125), 2000)
    # The darkest grey of all but texts and frames, within the high panel.
    top, left, height, width = 95 + 230 + 35, 80, 230, 1040
    panel = drawn(path)[top + 4 : top + height - 4, left + 4 : left + width - 4].mean(axis=-1)
    rows, columns = np.nonzero(panel < 0.1)
    assert np.median(rows) + 4 == pytest.approx(height * (1 - 125 / 1000), abs=4)
    np.testing.assert_allclose(
        np.percentile(columns, (2, 98)) + 4, (width * 12 / 20, width * 14 / 20), atol=6
    )


def test_a_box_remains_visible_in_a_long_recording(tmp_path: Path) -> None:
    marked = where(
        drawn(recorded(tmp_path, 550, rate=500), [Detection("Rumble", 300.0, 300.1, 20, 21, 0.9)]),
        "Rumble",
    )
    rows, columns = np.ptp(marked, axis=0) + 1
    assert rows >= 4
    assert columns >= 4


def test_a_detection_without_a_band_is_boxed_over_all_frequencies(tmp_path: Path) -> None:
    path = recorded(tmp_path, 20)
    whole = where(drawn(path, [Detection("Rumble", 5, 10, None, None, 0.9)]), "Rumble")
    part = where(drawn(path, [Detection("Rumble", 5, 10, 20, 60, 0.9)]), "Rumble")
    assert np.ptp(whole[:, 0]) == pytest.approx(230, abs=5)
    assert np.ptp(part[:, 0]) == pytest.approx(230 * 40 / 200, abs=30)


def test_truth_is_a_bar_at_the_top_of_the_panel(tmp_path: Path) -> None:
    path = recorded(tmp_path, 20)
    bar = where(drawn(path, truth=[Event("Rumble", 5, 10)]), "Rumble")
    box = where(drawn(path, [Detection("Rumble", 5, 10, 20, 60, 0.9)]), "Rumble")
    assert bar[:, 0].max() < box[:, 0].min()
    assert np.ptp(bar[:, 1]) == pytest.approx(1040 * 5 / 20, abs=4)


def test_only_long_recordings_have_close_ups(tmp_path: Path) -> None:
    calls = [
        Detection(label, 100.0 * number, 100.0 * number + 3, 20, 60, 0.9)
        for number in range(6)
        for label in ("Rumble", "Gunshot")
    ]
    short = drawn(recorded(tmp_path, 600, rate=500), calls)
    long = drawn(recorded(tmp_path, 601, rate=500), calls)
    none = drawn(recorded(tmp_path, 601, rate=500))
    assert short.shape == none.shape
    assert short.shape[1] == long.shape[1] == 1200
    # Four rows of three: six rumbles, six gunshots.
    assert long.shape[0] == pytest.approx(short.shape[0] + 4 * 180, abs=80)
    below = where(long, "Gunshot")[:, 0] > short.shape[0]
    assert below.any()


def test_a_channel_is_drawn_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "two.wav"
    samples = np.zeros((40_000, 2))
    samples[:, 1] = 0.1 * np.random.default_rng(0).normal(size=40_000)
    soundfile.write(path, samples, 4000)
    silent = [
        (np.abs(drawn(path, channel=channel) - to_rgb(SILENT_COLOUR)).max(axis=-1) < 0.01).sum()
        for channel in (0, 1)
    ]
    assert silent[0] > 2 * 1000 * 200
    assert silent[1] == 0
    with pytest.raises(ValueError, match="no channel 3"):
        drawn(path, channel=2)


@pytest.mark.parametrize("name", ["cost_$5_{$.wav", "声音.wav", "20260101_000000Z.wav"])
def test_every_name_can_be_drawn(tmp_path: Path, name: str) -> None:
    trumpet = Detection("Trumpet $_{$", 1, 2, 300, 900, 0.5)
    assert (
        drawn(recorded(tmp_path, 4, name=name), [trumpet], [Event("Roar", 2, 3)]).shape[1] == 1200
    )


@pytest.mark.parametrize(("samples", "rate"), [(1, 8000), (100, 2000), (300, 100)])
def test_the_shortest_recordings_can_be_drawn(tmp_path: Path, samples: int, rate: int) -> None:
    assert drawn(recorded(tmp_path, samples / rate, rate)).shape[1] == 1200


def test_a_recording_that_cannot_be_read_leaves_no_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = recorded(tmp_path, 5)
    monkeypatch.setattr(Recording, "blocks", lambda *_, **__: iter(()))
    with pytest.raises(RecordingError, match="no sample"):
        drawn(path)
    assert list(tmp_path.iterdir()) == [path]


def test_the_same_recording_gives_the_same_file(tmp_path: Path) -> None:
    path = recorded(tmp_path, 10)
    files = []
    for name in ("a.png", "b.png"):
        draw_recording(path, [Detection("Rumble", 1, 2, 10, 50, 0.5)], tmp_path / name)
        files.append((tmp_path / name).read_bytes())
    assert files[0] == files[1]
    assert len(files[0]) < 600_000


def test_drawing_needs_no_window_and_no_state_of_pyplot() -> None:
    code = "import sys, loxo.report; print('matplotlib.pyplot' in sys.modules)"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True
        ).stdout
        == "False\n"
    )


def test_the_clock_is_that_of_the_zone(tmp_path: Path) -> None:
    path = recorded(tmp_path, 30, name="site_20260101_120000.wav")
    plain = drawn(path)
    output = tmp_path / "zoned.png"
    draw_recording(path, [], output, timezone=PARIS)
    zoned = np.asarray(imread(output))[..., :3]
    differing = np.argwhere(np.abs(plain - zoned).max(axis=-1) > 0.1)[:, 0]
    # Nothing but the numbers and the name of the time axis, below both panels.
    assert len(differing) > 0
    assert differing.min() > 95 + 230 + 35 + 230 - 1


# ---- a stretch


def test_a_stretch_is_drawn_at_its_times(tmp_path: Path) -> None:
    path = recorded(tmp_path, 400)
    calls = [Detection("Rumble", 305, 310, 20, 60, 0.9), Detection("Rumble", 20, 25, 20, 60, 0.9)]
    output = tmp_path / "stretch.png"
    draw_stretch(open_recording(path), (300, 320), calls, output, truth=[Event("Rumble", 100, 105)])
    pixels = np.asarray(imread(output), dtype=np.float64)[..., :3]
    marked = where(pixels, "Rumble")
    sides = (marked[:, 1].min(), marked[:, 1].max())
    np.testing.assert_allclose(
        sides, [80 + 1040 * (time_s - 300) / 20 for time_s in (305, 310)], atol=3
    )


def test_a_stretch_looks_like_the_same_samples_alone(tmp_path: Path) -> None:
    samples = np.random.default_rng(2).normal(size=60_000) * 0.1
    files = []
    for name, part, span in (
        ("whole", samples, (10, 20)),
        ("part", samples[20_000:40_000], (0, 10)),
    ):
        path = tmp_path / name / "r.wav"
        path.parent.mkdir()
        soundfile.write(path, part, 2000)
        draw_stretch(open_recording(path), span, [], path.with_suffix(".png"), title="the same")
        files.append(np.asarray(imread(path.with_suffix(".png"))))
    # All but the numbers of the time axis, below both panels.
    np.testing.assert_array_equal(files[0][:590], files[1][:590])


def test_a_stretch_beyond_the_end_is_shortened_or_refused(tmp_path: Path) -> None:
    recording = open_recording(recorded(tmp_path, 20))
    draw_stretch(recording, (15, 60), [], tmp_path / "tail.png")
    with pytest.raises(ValueError, match=r"20 s to 30 s: not within .*ends at 20\.00 s"):
        draw_stretch(recording, (20, 30), [], tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()


def test_a_title_stands_in_place_of_how_much_was_found(tmp_path: Path) -> None:
    path = recorded(tmp_path, 10)
    pictures = []
    for number, title in enumerate(
        (None, "0 rumbles and 0 gunshots found in 10 s", "Missed events")
    ):
        draw_recording(path, [], tmp_path / f"{number}.png", title=title)
        pictures.append(np.asarray(imread(tmp_path / f"{number}.png")))
    np.testing.assert_array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[0], pictures[2])


@given(begin_s=st.integers(0, 720_000_000).map(lambda n: n / 8000), length_s=st.integers(1, 4000))
def test_ticks_of_a_stretch_are_within_it_and_few(begin_s: float, length_s: int) -> None:
    times_s = [time_s for time_s, _ in ticks(begin_s + length_s, None, begin_s)]
    assert 1 <= len(times_s) <= MOST_TICKS + 1
    assert all(begin_s <= time_s <= begin_s + length_s for time_s in times_s)


# ---- an evaluation

NAME = "nn01a_20180101_000000"


def rows(
    kind: str, found: Sequence[tuple[str, float, float | None]], snr_db: float | None = None
) -> tuple[Annotation, ...]:
    """Events of 3 s, `(label, start_s, score)`."""
    name = RecordingName(f"{NAME}.wav")
    return tuple(
        Annotation(name, Event(label, start_s, start_s + 3, snr_db=snr_db), kind, row, score)
        for row, (label, start_s, score) in enumerate(found, start=2)
    )


def evaluated(scores: bool = True) -> Evaluation:
    loud, faint = (rows("t", [("Rumble", at_s, None)], db) for at_s, db in ((10, 12.0), (20, 1.0)))
    truth = Annotations((*loud, *faint, *rows("t", [("Rumble", 30, None)])), frozenset(), ())
    found = [("Rumble", 30, 0.9), ("Rumble", 40, 0.3), ("Rumble", 50, 0.8)]
    detections = Annotations(
        rows("d", [(label, at_s, score if scores else None) for label, at_s, score in found]),
        frozenset(),
        (),
    )
    return evaluate(truth, detections, {NAME: 60.0})


def test_the_worst_errors_come_first() -> None:
    result = evaluated()
    assert [error.row.score for error in worst_false(result, "Rumble")] == [0.8, 0.3]
    assert [error.row.event.start_s for error in worst_missed(result, "Rumble")] == [10, 20]
    assert [error.row.score for error in worst_false(result, "Rumble", 1)] == [0.8]
    assert [
        error.row.event.start_s for error in worst_false(evaluated(scores=False), "Rumble")
    ] == [40, 50]


def test_figures_are_those_that_the_data_are_enough_for(tmp_path: Path) -> None:
    names = [path.name for path in draw_figures(evaluated(), tmp_path / "a")]
    assert names == ["pr.png", "false_positives.png", "reliability.png", "by_snr.png"]
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == sorted(names)
    assert [path.name for path in draw_figures(evaluated(scores=False), tmp_path / "b")] == [
        "by_snr.png"
    ]


def test_the_area_below_the_drawn_curve_is_the_average_precision() -> None:
    drawn = evaluated().curve("Rumble", "overlap10")
    assert drawn is not None
    line = precision_recall({("Rumble", "overlap10"): drawn}).axes[0].lines[0]
    recall, precision = (np.asarray(values) for values in line.get_data())
    assert line.get_drawstyle() == "steps-pre"
    assert (np.diff(recall) * precision[1:]).sum() == pytest.approx(drawn.average_precision)
    assert recall[0] == 0


def test_figures_are_written_without_a_word_of_fonts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    draw_figures(evaluated(), tmp_path)
    assert caplog.records == []


def test_errors_are_drawn_from_the_recordings_that_are_here(tmp_path: Path) -> None:
    path = recorded(tmp_path, 60, name=f"{NAME}.wav")
    assert draw_errors(evaluated(), {}, tmp_path / "none") == []
    (page,) = draw_errors(evaluated(), {f"{NAME}.wav": path}, tmp_path / "pages")
    assert page.name == "errors_rumble.png"
    pixels = np.asarray(imread(page), dtype=np.float64)[..., :3]
    assert pixels.shape[1] == 1200
    assert len(where(pixels, "Rumble")) > 100
    with pytest.raises(ValueError, match="not within"):
        draw_errors(
            evaluated(),
            {f"{NAME}.wav": recorded(tmp_path, 5, name="short.wav")},
            tmp_path / "pages",
        )


class Messages(Progress):
    """Keeps the lines that it receives."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def message(self, line: str) -> None:
        self.lines.append(line)


def test_a_recording_that_cannot_be_drawn_costs_only_its_own_errors(tmp_path: Path) -> None:
    short, messages = recorded(tmp_path, 25, name="short.wav"), Messages()
    paths = {f"{NAME}.wav": short}
    (page,) = draw_errors(evaluated(), paths, tmp_path / "some", progress=messages)
    assert page.is_file()
    assert len(messages.lines) == 2, (
        "the false detections at 40 s and 50 s; the missed events at 10 s and 20 s are drawn"
    )
    short.write_bytes(b"no sound")
    assert draw_errors(evaluated(), paths, tmp_path / "none", progress=messages) == []
    assert len(messages.lines) == 3, "one line for all errors that fail for the same reason"
    assert all("short.wav" in line and "\n" not in line for line in messages.lines)


def test_errors_and_figures_follow_the_labels_of_the_evaluation(tmp_path: Path) -> None:
    path = recorded(tmp_path, 60, name="x.wav")
    saw = "Saw/Chain"
    truth = {"x.wav": [Event(saw, 10, 13), Event("Rumble", 20, 23)]}
    found = {"x.wav": [Detection(saw, 10, 13, 100, 900, 0.9), Detection(saw, 40, 43, 9, 99, 0.5)]}
    result = evaluate(truth, found, 60.0, labels=["Rumble", "Gunshot", saw])
    assert "pr.png" in {page.name for page in draw_figures(result, tmp_path / "figures")}
    pages = draw_errors(result, {"x.wav": path}, tmp_path / "pages")
    assert [page.name for page in pages] == ["errors_rumble.png", "errors_saw_chain.png"]
