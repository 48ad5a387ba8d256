"""One recording on Matplotlib axes: its spectrogram, with a box around each detection.

Rumbles (8-250 Hz, lasting seconds) and gunshots (50-1,500 Hz, rising within milliseconds) need
different windows. So the spectrogram is computed twice, as in the pictures of a run: with windows
of 480 ms below `SEAM_HZ`, and of 32 ms above. A logarithmic frequency axis gives both as much room.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.patches import Patch
from matplotlib.ticker import LogLocator, NullLocator, ScalarFormatter

from loxo.events import Detection, Event, Interval
from loxo.recordings import Recording, RecordingError, RecordingSource, open_recording
from loxo.recordings.samples import resampled
from loxo.report.panels import GREYS, WHITE_DB, colour, in_order, widened
from loxo.report.pictures import LOW, Picture, View, darkest_db, high_view, picture
from loxo.timeline import resampled_length, samples_at, seconds_at

__all__ = ["plot"]

LOWEST_HZ, SEAM_HZ = 5.0, 120.0
"""Where the frequency axis begins, and where the short windows take over from the long ones."""
SIZE_IN = (12.0, 4.5)
"""Width and height in inches of a figure that is made for the plot."""
LEAST_PX = 4.0
"""Least width of a box in pixels: in a plot of a day a rumble is a twentieth of a pixel wide."""


def plot(
    recording: RecordingSource,
    detections: Sequence[Detection | Event] = (),
    ax: Axes | None = None,
    *,
    rate: int | None = None,
    channel: int | None = None,
    span: Interval | None = None,
) -> Axes:
    """Plot the spectrogram of a recording, with a box around each detection.

    Levels are in decibels over the median of each frequency, from white to black.

    Args:
        recording: a path, an address, a recording, or an array of samples with its rate.
        detections: of the model, or events of a table. An event without a band is drawn over the
            whole height.
        ax: axes to draw on; None takes the current axes of Matplotlib, or makes a figure.
        rate: sampling rate in hertz of an array.
        channel: counted from 0; None takes the mean of all.
        span: start and end in seconds of the part that is shown; None shows all.

    Returns:
        The axes: time in seconds, and frequency in hertz on a logarithmic axis.

    Raises:
        ValueError: if the span lies outside the recording, or the channel does not exist.
        OSError: if the recording cannot be read.
    """
    opened = open_recording(recording, rate=rate)
    pictures = _pictures(opened, span, channel)
    ax = _current_axes() if ax is None else ax
    top_hz = pictures[-1].view.top_hz
    for shown, (low_hz, high_hz) in zip(
        pictures, [(LOWEST_HZ, SEAM_HZ), (SEAM_HZ, top_hz)], strict=False
    ):
        _draw_bins(ax, shown, low_hz, min(high_hz, top_hz))
    ax.set_yscale("log")
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter(ScalarFormatter())
    ax.yaxis.set_minor_locator(NullLocator())
    start_s, end_s = pictures[0].start_s, pictures[0].end_s
    ax.set(xlim=(start_s, end_s), ylim=(LOWEST_HZ, top_hz))
    ax.set(xlabel="Time (s)", ylabel="Frequency (Hz)")
    ax.set_title(opened.path.name, parse_math=False)
    _draw_boxes(ax, [d for d in detections if d.start_s < end_s and start_s < d.end_s])
    return ax


def _current_axes() -> Axes:
    """Matplotlib's current axes; a new, wide figure if there is none."""
    import matplotlib.pyplot as plt

    if not plt.get_fignums():
        plt.figure(figsize=SIZE_IN, layout="constrained")
    return plt.gca()


