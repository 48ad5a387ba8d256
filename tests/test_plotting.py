"""A plot shows the recording in seconds and hertz, with a box where each detection is."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
import soundfile
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PolyCollection, QuadMesh
from matplotlib.figure import Figure
from numpy.typing import NDArray

from loxo import Detection, Event, open_recording, plot
from loxo.recordings import RecordingError

RATE = 8000
FOUND = [
    Detection("Rumble", 10.0, 14.0, 15.0, 60.0, 0.9),
    Detection("Gunshot", 40.0, 41.5, 60.0, 1500.0, 0.8),
    Detection("Rumble", 50.0, 53.0, 20.0, 40.0, 0.7),
]


@pytest.fixture(scope="module")
def samples() -> NDArray[np.float64]:
    """A minute of noise with a tone of 30 Hz from 10 to 14 s and one of 1 kHz from 40 to 41.5 s."""
    times_s = np.arange(60 * RATE) / RATE
    rng = np.random.default_rng(0)
    rumble = np.where((times_s >= 10) & (times_s < 14), np.sin(60 * np.pi * times_s), 0)
    shot = np.where((times_s >= 40) & (times_s < 41.5), np.sin(2000 * np.pi * times_s), 0)
    return 0.001 * rng.standard_normal(len(times_s)) + 0.2 * rumble + 0.2 * shot


@pytest.fixture
def axes() -> Axes:
    figure = Figure((10, 4))
    FigureCanvasAgg(figure)
    return figure.add_subplot()


@pytest.fixture
def pyplot() -> Iterator[None]:
    """Close what Matplotlib's global state holds before and after a test."""
    import matplotlib.pyplot as plt

    mpl.use("Agg")
    plt.close("all")
    yield
    plt.close("all")


def boxes(axes: Axes) -> list[tuple[float, float, float, float]]:
    """Start, end, lowest and highest frequency of each box."""
    rim, coloured = [c for c in axes.collections if isinstance(c, PolyCollection)]
    found = []
    for inner, outer in zip(coloured.get_paths(), rim.get_paths(), strict=True):
        corners = np.asarray(inner.vertices)
        np.testing.assert_array_equal(corners, outer.vertices)
        (start_s, low_hz), (end_s, high_hz) = corners.min(axis=0), corners.max(axis=0)
        found.append((start_s, end_s, low_hz, high_hz))
    return found


def darkest(axes: Axes, low_hz: float, high_hz: float) -> tuple[float, float]:
    """Time in seconds and frequency in hertz of the highest level between two frequencies."""
    for mesh in axes.collections:
        if not isinstance(mesh, QuadMesh):
            continue
        corners: Any = mesh.get_coordinates()
        edges_s, edges_hz = corners[0, :, 0], corners[:, 0, 1]
        if edges_hz[0] <= low_hz and high_hz <= edges_hz[-1]:
            array: Any = mesh.get_array()
            level = array.filled(-np.inf)
            row, column = np.unravel_index(level.argmax(), level.shape)
            return float(edges_s[column : column + 2].mean()), float(edges_hz[row : row + 2].mean())
    raise AssertionError(f"no spectrogram holds {low_hz} Hz to {high_hz} Hz")


def test_sounds_are_where_and_when_they_are(samples: NDArray[np.float64], axes: Axes) -> None:
    plot(samples, rate=RATE, ax=axes)
    time_s, frequency_hz = darkest(axes, 5, 120)
    assert 10 <= time_s <= 14
    assert abs(frequency_hz - 30) <= 500 / 240
    time_s, frequency_hz = darkest(axes, 120, 4000)
    assert 40 <= time_s <= 41.5
    assert abs(frequency_hz - 1000) <= 8000 / 256


def test_the_axes_are_in_seconds_and_hertz(samples: NDArray[np.float64], axes: Axes) -> None:
    assert plot(samples, FOUND, axes, rate=RATE) is axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("Time (s)", "Frequency (Hz)")
    assert axes.get_xlim() == (0, 60)
    assert axes.get_ylim() == (5, 4000)
    axes.figure.canvas.draw()
    ticks = [tick.get_text() for tick in axes.get_yticklabels()]
    assert {"10", "100", "1000"} <= set(ticks)


