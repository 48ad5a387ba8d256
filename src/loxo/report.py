"""Pictures of recordings: what one sounds like from end to end, and what was found where.

Rumbles and gunshots are not seen with the same eyes, so a picture has two panels over one time axis:

    low    0-200 Hz, windows of 480 ms: the lines of rumbles
    high   0-4 kHz or half the recording's rate, windows of 32 ms: the edges of gunshots, and whatever else there is

A panel has at most `COLUMNS` columns, however long the recording is. Each column stands for all the windows in it: in the low panel for
the **mean** of their power, because a rumble lasts; in the high panel for the **maximum**, because a gunshot does not. The level is in
decibels over the median of its frequency over the picture: the 1/f slope of wind vanishes, and a faint rumble is as dark as a loud insect.

Detections are boxes: rumbles in the low panel, all else in the high one. What is known to be there (`truth`) is a bar above the panel.
In a picture of a day a rumble is a twentieth of a pixel wide: marks have a least width, and a recording of more than `LONG_S` is an
overview, in which the highest-scored detections are lettered, to be drawn again below it as close-ups of `CLOSE_UP_S`.

Colours of labels are those of Okabe and Ito, "Color Universal Design" (2008), told apart by all kinds of colour vision.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
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
LEAD_S = 3.0
"""Of a sound that is longer than a close-up, the beginning is shown, and this much before it."""

COLOURS = {RUMBLE: "#0072B2", GUNSHOT: "#D55E00"}
OTHER_COLOUR = "#009E73"
GREYS = LinearSegmentedColormap.from_list("loxo", ["white", "#c9ccd1", "#7d828b", "#33363d", "black"], N=24).with_extremes(bad="#f6ecd2")
"""Few steps, since noise does not compress; digital silence is no measurement and has a colour of its own."""
HALO = [withStroke(linewidth=2.5, foreground="white")]

WIDTH_IN, DPI = 12.0, 100
LEFT_IN, RIGHT_IN = 0.75, 0.85
PANEL_IN, CLOSE_UP_IN = 2.3, 1.25
CLOSE_UPS_A_ROW = 3
HEAD_IN, GAP_IN, FOOT_IN, CLOSE_UP_GAP_IN = 1.15, 0.35, 0.45, 0.6
LEAST_PX = 4.0
LETTER_PX = 9.0
"""Width of a letter of a caption, with room to spare."""

STEPS_S = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 10800, 21600, 43200, 86400)


# ---- what is seen


@dataclass(frozen=True, slots=True)
class View:
    """A way to look at samples of `rate`: power in windows of `window` samples, up to `top_hz`, a column of them brought to one by `reduce`."""

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
    """What consecutive blocks `(sample,)` of `view.rate` look like; memory does not grow with their number.

    Args:
        n_samples: that are expected; there may be fewer, then the picture ends early.
        start_s: time of the first sample.
    """
    step, per_column = tiling(n_samples, view.window, columns)
    power = reduced(cell_power(blocks, view, step), per_column, view.reduce)
    grid = FrameGrid(view.rate, step * per_column)
    end_s = min(FrameGrid(view.rate, 1).start_s(n_samples), grid.start_s(len(power)))
    return Picture(view, over_median_db(power), start_s, start_s + end_s, grid.frame_s)


def tiling(n_samples: int, window: int, columns: int) -> tuple[int, int]:
    """Samples from one window to the next, and windows a column, so that `columns` or fewer hold all samples and no sample is left out."""
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
    """Columns `(column, bin)` of `per_column` cells each; the last one of those that are left."""
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


# ---- what is shown of it


@dataclass(frozen=True, slots=True)
class CloseUp:
    """A detection to be drawn once more, from `start_s` for `CLOSE_UP_S`; its letter leads from the overview to it."""

    detection: Detection
    letter: str
    start_s: float


def close_ups(detections: Sequence[Detection], duration_s: float) -> list[CloseUp]:
    """The highest-scored detections of each label, in order of label and time, as many of each; none that another one shows already."""
    labels = sorted({detection.label for detection in detections}, key=_rank)[:CLOSE_UPS]
    chosen: list[tuple[Detection, float]] = []
    for label in labels:
        ranked = sorted((d for d in detections if d.label == label), key=lambda d: (-d.score, d.start_s))
        chosen += sorted(_apart(ranked, duration_s, CLOSE_UPS // len(labels)), key=lambda shown: shown[1])
    return [CloseUp(detection, letter, start_s) for letter, (detection, start_s) in zip("abcdefghijkl", chosen, strict=False)]


def _rank(label: str) -> tuple[int, str]:
    return EVENT_LABELS.index(label) if label in EVENT_LABELS else len(EVENT_LABELS), label


def _apart(ranked: Sequence[Detection], duration_s: float, most: int) -> list[tuple[Detection, float]]:
    """The first detections that are not within the close-up of one before, with where their close-ups start."""
    shown: list[tuple[Detection, float]] = []
    for detection in ranked:
        if len(shown) < most and not any(start <= detection.start_s and detection.end_s <= start + CLOSE_UP_S for _, start in shown):
            middle_s = (detection.start_s + detection.end_s) / 2
            start_s = min(middle_s - CLOSE_UP_S / 2, detection.start_s - LEAD_S, duration_s - CLOSE_UP_S)
            shown.append((detection, max(0.0, start_s)))
    return shown


def look(
    recording: Recording, channel: int | None, wanted: Sequence[CloseUp], view: View
) -> tuple[Picture, list[tuple[CloseUp, Picture]]]:
    """The picture of a whole recording in one view, and those of the close-ups that this view shows, in one pass.

    Reading on while the recording is decoded anyway finds the close-ups where the detector found them, in damaged files too.
    """
    mine = [close_up for close_up in wanted if view.shows(close_up.detection.label)]
    spans = [(samples_at(c.start_s, view.rate), samples_at(c.start_s + CLOSE_UP_S, view.rate)) for c in mine]
    kept: list[list[Array]] = [[] for _ in spans]
    blocks = keeping(recording.blocks(view.rate, channel=channel), spans, kept)
    whole = picture(blocks, view, samples_at(recording.duration_s, view.rate))
    near = [
        (close_up, picture(parts, view, sum(map(len, parts)), columns=COLUMNS // CLOSE_UPS_A_ROW, start_s=close_up.start_s))
        for close_up, parts in zip(mine, kept, strict=True)
        if parts
    ]
    return whole, near


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


def ticks(start_s: float, end_s: float, start_time: datetime | None, most: int = 12) -> list[tuple[float, str]]:
    """Round times between two, `most` or a few less, and how they are written: the time of day where it is known, else from the start."""
    step_s = next((step for step in STEPS_S if (end_s - start_s) / step <= most), STEPS_S[-1])
    ahead_s = 0.0 if start_time is None else -_day_s(start_time) % step_s
    first = int(-(-(start_s - ahead_s) // step_s))
    times_s = [ahead_s + step_s * number for number in range(first, int((end_s - ahead_s) // step_s) + 1)]
    return [(time_s, time_text(time_s, start_time, seconds=step_s < 60, hours=end_s >= 3600)) for time_s in times_s]


def _day_s(time: datetime) -> float:
    return time.hour * 3600 + time.minute * 60 + time.second + time.microsecond / 1e6


def time_text(time_s: float, start_time: datetime | None, *, seconds: bool, hours: bool) -> str:
    """Time of day, as 14:03 or 14:03:20; or, from the start, 1:03, 1:03:20, or, without hours, always with seconds, 63:20."""
    if start_time is not None:
        # Over UTC, since the local clock may be changed in between.
        there = (start_time.astimezone(UTC) + timedelta(seconds=time_s)).astimezone(start_time.tzinfo)
        return f"{there:%H:%M:%S}" if seconds else f"{there:%H:%M}"
    minutes, rest_s = divmod(int(time_s), 60)
    if not hours:
        return f"{minutes}:{rest_s:02}"
    return f"{minutes // 60}:{minutes % 60:02}" + (f":{rest_s:02}" if seconds else "")


def _axis_title(end_s: float, start_time: datetime | None) -> str:
    if start_time is not None:
        return f"Time of day; starts on {start_time:%Y-%m-%d}, {start_time.tzinfo}"
    return "Time from the start (hours:minutes)" if end_s >= 3600 else "Time from the start (minutes:seconds)"


def headline(detections: Sequence[Detection], duration_s: float) -> str:
    """How much was found in how long."""
    counts = {label: 0 for label in EVENT_LABELS}
    for detection in detections:
        counts[detection.label] = counts.get(detection.label, 0) + 1
    found = [f"{count:,} {label.lower()}{'' if count == 1 else 's'}" for label, count in counts.items()]
    unit_s, unit = next((size, name) for size, name in ((3600, "h"), (60, "min"), (0, "s")) if duration_s >= size)
    return f"{', '.join(found[:-1])} and {found[-1]} found in {duration_s / max(unit_s, 1):.3g} {unit}"


def drawable(text: str) -> str:
    """The text with a sign for each letter that the font lacks, such as those of a name that is not UTF-8."""
    font = get_font(findfont(FontProperties()))
    return "".join(letter if font.get_char_index(ord(letter)) else "\N{REPLACEMENT CHARACTER}" for letter in text)


# ---- how it is drawn


@dataclass(frozen=True, slots=True)
class Marks:
    """What is drawn over pictures, by all of their panels alike."""

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
        timezone: of the time in the recording's name; where the start is not known, times count from it.

    Raises:
        RecordingError: if nothing in the recording can be used.
        ValueError: if it has no such channel.
    """
    recording = open_recording(path, timezone)
    wanted = close_ups(detections, recording.duration_s) if recording.duration_s > LONG_S else []
    views = (LOW, high_view(recording.rate))
    with ThreadPoolExecutor(len(views)) as pool:
        looks = list(pool.map(partial(look, recording, channel, wanted), views))
    if not all(len(whole.level_db) for whole, _ in looks):
        raise RecordingError(f"{path}: no sample can be read, so nothing can be drawn; copy it again, or leave it out")
    marks = Marks(detections, truth, {close_up.detection: close_up.letter for close_up in wanted}, recording.start_time)
    figure = _draw(path.name, looks, marks)
    with replacing(output) as passing:
        figure.savefig(passing, format="png")


