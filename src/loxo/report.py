"""Pictures of recordings: what one sounds like from end to end, and what was found where.

Rumbles and gunshots are not seen with the same eyes, so a picture has two panels over one time axis:

    low    0-200 Hz, windows of 480 ms: the lines of rumbles
    high   0-4 kHz or half the recording's rate, windows of 32 ms: the edges of gunshots, and whatever else there is

A panel has at most `COLUMNS` columns, however long the recording is. Each column stands for all the windows in it: in the low panel for
the **mean** of their power, because a rumble lasts; in the high panel for the **maximum**, because a gunshot does not. The level is in
decibels over the median of its frequency over the picture: the 1/f slope of wind vanishes, and a faint rumble is as dark as a loud insect.

Detections are boxes: rumbles in the low panel, all else in the high one. What is known to be there (`truth`) is a bar at the panel's top.
In a picture of a day a rumble is a twentieth of a pixel wide: marks have a least width, and a recording of more than `LONG_S` is an
overview, in which the highest-scored detections are lettered, to be drawn again below it as close-ups of `CLOSE_UP_S`.

Colours of labels are those of Okabe and Ito, "Color Universal Design" (2008), told apart by all kinds of colour vision.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import scipy.fft
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PolyCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.image import AxesImage
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.signal.windows import hann

from loxo.events import EVENT_LABELS, Detection, Event
from loxo.recordings import Recording, RecordingError, open_recording
from loxo.spectrogram import SILENCE
from loxo.storage import replacing
from loxo.timeline import FrameGrid, ceil_div, samples_at

__all__ = ["LOW", "CloseUp", "Picture", "View", "close_ups", "draw_recording", "high_view", "picture", "ticks"]

Array = NDArray[np.float32]

RUMBLE, GUNSHOT = EVENT_LABELS
COLUMNS = 1040
"""Most columns of a panel, which is as many pixels wide."""
LONG_S = 600.0
CLOSE_UP_S = 30.0
CLOSE_UPS = 12
CLOSE_UPS_A_ROW = 3
LEAD_S = 3.0
"""Of a sound that is longer than a close-up, the beginning is shown, and this much before it."""

COLOURS = {RUMBLE: "#0072B2", GUNSHOT: "#D55E00"}
OTHER_COLOUR = "#009E73"
SILENT_COLOUR = "#f6ecd2"
GREYS = LinearSegmentedColormap.from_list("loxo", ["white", "#c9ccd1", "#7d828b", "#33363d", "black"], N=16).with_extremes(
    bad=SILENT_COLOUR
)
"""Few steps, since noise does not compress; digital silence is no measurement and has a colour of its own."""
WHITE_DB = 2.0
"""All below is white: half of noise, and most of its speckle."""

WIDTH_IN, DPI = 12.0, 100
LEFT_IN, RIGHT_IN = 0.8, 0.8
HEAD_IN, PANEL_IN, GAP_IN, FOOT_IN = 0.95, 2.3, 0.35, 0.45
CLOSE_UP_HEAD_IN, CLOSE_UP_IN, CLOSE_UP_GAP_IN = 0.55, 1.25, 0.55
LEAST_PX = 4.0
"""Least width and height of a mark."""
LETTER_PX, LINE_PX = 9.0, 15.0
"""Width and height of a letter of a caption."""

DAY_S = 86_400
STEPS_S = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 10_800, 21_600, 43_200, DAY_S)
MOST_TICKS = 12


# ---- what is seen


@dataclass(frozen=True, slots=True)
class View:
    """A way to look at samples of `rate`: power in windows of `window` samples, up to `top_hz`; `reduce` makes one column of several."""

    rate: int
    window: int
    top_hz: float
    reduce: Callable[..., Array]

    @property
    def bin_hz(self) -> float:
        """Distance of two frequencies."""
        return self.rate / self.window

    @property
    def n_bins(self) -> int:
        """Frequencies from 0 to `top_hz`, both included."""
        return int(self.top_hz / self.bin_hz) + 1

    def shows(self, label: str) -> bool:
        """Whether what has this label is drawn in this view."""
        return (label == RUMBLE) == (self == LOW)


LOW = View(rate=500, window=240, top_hz=200.0, reduce=np.mean)


def high_view(rate: int) -> View:
    """The high view of a recording of `rate`."""
    shown = min(rate, 8000)
    return View(shown, max(16, samples_at(0.032, shown)), shown / 2, np.max)


@dataclass(frozen=True, slots=True)
class Picture:
    """Level in dB `(column, bin)`, over the median of each bin; `nan` where there is digital silence.

    Args:
        end_s: of the sound; the last column may reach beyond it.
    """

    view: View
    level_db: Array
    start_s: float
    end_s: float
    column_s: float


def picture(blocks: Iterable[Array], view: View, n_samples: int, *, columns: int = COLUMNS, start_s: float = 0.0) -> Picture:
    """What consecutive blocks `(sample,)` of `view.rate` look like; no more is held than a block and the windows of one column.

    Args:
        n_samples: that are expected; there may be fewer, then the picture ends early.
        start_s: time of the first sample.
    """
    step, per_column = tiling(n_samples, view.window, columns)
    power = reduced(cell_power(blocks, view, step), per_column, view.reduce)
    grid = FrameGrid(view.rate, step * per_column)
    length_s = min(FrameGrid(view.rate, 1).start_s(n_samples), grid.start_s(len(power)))
    return Picture(view, over_median_db(power), start_s, start_s + length_s, grid.frame_s)


def tiling(n_samples: int, window: int, columns: int) -> tuple[int, int]:
    """Samples from one window to the next, and windows a column: `columns` or fewer hold all samples, and no sample is left out."""
    per_column = max(1, ceil_div(n_samples, columns * window))
    return max(1, window // 8, ceil_div(n_samples, columns * per_column)), per_column


def cell_power(blocks: Iterable[Array], view: View, step: int) -> Iterator[Array]:
    """Power `(cell, bin)` in the windows that are centred on cells of `step` samples; white noise has its variance in each bin."""
    taper = hann(view.window, sym=False)
    taper = (taper / np.sqrt((taper**2).sum())).astype(np.float32)
    waiting = np.empty(0, np.float32)
    for piece in _between_silence(blocks, view.window, step):
        waiting = np.concatenate((waiting, piece))
        if len(waiting) >= view.window:
            windows = sliding_window_view(waiting, view.window)[::step]
            spectrum = scipy.fft.rfft(windows * taper)[:, : view.n_bins]
            yield spectrum.real**2 + spectrum.imag**2
            waiting = waiting[len(windows) * step :]


def _between_silence(blocks: Iterable[Array], window: int, step: int) -> Iterator[Array]:
    """The blocks, with so much silence around them that the first window is centred on the first cell and the last on the last."""
    before = (window - step) // 2
    n_samples = 0
    yield np.zeros(before, np.float32)
    for block in blocks:
        n_samples += len(block)
        yield block
    yield np.zeros((ceil_div(n_samples, step) - 1) * step + window - before - n_samples, np.float32)


def reduced(cells: Iterable[Array], per_column: int, reduce: Callable[..., Array]) -> Array:
    """Columns `(column, bin)` of `per_column` cells each, the last one of those that are left."""
    columns: list[Array] = []
    waiting: Array | None = None
    for piece in cells:
        waiting = piece if waiting is None else np.concatenate((waiting, piece))
        whole, n_bins = len(waiting) // per_column, waiting.shape[1]
        columns.append(reduce(waiting[: whole * per_column].reshape(whole, per_column, n_bins), axis=1))
        waiting = waiting[whole * per_column :]
    if waiting is not None and len(waiting):
        columns.append(reduce(waiting, axis=0, keepdims=True))
    return np.concatenate(columns) if columns else np.empty((0, 0), np.float32)


def over_median_db(power: Array) -> Array:
    """Decibels over the median of each bin `(column, bin)`; columns of digital silence are `nan` and do not count."""
    heard = (power > SILENCE).any(axis=1)
    level = 10 * np.log10(np.maximum(power, np.float32(SILENCE)))
    level[~heard] = np.nan
    if heard.any():
        level -= np.median(level[heard], axis=0)
    return level


# ---- which parts of it are shown


@dataclass(frozen=True, slots=True)
class CloseUp:
    """A detection to be drawn once more, from `start_s` for `CLOSE_UP_S`; its letter leads from the overview to it."""

    detection: Detection
    letter: str
    start_s: float


def close_ups(detections: Sequence[Detection], duration_s: float) -> list[CloseUp]:
    """The highest-scored detections, as many of each label, in order of label and time; none that another close-up shows already."""
    inside = [detection for detection in detections if detection.start_s < duration_s]
    labels = _in_order({detection.label for detection in inside})[:CLOSE_UPS]
    chosen: list[tuple[Detection, float]] = []
    for label in labels:
        ranked = sorted((d for d in inside if d.label == label), key=lambda d: (-d.score, d.start_s))
        chosen += sorted(_apart(ranked, duration_s, CLOSE_UPS // len(labels)), key=lambda shown: shown[0].start_s)
    return [CloseUp(detection, letter, start_s) for letter, (detection, start_s) in zip("abcdefghijkl", chosen, strict=False)]


def _in_order(labels: Iterable[str]) -> list[str]:
    """The labels of this package first."""
    return sorted(labels, key=lambda label: (label != RUMBLE, label != GUNSHOT, label))


def _apart(ranked: Sequence[Detection], duration_s: float, most: int) -> list[tuple[Detection, float]]:
    """The first detections that are not within the close-up of one before, and where their close-ups start."""
    shown: list[tuple[Detection, float]] = []
    for detection in ranked:
        if len(shown) < most and not any(start_s <= detection.start_s and detection.end_s <= start_s + CLOSE_UP_S for _, start_s in shown):
            start_s = min(_middle_s(detection) - CLOSE_UP_S / 2, detection.start_s - LEAD_S, duration_s - CLOSE_UP_S)
            shown.append((detection, max(0.0, start_s)))
    return shown


def _middle_s(detection: Detection) -> float:
    return (detection.start_s + detection.end_s) / 2


@dataclass(frozen=True, slots=True)
class Look:
    """What one view shows of a recording: the whole, and the close-ups of what it draws."""

    whole: Picture
    near: Sequence[tuple[CloseUp, Picture]]


def look(recording: Recording, channel: int | None, wanted: Sequence[CloseUp], view: View) -> Look:
    """Look at a recording in one view, in one pass.

    Close-ups are cut out in passing, not sought: in a damaged file too they show what the detector was given.
    """
    mine = [close_up for close_up in wanted if view.shows(close_up.detection.label)]
    spans = [(samples_at(c.start_s, view.rate), samples_at(c.start_s + CLOSE_UP_S, view.rate)) for c in mine]
    kept: list[list[Array]] = [[] for _ in mine]
    blocks = keeping(recording.blocks(view.rate, channel=channel), spans, kept)
    whole = picture(blocks, view, ceil_div(recording.n_samples * view.rate, recording.rate))
    columns = COLUMNS // CLOSE_UPS_A_ROW
    pairs = [(close_up, parts) for close_up, parts in zip(mine, kept, strict=True) if parts]
    return Look(whole, [(c, picture(parts, view, sum(map(len, parts)), columns=columns, start_s=c.start_s)) for c, parts in pairs])


def keeping(blocks: Iterable[Array], spans: Sequence[tuple[int, int]], kept: Sequence[list[Array]]) -> Iterator[Array]:
    """The blocks as they are, while the samples of each span are added to its list."""
    at = 0
    for block in blocks:
        for (start, stop), parts in zip(spans, kept, strict=True):
            part = block[max(0, start - at) : max(0, stop - at)]
            if len(part):
                parts.append(part.copy())
        at += len(block)
        yield block


# ---- words and numbers


def ticks(end_s: float, start_time: datetime | None) -> list[tuple[float, str]]:
    """Round times of a recording, at most `MOST_TICKS`, and how they are written: of the day if the start is known, else from the start."""
    step_s = next((step for step in STEPS_S if end_s / step < MOST_TICKS), DAY_S * ceil_div(math.ceil(end_s), DAY_S * MOST_TICKS))
    day_s = 0 if start_time is None else start_time.hour * 3600 + start_time.minute * 60 + start_time.second
    times_s = [step_s * number - day_s for number in range(ceil_div(day_s, step_s), math.floor((end_s + day_s) / step_s) + 1)]
    return [(time_s, time_text(time_s, start_time, seconds=step_s < 60)) for time_s in times_s]


def time_text(time_s: float, start_time: datetime | None, *, seconds: bool) -> str:
    """Hours and minutes, of the day if the start is known, else from the start: 14:03 or 14:03:20."""
    if start_time is not None:
        # By way of UTC, since clocks may be changed during a recording.
        there = (start_time.astimezone(UTC) + timedelta(seconds=time_s)).astimezone(start_time.tzinfo)
        return f"{there:%H:%M:%S}" if seconds else f"{there:%H:%M}"
    minutes, rest_s = divmod(int(time_s), 60)
    return f"{minutes // 60}:{minutes % 60:02}" + (f":{rest_s:02}" if seconds else "")


def time_title(example: str, start_time: datetime | None) -> str:
    """What a time axis with such ticks is called."""
    unit = "hours:minutes" if example.count(":") == 1 else "hours:minutes:seconds"
    return (
        f"Time from the start ({unit})" if start_time is None else f"Time of day ({unit}) from {start_time:%Y-%m-%d}, {start_time.tzinfo}"
    )


def headline(detections: Sequence[Detection], duration_s: float) -> str:
    """How much was found in how long.

    >>> headline([Detection("Rumble", 1, 5, 10, 40, 0.9)], 1800)
    '1 rumble and 0 gunshots found in 30 min'
    """
    counts = Counter(dict.fromkeys(EVENT_LABELS, 0))
    counts.update(detection.label for detection in detections)
    found = [f"{count:,} {label.lower()}{'' if count == 1 else 's'}" for label, count in counts.items()]
    unit_s, unit = next(((size_s, name) for size_s, name in ((3600, "h"), (60, "min")) if duration_s >= size_s), (1, "s"))
    return f"{', '.join(found[:-1])} and {found[-1]} found in {duration_s / unit_s:.3g} {unit}"


def drawable(text: str) -> str:
    """The text with a replacement for each letter that the font lacks, as those of a name that is not UTF-8."""
    font = get_font(findfont(FontProperties()))
    return "".join(letter if font.get_char_index(ord(letter)) else "\N{REPLACEMENT CHARACTER}" for letter in text)


def widened(spans: Sequence[tuple[float, float]], least: float) -> NDArray[np.float64]:
    """Spans `(span, edge)` of a least width, about the same middles."""
    edges = np.array(spans, dtype=np.float64).reshape(-1, 2)
    wide: NDArray[np.float64] = edges.mean(axis=1, keepdims=True) + np.maximum(np.diff(edges), least) * (-0.5, 0.5)
    return wide


def placed(wishes: Sequence[tuple[float, float]], widths: Sequence[float], ways: Sequence[float]) -> dict[int, tuple[float, float]]:
    """Middles of texts, by index, of those that can be written without lying over one before them; all in pixels.

    Args:
        wishes: where their middles should be.
        ways: how far a text may move up or down, once or twice, if another one is in its way; 0 if not.
    """
    written: dict[int, tuple[float, float]] = {}
    for index, ((x, y), width, way) in enumerate(zip(wishes, widths, ways, strict=True)):
        for middle in ((x, y), (x, y + way), (x, y + 2 * way)):
            if all(abs(x - u) >= (width + widths[other]) / 2 or abs(middle[1] - v) >= LINE_PX for other, (u, v) in written.items()):
                written[index] = middle
                break
    return written


def darkest_db(level_db: Array) -> float:
    """The level that is black: of the loudest few cells, but not so low that noise alone is black."""
    heard = level_db[np.isfinite(level_db)]
    return float(np.clip(np.percentile(heard, 99.5), 12.0, 30.0)) if len(heard) else 12.0


# ---- how it is drawn


@dataclass(frozen=True, slots=True)
class Marks:
    """What all panels draw over their pictures, each its part."""

    detections: Sequence[Detection]
    truth: Sequence[Event]
    letters: Mapping[Detection, str]
    start_time: datetime | None


def draw_recording(
    path: Path,
    detections: Sequence[Detection],
    output: Path,
    *,
    truth: Sequence[Event] = (),
    channel: int | None = None,
    timezone: ZoneInfo | None = None,
) -> None:
    """Draw a recording, with what was found in it, to a PNG file.

    Args:
        truth: what is known to be there, if it is.
        channel: from 0; None takes the mean of all.
        timezone: of the time in the recording's name; without it times count from the start, unless the name says UTC itself.

    Raises:
        OSError: if nothing in the recording can be used, or the picture cannot be written.
        ValueError: if the recording has no such channel.
    """
    recording = open_recording(path, timezone)
    wanted = close_ups(detections, recording.duration_s) if recording.duration_s > LONG_S else []
    views = (LOW, high_view(recording.rate))
    with ThreadPoolExecutor(len(views)) as pool:
        looks = list(pool.map(partial(look, recording, channel, wanted), views))
    if any(len(seen.whole.level_db) == 0 for seen in looks):
        raise RecordingError(f"{path}: no sample can be read, so nothing can be drawn; copy it again, or leave it out")
    marks = Marks(detections, truth, {close_up.detection: close_up.letter for close_up in wanted}, recording.start_time)
    with replacing(output) as passing:
        _sheet(path.name, looks, marks).savefig(passing, format="png")


def _sheet(name: str, looks: Sequence[Look], marks: Marks) -> Figure:
    """Head, overview, and rows of close-ups below, each row of one view."""
    rows = [seen.near[at : at + CLOSE_UPS_A_ROW] for seen in looks for at in range(0, len(seen.near), CLOSE_UPS_A_ROW)]
    overview_in = HEAD_IN + len(looks) * (PANEL_IN + GAP_IN) + FOOT_IN
    row_in = CLOSE_UP_IN + CLOSE_UP_GAP_IN
    figure = Figure((WIDTH_IN, overview_in + (CLOSE_UP_HEAD_IN + len(rows) * row_in if rows else 0.0)), DPI)
    FigureCanvasAgg(figure)
    _draw_head(figure, name, looks[0].whole, marks)
    for number, seen in enumerate(looks):
        _draw_overview(figure, HEAD_IN + number * (PANEL_IN + GAP_IN), seen.whole, marks, last=number == len(looks) - 1)
    if rows:
        _write(figure, overview_in + 0.1, f"The highest scores, {CLOSE_UP_S:g} s each, lettered as above", size=12, weight="bold")
    for number, row in enumerate(rows):
        for column, (close_up, shown) in enumerate(row):
            _draw_close_up(figure, (overview_in + CLOSE_UP_HEAD_IN + number * row_in, column), close_up, shown, marks)
    return figure


def _write(figure: Figure, top_in: float, text: str, *, size: float, weight: str = "normal") -> None:
    top = 1 - top_in / figure.get_figheight()
    figure.text(LEFT_IN / WIDTH_IN, top, drawable(text), size=size, weight=weight, va="top", parse_math=False)


def _axes(figure: Figure, left_in: float, top_in: float, width_in: float, height_in: float) -> Axes:
    """Axes at a place that is given from the upper left."""
    of_in = figure.get_figheight()
    return figure.add_axes((left_in / WIDTH_IN, 1 - (top_in + height_in) / of_in, width_in / WIDTH_IN, height_in / of_in))


def _name_frequencies(axes: Axes) -> None:
    """At the same distance everywhere, whatever the width of the numbers between."""
    axes.set_ylabel("Frequency (Hz)", size=10)
    axes.yaxis.set_label_coords(-55 / axes.bbox.width, 0.5)


def _colour(label: str) -> str:
    return COLOURS.get(label, OTHER_COLOUR)


def _draw_head(figure: Figure, name: str, whole: Picture, marks: Marks) -> None:
    _write(figure, 0.15, name, size=14, weight="bold")
    _write(figure, 0.43, headline(marks.detections, whole.end_s), size=11)
    found, known = _in_order({d.label for d in marks.detections}), _in_order({event.label for event in marks.truth})
    keys = [Patch(facecolor="none", edgecolor=_colour(label), linewidth=1.6, label=f"{drawable(label)} found") for label in found]
    keys += [Patch(facecolor=_colour(label), label=f"{drawable(label)} known") for label in known]
    if np.isnan(whole.level_db).any():
        keys.append(Patch(facecolor=SILENT_COLOUR, label="no sound at all"))
    corner = (1 - RIGHT_IN / WIDTH_IN, 1 - 0.1 / figure.get_figheight())
    style = {"ncols": 2 if known else 1, "frameon": False, "fontsize": 10, "borderpad": 0}
    for text in figure.legend(handles=keys, loc="upper right", bbox_to_anchor=corner, **style).get_texts():
        text.set_parse_math(False)


def _draw_overview(figure: Figure, top_in: float, whole: Picture, marks: Marks, *, last: bool) -> None:
    axes = _axes(figure, LEFT_IN, top_in, WIDTH_IN - LEFT_IN - RIGHT_IN, PANEL_IN)
    image = _draw_picture(axes, whole, marks)
    axes.set_title("Low frequencies: rumbles" if whole.view == LOW else "High frequencies: gunshots and all else", size=11, loc="left")
    _name_frequencies(axes)
    times_s, texts = zip(*ticks(whole.end_s, marks.start_time), strict=True)
    axes.set_xticks(times_s, texts if last else [""] * len(texts))
    if last:
        axes.set_xlabel(time_title(texts[0], marks.start_time), size=10)
    scale = _axes(figure, WIDTH_IN - RIGHT_IN + 0.1, top_in, 0.12, PANEL_IN)
    figure.colorbar(image, cax=scale, ticks=MaxNLocator(6, integer=True)).set_label("dB over the median", size=10)


def _draw_close_up(figure: Figure, place: tuple[float, int], close_up: CloseUp, shown: Picture, marks: Marks) -> None:
    (top_in, column), gap_in = place, 0.45
    width_in = (WIDTH_IN - LEFT_IN - 0.25 - (CLOSE_UPS_A_ROW - 1) * gap_in) / CLOSE_UPS_A_ROW
    axes = _axes(figure, LEFT_IN + column * (width_in + gap_in), top_in, width_in, CLOSE_UP_IN)
    _draw_picture(axes, shown, marks)
    found = close_up.detection
    at = time_text(found.start_s, marks.start_time, seconds=True)
    title = f"{close_up.letter}   {drawable(found.label)} at {at}, score {found.score:.2f}"
    axes.set_title(title, size=10, loc="left", parse_math=False)
    if column == 0:
        _name_frequencies(axes)
    axes.set_xticks([shown.start_s + after_s for after_s in (0, 10, 20, 30)], ["0", "10", "20", "30 s"])
    axes.set_xlim(shown.start_s, shown.end_s)
    axes.tick_params(labelsize=9)


def _draw_picture(axes: Axes, shown: Picture, marks: Marks) -> AxesImage:
    """A picture and its marks, on axes in seconds and hertz."""
    view, half_hz = shown.view, shown.view.bin_hz / 2
    extent = (shown.start_s, shown.start_s + len(shown.level_db) * shown.column_s, -half_hz, view.n_bins * view.bin_hz - half_hz)
    image = axes.imshow(shown.level_db.T, GREYS, aspect="auto", interpolation="nearest", origin="lower", extent=extent)
    image.set_clim(WHITE_DB, darkest_db(shown.level_db))
    axes.set(xlim=(shown.start_s, shown.end_s), ylim=(0, view.top_hz))
    pixel_s, pixel_hz = (shown.end_s - shown.start_s) / axes.bbox.width, view.top_hz / axes.bbox.height
    found = [d for d in marks.detections if view.shows(d.label) and shown.start_s < d.end_s and d.start_s < shown.end_s]
    known = [event for event in marks.truth if view.shows(event.label)]
    _draw_boxes(axes, found, LEAST_PX * pixel_s, LEAST_PX * pixel_hz)
    times_s = widened([(event.start_s, event.end_s) for event in known], LEAST_PX * pixel_s)
    bars = np.column_stack((times_s[:, 0], np.diff(times_s))).tolist()
    axes.broken_barh(bars, (0.95, 0.05), transform=axes.get_xaxis_transform(), color=[_colour(event.label) for event in known])
    _draw_captions(axes, found, marks.letters)
    return image


def _draw_boxes(axes: Axes, detections: Sequence[Detection], least_s: float, least_hz: float) -> None:
    """Boxes, with a white edge about them that parts them from what is dark."""
    times_s = widened([(d.start_s, d.end_s) for d in detections], least_s)
    bands_hz = widened([(d.low_hz, d.high_hz) for d in detections], least_hz).clip(*axes.get_ylim())
    corners = np.stack((times_s[:, [0, 0, 1, 1]], bands_hz[:, [0, 1, 1, 0]]), axis=-1)
    for colours, width in ((["white"], 3.2), ([_colour(d.label) for d in detections], 1.6)):
        axes.add_collection(PolyCollection(list(corners), facecolors="none", edgecolors=colours, linewidths=width), autolim=False)


def _draw_captions(axes: Axes, detections: Sequence[Detection], letters: Mapping[Detection, str]) -> None:
    """Letters of close-ups and, where there is room, scores: over the boxes, or below the bars where a box reaches up to them."""
    (start_s, end_s), (_, top_hz), (width, height) = axes.get_xlim(), axes.get_ylim(), axes.bbox.size
    pixel_s, pixel_hz = (end_s - start_s) / width, top_hz / height
    ranked = sorted((d for d in detections if start_s <= _middle_s(d) <= end_s), key=lambda d: (d not in letters, -d.score))
    texts = [letters.get(d, f"{d.score:.2f}") for d in ranked]
    widths = [LETTER_PX * len(text) for text in texts]
    across = [(_middle_s(d) - start_s) / pixel_s for d in ranked]
    inside = [min(max(x, text_width / 2), width - text_width / 2) for x, text_width in zip(across, widths, strict=True)]
    highest = height * 0.95 - LINE_PX / 2
    up = [d.high_hz / pixel_hz + 0.6 * LINE_PX for d in ranked]
    ways = [(LINE_PX if y < highest else -LINE_PX) if d in letters else 0.0 for d, y in zip(ranked, up, strict=True)]
    wishes = [(x, min(y, highest)) for x, y in zip(inside, up, strict=True)]
    for index, (x, y) in placed(wishes, widths, ways).items():
        text = axes.text(start_s + x * pixel_s, y * pixel_hz, texts[index], ha="center", va="center", size=9.5, weight="bold")
        text.set(color=_colour(ranked[index].label), path_effects=[withStroke(linewidth=2.5, foreground="white")])
