"""A recording from end to end, or a part of it, drawn with its detections to a file."""

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
from loxo.report.close_ups import (
    CLOSE_UP_GAP_IN,
    CLOSE_UP_IN,
    CLOSE_UP_S,
    CLOSE_UPS_A_ROW,
    CloseUp,
    close_ups,
    draw_close_up,
)
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
)
from loxo.report.pictures import COLUMNS, LOW, Array, Picture, View, high_view, picture
from loxo.report.words import drawable, headline, ticks, time_title
from loxo.storage import atomic_write
from loxo.timeline import resampled_length, samples_at, seconds_at

__all__ = ["copy_spans", "draw_recording", "draw_stretch", "read_stretches"]

LONG_S = 600.0
"""A longer recording is drawn as an overview with close-ups."""
HEAD_IN, PANEL_IN, GAP_IN, FOOT_IN = 0.95, 2.3, 0.35, 0.45
"""Heights in inches of the title, of a panel, of the space below it, and of the time axis."""
CLOSE_UP_HEAD_IN = 0.55
"""Height in inches of the title of the close-ups."""
KEYS_IN_A_COLUMN = 3
"""Keys of colours that have room below each other."""


# ---- reading


@dataclass(frozen=True, slots=True)
class Panel:
    """What one view shows of a recording: all of it, and the close-ups of its detections."""

    whole: Picture
    near: Sequence[tuple[CloseUp, Picture]] = ()


def read_panel(
    recording: Recording, channel: int | None, wanted: Sequence[CloseUp], view: View
) -> Panel:
    """Read a recording once for one of its views.

    The samples of close-ups are copied from the stream, not read again. So close-ups of a damaged
    file show what the detector was given, too.
    """
    spans = [
        (samples_at(c.start_s, view.rate), samples_at(c.start_s + CLOSE_UP_S, view.rate))
        for c in wanted
    ]
    copies: list[list[Array]] = [[] for _ in wanted]
    blocks = copy_spans(recording.blocks(view.rate, channel=channel), spans, copies)
    n_samples = resampled_length(recording.n_samples, recording.rate, view.rate)
    whole = picture(blocks, view, n_samples)
    near = []
    for close_up, parts in zip(wanted, copies, strict=True):
        if parts:
            near.append((close_up, _close_up_picture(parts, view, close_up.start_s)))
    return Panel(whole, near)