def _draw(name: str, looks: Sequence[tuple[Picture, list[tuple[CloseUp, Picture]]]], marks: Marks) -> Figure:
    rows = [near[at : at + CLOSE_UPS_A_ROW] for _, near in looks for at in range(0, len(near), CLOSE_UPS_A_ROW)]
    overview_in = HEAD_IN + len(looks) * (PANEL_IN + GAP_IN) + FOOT_IN
    height_in = overview_in + (0.45 if rows else 0.0) + len(rows) * (CLOSE_UP_IN + CLOSE_UP_GAP_IN)
    figure = Figure(figsize=(WIDTH_IN, height_in), dpi=DPI)
    FigureCanvasAgg(figure)
    _draw_head(figure, name, looks[0][0], marks)
    for number, (whole, _) in enumerate(looks):
        top_in = HEAD_IN + number * (PANEL_IN + GAP_IN)
        _draw_overview(figure, top_in, whole, marks, last=number == len(looks) - 1)
    if rows:
        text = f"Highest scores, {CLOSE_UP_S:g} s each"
        figure.text(LEFT_IN / WIDTH_IN, 1 - overview_in / height_in, text, size=11, weight="bold", va="top")
    for number, row in enumerate(rows):
        top_in = overview_in + 0.75 + number * (CLOSE_UP_IN + CLOSE_UP_GAP_IN)
        for column, (close_up, near) in enumerate(row):
            _draw_close_up(figure, (column, top_in), close_up, near, marks)
    return figure