def test_detections_are_boxes_and_their_labels_a_legend(
    samples: NDArray[np.float64], axes: Axes
) -> None:
    plot(samples, FOUND, axes, rate=RATE)
    assert boxes(axes) == [(d.start_s, d.end_s, d.low_hz, d.high_hz) for d in FOUND]
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["Rumble: 2", "Gunshot: 1"]


def test_short_detections_keep_a_visible_width(samples: NDArray[np.float64], axes: Axes) -> None:
    plot(samples, [Detection("Gunshot", 30.0, 30.01, 100.0, 900.0, 0.9)], axes, rate=RATE)
    ((start_s, end_s, _, _),) = boxes(axes)
    assert (start_s + end_s) / 2 == pytest.approx(30.005)
    assert (end_s - start_s) / 60 * axes.bbox.width == pytest.approx(4.0)


def test_events_without_a_band_are_as_high_as_the_axes(
    samples: NDArray[np.float64], axes: Axes
) -> None:
    plot(samples, [Event("Rumble", 10.0, 14.0)], axes, rate=RATE)
    assert boxes(axes) == [(10.0, 14.0, 5.0, 4000.0)]


def test_without_detections_there_is_no_legend(samples: NDArray[np.float64], axes: Axes) -> None:
    plot(samples, rate=RATE, ax=axes)
    assert axes.get_legend() is None
    assert not [c for c in axes.collections if isinstance(c, PolyCollection)]


def test_a_span_shows_its_part(samples: NDArray[np.float64], axes: Axes) -> None:
    plot(samples, FOUND, axes, rate=RATE, span=(38.0, 51.0))
    assert axes.get_xlim() == (38, 51)
    assert [box[0] for box in boxes(axes)] == [40.0, 50.0]
    time_s, _ = darkest(axes, 120, 4000)
    assert 40 <= time_s <= 41.5
    with pytest.raises(ValueError, match="span 70 s to 80 s: not within array, which ends at 60"):
        plot(samples, rate=RATE, ax=axes, span=(70.0, 80.0))


def test_a_path_and_its_recording_give_the_same_plot(
    samples: NDArray[np.float64], tmp_path: Path
) -> None:
    path = tmp_path / "$x^2$_a.wav"  # which Matplotlib would set as mathematics
    soundfile.write(path, samples, RATE)
    images = []
    for source in (path, str(path), open_recording(path)):
        figure = Figure((8, 3))
        canvas: Any = FigureCanvasAgg(figure)
        axes = plot(source, FOUND, figure.add_subplot())
        assert axes.get_title() == path.name
        canvas.draw()
        images.append(np.asarray(canvas.buffer_rgba()).copy())
    np.testing.assert_array_equal(images[1], images[0])
    np.testing.assert_array_equal(images[2], images[0])


@pytest.mark.parametrize("rate", [200, 500, 2000])
def test_recordings_of_low_rates_are_plotted_as_far_as_they_go(rate: int, axes: Axes) -> None:
    noise = 0.1 * np.random.default_rng(0).uniform(-1, 1, 20 * rate)
    plot(noise, FOUND[:1], axes, rate=rate)
    assert axes.get_ylim() == (5, max(200, rate / 2))
    axes.figure.canvas.draw()


def test_silence_is_plotted(axes: Axes) -> None:
    plot(np.zeros(20 * RATE), FOUND[:1], axes, rate=RATE)
    axes.figure.canvas.draw()


def test_a_recording_that_cannot_be_read_is_refused(tmp_path: Path, axes: Axes) -> None:
    with pytest.raises(RecordingError, match="cannot be opened"):
        plot(tmp_path / "x.wav", ax=axes)


@pytest.mark.usefixtures("pyplot")
def test_without_axes_the_current_ones_are_used(samples: NDArray[np.float64]) -> None:
    import matplotlib.pyplot as plt

    first = plot(samples, rate=RATE)
    assert first is plt.gca()
    assert len(plt.get_fignums()) == 1
    _, (upper, lower) = plt.subplots(2)
    plt.sca(upper)
    assert plot(samples, rate=RATE) is upper
    assert plot(samples, rate=RATE, ax=lower) is lower
    assert plt.gca() is upper


def test_pyplot_is_left_alone_where_axes_are_given() -> None:
    code = """
import sys, numpy as np, loxo
from matplotlib.figure import Figure
loxo.plot(np.zeros(8000), rate=8000, ax=Figure().add_subplot())
assert "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
