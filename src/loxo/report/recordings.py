"""A recording from end to end, or a stretch of it, drawn with what was found in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from loxo.events import Detection, Event, Interval
from loxo.recordings import Recording, RecordingError, open_recording
from loxo.recordings.samples import resampled
from loxo.report.panels import (
    DPI,
    LEFT_IN,
    RIGHT_IN,
    SILENT_COLOUR,
    WIDTH_IN,
    Marks,
    axes_at,
    colour,
    draw_picture,
    in_order,
    name_frequencies,
    write,
)  # fmt: skip
from loxo.report.pictures import COLUMNS, LOW, Array, Picture, View, high_view, picture
from loxo.report.words import drawable, headline, ticks, time_text, time_title
from loxo.storage import replacing
from loxo.timeline import ceil_div, samples_at, seconds_at

__all__ = [
    "CLOSE_UPS",
    "CLOSE_UPS_A_ROW",
    "CLOSE_UP_GAP_IN",
    "CLOSE_UP_IN",
    "CLOSE_UP_S",
    "CloseUp",
    "close_up_start_s",
    "close_ups",
    "draw_close_up",
    "draw_recording",
    "draw_stretch",
    "keeping",
    "stretches",
]

LONG_S = 600.0
CLOSE_UP_S = 30.0
CLOSE_UPS = 12
CLOSE_UPS_A_ROW = 3
LEAD_S = 3.0
"""Of a sound that is longer than a close-up, the beginning is shown, and this much before it."""
HEAD_IN, PANEL_IN, GAP_IN, FOOT_IN = 0.95, 2.3, 0.35, 0.45
CLOSE_UP_HEAD_IN, CLOSE_UP_IN, CLOSE_UP_GAP_IN = 0.55, 1.25, 0.55


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
    labels = in_order({detection.label for detection in inside})[:CLOSE_UPS]
    chosen: list[tuple[Detection, float]] = []
    for label in labels:
        ranked = sorted((d for d in inside if d.label == label), key=lambda d: (-d.score, d.start_s))
        chosen += sorted(_apart(ranked, duration_s, CLOSE_UPS // len(labels)), key=lambda shown: shown[0].start_s)
    return [CloseUp(detection, letter, start_s) for letter, (detection, start_s) in zip("abcdefghijkl", chosen, strict=False)]


def _apart(ranked: Sequence[Detection], duration_s: float, most: int) -> list[tuple[Detection, float]]:
    """The first detections that are not within the close-up of one before, and where their close-ups start."""
    shown: list[tuple[Detection, float]] = []
    for detection in ranked:
        if len(shown) < most and not any(start_s <= detection.start_s and detection.end_s <= start_s + CLOSE_UP_S for _, start_s in shown):
            shown.append((detection, close_up_start_s((detection.start_s, detection.end_s), duration_s)))
    return shown


def close_up_start_s(sound: Interval, duration_s: float) -> float:
    """Where a close-up of a sound starts: so that the sound is in its middle, or begins within it if it is longer."""
    start_s, end_s = sound
    return max(0.0, min((start_s + end_s) / 2 - CLOSE_UP_S / 2, start_s - LEAD_S, duration_s - CLOSE_UP_S))


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


# ---- how it is drawn


def draw_recording(
    path: Path,
    detections: Sequence[Detection],
    output: Path,
    *,
    truth: Sequence[Event] = (),
    channel: int | None = None,
    timezone: ZoneInfo | None = None,
    title: str | None = None,
) -> None:
    """Draw a recording, with what was found in it, to a PNG file.

    Args:
        truth: what is known to be there, if it is.
        channel: from 0; None takes the mean of all.
        timezone: of the time in the recording's name; without it times count from the start, unless the name says UTC itself.
        title: the line below the name; None says how much was found.

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
    line = headline(detections, looks[0].whole.end_s) if title is None else title
    with replacing(output) as passing:
        _sheet((path.name, line), looks, marks).savefig(passing, format="png")


def draw_stretch(
    recording: Recording,
    span: Interval,
    detections: Sequence[Detection],
    output: Path,
    *,
    truth: Sequence[Event] = (),
    channel: int | None = None,
    title: str | None = None,
) -> None:
    """Draw a stretch of a recording, with what was found in it, to a PNG file.

    Args:
        span: start and end in seconds; what lies outside the recording is left away.
        detections, truth: of the whole recording, or of the stretch.
        title: the line below the name; None says how much was found.

    Raises:
        OSError: if the stretch cannot be read, or the picture cannot be written.
        ValueError: if nothing of the stretch is within the recording, or it has no such channel.
    """
    shown = stretches(recording, span, (LOW, high_view(recording.rate)), channel=channel)
    begin_s, end_s = shown[0].start_s, shown[0].end_s
    found = [detection for detection in detections if detection.start_s < end_s and begin_s < detection.end_s]
    line = headline(found, end_s - begin_s) if title is None else title
    marks = Marks(found, truth, {}, recording.start_time)
    with replacing(output) as passing:
        _sheet((recording.path.name, line), [Look(whole, ()) for whole in shown], marks).savefig(passing, format="png")


