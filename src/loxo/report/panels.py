"""A picture on axes, with boxes around detections, bars of known events, and captions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from zlib import crc32

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from loxo.events import EVENT_LABELS, Detection, Event
from loxo.report.pictures import Picture, View, darkest_db, low_labels
from loxo.report.words import drawable

__all__ = [
    "COLOURS",
    "DPI",
    "GREYS",
    "LEFT_IN",
    "LINE_PX",
    "RIGHT_IN",
    "SILENT_COLOUR",
    "WHITE_DB",
    "WIDTH_IN",
    "Marks",
    "axes_at",
    "colour",
    "draw_picture",
    "in_order",
    "name_frequencies",
    "placed",
    "widened",
    "write",
]

COLOURS = dict(zip(EVENT_LABELS, ("#0072B2", "#D55E00"), strict=True))
OTHER_COLOURS = ("#009E73", "#CC79A7", "#56B4E9", "#E69F00")
"""Of other labels, the rest of the palette of Okabe and Ito that is seen on grey; yellow is not."""
SILENT_COLOUR = "#f6ecd2"
GREYS = LinearSegmentedColormap.from_list(
    "loxo", ["white", "#c9ccd1", "#7d828b", "#33363d", "black"], N=16
).with_extremes(bad=SILENT_COLOUR)
"""Sixteen greys, because noise with more of them makes large files. Digital silence is no
measurement, so it has a colour of its own."""
WHITE_DB = 2.0
"""Lower levels are white: half of all noise, and most of its speckle."""

WIDTH_IN, DPI = 12.0, 100
LEFT_IN, RIGHT_IN = 0.8, 0.8
LEAST_PX = 4.0
"""Least width and height of a mark in pixels."""
LETTER_PX, LINE_PX = 9.0, 15.0
"""Width and height of a caption's letter, in pixels."""


@dataclass(frozen=True, slots=True)
class Marks:
    """What is drawn over the pictures of a recording; each panel draws its part.

    Args:
        truth: known events.
        letters: of detections that are drawn again as close-ups.
        start_time: of the recording; None if it is unknown.
    """

    detections: Sequence[Detection]
    truth: Sequence[Event]
    letters: Mapping[Detection, str]
    start_time: datetime | None

    @property
    def labels(self) -> list[str]:
        """Labels of all marks, in the order in which they are named."""
        found = {detection.label for detection in self.detections}
        return in_order(found | {event.label for event in self.truth})

    @property
    def low_labels(self) -> frozenset[str]:
        """Labels that are drawn in the low view."""
        return low_labels((*self.detections, *self.truth))

    def in_view(self, view: View) -> Marks:
        """The marks that are drawn in a view."""
        low = self.low_labels
        return replace(
            self,
            detections=[each for each in self.detections if view.shows(each.label, low)],
            truth=[event for event in self.truth if view.shows(event.label, low)],
        )


def write(figure: Figure, top_in: float, text: str, *, size: float, weight: str = "normal") -> None:
    """Write a line of text, at inches from the top of a figure."""
    top = 1 - top_in / figure.get_figheight()
    figure.text(
        LEFT_IN / WIDTH_IN,
        top,
        drawable(text),
        size=size,
        weight=weight,
        va="top",
        parse_math=False,
    )


def axes_at(
    figure: Figure, left_in: float, top_in: float, width_in: float, height_in: float
) -> Axes:
    """Add axes at a place that is given in inches from the upper left."""
    of_in = figure.get_figheight()
    return figure.add_axes(
        (
            left_in / WIDTH_IN,
            1 - (top_in + height_in) / of_in,
            width_in / WIDTH_IN,
            height_in / of_in,
        )
    )


def name_frequencies(axes: Axes) -> None:
    """Name the frequency axis, at the same distance from all axes whatever their numbers."""
    axes.set_ylabel("Frequency (Hz)", size=10)
    axes.yaxis.set_label_coords(-55 / axes.bbox.width, 0.5)


def colour(label: str) -> str:
    """Colour of a label, the same in all pictures.

    Rumbles and gunshots have their own. Two of the other labels may share one, if there are many.
    """
    other = OTHER_COLOURS[crc32(label.encode(errors="surrogatepass")) % len(OTHER_COLOURS)]
    return COLOURS.get(label, other)


def in_order(labels: Iterable[str]) -> list[str]:
    """Sort labels: those of the package first, then the others by name."""
    return sorted(labels, key=lambda label: (*(label != own for own in EVENT_LABELS), label))


def middle_s(detection: Detection) -> float:
    """Middle of a detection, in seconds."""
    return (detection.start_s + detection.end_s) / 2