def _pictures(recording: Recording, span: Interval | None, channel: int | None) -> list[Picture]:
    """The recording or a part of it in the low view and, if its rate reaches there, the high one.

    Raises:
        ValueError: if no part of the span lies in the recording.
        RecordingError: if no sample can be read.
    """
    high = high_view(recording.rate)
    views = [LOW, high] if high.top_hz > LOW.top_hz else [LOW]
    if span is None:
        pictures = [_whole(recording, view, channel) for view in views]
    else:
        pictures = _part(recording, span, views, channel)
    if any(len(shown.level_db) == 0 for shown in pictures):
        raise RecordingError(
            f"{recording.path}: no sample can be read, so nothing can be plotted; copy it again"
        )
    return pictures


def _whole(recording: Recording, view: View, channel: int | None) -> Picture:
    """The whole recording, read as a stream."""
    n_samples = resampled_length(recording.n_samples, recording.rate, view.rate)
    return picture(recording.blocks(view.rate, channel=channel), view, n_samples)


def _part(
    recording: Recording, span: Interval, views: Sequence[View], channel: int | None
) -> list[Picture]:
    """A part of the recording in each view, from one reading.

    Raises:
        ValueError: if no part of the span lies in the recording.
    """
    first, last = (min(max(0, samples_at(s, recording.rate)), recording.n_samples) for s in span)
    if first >= last:
        raise ValueError(
            f"span {span[0]:g} s to {span[1]:g} s: not within {recording.path}, "
            f"which ends at {recording.duration_s:.2f} s"
        )
    samples = recording.read(first, last, channel)
    start_s = seconds_at(first, recording.rate)
    pictures = []
    for view in views:
        blocks = list(resampled([samples], recording.rate, view.rate))
        pictures.append(picture(blocks, view, sum(map(len, blocks)), start_s=start_s))
    return pictures


def _draw_bins(ax: Axes, shown: Picture, low_hz: float, high_hz: float) -> None:
    """Draw the frequencies of a picture between two limits."""
    bin_hz = shown.view.bin_hz
    edges_hz = (np.arange(shown.view.n_bins + 1) - 0.5) * bin_hz
    first = int(np.searchsorted(edges_hz, low_hz, side="right")) - 1
    last = int(np.searchsorted(edges_hz, high_hz, side="left"))
    level_db = shown.level_db[:, first:last]
    times_s = shown.start_s + np.arange(len(level_db) + 1) * shown.column_s
    # The outer edges are moved to the limits, so that the two spectrograms meet without overlap.
    heights_hz = edges_hz[first : last + 1].clip(low_hz, high_hz)
    ax.pcolormesh(
        times_s,
        heights_hz,
        np.ma.masked_invalid(level_db.T),
        cmap=GREYS,
        vmin=WHITE_DB,
        vmax=darkest_db(level_db),
        rasterized=True,  # thousands of cells would make a PDF or SVG slow
    )


def _draw_boxes(ax: Axes, detections: Sequence[Detection | Event]) -> None:
    """Draw a box around each detection, with a white rim against dark sounds, and a legend."""
    if not detections:
        return
    (start_s, end_s), (lowest_hz, top_hz) = ax.get_xlim(), ax.get_ylim()
    times_s = widened(
        [(d.start_s, d.end_s) for d in detections], LEAST_PX * (end_s - start_s) / ax.bbox.width
    )
    bands_hz = np.array([(d.low_hz or lowest_hz, d.high_hz or top_hz) for d in detections])
    bands_hz = bands_hz.clip(lowest_hz, top_hz)
    corners = np.stack((times_s[:, [0, 0, 1, 1]], bands_hz[:, [0, 1, 1, 0]]), axis=-1)
    for colours, width in ((["white"], 3.2), ([colour(d.label) for d in detections], 1.6)):
        ax.add_collection(
            PolyCollection(list(corners), facecolors="none", edgecolors=colours, linewidths=width),
            autolim=False,
        )
    counts = Counter(d.label for d in detections)
    keys = [
        Patch(facecolor="none", edgecolor=colour(label), label=f"{label}: {counts[label]:,}")
        for label in in_order(counts)
    ]
    for text in ax.legend(handles=keys, loc="upper right").get_texts():
        text.set_parse_math(False)