def _axes(figure: Figure, left_in: float, top_in: float, width_in: float, height_in: float) -> Axes:
    """Axes at a place that is given from the upper left."""
    of_height = figure.get_figheight()
    return figure.add_axes((left_in / WIDTH_IN, 1 - (top_in + height_in) / of_height, width_in / WIDTH_IN, height_in / of_height))


def _draw_head(figure: Figure, name: str, whole: Picture, marks: Marks) -> None:
    of_height = figure.get_figheight()
    left = LEFT_IN / WIDTH_IN
    figure.text(left, 1 - 0.18 / of_height, drawable(name), size=13, weight="bold", va="top", parse_math=False)
    figure.text(left, 1 - 0.45 / of_height, headline(marks.detections, whole.end_s), size=10.5, va="top", parse_math=False)
    shown = sorted({mark.label for mark in (*marks.detections, *marks.truth)}, key=_rank)
    handles = [Patch(facecolor="none", edgecolor=_colour(label), linewidth=1.6, label=f"{label.lower()} found, with score") for label in shown]
    if marks.truth:
        handles += [Patch(facecolor=_colour(label), label=f"{label.lower()} known") for label in shown]
    figure.legend(handles=handles, loc="upper right", ncols=2 if marks.truth else 1, frameon=False, fontsize=9.5)