def _close_up_picture(parts: Sequence[Array], view: View, start_s: float) -> Picture:
    n_samples = sum(map(len, parts))
    return picture(parts, view, n_samples, columns=COLUMNS // CLOSE_UPS_A_ROW, start_s=start_s)


def copy_spans(
    blocks: Iterable[Array], spans: Sequence[tuple[int, int]], copies: Sequence[list[Array]]
) -> Iterator[Array]:
    """Iterate over blocks and copy the samples of some spans.

    Args:
        spans: first sample, and the one after the last, of each.
        copies: list of each span, to which its samples are appended.
    """
    at = 0
    for block in blocks:
        for (start, stop), parts in zip(spans, copies, strict=True):
            part = block[max(0, start - at) : max(0, stop - at)]
            if len(part):
                parts.append(part.copy())
        at += len(block)
        yield block


def read_stretches(
    recording: Recording,
    span: Interval,
    views: Sequence[View],
    *,
    channel: int | None = None,
    columns: int = COLUMNS,
) -> list[Picture]:
    """Read a part of a recording once, and make a picture of it for each view.

    Args:
        span: start and end in seconds; what lies outside the recording is left out.
        columns: most columns of a picture.

    Raises:
        OSError: if it cannot be read.
        ValueError: if no part of it lies in the recording, or the channel does not exist.
    """
    start, stop = (
        min(max(0, samples_at(time_s, recording.rate)), recording.n_samples) for time_s in span
    )
    if start >= stop:
        raise ValueError(
            f"{span[0]:g} s to {span[1]:g} s: not within {recording.path}, which ends at "
            f"{recording.duration_s:.2f} s"
        )
    samples = recording.read(start, stop, channel)
    if len(samples) == 0:
        raise RecordingError(
            f"{recording.path}: nothing can be read from {span[0]:g} s on; copy it again, or leave "
            "it out"
        )
    start_s = seconds_at(start, recording.rate)
    pictures = []
    for view in views:
        blocks = list(resampled([samples], recording.rate, view.rate))
        n_samples = sum(map(len, blocks))
        pictures.append(picture(blocks, view, n_samples, columns=columns, start_s=start_s))
    return pictures


# ---- drawing


def draw_recording(
    path: str | Path,
    detections: Sequence[Detection],
    output: str | Path,
    *,
    truth: Sequence[Event] = (),
    channel: int | None = None,
    timezone: ZoneInfo | None = None,
    title: str | None = None,
) -> None:
    """Draw a recording with its detections to a PNG file.

    Args:
        truth: known events.
        channel: counted from 0; None takes the mean of all.
        timezone: of the time in the recording's name. Without it times count from the start, unless
            the name has a zone.
        title: the line below the name; None says how many detections there are.

    Raises:
        OSError: if nothing in the recording can be used, or the picture cannot be written.
        ValueError: if the recording has no such channel.
    """
    recording = open_recording(path, timezone)
    wanted = close_ups(detections, recording.duration_s) if recording.duration_s > LONG_S else []
    letters = {close_up.detection: close_up.letter for close_up in wanted}
    marks = Marks(detections, truth, letters, recording.start_time)
    views = [LOW, high_view(recording.rate)]
    of_view = [_in_view(wanted, marks.in_view(view)) for view in views]
    with ThreadPoolExecutor(len(views)) as pool:
        panels = list(pool.map(partial(read_panel, recording, channel), of_view, views))
    if any(len(panel.whole.level_db) == 0 for panel in panels):
        raise RecordingError(
            f"{path}: no sample can be read, so nothing can be drawn; copy it again, or leave it "
            "out"
        )
    line = headline(detections, panels[0].whole.end_s) if title is None else title
    _save(_sheet((recording.path.name, line), panels, marks), output)


def _in_view(wanted: Sequence[CloseUp], shown: Marks) -> list[CloseUp]:
    """Close-ups of the detections that a view shows."""
    return [close_up for close_up in wanted if close_up.detection in shown.detections]


def draw_stretch(
    recording: Recording,
    span: Interval,
    detections: Sequence[Detection],
    output: str | Path,
    *,
    truth: Sequence[Event] = (),
    channel: int | None = None,
    title: str | None = None,
) -> None:
    """Draw a part of a recording with its detections to a PNG file.

    Args:
        span: start and end in seconds; what lies outside the recording is left out.
        detections, truth: of the whole recording, or of the part.
        channel: counted from 0; None takes the mean of all.
        title: the line below the name; None says how many detections there are.

    Raises:
        OSError: if the part cannot be read, or the picture cannot be written.
        ValueError: if no part of the span lies in the recording, or it has no such channel.
    """
    shown = read_stretches(recording, span, (LOW, high_view(recording.rate)), channel=channel)
    begin_s, end_s = shown[0].start_s, shown[0].end_s
    found = [d for d in detections if d.start_s < end_s and begin_s < d.end_s]
    line = headline(found, end_s - begin_s) if title is None else title
    marks = Marks(found, truth, {}, recording.start_time)
    _save(_sheet((recording.path.name, line), [Panel(whole) for whole in shown], marks), output)


def _save(figure: Figure, output: str | Path) -> None:
    with atomic_write(Path(output)) as temporary:
        figure.savefig(temporary, format="png")


def _sheet(head: tuple[str, str], panels: Sequence[Panel], marks: Marks) -> Figure:
    """Draw the head and the overview, and below them rows of close-ups, each row of one view."""
    rows = [row for panel in panels for row in _in_rows(panel.near)]
    overview_in = HEAD_IN + len(panels) * (PANEL_IN + GAP_IN) + FOOT_IN
    row_in = CLOSE_UP_IN + CLOSE_UP_GAP_IN
    rows_in = CLOSE_UP_HEAD_IN + len(rows) * row_in if rows else 0.0
    figure = Figure((WIDTH_IN, overview_in + rows_in), DPI)
    FigureCanvasAgg(figure)
    _draw_head(figure, head, panels[0].whole, marks)
    for number, panel in enumerate(panels):
        top_in = HEAD_IN + number * (PANEL_IN + GAP_IN)
        _draw_overview(figure, top_in, panel.whole, marks, last=number == len(panels) - 1)
    if rows:
        line = f"The highest scores, {CLOSE_UP_S:g} s each, lettered as above"
        write(figure, overview_in + 0.1, line, size=12, weight="bold")
    for number, row in enumerate(rows):
        top_in = overview_in + CLOSE_UP_HEAD_IN + number * row_in
        for column, (close_up, shown) in enumerate(row):
            draw_close_up(figure, (top_in, column), shown, close_up.title(marks), marks)
    return figure


def _in_rows(near: Sequence[tuple[CloseUp, Picture]]) -> list[Sequence[tuple[CloseUp, Picture]]]:
    return [near[at : at + CLOSE_UPS_A_ROW] for at in range(0, len(near), CLOSE_UPS_A_ROW)]


def _draw_head(figure: Figure, head: tuple[str, str], whole: Picture, marks: Marks) -> None:
    """Draw the name, the line below it, and the key of the colours."""
    name, line = head
    write(figure, 0.15, name, size=14, weight="bold")
    write(figure, 0.43, line, size=11)
    found = in_order({detection.label for detection in marks.detections})
    known = in_order({event.label for event in marks.truth})
    keys = [_outlined(label) for label in found]
    keys += [Patch(facecolor=colour(label), label=f"{drawable(label)} known") for label in known]
    if np.isnan(whole.level_db).any():
        keys.append(Patch(facecolor=SILENT_COLOUR, label="no sound at all"))
    legend = figure.legend(
        handles=keys,
        loc="upper right",
        bbox_to_anchor=(1 - RIGHT_IN / WIDTH_IN, 1 - 0.1 / figure.get_figheight()),
        ncols=2 if known or len(keys) > KEYS_IN_A_COLUMN else 1,
        frameon=False,
        fontsize=10,
        borderpad=0,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)


def _outlined(label: str) -> Patch:
    text = f"{drawable(label)} found"
    return Patch(facecolor="none", edgecolor=colour(label), linewidth=1.6, label=text)


def _draw_overview(
    figure: Figure, top_in: float, whole: Picture, marks: Marks, *, last: bool
) -> None:
    """Draw one view of the whole recording.

    Args:
        last: whether it is the lowest one, which has the numbers of the time axis.
    """
    axes = axes_at(figure, LEFT_IN, top_in, WIDTH_IN - LEFT_IN - RIGHT_IN, PANEL_IN)
    image = draw_picture(axes, whole, marks)
    labels = ", ".join(map(drawable, marks.in_view(whole.view).labels))
    name = "Low frequencies" if whole.view == LOW else "High frequencies"
    axes.set_title(": ".join(filter(None, (name, labels))), size=11, loc="left", parse_math=False)
    name_frequencies(axes)
    times_s, texts = zip(*ticks(whole.end_s, marks.start_time, whole.start_s), strict=True)
    axes.set_xticks(times_s, texts if last else [""] * len(texts))
    if last:
        axes.set_xlabel(time_title(texts[0], marks.start_time), size=10)
    scale = axes_at(figure, WIDTH_IN - RIGHT_IN + 0.1, top_in, 0.12, PANEL_IN)
    bar = figure.colorbar(image, cax=scale, ticks=MaxNLocator(6, integer=True))
    bar.set_label("dB over the median", size=10)