def draw_picture(axes: Axes, shown: Picture, marks: Marks) -> AxesImage:
    """Draw a picture and its marks on axes in seconds and hertz."""
    view, half_hz = shown.view, shown.view.bin_hz / 2
    extent = (
        shown.start_s,
        shown.start_s + len(shown.level_db) * shown.column_s,
        -half_hz,
        view.n_bins * view.bin_hz - half_hz,
    )
    image = axes.imshow(
        shown.level_db.T,
        GREYS,
        aspect="auto",
        interpolation="nearest",
        origin="lower",
        extent=extent,
    )
    image.set_clim(WHITE_DB, darkest_db(shown.level_db))
    axes.set(xlim=(shown.start_s, shown.end_s), ylim=(0, view.top_hz))
    pixel_s = (shown.end_s - shown.start_s) / axes.bbox.width
    pixel_hz = view.top_hz / axes.bbox.height
    drawn = marks.in_view(view)
    known = drawn.truth
    found = [d for d in drawn.detections if shown.start_s < d.end_s and d.start_s < shown.end_s]
    _draw_boxes(axes, found, LEAST_PX * pixel_s, LEAST_PX * pixel_hz)
    times_s = widened([(event.start_s, event.end_s) for event in known], LEAST_PX * pixel_s)
    bars = np.column_stack((times_s[:, 0], np.diff(times_s))).tolist()
    axes.broken_barh(
        bars,
        (0.95, 0.05),
        transform=axes.get_xaxis_transform(),
        color=[colour(event.label) for event in known],
    )
    _draw_captions(axes, found, marks.letters)
    return image


def _draw_boxes(
    axes: Axes, detections: Sequence[Detection], least_s: float, least_hz: float
) -> None:
    """Draw boxes with a white rim, which separates them from dark sounds.

    A detection without a band is boxed over all frequencies.
    """
    times_s = widened([(d.start_s, d.end_s) for d in detections], least_s)
    _, top_hz = axes.get_ylim()
    bands_hz = widened([_band_hz(d, top_hz) for d in detections], least_hz).clip(0, top_hz)
    corners = np.stack((times_s[:, [0, 0, 1, 1]], bands_hz[:, [0, 1, 1, 0]]), axis=-1)
    for colours, width in ((["white"], 3.2), ([colour(d.label) for d in detections], 1.6)):
        axes.add_collection(
            PolyCollection(list(corners), facecolors="none", edgecolors=colours, linewidths=width),
            autolim=False,
        )


def _band_hz(detection: Detection, top_hz: float) -> tuple[float, float]:
    low_hz, high_hz = detection.low_hz, detection.high_hz
    return 0.0 if low_hz is None else low_hz, top_hz if high_hz is None else high_hz


def _draw_captions(
    axes: Axes, detections: Sequence[Detection], letters: Mapping[Detection, str]
) -> None:
    """Write the letters of close-ups and, where there is room, scores.

    A caption is above its box, or below the bars of known events if the box reaches up to them.
    """
    (start_s, end_s), (_, top_hz) = axes.get_xlim(), axes.get_ylim()
    width, height = axes.bbox.size
    pixel_s, pixel_hz = (end_s - start_s) / width, top_hz / height
    ranked = sorted(
        (d for d in detections if start_s <= middle_s(d) <= end_s),
        key=lambda d: (d not in letters, -d.score),
    )
    texts = [letters.get(d, "" if math.isnan(d.score) else f"{d.score:.2f}") for d in ranked]
    widths = [LETTER_PX * len(text) for text in texts]
    across = [(middle_s(d) - start_s) / pixel_s for d in ranked]
    inside = [
        min(max(x, text_width / 2), width - text_width / 2)
        for x, text_width in zip(across, widths, strict=True)
    ]
    highest = height * 0.95 - LINE_PX / 2
    up = [_band_hz(d, top_hz)[1] / pixel_hz + 0.6 * LINE_PX for d in ranked]
    ways = [
        (LINE_PX if y < highest else -LINE_PX) if d in letters else 0.0
        for d, y in zip(ranked, up, strict=True)
    ]
    wishes = [(x, min(y, highest)) for x, y in zip(inside, up, strict=True)]
    for index, (x, y) in placed(wishes, widths, ways).items():
        text = axes.text(
            start_s + x * pixel_s,
            y * pixel_hz,
            texts[index],
            ha="center",
            va="center",
            size=9.5,
            weight="bold",
        )
        text.set(
            color=colour(ranked[index].label),
            path_effects=[withStroke(linewidth=2.5, foreground="white")],
        )


def widened(spans: Sequence[tuple[float, float]], least: float) -> NDArray[np.float64]:
    """Widen spans to a least width, about their middles; returns `(span, edge)`."""
    edges = np.array(spans, dtype=np.float64).reshape(-1, 2)
    wide: NDArray[np.float64] = edges.mean(axis=1, keepdims=True) + np.maximum(
        np.diff(edges), least
    ) * (-0.5, 0.5)
    return wide


def placed(
    wishes: Sequence[tuple[float, float]], widths: Sequence[float], ways: Sequence[float]
) -> dict[int, tuple[float, float]]:
    """Place texts so that none covers another, in pixels; earlier ones have precedence.

    Args:
        wishes: where their middles should be.
        ways: how far a text may move up or down, once or twice, if another one is in its way; 0 if
            it may not move.

    Returns:
        The middle of each text that has a place, by its index.
    """
    written: dict[int, tuple[float, float]] = {}
    for index, ((x, y), width, way) in enumerate(zip(wishes, widths, ways, strict=True)):
        for middle in ((x, y), (x, y + way), (x, y + 2 * way)):
            if all(
                abs(x - u) >= (width + widths[other]) / 2 or abs(middle[1] - v) >= LINE_PX
                for other, (u, v) in written.items()
            ):
                written[index] = middle
                break
    return written