def _colour(label: str) -> str:
    return COLOURS.get(label, OTHER_COLOUR)


def _draw_overview(figure: Figure, top_in: float, whole: Picture, marks: Marks, *, last: bool) -> None:
    width_in = WIDTH_IN - LEFT_IN - RIGHT_IN
    axes = _axes(figure, LEFT_IN, top_in, width_in, PANEL_IN)
    image = _draw_picture(axes, whole, marks)
    axes.set_title("Low: rumbles" if whole.view == LOW else "High: gunshots and all else", size=10.5, loc="left")
    _label_frequencies(axes, whole.view)
    times = ticks(whole.start_s, whole.end_s, marks.start_time)
    axes.set_xticks([time_s for time_s, _ in times], [text for _, text in times] if last else [])
    if last:
        axes.set_xlabel(_axis_title(whole.end_s, marks.start_time), size=10)
    bar = figure.colorbar(image, cax=_axes(figure, LEFT_IN + width_in + 0.1, top_in, 0.12, PANEL_IN))
    bar.set_label("dB over the median", size=9)
    bar.ax.tick_params(labelsize=9)


def _label_frequencies(axes: Axes, view: View) -> None:
    if view == LOW:
        axes.set_ylabel("Frequency (Hz)", size=10)
    else:
        axes.set_ylabel("Frequency (kHz)", size=10)
        axes.yaxis.set_major_formatter(lambda hz, _: f"{hz / 1000:g}")


def _draw_close_up(figure: Figure, place: tuple[int, float], close_up: CloseUp, near: Picture, marks: Marks) -> None:
    column, top_in = place
    pitch_in = (WIDTH_IN - LEFT_IN - 0.2 + 0.4) / CLOSE_UPS_A_ROW
    axes = _axes(figure, LEFT_IN + column * pitch_in, top_in, pitch_in - 0.4, CLOSE_UP_IN)
    _draw_picture(axes, near, marks)
    detection = close_up.detection
    at = time_text(detection.start_s, marks.start_time, seconds=True, hours=True)
    axes.set_title(f"{close_up.letter}   {detection.label.lower()} at {at}, score {detection.score:.2f}", size=9.5, loc="left", parse_math=False)
    _label_frequencies(axes, near.view)
    if column:
        axes.set_ylabel("")
    axes.set_xticks([near.start_s + time_s for time_s in (0, 10, 20, 30)], ["0", "10", "20", "30 s"])
    axes.tick_params(labelsize=8.5)


def _draw_picture(axes: Axes, shown: Picture, marks: Marks) -> AxesImage:
    """A picture with its marks, on axes of seconds and hertz."""
    n_columns, half_hz = len(shown.level_db), shown.view.bin_hz / 2
    extent = (shown.start_s, shown.start_s + n_columns * shown.column_s, -half_hz, (shown.view.n_bins - 0.5) * shown.view.bin_hz)
    image = axes.imshow(shown.level_db.T, origin="lower", aspect="auto", interpolation=INTERP, extent=extent, cmap=GREYS, vmin=VMIN, vmax=darkest_db(shown.level_db))
    axes.set(xlim=(shown.start_s, shown.end_s), ylim=(0, shown.view.top_hz))
    for label in sorted({mark.label for mark in (*marks.detections, *marks.truth) if shown.view.shows(mark.label)}, key=_rank):
        _draw_boxes(axes, [d for d in marks.detections if d.label == label], _colour(label))
        _draw_bars(axes, [event for event in marks.truth if event.label == label], _colour(label))
    _draw_captions(axes, [d for d in marks.detections if shown.view.shows(d.label)], marks.letters)
    return image