def stretches(
    recording: Recording, span: Interval, views: Sequence[View], *, channel: int | None = None, columns: int = COLUMNS
) -> list[Picture]:
    """Pictures of a stretch of a recording, one a view, from one reading.

    Raises:
        OSError: if it cannot be read.
        ValueError: if nothing of it is within the recording, or there is no such channel.
    """
    start, stop = (min(max(0, samples_at(time_s, recording.rate)), recording.n_samples) for time_s in span)
    if start >= stop:
        raise ValueError(f"{span[0]:g} s to {span[1]:g} s: not within {recording.path}, which ends at {recording.duration_s:.2f} s")
    samples = recording.read(start, stop, channel)
    if len(samples) == 0:
        raise RecordingError(f"{recording.path}: nothing can be read from {span[0]:g} s on; copy it again, or leave it out")
    start_s = seconds_at(start, recording.rate)
    pictures = []
    for view in views:
        blocks = list(resampled([samples], recording.rate, view.rate))
        pictures.append(picture(blocks, view, sum(map(len, blocks)), columns=columns, start_s=start_s))
    return pictures


def _sheet(head: tuple[str, str], looks: Sequence[Look], marks: Marks) -> Figure:
    """Head, overview, and rows of close-ups below, each row of one view."""
    rows = [seen.near[at : at + CLOSE_UPS_A_ROW] for seen in looks for at in range(0, len(seen.near), CLOSE_UPS_A_ROW)]
    overview_in = HEAD_IN + len(looks) * (PANEL_IN + GAP_IN) + FOOT_IN
    row_in = CLOSE_UP_IN + CLOSE_UP_GAP_IN
    figure = Figure((WIDTH_IN, overview_in + (CLOSE_UP_HEAD_IN + len(rows) * row_in if rows else 0.0)), DPI)
    FigureCanvasAgg(figure)
    _draw_head(figure, head, looks[0].whole, marks)
    for number, seen in enumerate(looks):
        _draw_overview(figure, HEAD_IN + number * (PANEL_IN + GAP_IN), seen.whole, marks, last=number == len(looks) - 1)
    if rows:
        write(figure, overview_in + 0.1, f"The highest scores, {CLOSE_UP_S:g} s each, lettered as above", size=12, weight="bold")
    for number, row in enumerate(rows):
        for column, (close_up, shown) in enumerate(row):
            place = overview_in + CLOSE_UP_HEAD_IN + number * row_in, column
            draw_close_up(figure, place, shown, _close_up_title(close_up, marks), marks)
    return figure


def _draw_head(figure: Figure, head: tuple[str, str], whole: Picture, marks: Marks) -> None:
    name, line = head
    write(figure, 0.15, name, size=14, weight="bold")
    write(figure, 0.43, line, size=11)
    found, known = in_order({d.label for d in marks.detections}), in_order({event.label for event in marks.truth})
    keys = [Patch(facecolor="none", edgecolor=colour(label), linewidth=1.6, label=f"{drawable(label)} found") for label in found]
    keys += [Patch(facecolor=colour(label), label=f"{drawable(label)} known") for label in known]
    if np.isnan(whole.level_db).any():
        keys.append(Patch(facecolor=SILENT_COLOUR, label="no sound at all"))
    corner = (1 - RIGHT_IN / WIDTH_IN, 1 - 0.1 / figure.get_figheight())
    style = {"ncols": 2 if known else 1, "frameon": False, "fontsize": 10, "borderpad": 0}
    for text in figure.legend(handles=keys, loc="upper right", bbox_to_anchor=corner, **style).get_texts():
        text.set_parse_math(False)


def _draw_overview(figure: Figure, top_in: float, whole: Picture, marks: Marks, *, last: bool) -> None:
    axes = axes_at(figure, LEFT_IN, top_in, WIDTH_IN - LEFT_IN - RIGHT_IN, PANEL_IN)
    image = draw_picture(axes, whole, marks)
    axes.set_title("Low frequencies: rumbles" if whole.view == LOW else "High frequencies: gunshots and all else", size=11, loc="left")
    name_frequencies(axes)
    times_s, texts = zip(*ticks(whole.end_s, marks.start_time, whole.start_s), strict=True)
    axes.set_xticks(times_s, texts if last else [""] * len(texts))
    if last:
        axes.set_xlabel(time_title(texts[0], marks.start_time), size=10)
    scale = axes_at(figure, WIDTH_IN - RIGHT_IN + 0.1, top_in, 0.12, PANEL_IN)
    figure.colorbar(image, cax=scale, ticks=MaxNLocator(6, integer=True)).set_label("dB over the median", size=10)


def draw_close_up(figure: Figure, place: tuple[float, int], shown: Picture, title: str, marks: Marks) -> None:
    """One of `CLOSE_UPS_A_ROW` pictures of `CLOSE_UP_S` side by side, at inches from the top and a place in the row."""
    (top_in, column), gap_in = place, 0.45
    width_in = (WIDTH_IN - LEFT_IN - 0.25 - (CLOSE_UPS_A_ROW - 1) * gap_in) / CLOSE_UPS_A_ROW
    axes = axes_at(figure, LEFT_IN + column * (width_in + gap_in), top_in, width_in, CLOSE_UP_IN)
    draw_picture(axes, shown, marks)
    axes.set_title(drawable(title), size=10, loc="left", parse_math=False)
    if column == 0:
        name_frequencies(axes)
    axes.set_xticks([shown.start_s + after_s for after_s in (0, 10, 20, 30)], ["0", "10", "20", "30 s"])
    axes.set_xlim(shown.start_s, shown.end_s)
    axes.tick_params(labelsize=9)


def _close_up_title(close_up: CloseUp, marks: Marks) -> str:
    found = close_up.detection
    return f"{close_up.letter}   {found.label} at {time_text(found.start_s, marks.start_time, seconds=True)}, score {found.score:.2f}"