def _px_s(axes: Axes) -> float:
    """Seconds that a pixel is wide."""
    start_s, end_s = axes.get_xlim()
    return (end_s - start_s) / axes.bbox.width


def _draw_boxes(axes: Axes, detections: Sequence[Detection], colour: str) -> None:
    top_hz = axes.get_ylim()[1]
    times_s = widened([(d.start_s, d.end_s) for d in detections], LEAST_PX * _px_s(axes))
    bands_hz = widened([(d.low_hz, d.high_hz) for d in detections], LEAST_PX * top_hz / axes.bbox.height)
    corners = np.stack((times_s[:, [0, 0, 1, 1]], bands_hz.clip(0, top_hz)[:, [0, 1, 1, 0]]), axis=-1)
    for edge, width in (("white", 3.2), (colour, 1.6)):
        axes.add_collection(PolyCollection(corners, facecolors="none", edgecolors=edge, linewidths=width), autolim=False)


def widened(spans: Sequence[tuple[float, float]], least: float) -> NDArray[np.float64]:
    """Spans `(span, 2)` of at least a width, about the same middles."""
    edges = np.array(spans, dtype=np.float64).reshape(-1, 2)
    half = np.maximum(np.diff(edges), least) / 2
    return edges.mean(axis=1, keepdims=True) + half * (-1, 1)


def _draw_bars(axes: Axes, truth: Sequence[Event], colour: str) -> None:
    times_s = widened([(event.start_s, event.end_s) for event in truth], LEAST_PX * _px_s(axes))
    bars = [(start_s, end_s - start_s) for start_s, end_s in times_s]
    axes.broken_barh(bars, (0.95, 0.05), transform=axes.get_xaxis_transform(), facecolors=colour, edgecolors="white", linewidth=0.8)


def _draw_captions(axes: Axes, detections: Sequence[Detection], letters: Mapping[Detection, str]) -> None:
    """Letters of close-ups and, where there is room, scores: over their boxes, or in them at the top of the panel."""
    start_s, end_s = axes.get_xlim()
    top_hz = axes.get_ylim()[1]
    inside = [d for d in detections if start_s <= (d.start_s + d.end_s) / 2 <= end_s]
    ranked = sorted(inside, key=lambda d: (d not in letters, -d.score))
    texts = [letters.get(d, f"{d.score:.2f}") for d in ranked]
    middles_px = [((d.start_s + d.end_s) / 2 - start_s) / _px_s(axes) for d in ranked]
    for index in legible(middles_px, [LETTER_PX * len(text) for text in texts]):
        detection = ranked[index]
        high = detection.high_hz > 0.8 * top_hz
        axes.annotate(
            texts[index],
            ((detection.start_s + detection.end_s) / 2, 0.93 * top_hz if high else detection.high_hz),
            xytext=(0, 0 if high else 2),
            textcoords="offset points",
            ha="center", va="top" if high else "bottom", size=9, weight="bold", color=_colour(detection.label), path_effects=HALO,
        )


def legible(middles: Sequence[float], widths: Sequence[float]) -> list[int]:
    """Which of some texts in a line can be read, the first ones first: none that lies on one that is taken."""
    taken: list[int] = []
    for index, (middle, width) in enumerate(zip(middles, widths, strict=True)):
        if all(abs(middle - middles[other]) >= (width + widths[other]) / 2 for other in taken):
            taken.append(index)
    return taken


def darkest_db(level_db: Array) -> float:
    """The level that is black: few cells are above it; of a picture in which there is little, far above the most."""
    heard = level_db[np.isfinite(level_db)]
    return float(np.clip(np.percentile(heard, 99.7), 12.0, 40.0)) if len(heard) else 12.0
